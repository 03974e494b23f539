"""The verbs that write decisions, as child processes against a gateway that counts what it bills."""

import json
from pathlib import Path

import pytest
from fakes.gateway import Gateway, lost
from fakes.job import Job
from fakes.program import finish, wait_until
from PIL import Image

HOLD = {"in_doubt": "hold", "waits": [0.05]}


@pytest.fixture
def doubtful(paid_job, openai_gateway) -> Job:
    """Two requests in doubt under the policy hold; the gateway answers well from now on."""
    openai_gateway.answers = {"mug": [lost()], "tray": [lost()]}
    paid_job.write(retry=HOLD, request={"model": "gpt-image-2", "size": "1024x1024", "quality": "low"})
    paid_job.run(code=3)
    openai_gateway.answers = {}
    return paid_job


@pytest.fixture
def finished(paid_job) -> Job:
    """Two finished images."""
    paid_job.run()
    return paid_job


def sent_by(gateway: Gateway, act) -> int:
    """How many requests reach the gateway while `act` is called."""
    before = len(gateway.requests)
    act()
    return len(gateway.requests) - before


def picks(job: Job, marks: dict[str, str], changes: dict[str, object] | None = None) -> Path:
    """A picks file; `changes` replace its keys."""
    path = job.folder / "picks.json"
    path.write_text(json.dumps({"version": 1, "job": job.place.name, "marks": marks} | (changes or {})))
    return path


def decisions(job: Job) -> list[str]:
    """What was decided, in order."""
    return [entry["what"] for entry in job.entries("decision")]


# resolve


def test_resolve_lists_doubts_with_their_price(doubtful):
    """Without an action nothing is written, and exit 3 says that there is something to decide."""
    before = doubtful.ledger
    said = doubtful.call("resolve")
    assert (said.code, doubtful.ledger) == (3, before)
    assert "? mug/v1  $0.0" in said.out
    assert "2 requests in doubt, up to $0.0" in said.out


def test_resolve_without_doubts_is_exit_0(finished):
    """Nothing to decide is good news."""
    said = finished.call("resolve")
    assert (said.code, "nothing is in doubt" in said.out) == (0, True)


@pytest.mark.parametrize(("action", "state", "sends"), [("not-billed", "done", 2), ("resend", "done", 2)])
def test_resolved_requests_are_sent_by_the_next_run(doubtful, openai_gateway, action, state, sends):
    """Held until the decision, made after it, each further attempt citing it."""
    assert sent_by(openai_gateway, lambda: doubtful.run(code=3)) == 0
    assert doubtful.call("resolve", f"--{action}").code == 0
    assert sent_by(openai_gateway, doubtful.run) == sends
    (decision,) = doubtful.entries("decision")
    assert [entry["because"] for entry in doubtful.entries("attempt_started")][2:] == [decision["seq"]] * 2
    assert set(doubtful.states().values()) == {state}
    assert doubtful.call("verify", "--ledger").code == 0


def test_what_is_given_up_is_never_sent(doubtful, openai_gateway):
    """It stays listed as failed."""
    assert doubtful.call("resolve", "--give-up").code == 0
    assert sent_by(openai_gateway, lambda: doubtful.run(code=3)) == 0
    assert set(doubtful.states().values()) == {"failed"}


def test_not_billed_gives_the_dollars_back(doubtful):
    """What the person vouches for no longer counts against the budget."""
    assert json.loads(doubtful.call("status", "--json").out)["maybe_billed_usd"] > 0
    doubtful.call("resolve", "--not-billed")
    assert json.loads(doubtful.call("status", "--json").out)["maybe_billed_usd"] == 0


def test_one_slot_is_resolved_alone(doubtful):
    """By name or by selection; the other one stays in doubt."""
    assert doubtful.call("resolve", "mug/v1", "--give-up").code == 0
    assert doubtful.states() == {"mug/v1": "failed", "tray/v1": "in_doubt"}
    assert doubtful.call("resolve", "-s", "tray/*", "--give-up").code == 0
    assert set(doubtful.states().values()) == {"failed"}


def test_a_limit_resolves_as_many_as_fit(doubtful):
    """The rest is named, and exit 3 says that it is still in doubt."""
    price = doubtful.call("plan", "--json").events[1]["cost_usd"]
    said = doubtful.call("resolve", "--resend", "--max-usd", price * 1.5)
    assert (said.code, "tray/v1" in said.err) == (3, True)
    assert doubtful.states() == {"mug/v1": "failed", "tray/v1": "in_doubt"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--not-billed", "--max-usd", "1"], "--resend"),
        (["mag/v1", "--resend"], "did you mean mug/v1"),
        (["mug", "--resend"], "did you mean mug/v1"),
    ],
)
def test_a_wrong_resolution_decides_nothing(doubtful, arguments, says):
    """A slot must be named exactly: a decision can cost money."""
    before = doubtful.ledger
    said = doubtful.call("resolve", *arguments)
    assert (said.code, says in said.err, doubtful.ledger == before) == (2, True, True)


