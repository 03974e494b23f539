import asyncio
import io
import json
import re
from datetime import UTC, datetime

import pytest

from batchgen.cli.leftover import Aftermath, Leftover
from batchgen.cli.observers import Cron, Ending, JsonEvents, LineLog, Several, Ticker
from batchgen.cli.screen import Screen
from batchgen.errors import FolderError
from batchgen.run.events import (
    FailureEvent,
    ImageEvent,
    NullObserver,
    PauseEvent,
    PlanEvent,
    ProgressEvent,
    SummaryEvent,
)

PLAN = PlanEvent(job="launch", folder="f", requests=2, new=2)
IMAGE = ImageEvent(
    slot="a/v1",
    id="ab",
    path="images/a.png",
    bytes=1,
    sha256="cd",
    format="png",
    width=8,
    height=8,
    attempts=1,
    seconds=41.26,
    cost_usd=0.05,
)
FAILURE = FailureEvent(
    slot="b/v1", id="cd", attempt=2, kind="refused", billed="no", final=True, message="safety system\nsays no"
)
RETRY = FailureEvent(
    slot="b/v1", id="cd", attempt=1, kind="throttled", billed="no", final=False, message="slow", retry_in_seconds=8.0
)
LEFT = Aftermath(left=(Leftover(slot="b/v1", state="failed", kind="refused", attempts=2),))
PROGRESS = ProgressEvent(
    total=86, saved=31, failed=1, in_doubt=0, retries=2, in_flight=8, cost_usd=5.21, seconds=130.0, left_seconds=221.4
)


def summary(**changes):
    fields = {"job": "launch", "folder": "f", "requests": 2, "saved": 1, "skipped": 0, "failed": 1, "in_doubt": 0}
    fields |= {"not_started": 0, "attempts": 3, "cost_usd": 0.05, "maybe_billed_usd": 0.0, "maybe_billed": 0}
    return SummaryEvent(**{**fields, "seconds": 50.0, "exit_code": 3, **changes})


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.seconds = 0.0

    def now(self):
        return datetime(2026, 11, 20, tzinfo=UTC)

    def monotonic(self):
        return self.seconds

    async def sleep(self, seconds):
        self.seconds += seconds


class Gone(io.StringIO):
    def write(self, _text):
        raise BrokenPipeError(32, "Broken pipe")


def screen(out=None):
    return Screen(out=out or io.StringIO(), err=io.StringIO(), environ={})


def everything(observer):
    observer.plan(PLAN)
    observer.image(IMAGE)
    observer.failure(RETRY)
    observer.failure(FAILURE)
    observer.progress(PROGRESS)
    observer.pause(PauseEvent(message="outage", seconds=60.0))
    observer.summary(summary())


def test_json_says_plan_images_failures_and_summary():
    """Only the events of the contract reach stdout, and nothing reaches stderr."""
    seen = screen()
    everything(JsonEvents(seen))
    said = [json.loads(line)["event"] for line in seen.out.getvalue().splitlines()]
    assert said == ["plan", "image", "failure", "failure", "summary"]
    assert seen.err.getvalue() == ""


def test_a_reader_that_goes_away_does_not_stop_the_run():
    """Images that are paid for go on arriving; the loss is said once."""
    seen = screen(out=Gone())
    everything(JsonEvents(seen))
    assert seen.err.getvalue().count("the run goes on without them") == 1


def test_log_lines_wait_half_a_minute():
    """One line per 30 s, however often something changes."""
    seen, clock = screen(), HandClock()
    log = LineLog(seen, clock, "launch")
    for clock.seconds in range(0, 100, 5):
        log.progress(PROGRESS)
    assert seen.err.getvalue().count("event=progress") == 3


def test_a_progress_line_has_every_figure():
    """done, total, outcomes, dollars and time left, as key=value."""
    seen, clock = screen(), HandClock()
    log = LineLog(seen, clock, "launch")
    clock.seconds = 30.0
    log.progress(PROGRESS)
    assert seen.err.getvalue() == (
        "time=2026-11-20T00:00:00.000Z event=progress job=launch done=32 total=86 ok=31 retry=2 fail=1 doubt=0 "
        "in_flight=8 usd=5.21 left=221\n"
    )


def test_a_failure_is_one_line_with_quoted_values():
    """A message with blanks or newlines stays one value of one line."""
    seen = screen()
    LineLog(seen, HandClock(), "launch").failure(FAILURE)
    (line,) = seen.err.getvalue().splitlines()
    assert line.endswith('slot=b/v1 attempt=2 kind=refused billed=no message="safety system says no"')


@pytest.mark.parametrize(("event", "name"), [(RETRY, "retry"), (FAILURE, "failure")], ids=["retry", "final"])
def test_only_what_is_final_is_called_a_failure(event, name):
    """Whoever greps for failures finds what needs somebody."""
    seen = screen()
    LineLog(seen, HandClock(), "launch").failure(event)
    assert f" event={name} job=launch slot=b/v1 " in seen.err.getvalue()


