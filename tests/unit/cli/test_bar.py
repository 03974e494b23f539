import io
import os
import pty
import threading

import pytest

from batchgen.cli.bar import TerminalBar
from batchgen.cli.screen import Screen
from batchgen.clock import SystemClock
from batchgen.run.events import FailureEvent, ImageEvent, PauseEvent, ProgressEvent

FAILURE = FailureEvent(
    slot="b/v1", id="cd", attempt=2, kind="refused", billed="no", final=True, message="not \x1b[2Jallowed"
)
RETRY = FailureEvent(
    slot="c/v1", id="ef", attempt=1, kind="throttled", billed="no", final=False, message="slow", retry_in_seconds=8.0
)


def progress(**changes):
    fields = {"total": 86, "saved": 31, "failed": 1, "in_doubt": 0, "retries": 2, "in_flight": 8}
    return ProgressEvent(**{**fields, "cost_usd": 5.21, "seconds": 130.0, "left_seconds": 221.0, **changes})


def shown(act, columns=80, **options):
    """What `act(bar)` writes to a real terminal of `columns` columns."""
    leader, follower = pty.openpty()
    os.environ["COLUMNS"], seen = str(columns), bytearray()

    def read():
        while chunk := _read(leader):
            seen.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(follower, "w", encoding="utf-8") as err:
        bar = TerminalBar(Screen(out=io.StringIO(), err=err, environ=os.environ), SystemClock(), "launch", **options)
        act(bar)
        bar.close()
    reader.join()
    os.close(leader)
    return seen.decode()


def _read(leader):
    try:
        return os.read(leader, 65536)
    except OSError:
        return b""


@pytest.fixture(autouse=True)
def _own_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_the_bar_shows_done_retries_failures_dollars_and_time_left():
    """One line has all that a person looks for."""
    said = shown(lambda bar: bar.progress(progress()))
    assert "launch  37%" in said
    assert "32/86 [00:00<3m41s] ok 31 retry 2 fail 1  $5.21" in said


def test_doubts_appear_only_when_there_are_any():
    """The line says no more than is true."""
    assert "doubt" not in shown(lambda bar: bar.progress(progress()))
    assert "doubt 3" in shown(lambda bar: bar.progress(progress(in_doubt=3)))


def test_no_time_left_is_claimed_before_it_is_known():
    """An unknown estimate is a question mark, an unknown price nothing."""
    said = shown(lambda bar: bar.progress(progress(left_seconds=None, cost_usd=None)))
    assert "<?] ok 31 retry 2 fail 1" in said
    assert "$" not in said


def test_final_failures_stand_above_the_bar_with_nothing_active():
    """A message from a gateway reaches the terminal as plain text."""
    said = shown(lambda bar: (bar.progress(progress()), bar.failure(FAILURE)))
    assert "b/v1  not allowed" in said
    assert "\x1b[2J" not in said


@pytest.mark.parametrize(("verbose", "expected"), [(False, False), (True, True)])
def test_attempts_that_will_be_repeated_are_shown_only_when_asked(verbose, expected):
    """A gateway that throttles does not flood the screen."""
    said = shown(lambda bar: (bar.progress(progress()), bar.failure(RETRY)), verbose=verbose)
    assert ("again in 8s" in said) is expected


def test_a_pause_is_said_once():
    """An outage of minutes is one line."""
    pause = PauseEvent(message="provider down, next try in 60 s")
    assert shown(lambda bar: (bar.pause(pause), bar.pause(pause))).count("provider down") == 1


def test_remarks_on_images_are_shown_when_asked():
    """With -v an image of another size than asked is worth a line; else the summary counts it."""
    image = ImageEvent(
        slot="a/v1",
        id="ab",
        path="images/a.png",
        bytes=1,
        sha256="cd",
        format="png",
        width=8,
        height=8,
        attempts=1,
        seconds=4.0,
        cost_usd=0.05,
        warnings=("is 8x8, not 16x16",),
    )
    assert "a/v1  is 8x8, not 16x16" in shown(lambda bar: bar.image(image), verbose=True)
    assert shown(lambda bar: bar.image(image)) == ""


def test_the_line_leaves_room_for_an_echoed_ctrl_c():
    """A bar that wraps leaves rubbish behind."""
    said = shown(lambda bar: bar.progress(progress(total=12_000, saved=10_311, in_doubt=12, cost_usd=1234.5)))
    drawn = [part for line in said.split("\n") for part in line.split("\r") if "%|" in part]
    assert drawn
    assert max(map(len, drawn)) <= 78


def test_a_stream_that_is_no_terminal_stays_empty():
    """No bar ever ends up in a log file."""
    err = io.StringIO()
    bar = TerminalBar(Screen(out=io.StringIO(), err=err, environ={}), SystemClock(), "launch")
    bar.progress(progress())
    bar.close()
    assert err.getvalue() == ""


def test_closing_twice_is_safe():
    """The verb closes the bar even when the run raised after the summary."""
    shown(lambda bar: (bar.progress(progress()), bar.close()))


def test_a_long_message_is_said_in_full():
    """How long a stop may take stands at its end."""
    pause = PauseEvent(message="stopping: " + "what was sent may still arrive; " * 4 + "at most 10m")
    said = shown(lambda bar: bar.pause(pause), columns=60)
    assert "at most 10m" in said
    assert said.count("\n") == 3


def test_a_long_slot_leaves_room_for_the_reason():
    """The slot can be looked up, the reason is the news."""
    failure = FailureEvent(
        slot="deep/" * 40, id="cd", attempt=1, kind="refused", billed="no", final=True, message="not allowed"
    )
    assert "not allowed" in shown(lambda bar: bar.failure(failure))


def test_taking_the_bar_away_blanks_the_whole_line():
    """The terminal echoes a ^C behind the bar, where nothing else would clear it."""
    said = shown(lambda bar: bar.progress(progress()))
    assert "\r" + " " * 80 in said
