"""Bad input is exit 2: a message with place and remedy, nothing sent, nothing written."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes.job import Job
from PIL import Image

HEAD = "version: 1\nname: broken\nprovider: { use: openai, base_url: GATEWAY }\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A manifest below HEAD, files beside it, and what the message must say."""

    text: str
    says: tuple[str, ...]
    files: dict[str, bytes] = field(default_factory=dict)


BOMB = "vars:\n  a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"  {b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
AXIS = "[" + ", ".join(map(str, range(1000))) + "]"
CASES = {
    "bad YAML": Case(text="prompts: [a mug\nlimits: {", says=("job.yaml:",)),
    "a colon in a plain prompt": Case(text="prompts:\n  - id: p\n    text: Poster: a cat\n", says=("job.yaml:6",)),
    "an unknown key": Case(text="prompts: [a mug]\nlimts: {}\n", says=("job.yaml:5:1", "limts", "limits")),
    "an unknown key below": Case(text="request: { qualty: high }\nprompts: [a]\n", says=("qualty", "quality")),
    "a wrong type": Case(text="prompts: [a mug]\nlimits: { concurrency: eight }\n", says=("job.yaml:5", "eight")),
    "a value out of bounds": Case(text="prompts: [a mug]\nlimits: { budget_usd: 0 }\n", says=("budget_usd",)),
    "no prompts": Case(text="", says=("prompts",)),
    "an empty prompt": Case(text="prompts: ['']\n", says=("job.yaml:4", "prompt")),
    "duplicate keys": Case(text="prompts: [a]\nrepeat: 2\nrepeat: 3\n", says=("repeat", "twice", "5")),
    "an alias bomb": Case(text=BOMB + "prompts: [a]\n", says=("alias",)),
    "a tag": Case(text="prompts: [!!python/name:os.system x]\n", says=("job.yaml:4", "tag")),
    "n": Case(text="request: { n: 4 }\nprompts: [a mug]\n", says=("n", "repeat")),
    "a matrix of a billion": Case(
        text=f"prompts: ['${{{{ a }}}}']\nmatrix: {{ a: {AXIS}, b: {AXIS}, c: {AXIS} }}\n", says=("1,000,000,000",)
    ),
    "a rule that matches nothing": Case(
        text="prompts: ['${{ a }}']\nmatrix: { a: [x, y], exclude: [{ a: z }] }\n", says=("exclude", "z")
    ),
    "two slots with one path": Case(
        text="prompts: [a mug, a tray]\noutput: { path: same.png }\n", says=("same.png", "path")
    ),
    "two paths that differ in case": Case(
        text="prompts: [{ id: a, text: '${{ x }}' }]\nmatrix: { x: [Q, q] }\noutput: { path: '${{ x }}.png' }\n",
        says=("Q.png", "q.png", "path"),
    ),
    "the same prompt twice": Case(text="prompts: [a mug, a mug]\n", says=("repeat",)),
    "a path outside the job folder": Case(
        text="prompts: [a mug]\noutput: { path: ../../escape.png }\n", says=("escape.png",)
    ),
    "an absolute path": Case(text="prompts: [a mug]\noutput: { path: /srv/escape.png }\n", says=("escape.png",)),
    "an unknown name in a template": Case(text="prompts: ['a ${{ colour }} mug']\n", says=("colour",)),
    "an attack in a template": Case(text="prompts: [\"a ${{ ''.__class__ }} mug\"]\n", says=("job.yaml:4",)),
    "a missing column": Case(
        text="rows: { csv: rows.csv, key: sku }\nprompts: ['a ${{ row.colour }} mug']\n",
        files={"rows.csv": b"sku,name\nA,mug\n"},
        says=("colour", "rows.csv", "sku, name"),
    ),
    "an empty key in a CSV": Case(
        text="rows: { csv: rows.csv, key: sku }\nprompts: ['a ${{ row.name }}']\n",
        files={"rows.csv": b"sku,name\nA,mug\n,tray\n"},
        says=("rows.csv", "3", "sku"),
    ),
    "a key twice in a CSV": Case(
        text="rows: { csv: rows.csv, key: sku }\nprompts: ['a ${{ row.name }}']\n",
        files={"rows.csv": b"sku,name\nA,mug\nB,pot\nA,tray\n"},
        says=("rows.csv", "2", "4"),
    ),
    "a missing CSV": Case(text="rows: { csv: none.csv }\nprompts: ['${{ row.a }}']\n", says=("none.csv",)),
    "a missing reference image": Case(text="prompts: [{ text: a, images: [none.png] }]\n", says=("none.png",)),
    "a reference that is no image": Case(
        text="prompts: [{ text: a, images: [text.png] }]\n", files={"text.png": b"hello"}, says=("text.png",)
    ),
    "a mask of the wrong size": Case(
        text="prompts: [{ text: a, images: [big.png], mask: small.png }]\n", says=("small.png", "64x64", "32x32")
    ),
    "a mask without alpha": Case(
        text="prompts: [{ text: a, images: [big.png], mask: big.png }]\n", says=("big.png", "alpha")
    ),
    "a size that is not sold": Case(text="request: { size: 1000x1000 }\nprompts: [a mug]\n", says=("1000x1000", "16")),
    "a size with the wrong cross": Case(text="request: { size: 1024×1024 }\nprompts: [a]\n", says=("1024×1024",)),
    "a parameter that the provider does not take": Case(
        text="request: { style: vivid }\nprompts: [a mug]\n", says=("style", "drop")
    ),
    "a variable that is not set": Case(
        text="env: [NOT_SET_ANYWHERE]\ndescription: ${NOT_SET_ANYWHERE}\nprompts: [a]\n", says=("NOT_SET_ANYWHERE",)
    ),
    "a variable that env does not name": Case(text="description: ${HOME}\nprompts: [a]\n", says=("HOME", "env")),
    "more than max_images": Case(text="prompts: [a, b, c]\nlimits: { max_images: 2 }\n", says=("max_images", "3")),
    "NUL bytes": Case(text="prompts: ['a\0b']\n", says=("job.yaml",)),
}


def _picture(path: Path, edge: int, mode: str) -> None:
    Image.new(mode, (edge, edge)).save(path)


@pytest.fixture
def write(tmp_path, openai_gateway, make_job):
    """Put a case's manifest and files in place."""

    def place(case: Case) -> Job:
        job = make_job()
        _picture(tmp_path / "big.png", 64, "RGB")
        _picture(tmp_path / "small.png", 32, "RGBA")
        for name, content in case.files.items():
            (tmp_path / name).write_bytes(content)
        job.path.write_text(HEAD.replace("GATEWAY", openai_gateway.url) + case.text, encoding="utf-8")
        return job

    return place


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_with_place_and_remedy(name, write, openai_gateway):
    """Exit 2, the words that help, no request, no job folder, no traceback."""
    job = write(CASES[name])
    finished = job.call("run")
    assert finished.code == 2, finished.said
    assert [word for word in CASES[name].says if word.casefold() not in finished.err.casefold()] == []
    assert "Traceback" not in finished.err
    assert (openai_gateway.requests, job.untouched) == ([], True)


def test_all_problems_are_reported_at_once(write):
    """Seven mistakes in one file are seven messages in one pass."""
    text = (
        "request:\n  qualty: high\nlimits:\n  concurrency: eight\n  budget_usd: 0\nmatrix:\n  season:\n"
        "    - { id: winter, props: pine branches, warm candle light }\nprompts:\n  - id: hero\n    txt: a mug\n"
        "repeat: 2\nrepeat: 3\n"
    )
    job = write(Case(text=text, says=()))
    job.path.write_text(job.path.read_text().replace("name: broken", "name: spring launch"))
    err = job.call("plan").err
    for word in ("spring launch", "quality", "eight", "budget_usd", "warm candle light", "txt", "repeat"):
        assert word in err


def test_an_unreadable_file_is_refused(make_job):
    """A manifest that is not there, is a folder, or is no text."""
    job = make_job()
    job.path.write_bytes(b"\xff\xfe\x00name")
    assert job.call("run").code == 2
    job.path.unlink()
    assert job.call("run").code == 2
    job.path.mkdir()
    assert job.call("run").code == 2
    assert job.untouched


def test_a_near_name_is_offered(make_job):
    """A mistyped manifest path names the file that is there."""
    job = make_job()
    job.path = job.folder / "jop.yaml"
    finished = job.call("run")
    assert finished.code == 2
    assert "job.yaml" in finished.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--nonsense"], "nonsense"),
        (["-s", "mgu/v1"], "mug/v1"),
        (["--profile", "drafft"], "draft"),
        (["--provider", "opnai"], "openai"),
        (["--set", "limits.concurency=3"], "concurrency"),
        (["--set", "limits.concurrency=many"], "many"),
        (["--budget", "-1"], "budget"),
        (["--limit", "0"], "limit"),
        (["--stop-by", "whenever"], "whenever"),
        (["--plan", "none.json"], "none.json"),
    ],
)
def test_a_bad_command_line_is_refused(arguments, says, make_job):
    """Exit 2, the word that is wrong or the one that was meant, nothing written."""
    job = make_job(profiles={"draft": {"repeat": 1}})
    finished = job.call("run", *arguments)
    assert finished.code == 2, finished.said
    assert says in finished.err
    assert job.untouched