@pytest.mark.parametrize(("verbose", "said"), [(False, 0), (True, 1)])
def test_images_are_logged_only_when_asked(verbose, said):
    """-v adds a line per image."""
    seen = screen()
    LineLog(seen, HandClock(), "launch", verbose=verbose).image(IMAGE)
    assert seen.err.getvalue().count("event=image") == said


def test_the_ticker_goes_on_while_nothing_changes():
    """A log line is due while images take minutes."""

    async def waiting():
        third, ticks = asyncio.Event(), []
        ticker = Ticker(0.001, lambda: (ticks.append(1), len(ticks) == 3 and third.set()))
        ticker.start()
        await third.wait()
        ticker.stop()
        await asyncio.sleep(0.01)
        assert len(ticks) == 3

    asyncio.run(waiting())


def test_the_ticker_is_harmless_without_a_loop():
    """Rendering works outside a run."""
    ticker = Ticker(1.0, lambda: None)
    ticker.start()
    ticker.stop()


def test_cron_is_silent_when_all_is_well():
    """No output, no mail."""
    seen = screen()
    cron = Cron(seen, job_arguments="launch.yaml", images="f/images")
    cron.image(IMAGE)
    cron.failure(RETRY)
    cron.summary(summary(failed=0, exit_code=0))
    assert seen.out.getvalue() + seen.err.getvalue() == ""


def test_cron_is_silent_about_a_night_without_new_rows():
    """A condition that no row passes is how most nights of a nightly job end: no mail."""
    err = io.StringIO()
    observer = Cron(Screen(out=io.StringIO(), err=err, environ={}), job_arguments="launch", images="i")
    observer.plan(PlanEvent(job="launch", folder="f", requests=0, warnings=("0 of 12 rows pass",)))
    observer.summary(summary(exit_code=0))
    assert err.getvalue() == ""


def test_cron_reports_trouble_with_the_next_command():
    """The mail has counts, reason and remedy."""
    seen = screen()
    everything(Cron(seen, job_arguments="launch.yaml", images="f/images", aftermath=lambda: LEFT))
    assert "1 made, 1 failed" in seen.out.getvalue()
    assert "refused by moderation" in seen.out.getvalue()
    assert "next:  batchgen ls launch.yaml -s state:failed" in seen.out.getvalue()


def test_with_json_the_summary_for_people_is_on_stderr():
    """What goes to stdout stays NDJSON to the last line."""
    seen = screen()
    everything(Several(JsonEvents(seen), Ending(seen, job_arguments="launch.yaml", images="f", aside=True)))
    assert all(line.startswith("{") for line in seen.out.getvalue().splitlines())
    assert "1 made, 1 failed" in seen.err.getvalue()


def test_several_observers_hear_everything():
    """Whoever listens, hears the same."""

    class Noting(NullObserver):
        def __init__(self):
            self.heard = []

        def __getattribute__(self, name):
            if name in {"plan", "image", "failure", "progress", "pause", "summary"}:
                return lambda _event: self.heard.append(name)
            return super().__getattribute__(name)

    one, other = Noting(), Noting()
    everything(Several(one, other))
    assert one.heard == other.heard == ["plan", "image", "failure", "failure", "progress", "pause", "summary"]


def test_the_summary_is_said_even_where_nobody_can_look_any_more():
    """A folder that was unmounted meanwhile costs the reasons, not the counts."""
    message = "gone"

    def unmounted():
        raise FolderError(message)

    seen = screen()
    everything(Ending(seen, job_arguments="launch.yaml", images="f", aftermath=unmounted))
    assert "1 made, 1 failed" in seen.out.getvalue()


def test_a_summary_without_anything_left_looks_at_nothing():
    """A million finished images are not counted twice."""
    seen = screen()
    looked = []
    ending = Ending(seen, job_arguments="j", images="f", aftermath=lambda: looked.append(1) or LEFT)
    ending.summary(summary(failed=0, exit_code=0))
    assert looked == []


def test_attempts_without_an_outcome_are_maybe_billed():
    """Two were sent, one image came, nothing was said of the other: a second Ctrl-C."""
    seen = screen()
    ending = Ending(seen, job_arguments="j", images="f")
    ending.image(IMAGE)
    ending.summary(summary(attempts=2, failed=0, in_doubt=1, maybe_billed_usd=0.07, exit_code=130))
    assert "maybe billed: 1 request without an answer, about $0.07" in seen.out.getvalue()


def test_a_hostile_value_stays_inside_its_quotes():
    """No message can pretend to be another field."""
    seen = screen()
    LineLog(seen, HandClock(), "launch").pause(PauseEvent(message='x" event=summary failed=0\x1b[2J'))
    assert re.search(r'message="x\\" event=summary failed=0"\n$', seen.err.getvalue())
