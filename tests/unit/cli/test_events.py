import json

from batchgen.cli import events
from batchgen.errors import Problem
from batchgen.run.events import FailureEvent, ImageEvent, PlanEvent, SummaryEvent

PLAN = PlanEvent(job="launch", folder="/o/launch", requests=90, new=84, changed=1, done=4, failed=1)
FAILURE = {"slot": "hero/v1", "id": "ab", "attempt": 1, "kind": "throttled", "billed": "no", "message": "slow down"}


def fields(line):
    return " ".join(json.loads(line))


def test_plan_event_has_the_contracts_fields_in_order():
    """Scripts depend on names and order."""
    assert (
        fields(events.plan_event(PLAN))
        == "v event job folder requests new changed done missing altered failed in_doubt orphan cost_usd"
    )


def test_unknown_price_is_null_not_zero():
    """Nobody takes an unknown price for a free run."""
    assert json.loads(events.plan_event(PLAN))["cost_usd"] is None


def test_known_price_is_a_range():
    """Both ends are given."""
    known = PlanEvent(job="j", folder="f", requests=1, cost_low_usd=14.0, cost_high_usd=17.0)
    assert json.loads(events.plan_event(known))["cost_usd"] == {"low": 14.0, "high": 17.0}


def test_image_event_has_the_contracts_fields_in_order():
    """Warnings are for people and stay out."""
    image = ImageEvent(
        slot="hero/v1",
        id="ab",
        path="images/hero-v1.png",
        bytes=9,
        sha256="cd",
        format="png",
        width=8,
        height=8,
        attempts=1,
        seconds=41.23456,
        cost_usd=0.053,
        warnings=("smaller than asked",),
    )
    assert (
        fields(events.image_event(image))
        == "v event slot id path bytes sha256 format width height attempts seconds cost_usd"
    )


def test_failure_event_has_the_contracts_fields_in_order():
    """`retry_in` is seconds."""
    line = events.failure_event(FailureEvent(**FAILURE, final=False, retry_in_seconds=8.0))
    assert fields(line) == "v event slot id attempt kind billed final message retry_in"
    assert json.loads(line)["retry_in"] == 8.0


def test_final_failure_has_no_retry():
    """A final failure never promises another try."""
    assert (
        json.loads(events.failure_event(FailureEvent(**FAILURE, final=True, retry_in_seconds=8.0)))["retry_in"] is None
    )


def test_summary_event_has_the_contracts_fields_in_order():
    """The reason of a stop and the folder are for people and stay out."""
    summary = SummaryEvent(
        job="j",
        folder="f",
        requests=90,
        saved=84,
        skipped=4,
        failed=1,
        in_doubt=1,
        not_started=0,
        attempts=97,
        cost_usd=14.96,
        maybe_billed_usd=0.21,
        maybe_billed=1,
        seconds=351.0,
        exit_code=3,
    )
    assert events.summary_event(summary) == (
        '{"v":1,"event":"summary","job":"j","requests":90,"saved":84,"skipped":4,"failed":1,"in_doubt":1,"not_started":0,'
        '"attempts":97,"cost_usd":14.96,"maybe_billed_usd":0.21,"seconds":351.0,"exit_code":3}'
    )


def test_slot_event_has_the_contracts_fields_in_order():
    """One per slot after the plan event."""
    line = events.slot_event(slot="s", request_id="ab", state="new", reason="", path="images/s.png", cost_usd=None)
    assert fields(line) == "v event slot id state reason path cost_usd"


def test_error_event_carries_every_problem_with_its_place():
    """Unknown places are null, and all problems are in one event."""
    found = [
        Problem(message="unknown key", file="a.yaml", line=5, column=3, key="request.qualty"),
        Problem(message="m"),
    ]
    assert json.loads(events.error_event(2, found)) == {
        "v": 1,
        "event": "error",
        "exit_code": 2,
        "problems": [
            {"file": "a.yaml", "line": 5, "column": 3, "key": "request.qualty", "message": "unknown key"},
            {"file": None, "line": None, "column": None, "key": None, "message": "m"},
        ],
    }


def test_events_are_one_ascii_line_each():
    """No text from outside splits a line, turns its direction or depends on the locale."""
    line = events.failure_event(FailureEvent(**{**FAILURE, "message": "陶器\n\u202e\udce9"}, final=True))
    assert line.isascii()
    assert "\n" not in line
