"""The README says what is so: its commands exist, its manifest plans, its tables are complete."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from fakes import program

from batchgen.manifest.filters import FILTERS
from batchgen.manifest.settings import LimitsBlock, RetryBlock
from batchgen.sandbox.faults import KINDS, PRESETS, FaultRule

README = (program.SOURCE / "README.md").read_text(encoding="utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
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
    (manifest,) = (text for text in YAML if text.startswith("version: 1"))
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
    (promised,) = re.findall(r"^hello@sandbox: .*\nlook: .*\n", README, flags=re.MULTILINE)
    # Only how long it took is the machine's own affair.
    assert re.sub(r"\b\d+s\b", "0s", again.out) == promised
    assert again.err == ""


def _flat(value):
    """A default as the README writes it."""
    if isinstance(value, float) and value >= 600:
        return f"{value / 60:g}m"
    return f"{value:g}" if isinstance(value, float) else str(value)


DEFAULTS = {**{name: LimitsBlock() for name in LimitsBlock.model_fields}, **dict.fromkeys(RetryBlock.model_fields)}


@pytest.mark.parametrize("name", DEFAULTS)
def test_limits_and_retry_are_in_the_readme_with_their_defaults(name):
    """Nobody has to read code to learn what a run may use."""
    (row,) = (line for line in README.splitlines() if re.match(rf"\|[^|]*`{name}`", line))
    keys, defaults = re.findall(r"`(\w+)`", row.split("|")[1]), re.split(r", (?![^\[]*\])", row.split("|")[2].strip())
    shown = defaults[keys.index(name)].strip("`").removesuffix("s")
    value = getattr(DEFAULTS[name] or RetryBlock(), name)
    unset = {"drain": "as `request_timeout"}.get(name, "no limit")
    expected = unset if value is None else f"[{', '.join(map(_flat, value))}]" if name == "waits" else _flat(value)
    assert shown == expected


@pytest.mark.parametrize("name", sorted({*FILTERS} - {"d"}))
def test_every_filter_is_in_the_readme(name):
    """`d` is `default` by another name."""
    assert f"`{name}`" in README.partition("these filters:")[2].partition("`batchgen schema`")[0]


@pytest.mark.parametrize("name", [*KINDS, *PRESETS, *(field.name for field in fields(FaultRule)), "latency", "seed"])
def test_every_fault_of_the_sandbox_is_in_the_readme(name):
    """Kinds, presets and what a rule may say."""
    assert re.search(rf"\b{name}\b", README.partition("## The sandbox")[2].partition("## Limits")[0])


def test_the_sandbox_of_the_readme_runs(tmp_path):
    """The faults shown are ones that a manifest takes."""
    (provider,) = (text for text in YAML if text.startswith("provider:"))
    (tmp_path / "job.yaml").write_text(f"version: 1\nname: job\n{provider}prompts: [a mug]\n", encoding="utf-8")
    assert program.call("plan", "job.yaml", cwd=tmp_path).code == 0


def test_no_document_gives_a_guarantee_of_idempotency():
    """The README says plainly that no gateway documents that it honours the key."""
    text = " ".join(README.split())
    assert "no gateway supported here documents that it does, and neither does OpenAI" in text
