"""A rerun buys nothing that is there, and makes what is not. The sandbox's own books say so."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import program
from fakes.job import Job
from PIL import Image


@pytest.fixture
def finished(make_job, books) -> Job:
    """A job with six finished images, made by a sandbox that keeps its books."""
    job = make_job(
        {"use": "sandbox", "base_url": books.url},
        prompts=[{"id": name, "text": f"a {name} in ${{{{ tone }}}}"} for name in ("mug", "tray", "pot")],
        matrix={"tone": ["green", "grey"]},
        output={"path": "${{ prompt.id }}-${{ tone }}.png"},
    )
    job.run()
    assert len(job.images) == 6
    return job


def _reorder(job: Job) -> None:
    job.write(prompts=job.manifest["prompts"][::-1], matrix={"tone": ["grey", "green"]})


def _rename_output(job: Job) -> None:
    job.write(output={"path": "by-tone/${{ tone }}/${{ prompt.id }}.png"})


def _comment(job: Job) -> None:
    job.path.write_text("# a remark\n" + job.path.read_text() + "\n# another\n")


def _reformat(job: Job) -> None:
    job.path.write_text(job.path.read_text().replace("\n", "\r\n"))


CHANGES: dict[str, Callable[[Job], None]] = {
    "nothing": lambda _: None,
    "reordering the manifest": _reorder,
    "renaming the output path": _rename_output,
    "comments": _comment,
    "line ends": _reformat,
    "concurrency": lambda job: job.write(limits={"concurrency": 1}),
    "limits": lambda job: job.write(limits={"budget_usd": 50, "stop_after": "1h", "max_failures": 3}),
    "retry": lambda job: job.write(retry={"attempts": 2, "in_doubt": "hold"}),
    "exports": lambda job: job.write(post=[{"id": "web", "format": "webp", "width": 320}]),
    "review": lambda job: job.write(review={"gallery": False}),
    "metadata": lambda job: job.write(output={**job.manifest["output"], "metadata": "none"}),
    "description": lambda job: job.write(description="now with words"),
    "the end user's id": lambda job: job.write(request={**job.manifest["request"], "user": "team-7"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_finished_job_makes_no_request_after(change, finished, books):
    """What the API does not see never causes a request, and every image stays as it is."""
    before, pictures = books.stats(), sorted(finished.images.values())
    CHANGES[change](finished)
    summary = finished.run().event("summary")
    assert (summary["saved"], summary["attempts"], summary["skipped"]) == (0, 0, 6)
    assert (books.stats(), sorted(finished.images.values())) == (before, pictures)


def test_another_gateway_address_buys_nothing(finished, tmp_path):
    """A job that moves to another gateway keeps its images: the new one is never asked for anything."""
    with program.sandbox(cwd=tmp_path) as other:
        finished.write(provider={"use": "sandbox", "base_url": other.url})
        assert finished.run().event("summary")["attempts"] == 0
        assert other.bills() == []


def test_each_image_is_billed_once(finished, books):
    """The books have one bill per image, under the request's own id."""
    ids = {entry["request"] for entry in finished.entries("image_saved")}
    billed = [bill for bill in books.bills() if ids & {str(value) for value in bill.values()}]
    assert len(billed) == len(ids) == 6


def test_a_renamed_path_moves_the_files(finished):
    """After a new output path the same bytes lie under the new names and nothing lies under the old ones."""
    old = finished.images
    _rename_output(finished)
    finished.run()
    assert set(finished.images) == {
        f"by-tone/{tone}/{name}.png" for name in ("mug", "tray", "pot") for tone in ("green", "grey")
    }
    assert sorted(finished.images.values()) == sorted(old.values())
    assert {entry["kind"] for entry in finished.ledger} >= {"image_moved"}


def test_swapped_names_are_not_mixed_up(finished):
    """Two images that exchange their paths keep their bytes: each is moved by its hash, none is overwritten."""
    old = finished.images
    finished.write(output={"path": "${{ prompt.id }}-${{ 'grey' if tone == 'green' else 'green' }}.png"})
    assert finished.run().event("summary")["attempts"] == 0
    assert finished.images["mug-grey.png"] == old["mug-green.png"]
    assert finished.images["mug-green.png"] == old["mug-grey.png"]


def test_a_deleted_image_is_made_again(finished):
    """A file that is gone is missing, and it alone is made again."""
    gone = finished.image("mug-green")
    gone.unlink()
    assert finished.states()["mug/green/v1"] == "missing"
    assert finished.run().event("summary")["saved"] == 1
    assert gone.exists()


