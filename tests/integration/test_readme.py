"""The README says what is so: its commands exist, its manifest plans, its tables are complete."""

import re
import shlex
from pathlib import Path

import pytest
from fakes import program

README = (program.SOURCE / "README.md").read_text(encoding="utf-8")
VERBS = [
    *("run", "plan", "retry", "status", "ls", "show", "verify", "resolve", "redo", "adopt"),
    *("init", "schema", "providers", "sandbox"),
]


def _commands() -> list[list[str]]:
    """Every `batchgen VERB ...` in code, as arguments, without what follows a `#`."""
    spans = re.findall(r"`([^`\n]*\bbatchgen [a-z][^`\n]*)`", README)
    lines = [line for line in README.splitlines() if line.startswith("batchgen ")]
    return [shlex.split(re.split(r"\bbatchgen ", text.partition(" #")[0], maxsplit=1)[1]) for text in spans + lines]


JOB = """
version: 1
name: shop
matrix: { product: [mug, tray], locale: [de-DE, en-US] }
prompts: [{ id: hero, text: "a ${{ product }} in ${{ locale }}" }]
profiles: { draft: { request: { quality: low } } }
"""
STAND_INS = {
    "JOB": "shop.yaml",
    "jobs/launch.yaml": "shop.yaml",
    "SLOT": "hero/mug/de-DE/v1",
    "NAME": "bettertoken",
    "openai": "sandbox",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """A folder with a small job and the files that the README's commands name."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.yaml").write_text(JOB, encoding="utf-8")
    (folder / "prompts.jsonl").write_text('{"prompt": "a mug"}\n', encoding="utf-8")
    assert program.call("run", "shop.yaml", cwd=folder).code == 0
    return folder


RUNNABLE = [command for command in _commands() if command[0] not in {"sandbox", "COMMAND"}]


@pytest.mark.parametrize("command", RUNNABLE, ids=" ".join)
def test_every_command_of_the_readme_runs(command, shop):
    """Each example does what it says on a real job; only names and the provider are filled in."""
    finished = program.call(*(STAND_INS.get(word, word) for word in command), cwd=shop)
    assert finished.code == 0, finished.said


def test_the_readme_shows_commands():
    """The search of the next test finds what it is meant to check."""
    assert {command[0] for command in _commands()} >= {"run", "plan", "retry", "verify", "init"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_in_the_readme(verb):
    """Nothing that exists goes unmentioned."""
    assert re.search(rf"batchgen {verb}\b", README)


@pytest.mark.parametrize("verb", sorted({command[0] for command in _commands()} - {"COMMAND"}))
def test_every_option_in_the_readme_exists(verb, tmp_path):
    """Each verb and each of its options that the README shows is in the program's help."""
    helped = program.call(verb, "--help", cwd=tmp_path)
    assert helped.code == 0, helped.said
    words = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", helped.out))
    used = {word for command in _commands() if command[0] == verb for word in command if word.startswith("-")}
    assert used <= words


def test_help_lists_exactly_the_verbs_of_this_release(tmp_path):
    """No verb is promised that is not there."""
    out = program.call("--help", cwd=tmp_path).out
    listed = re.findall(r"^  ([a-z]+)\b", out.partition("Commands:")[2], flags=re.MULTILINE)
    assert sorted(listed) == sorted(VERBS)


def test_the_manifest_of_the_readme_plans(tmp_path):
    """The twelve lines are a whole manifest."""
    (manifest,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    assert len(manifest.splitlines()) == 12
    (tmp_path / "shop.yaml").write_text(manifest, encoding="utf-8")
    (tmp_path / "products.csv").write_text("sku,name\nMU-001,stoneware mug\n", encoding="utf-8")
    planned = program.call("plan", "shop.yaml", "--json", cwd=tmp_path)
    assert planned.code == 0, planned.said
    slots = [event["slot"] for event in planned.events if event["event"] == "slot"]
    assert "hero/MU-001/square/v1" in slots
    assert len(slots) == 4


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(link):
    """Each relative link is a file of the repository."""
    assert (program.SOURCE / link).exists()


def test_ci_runs_the_second_command_as_it_stands():
    """There is one line that installs the test extra, and .ci/run looks for it."""
    lines = [line for line in README.splitlines() if "'.[test]'" in line]
    assert len(lines) == 1
    assert lines[0].endswith("pytest -q -n auto")
    assert "'.[test]'" in Path(program.SOURCE / ".ci" / "run").read_text(encoding="utf-8")


def test_the_output_of_the_first_command_is_real(tmp_path):
    """What the README prints for the second run of hello is what the program prints."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "hello.yaml").write_bytes((program.SOURCE / "jobs" / "hello.yaml").read_bytes())
    assert program.call("run", "jobs/hello.yaml", cwd=tmp_path).code == 0
    again = program.call("run", "jobs/hello.yaml", cwd=tmp_path)
    (promised,) = re.findall(r"^hello@sandbox: .*$", README, flags=re.MULTILINE)
    assert promised in again.out + again.err


def test_no_document_gives_a_guarantee_of_idempotency():
    """The README says plainly that no gateway documents that it honours the key."""
    text = " ".join(README.split())
    assert "no gateway supported here documents that it does, and neither does OpenAI" in text