def test_a_decision_is_refused_while_a_run_is_on(make_job):
    """The run holds the lock: exit 6, and nothing is written."""
    job = make_job({"use": "sandbox", "latency": 4}, name="slow")
    running = job.start("run")
    ledger = job.folder / "output" / "slow@sandbox" / "ledger.jsonl"
    wait_until(lambda: ledger.exists() and b"attempt_started" in ledger.read_bytes())
    assert job.call("resolve", "--give-up").code == 6
    assert job.call("verify", "--repair").code == 6
    assert b"give_up" not in ledger.read_bytes()
    finish(running)


def test_a_whole_answer_is_adopted_before_anyone_decides(doubtful):
    """A decision recovers first: an image that was paid for and lies in a temp file is not bought again."""
    (request,) = [entry["request"] for entry in doubtful.entries("attempt_started") if entry["slot"] == "mug/v1"]
    ledger = doubtful.place / "ledger.jsonl"
    kept = []
    for line in ledger.read_bytes().splitlines(keepends=True):
        kept.append(line)
        if b"attempt_started" in line and request.encode() in line:
            break
    ledger.write_bytes(b"".join(kept))
    part = doubtful.place / "images" / f".{request}-1.part"
    part.parent.mkdir(exist_ok=True)
    Image.new("RGB", (1024, 1024)).save(part, "PNG")
    assert doubtful.call("resolve", "--resend").code == 0
    assert doubtful.states()["mug/v1"] == "done"


# redo


def test_redo_makes_exactly_the_named_image_again(finished, openai_gateway):
    """One request goes out, the old picture is kept, and a rerun sends nothing."""
    old = finished.image("mug").read_bytes()
    assert sent_by(openai_gateway, lambda: finished.call("redo", "mug/v1", "--json")) == 1
    assert [path.read_bytes() for path in finished.superseded] == [old]
    assert set(finished.states().values()) == {"done"}
    assert sent_by(openai_gateway, finished.run) == 0
    (attempt,) = finished.entries("attempt_started")[2:]
    assert attempt["because"] == finished.entries("decision")[0]["seq"]
    assert finished.call("verify", "--ledger").code == 0


def test_redo_changes_that_image_alone(finished, openai_gateway):
    """A suffix and parameters go out with it, and stay with it in later redos."""
    finished.call("redo", "mug/v1", "--prompt-suffix", "no text", "--set", "request.quality=high")
    sent = openai_gateway.requests[-1]
    assert (sent.prompt, sent.params["quality"]) == ("a mug no text", "high")
    assert sent_by(openai_gateway, lambda: finished.call("redo", "mug/v1", "--set", "request.quality=low")) == 1
    sent = openai_gateway.requests[-1]
    assert (sent.prompt, sent.params["quality"]) == ("a mug no text", "low")


def test_a_dry_redo_writes_nothing(finished, openai_gateway):
    """The plan of exactly what would be made."""
    before = finished.ledger
    said = finished.call("redo", "mug/v1", "-n", "--json")
    (slot,) = [event for event in said.events if event["event"] == "slot"]
    assert (slot["slot"], slot["state"], said.code) == ("mug/v1", "changed", 0)
    assert (finished.ledger, len(openai_gateway.requests)) == (before, 2)


def test_picks_remake_what_was_rejected_and_nothing_else(finished, openai_gateway):
    """What was kept is never touched, and the same picks twice buy once."""
    marks = picks(finished, {"mug/v1": "keep", "tray/v1": "reject", "gone/v1": "reject"})
    kept = finished.image("mug").read_bytes()
    assert sent_by(openai_gateway, lambda: finished.call("redo", "--picks", marks)) == 1
    assert openai_gateway.requests[-1].prompt == "a tray"
    assert finished.image("mug").read_bytes() == kept
    said = finished.call("redo", "--picks", marks)
    assert (said.code, "newer than the picks" in said.err) == (0, True)
    assert len(openai_gateway.requests) == 3