def test_a_truncated_image_is_made_again(finished):
    """Half a file is missing, too, and its remains are set aside."""
    cut = finished.image("mug-green")
    half = cut.read_bytes()[: cut.stat().st_size // 2]
    cut.write_bytes(half)
    assert finished.states()["mug/green/v1"] == "missing"
    assert finished.run().event("summary")["saved"] == 1
    assert [path.read_bytes() for path in finished.superseded] == [half]


def test_a_retouched_image_is_kept_and_shown(finished):
    """A whole image with other bytes is somebody's work: it counts as done and the plan shows it."""
    path = finished.image("mug-green")
    Image.new("RGB", (1024, 1024), "red").save(path)
    retouched = path.read_bytes()
    assert finished.states()["mug/green/v1"] == "altered"
    assert finished.run().event("summary")["attempts"] == 0
    assert path.read_bytes() == retouched
    assert "*" in finished.call("plan").out + finished.call("plan").err


def test_a_retouched_image_is_replaced_on_demand(finished):
    """--remake-altered makes it again, and the retouched file goes to .superseded/."""
    path = finished.image("mug-green")
    Image.new("RGB", (1024, 1024), "red").save(path)
    retouched = path.read_bytes()
    assert finished.run("--remake-altered").event("summary")["saved"] == 1
    assert [old.read_bytes() for old in finished.superseded] == [retouched]


def test_a_changed_prompt_replaces_its_image(finished):
    """A new prompt is a new purchase under the old name; the old picture goes to .superseded/."""
    old = finished.image("mug-green").read_bytes()
    prompts = [{"id": "mug", "text": "a chipped mug in ${{ tone }}"}, *finished.manifest["prompts"][1:]]
    finished.write(prompts=prompts)
    assert finished.states()["mug/green/v1"] == "changed"
    assert finished.run().event("summary")["saved"] == 2
    assert finished.image("mug-green").read_bytes() != old
    assert old in [path.read_bytes() for path in finished.superseded]


def test_keep_changed_leaves_the_old_image(finished):
    """--keep-changed makes nothing of what merely changed."""
    finished.write(prompts=[{"id": "mug", "text": "a chipped mug in ${{ tone }}"}, *finished.manifest["prompts"][1:]])
    before = finished.images
    assert finished.run("--keep-changed").event("summary")["attempts"] == 0
    assert finished.images == before


def test_a_prompt_that_is_gone_leaves_orphans(finished):
    """What the manifest no longer names is shown as orphan and left alone."""
    finished.write(prompts=finished.manifest["prompts"][1:])
    states = finished.states()
    assert (states["mug/green/v1"], states["mug/grey/v1"]) == ("orphan", "orphan")
    assert finished.run().event("summary")["attempts"] == 0
    assert len(finished.images) == 6


def test_more_takes_make_only_the_new_ones(finished):
    """Raising `repeat` from 1 to 2 buys one more of each."""
    finished.write(repeat=2, output={"path": "${{ prompt.id }}-${{ tone }}-${{ take }}.png"})
    summary = finished.run().event("summary")
    assert (summary["saved"], summary["skipped"]) == (6, 6)


def test_a_lost_mount_stops_an_unattended_run(make_job, books):
    """Twenty finished files gone at once look like a missing mount: exit 3, and nothing is bought again."""
    job = make_job({"use": "sandbox", "base_url": books.url}, prompts=["a mug"], repeat=20, request={"size": "256x256"})
    job.run()
    shutil.rmtree(job.place / "images")
    before = books.stats()
    assert job.call("run").code == 3
    assert books.stats() == before


def test_a_job_folder_can_be_copied_elsewhere(finished, tmp_path, books):
    """A finished job that moves with its manifest is still finished: nothing in it is absolute."""
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.copytree(finished.folder / "output", moved / "output")
    shutil.copy(finished.path, moved / "job.yaml")
    before = books.stats()
    again = program.call("run", Path("job.yaml"), "--json", cwd=moved)
    assert again.code == 0, again.said
    assert (again.event("summary")["skipped"], books.stats()) == (6, before)


def test_a_lost_report_and_log_do_not_matter(finished, books):
    """Everything but the ledger and the images is derived."""
    for name in ("report.json", "logs", "gallery"):
        path = finished.place / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    before = books.stats()
    assert finished.run().event("summary")["skipped"] == 6
    assert books.stats() == before