def test_a_budget_without_a_price_is_refused(make_job, openai_gateway):
    """Where no price is known a budget cannot be held: exit 2, with the way to give a price."""
    job = make_job({"use": "gptproto", "base_url": openai_gateway.url}, limits={"budget_usd": 5})
    job.environment["GPTPROTO_API_KEY"] = job.environment["OPENAI_API_KEY"]
    finished = job.call("run")
    assert finished.code == 2
    assert "prices" in finished.err
    job.write(provider={**job.manifest["provider"], "prices": 0.04})
    assert job.run().event("summary")["cost_usd"] == pytest.approx(0.08)


def test_a_state_filter_that_matches_nothing_is_fine(make_job):
    """Nothing failed, so there is nothing to do: exit 0."""
    assert make_job().call("run", "-s", "state:failed").code == 0


def test_a_reference_image_that_changed_since_the_plan_is_not_sent(make_job, openai_gateway, tmp_path):
    """What is sent is what was planned: a saved plan whose reference image is another now sends nothing of it."""
    _picture(tmp_path / "ref.png", 64, "RGB")
    job = make_job({"use": "openai", "base_url": openai_gateway.url}, prompts=[{"text": "a", "images": ["ref.png"]}])
    assert job.call("plan", "-o", "plan.json").code == 0
    Image.new("RGB", (64, 64), "red").save(tmp_path / "ref.png")
    assert job.call("run", "--plan", "plan.json").code == 2
    assert openai_gateway.requests == []