def test_an_interrupted_redo_is_carried_on(finished, openai_gateway):
    """What was decided and not made is made by the same command, with one decision."""
    openai_gateway.answers = {"mug": [lost()] * 9}
    finished.write(retry={"in_doubt": "resend", "waits": [0.01], "resends": 0})
    marks = picks(finished, {"mug/v1": "reject", "tray/v1": "reject"})
    finished.write(limits={"max_images": 1})
    assert finished.call("redo", "--picks", marks).code == 2
    assert decisions(finished) == []
    finished.write(limits=None)
    assert finished.call("redo", "--picks", marks).code == 3
    said = finished.call("redo", "--picks", marks)
    assert (said.code, "close that with `batchgen resolve` first" in said.err) == (0, True)
    assert decisions(finished) == ["redo"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "no picks file"),
        ({"marks": {"mug/v1": "maybe"}}, "no picks file"),
        ({"marks": ["mug/v1"]}, "no picks file"),
        ({"job": "another"}, "is about another"),
    ],
)
def test_a_picks_file_that_does_not_fit_is_exit_2(finished, change, says):
    """Nothing is decided by half a file."""
    said = finished.call("redo", "--picks", picks(finished, {"mug/v1": "reject"}, change))
    assert (said.code, says in said.err, decisions(finished)) == (2, True, [])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name the images"),
        (["mug"], "did you mean mug/v1"),
        (["mug/v1", "--set", "request.qualty=high"], "did you mean 'quality'"),
        (["mug/v1", "--set", "name=other"], "changes parameters alone"),
        (["mug/v1", "--set", "request.size=17x17"], "17x17"),
        (["mug/v1", "--undo"], "no redo to take back"),
        (["mug/v1", "--keep-changed"], "do not go with redo"),
        (["--picks", "nowhere.json", "mug/v1"], "cannot be read"),
    ],
)
def test_a_wrong_redo_is_exit_2_and_decides_nothing(finished, openai_gateway, arguments, says):
    """Every mistake is found before a decision is written or a request is sent."""
    said = finished.call("redo", *arguments)
    assert (said.code, says in said.err, decisions(finished)) == (2, True, []), said.said
    assert len(openai_gateway.requests) == 2


def test_a_redo_that_never_went_out_can_be_taken_back(finished, openai_gateway):
    """The key is missing, so nothing was sent; afterwards the old image counts again."""
    finished.environment.clear()
    assert finished.call("redo", "mug/v1").code == 4
    assert finished.states()["mug/v1"] == "changed"
    assert finished.call("redo", "mug/v1", "--undo").code == 0
    assert set(finished.states().values()) == {"done"}
    assert len(openai_gateway.requests) == 2


def test_a_redo_that_was_sent_cannot_be_taken_back(finished):
    """It was paid for."""
    finished.call("redo", "mug/v1")
    assert finished.call("redo", "mug/v1", "--undo").code == 2
    assert decisions(finished) == ["redo"]


def test_an_image_in_doubt_cannot_be_redone(doubtful):
    """A new request would hide that the old one may have been billed."""
    said = doubtful.call("redo", "mug/v1")
    assert (said.code, "resolve" in said.err, decisions(doubtful)) == (2, True, [])


# adopt


def test_an_unknown_file_is_adopted_and_not_bought(finished, openai_gateway):
    """The user's own picture counts as done, with its bytes in the ledger."""
    finished.write(prompts=[*finished.manifest["prompts"], {"id": "pot", "text": "a pot"}])
    Image.new("RGB", (64, 64)).save(finished.place / "images" / "pot-v1.png")
    assert finished.states()["pot/v1"] == "in_doubt"
    assert finished.call("adopt").code == 0
    assert finished.states()["pot/v1"] == "done"
    assert sent_by(openai_gateway, finished.run) == 0
    (decision,) = finished.entries("decision")
    assert (decision["slot"], decision["path"]) == ("pot/v1", "images/pot-v1.png")
    assert finished.call("verify", "--full").code == 0


