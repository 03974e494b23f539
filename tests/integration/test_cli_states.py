"""The eight states of a slot: how each comes about, how plan shows it, and whether run sends it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from fakes.gateway import Gateway, error, lost, refused
from fakes.job import Job
from PIL import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`make` brings the slot `mug/v1` of a finished job into `state`; `says` is a word of the reason."""

    make: Callable[[Job, Gateway], None]
    state: str
    sign: str
    sent: bool
    says: str = ""


def _new(job: Job, _: Gateway) -> None:
    job.write(prompts=[*job.manifest["prompts"], {"id": "pot", "text": "a pot"}])


def _changed(job: Job, _: Gateway) -> None:
    job.write(prompts=[{"id": "mug", "text": "a blue mug"}, job.manifest["prompts"][1]])


def _resized(job: Job, _: Gateway) -> None:
    job.write(prompts=[{"id": "mug", "text": "a mug", "request": {"size": "1536x1024"}}, job.manifest["prompts"][1]])


def _missing(job: Job, _: Gateway) -> None:
    job.image("mug").unlink()


def _altered(job: Job, _: Gateway) -> None:
    Image.new("RGB", (1024, 1024), "red").save(job.image("mug"))


def _fail(job: Job, gateway: Gateway, reply: object, code: int = 3) -> None:
    gateway.answers = {"pot": [reply]}
    _new(job, gateway)
    job.run(code=code)


def _held(job: Job, gateway: Gateway) -> None:
    job.write(retry={"in_doubt": "hold"})
    _fail(job, gateway, lost())


def _orphaned(job: Job, _: Gateway) -> None:
    job.write(prompts=job.manifest["prompts"][1:])


def _unknown_file(job: Job, gateway: Gateway) -> None:
    _new(job, gateway)
    Image.new("RGB", (64, 64)).save(job.place / "images" / "pot-v1.png")


CASES = {
    "done": Case(make=lambda *_: None, state="done", sign="=", sent=False),
    "new": Case(make=_new, state="new", sign="+", sent=True),
    "changed prompt": Case(make=_changed, state="changed", sign="~", sent=True, says="prompt"),
    "changed size": Case(make=_resized, state="changed", sign="~", sent=True, says="size"),
    "missing": Case(make=_missing, state="missing", sign="o", sent=True),
    "altered": Case(make=_altered, state="altered", sign="*", sent=False),
    "failed": Case(
        make=lambda job, gateway: _fail(job, gateway, error(400, "no such colour", code="invalid_value")),
        state="failed",
        sign="!",
        sent=True,
        says="colour",
    ),
    "failed by moderation": Case(
        make=lambda job, gateway: _fail(job, gateway, refused()), state="failed", sign="!", sent=False
    ),
    "in doubt and held": Case(make=_held, state="in_doubt", sign="?", sent=False),
    "a file that nobody knows": Case(make=_unknown_file, state="in_doubt", sign="?", sent=False),
    "orphan": Case(make=_orphaned, state="orphan", sign="-", sent=False),
}


def _slot(name: str) -> str:
    in_new_prompt = name in {"new", "a file that nobody knows"} or name.startswith(("failed", "in doubt"))
    return "pot/v1" if in_new_prompt else "mug/v1"


@pytest.fixture
def finished(paid_job) -> Job:
    """Two finished images."""
    paid_job.run()
    return paid_job


@pytest.mark.parametrize("name", CASES)
def test_plan_shows_the_state(name, finished, openai_gateway):
    """State and reason in the JSON, sign and slot in the text, and the counts agree."""
    case = CASES[name]
    case.make(finished, openai_gateway)
    events = finished.call("plan", "--json").events
    (slot,) = (event for event in events if event.get("slot") == _slot(name))
    assert (slot["state"], events[0][case.state]) == (case.state, 1 if case.state != "done" else 2)
    assert case.says in slot["reason"]
    shown = finished.call("plan", "--all").out
    assert [line for line in shown.splitlines() if _slot(name) in line and case.sign in line.split()], shown


