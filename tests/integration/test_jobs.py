"""The shipped examples run as they are, and formats.yaml shows what each provider's document lists."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml
from fakes import program
from PIL import Image

SHIPPED = program.SOURCE / "jobs"

OPENAI = {"auto", "1024x1024", "1536x1024", "1024x1536", "2048x2048", "2048x1152", "3840x2160", "2160x3840"}
UNIFIED = {"1024x1024", "1536x1152", "1536x1024", "1024x1536", "1920x1080", "1080x1920"}
PRESETS = {"1:1", "4:3", "3:2", "2:3", "16:9", "9:16"}
DOCUMENTED = {  # provider -> sizes for generations, sizes for edits; read off the providers' documents by hand
    "openai": (OPENAI, OPENAI),
    "bettertoken": (OPENAI | {"1536x1152", "1152x1536"}, OPENAI),
    "gptproto": (OPENAI, set()),
    "unified": (UNIFIED | PRESETS, UNIFIED | PRESETS),
}


@pytest.fixture
def jobs(tmp_path) -> Path:
    """A copy of jobs/, so that nothing is made in the checkout."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "jobs"))


def _call(jobs: Path, *arguments: str) -> program.Finished:
    return program.call(*arguments, cwd=jobs.parent)


def _plan(jobs: Path, *arguments: str) -> program.Finished:
    finished = _call(jobs, "plan", *arguments, "--json")
    assert finished.code == 0, finished.said
    return finished


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "profile", "count"),
    [
        ("hello", None, 2),
        ("launch", None, 90),
        ("launch", "draft", 45),
        ("nightly", None, 2),
        ("edits", None, 10),
        ("formats", None, 36),
    ],
)
def test_each_job_runs_to_its_end_without_a_key(jobs, name, profile, count):
    """Every example makes all its images on the sandbox, and has nothing to do the second time."""
    options = ["--profile", profile] if profile else []
    first = _call(jobs, "run", f"jobs/{name}.yaml", "--json", *options)
    assert first.code == 0, first.said
    assert (first.event("summary")["requests"], first.event("summary")["saved"]) == (count, count)
    again = _call(jobs, "run", f"jobs/{name}.yaml", "--json", *options)
    assert again.code == 0, again.said
    assert (again.event("summary")["saved"], again.event("summary")["attempts"]) == (0, 0)


def test_hello_makes_two_pictures_in_the_sandbox_folder(jobs):
    """The README's first command leaves two whole PNG files where it says."""
    assert _call(jobs, "run", "jobs/hello.yaml").code == 0
    pictures = list((jobs.parent / "output" / "hello@sandbox" / "images").glob("*.png"))
    assert len(pictures) == 2
    for picture in pictures:
        with Image.open(picture) as opened:
            opened.load()
            assert opened.format == "PNG"


def test_jpeg_is_what_nightly_gets(jobs):
    """A JPEG is asked for, comes, and is named after the column."""
    assert _call(jobs, "run", "jobs/nightly.yaml").code == 0
    pictures = sorted((jobs.parent / "output" / "nightly-catalogue@sandbox" / "images").glob("*/*.jpg"))
    assert [picture.name for picture in pictures] == ["MU-001.jpg", "TE-001.jpg"]


def test_nightly_reads_another_catalogue_from_the_environment(jobs):
    """CATALOGUE names the CSV, as the manifest's `env` allows."""
    (jobs / "other.csv").write_text("sku,name,material,status\nXX-1,Bowl,,new\n", encoding="utf-8-sig")
    finished = program.call("plan", "jobs/nightly.yaml", "--json", cwd=jobs.parent, env={"CATALOGUE": "other.csv"})
    assert [event["slot"] for event in finished.events if event["event"] == "slot"] == ["pack/XX-1/v1"]


@pytest.mark.parametrize("provider", DOCUMENTED)
def test_formats_shows_exactly_the_sizes_of_each_document(jobs, provider):
    """Planned for a provider, formats.yaml asks for each size that its document lists, and for no other."""
    events = _plan(jobs, "jobs/formats.yaml", "--profile", provider).events
    slots = [event["slot"] for event in events if event["event"] == "slot"]
    sizes = {row["id"]: row["size"] for row in _formats()}
    generations = {sizes[slot.split("/")[1]] for slot in slots if slot.startswith("text/")}
    edits = {sizes[slot.split("/")[1]] for slot in slots if slot.startswith("edit/")}
    assert (generations, edits) == DOCUMENTED[provider]


@pytest.mark.parametrize("provider", DOCUMENTED)
def test_the_provider_data_list_the_sizes_of_each_document(jobs, provider):
    """`batchgen providers NAME --sizes` lists what the document lists (edits are not documented everywhere)."""
    listed = _call(jobs, "providers", provider, "--sizes")
    assert listed.code == 0, listed.said
    pairs = [line.split() for line in listed.out.splitlines()]
    generations, edits = DOCUMENTED[provider]
    assert {size for operation, size in pairs if operation == "generate"} == generations
    assert not edits or {size for operation, size in pairs if operation == "edit"} == edits


def _formats() -> list[dict]:
    # The plain loader reads 9:16 as a number unless it is quoted, so this checks the quotes, too.
    return yaml.safe_load((SHIPPED / "formats.yaml").read_text(encoding="utf-8"))["matrix"]["format"]


def test_launch_is_the_product_that_its_comment_says(jobs):
    """4 products x 3 locales x 4 formats, minus 3, x 2 takes."""
    slots = [event["slot"] for event in _plan(jobs, "jobs/launch.yaml").events if event["event"] == "slot"]
    assert Counter(slot.rpartition("/")[2] for slot in slots) == {"v1": 45, "v2": 45}
    assert not [slot for slot in slots if "/tray/" in slot and "/story/" in slot]


def test_launch_has_a_price_at_openai(jobs):
    """At a provider with known prices, the plan says what 90 images cost, within the manifest's budget."""
    cost = _plan(jobs, "jobs/launch.yaml", "--provider", "openai").event("plan")["cost_usd"]
    assert 10 < cost["low"] <= cost["high"] < 40


@pytest.mark.parametrize("profile", ["bettertoken", "gptproto", "unified"])
def test_formats_has_no_price_where_none_is_published(jobs, profile):
    """An unknown price is unknown, never 0."""
    assert _plan(jobs, "jobs/formats.yaml", "--profile", profile).event("plan")["cost_usd"] is None


def test_a_size_of_another_provider_is_a_plan_error(jobs):
    """All sizes at one provider: the ones it does not take are named, with those it does."""
    finished = _call(jobs, "plan", "jobs/formats.yaml", "--provider", "bettertoken")
    assert finished.code == 2
    assert "1920x1080" in finished.err
    assert "1536x1152" in finished.err


def test_reference_pictures_are_small_and_fit_their_mask():
    """The shipped pictures are light, and the mask is a PNG with alpha of its image's size."""
    assert all(path.stat().st_size < 60_000 for path in (SHIPPED / "refs").iterdir())
    with Image.open(SHIPPED / "refs" / "MU-001.png") as mug, Image.open(SHIPPED / "refs" / "MU-001.mask.png") as mask:
        assert mask.size == mug.size
        assert mask.mode == "RGBA"
        assert mask.getextrema()[3] == (0, 255)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.name)
def test_the_modeline_points_at_the_schema(path):
    """An editor that opens an example finds the schema."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    prefix = "# yaml-language-server: $schema="
    assert first.startswith(prefix)
    assert (path.parent / first.removeprefix(prefix)).resolve().is_file()