def test_a_file_that_is_no_whole_image_is_not_adopted(finished):
    """Exit 3 and the reason; the slot stays held."""
    finished.write(prompts=[*finished.manifest["prompts"], {"id": "pot", "text": "a pot"}])
    (finished.place / "images" / "pot-v1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    said = finished.call("adopt")
    assert (said.code, "refused  pot/v1" in said.out) == (3, True)
    assert finished.states()["pot/v1"] == "in_doubt"


def test_a_changed_slot_keeps_its_image_when_it_is_named(finished, openai_gateway):
    """The old picture is good enough for the new prompt; without a name nobody decides that."""
    finished.write(prompts=[{"id": "mug", "text": "a blue mug"}, finished.manifest["prompts"][1]])
    assert finished.call("adopt").code == 0
    assert finished.states()["mug/v1"] == "changed"
    assert finished.call("adopt", "mug/v1").code == 0
    assert set(finished.states().values()) == {"done"}
    assert sent_by(openai_gateway, finished.run) == 0


def test_a_retouched_image_is_adopted_when_it_is_named(finished):
    """From then on its own bytes are what is expected."""
    Image.new("RGB", (1024, 1024), "red").save(finished.image("mug"))
    assert finished.call("adopt", "mug/v1").code == 0
    assert set(finished.states().values()) == {"done"}


def test_a_slot_without_a_file_cannot_be_adopted(finished):
    """Nothing is taken for granted."""
    finished.write(prompts=[*finished.manifest["prompts"], {"id": "pot", "text": "a pot"}])
    said = finished.call("adopt", "pot/v1")
    assert (said.code, "has no file to adopt" in said.err) == (2, True)


# verify --repair


def damage(job: Job, kind: str) -> None:
    """Damage the ledger of two finished images."""
    path = job.place / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    match kind:
        case "changed":
            lines[2] = lines[2].replace(b'"attempt":1', b'"attempt":9')
        case "lost":
            del lines[2]
        case "lost at the end":
            del lines[-2]
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize("kind", ["changed", "lost", "lost at the end"])
def test_after_a_repair_nothing_that_may_have_been_bought_is_sent(finished, openai_gateway, kind):
    """Damage is exit 7 and sends nothing; after the repair lost images are held, and their files can be adopted."""
    damage(finished, kind)
    assert finished.call("run").code == 7
    said = finished.call("verify", "--ledger")
    assert (said.code, "changed or lost" in said.out) == (7, True)
    assert finished.call("verify", "--repair").code == 0
    assert list(finished.place.glob("ledger.jsonl.damaged-*"))
    assert sent_by(openai_gateway, lambda: finished.call("run")) == 0
    finished.call("adopt")
    assert set(finished.states().values()) == {"done"}
    assert sent_by(openai_gateway, finished.run) == 0
    assert finished.call("verify", "--ledger").code == 0


def test_lost_purchases_are_held_under_any_policy_until_a_decision(doubtful, openai_gateway):
    """Known or not, whatever has no image may have been bought in the lost lines."""
    ledger = doubtful.place / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(lines[0] + b"".join(lines[3:]))
    doubtful.write(retry={"in_doubt": "resend", "resends": 5})
    assert doubtful.call("verify", "--repair").code == 0
    doubtful.write(prompts=[*doubtful.manifest["prompts"], {"id": "pot", "text": "a pot"}])
    assert sent_by(openai_gateway, lambda: doubtful.run(code=3)) == 0
    assert set(doubtful.states().values()) == {"in_doubt"}
    assert doubtful.call("resolve", "--not-billed").code == 0
    assert sent_by(openai_gateway, doubtful.run) == 3
    doubtful.write(prompts=[*doubtful.manifest["prompts"], {"id": "jug", "text": "a jug"}])
    assert sent_by(openai_gateway, doubtful.run) == 1
    assert doubtful.call("verify", "--ledger").code == 0


def test_an_older_ledger_put_back_is_found_and_repaired(doubtful, openai_gateway):
    """A temp file of an attempt that nobody knows proves lost lines; it is kept, and everything unfinished is held."""
    part = doubtful.place / "images" / f".{'5' * 32}-3.part"
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(b"half a picture")
    doubtful.call("resolve", "--not-billed")
    assert doubtful.call("run").code == 7
    assert doubtful.call("verify", "--ledger").code == 7
    assert doubtful.call("verify", "--repair").code == 0
    (kept,) = (doubtful.place / "images" / ".rejected").glob("*.lost")
    assert (kept.read_bytes(), part.exists()) == (b"half a picture", False)
    assert sent_by(openai_gateway, lambda: doubtful.run(code=3)) == 0


def test_a_sound_ledger_is_left_alone(finished):
    """Nothing to repair, nothing written."""
    before = (finished.place / "ledger.jsonl").read_bytes()
    said = finished.call("verify", "--repair")
    assert (said.code, "nothing to repair" in said.out) == (0, True)
    assert (finished.place / "ledger.jsonl").read_bytes() == before


def test_files_of_decisions_are_private(finished):
    """The repaired ledger and the copy of the damaged one are nobody else's business."""
    damage(finished, "changed")
    finished.call("verify", "--repair")
    assert {path.stat().st_mode & 0o777 for path in finished.place.glob("ledger.jsonl*")} == {0o600}
