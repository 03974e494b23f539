"""What `--json` prints: field names, their order and their meaning, as scripts rely on them."""

import hashlib

import pytest
from fakes.gateway import broken, lost, refused

PLAN = ["v", "event", "job", "folder", "requests", "new", "changed", "done", "missing", "altered", "failed", "in_doubt"]
FIELDS = {
    "plan": [*PLAN, "orphan", "cost_usd"],
    "image": [
        *("v", "event", "slot", "id", "path", "bytes", "sha256", "format", "width", "height"),
        *("attempts", "seconds", "cost_usd"),
    ],
    "failure": ["v", "event", "slot", "id", "attempt", "kind", "billed", "final", "message", "retry_in"],
    "summary": [
        *("v", "event", "job", "requests", "saved", "skipped", "failed", "in_doubt", "not_started"),
        *("attempts", "cost_usd", "maybe_billed_usd", "seconds", "exit_code"),
    ],
    "slot": ["v", "event", "slot", "id", "state", "reason", "path", "cost_usd"],
    "error": ["v", "event", "exit_code", "problems"],
}


@pytest.fixture
def eventful(paid_job, openai_gateway):
    """A run with every event: one image at once, one after a failure, one refused."""
    paid_job.write(prompts=["a mug", "a tray", "a knife"])
    openai_gateway.answers = {"tray": [broken()], "knife": [refused()]}
    return paid_job.run(code=3)


@pytest.mark.parametrize("name", ["plan", "image", "failure", "summary"])
def test_a_run_prints_the_fields_in_order(name, eventful):
    """Names and order of the fields are the contract."""
    found = [list(event) for event in eventful.events if event["event"] == name]
    assert found
    assert all(fields == FIELDS[name] for fields in found)
    assert {event["v"] for event in eventful.events} == {1}


def test_the_plan_comes_first_and_the_summary_last(eventful):
    """A script may read the head and the tail."""
    names = [event["event"] for event in eventful.events]
    assert (names[0], names[-1]) == ("plan", "summary")


def test_image_events_tell_the_file(paid_job):
    """Path, size and hash are those of the file in the job folder."""
    events = [event for event in paid_job.run().events if event["event"] == "image"]
    for event in events:
        content = (paid_job.place / event["path"]).read_bytes()
        assert (event["bytes"], event["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert (event["format"], event["width"], event["height"]) == ("png", 1024, 1024)
    assert len(events) == 2


def test_failure_events_tell_what_comes_next(eventful):
    """A failure that is tried again says when; a final one says so and has no wait."""
    failures = {event["kind"]: event for event in eventful.events if event["event"] == "failure"}
    assert (failures["server_error"]["final"], failures["server_error"]["billed"]) == (False, "no")
    assert failures["server_error"]["retry_in"] > 0
    assert (failures["refused"]["final"], failures["refused"]["retry_in"]) == (True, None)


def test_the_summary_adds_up(eventful):
    """Requests = saved + skipped + failed + in_doubt + not_started, and the exit code is the process's."""
    end = eventful.event("summary")
    parts = [end[part] for part in ("saved", "skipped", "failed", "in_doubt", "not_started")]
    assert parts == [2, 0, 1, 0, 0]
    assert (end["requests"], end["attempts"], end["exit_code"]) == (3, 4, 3)


def test_the_cost_is_what_the_answers_said(eventful):
    """Two answers of 196 output and 8 input tokens: 2 x (196 x 30 + 8 x 5) dollars per million."""
    assert eventful.event("summary")["cost_usd"] == pytest.approx(2 * (196 * 30e-6 + 8 * 5e-6))


def test_doubts_are_priced(paid_job, openai_gateway):
    """An answer that was lost may have been billed: the summary has its high estimate."""
    openai_gateway.answers = {"mug": [lost()]}
    end = paid_job.run().event("summary")
    assert (end["saved"], end["in_doubt"]) == (2, 0)
    assert end["maybe_billed_usd"] > 0


def test_an_unknown_price_is_null(make_job, openai_gateway):
    """At a gateway without prices every cost is null, never 0."""
    job = make_job({"use": "gptproto", "base_url": openai_gateway.url, "key_env": "OPENAI_API_KEY"})
    events = {event["event"]: event for event in job.run().events}
    assert events["plan"]["cost_usd"] is None
    assert (events["image"]["cost_usd"], events["summary"]["cost_usd"]) == (None, None)


def test_plan_prints_one_slot_event_each(paid_job):
    """`plan --json` is the plan event, then one line per slot."""
    events = paid_job.call("plan", "--json").events
    assert [event["event"] for event in events] == ["plan", "slot", "slot"]
    assert [list(event) for event in events] == [FIELDS["plan"], FIELDS["slot"], FIELDS["slot"]]
    assert set(events[0]["cost_usd"]) == {"low", "high"}


def test_an_error_event_has_the_place(paid_job):
    """Without a plan there is one error event that says where each problem lies."""
    paid_job.write(qualty="high")
    finished = paid_job.run(code=2)
    event = finished.event("error")
    assert (list(event), event["exit_code"]) == (FIELDS["error"], 2)
    assert list(event["problems"][0]) == ["file", "line", "column", "key", "message"]
    assert event["problems"][0]["key"] == "qualty"


def test_every_line_is_json_and_nothing_else_is_on_stdout(eventful):
    """Human text stays off standard output with --json."""
    assert all(line.startswith('{"v":1,"event":"') for line in eventful.out.splitlines())


def test_failures_keep_the_secret(paid_job, openai_gateway):
    """A key that a gateway echoes in its error message is nowhere in output, ledger or logs."""
    paid_job.environment["OPENAI_API_KEY"] = "sk-very-secret-0987654321"
    finished = paid_job.run(code=4)
    texts = [finished.out, finished.err, *(p.read_text() for p in paid_job.place.rglob("*") if p.is_file())]
    assert not [text for text in texts if "sk-very-secret-0987654321" in text]
    assert openai_gateway.requests[0].headers["Authorization"] == "Bearer sk-very-secret-0987654321"