@pytest.mark.parametrize("name", CASES)
def test_run_sends_what_the_table_says(name, finished, openai_gateway):
    """`plan --exit-code` is 10 exactly when `run` sends a request."""
    case = CASES[name]
    case.make(finished, openai_gateway)
    openai_gateway.answers = {}
    before = len(openai_gateway.requests)
    assert finished.call("plan", "--exit-code").code == (10 if case.sent else 0)
    finished.call("run")
    assert (len(openai_gateway.requests) > before) is case.sent


def test_planning_writes_nothing(paid_job, openai_gateway):
    """A plan needs no folder, makes none, and sends nothing."""
    assert paid_job.call("plan").code == 0
    assert paid_job.call("run", "--dry-run").code == 0
    assert (paid_job.untouched, openai_gateway.requests) == (True, [])


def test_planning_needs_no_key(paid_job):
    """Prices and states are shown before a key exists."""
    paid_job.environment.clear()
    assert paid_job.call("plan").code == 0


def test_status_ls_and_show_tell_the_same(finished, openai_gateway):
    """Three views of one job: counts, slots, and one image with its request and attempts."""
    _fail(finished, openai_gateway, refused())
    assert "2" in finished.call("status").out
    listed = finished.call("ls").out
    assert [slot for slot in ("mug/v1", "tray/v1", "pot/v1") if slot not in listed] == []
    shown = finished.call("show", "pot/v1")
    assert shown.code == 0, shown.said
    assert "a pot" in shown.out
    assert "refused" in shown.out


def test_verify_tells_sound_from_damaged(finished):
    """0 while every file has its recorded hash, 3 when one is gone, 7 when the ledger is damaged."""
    assert finished.call("verify", "--full").code == 0
    kept = finished.image("mug").read_bytes()
    finished.image("mug").write_bytes(kept[:1000])
    assert finished.call("verify", "--full").code == 3
    ledger = finished.place / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b"attempt_started", b"attempt_stirred", 1))
    assert finished.call("verify").code == 7


def test_the_ledger_keeps_the_order_of_promises(finished):
    """Run, attempt, image, end; each attempt is recorded before its image."""
    kinds = [entry["kind"] for entry in finished.ledger]
    assert (kinds[0], kinds[-1]) == ("run_started", "run_finished")
    for saved in finished.entries("image_saved"):
        (started,) = (e for e in finished.entries("attempt_started") if e["request"] == saved["request"])
        assert started["seq"] < saved["seq"]


def test_folders_and_ledger_are_private(finished):
    """Prompts and costs are nobody else's business: folders 0700, ledger 0600."""
    assert finished.place.stat().st_mode & 0o777 == 0o700
    assert (finished.place / "ledger.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_saved_plan_runs_exactly_those_ids(paid_job, openai_gateway):
    """`run --plan FILE` makes what was reviewed, though the manifest has grown since."""
    assert paid_job.call("plan", "-o", "plan.json").code == 0
    _new(paid_job, openai_gateway)
    assert paid_job.call("run", "--plan", "plan.json").code == 0
    assert sorted(request.prompt for request in openai_gateway.requests) == ["a mug", "a tray"]


@pytest.mark.parametrize(
    ("arguments", "prompts"),
    [
        (["-s", "mug/*"], ["a mug"]),
        (["-s", "prompt=tray"], ["a tray"]),
        (["--exclude", "mug/*"], ["a tray"]),
        (["-k", "tray"], ["a tray"]),
        (["--limit", "1"], ["a mug"]),
        (["--sample", "2"], ["a mug", "a tray"]),
        (["-s", "state:new,missing"], ["a mug", "a tray"]),
        (["-s", "state:done"], []),
    ],
)
def test_a_selection_sends_what_it_names(arguments, prompts, paid_job, openai_gateway):
    """Selectors by slot, axis, word, number and state."""
    assert paid_job.call("run", *arguments).code == 0
    assert sorted(request.prompt for request in openai_gateway.requests) == prompts
