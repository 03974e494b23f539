"""Observers that hear of a run: `key=value` lines, NDJSON, silence for cron, and the summary at the end."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from batchgen.cli import events
from batchgen.cli.leftover import Aftermath
from batchgen.cli.nextstep import next_commands
from batchgen.cli.plantext import warning_lines
from batchgen.cli.screen import ReaderGoneError, Screen, one_line
from batchgen.cli.summary import Tally, summary_lines
from batchgen.clock import Clock, timestamp
from batchgen.errors import BatchgenError, StorageError
from batchgen.run.events import (
    FailureEvent,
    ImageEvent,
    NullObserver,
    Observer,
    PauseEvent,
    PlanEvent,
    ProgressEvent,
    SummaryEvent,
)

__all__ = ["Cron", "Ending", "JsonEvents", "LineLog", "Several", "Ticker"]

_LOG_LINE_EVERY_SECONDS = 30.0


class Ticker:
    """Calls `action` every `seconds` on the running event loop, so that a clock goes on while images take minutes."""

    def __init__(self, seconds: float, action: Callable[[], None]) -> None:
        self._seconds = seconds
        self._action = action
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, once; without a running loop there is nothing to tick on."""
        if self._handle is None:
            with contextlib.suppress(RuntimeError):
                self._handle = asyncio.get_running_loop().call_later(self._seconds, self._tick)

    def stop(self) -> None:
        """End; may be called at any time."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _tick(self) -> None:
        self._handle = None
        self._action()
        self.start()


class Several(NullObserver):
    """Tells several observers, in order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers: Sequence[Observer] = observers

    def plan(self, event: PlanEvent) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.plan(event)

    def image(self, event: ImageEvent) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.image(event)

    def failure(self, event: FailureEvent) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.failure(event)

    def progress(self, event: ProgressEvent) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.progress(event)

    def pause(self, event: PauseEvent) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.pause(event)

    def summary(self, event: SummaryEvent) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.summary(event)


class JsonEvents(NullObserver):
    """NDJSON on stdout. A reader that went away does not stop a paid run: what is left is simply not said.

    `put` takes the lines instead of the screen.
    """

    def __init__(self, screen: Screen, put: Callable[[str], None] | None = None) -> None:
        self._screen = screen
        self._put = put or screen.raw
        self._is_heard = True

    def plan(self, event: PlanEvent) -> None:
        """The plan event."""
        self._say(events.plan_event(event))

    def image(self, event: ImageEvent) -> None:
        """One image event."""
        self._say(events.image_event(event))

    def failure(self, event: FailureEvent) -> None:
        """One failure event, final or not."""
        self._say(events.failure_event(event))

    def summary(self, event: SummaryEvent) -> None:
        """The summary event."""
        self._say(events.summary_event(event))

    def _say(self, line: str) -> None:
        if not self._is_heard:
            return
        try:
            self._put(line)
        except (ReaderGoneError, StorageError, OSError):
            self._is_heard = False
            self._screen.note("events cannot be written any more; the run goes on without them")


class LineLog(NullObserver):
    """`key=value` lines on stderr: where the run stands every 30 s, and one line per failed attempt and per pause.

    With `verbose` also one per image.
    """

    def __init__(self, screen: Screen, clock: Clock, job: str, *, verbose: bool = False) -> None:
        self._screen = screen
        self._clock = clock
        self._job = job
        self._verbose = verbose
        self._last: ProgressEvent | None = None
        self._said_at = clock.monotonic()
        self._ticker = Ticker(_LOG_LINE_EVERY_SECONDS, self._tick)

    def image(self, event: ImageEvent) -> None:
        """One line, with `verbose`."""
        if self._verbose:
            self._say("image", slot=event.slot, path=event.path, seconds=round(event.seconds, 1), usd=event.cost_usd)

    def failure(self, event: FailureEvent) -> None:
        """One line: a `retry` that nobody has to do anything about, or a `failure`."""
        self._say(
            "failure" if event.final else "retry",
            slot=event.slot,
            attempt=event.attempt,
            kind=event.kind,
            billed=event.billed,
            retry_in=event.retry_in_seconds,
            message=event.message,
        )

    def progress(self, event: ProgressEvent) -> None:
        """One line when 30 s have passed since the last."""
        self._last = event
        self._ticker.start()
        if self._clock.monotonic() - self._said_at >= _LOG_LINE_EVERY_SECONDS:
            self._tick()

    def pause(self, event: PauseEvent) -> None:
        """One line."""
        self._say("pause", seconds=event.seconds, message=event.message)

    def summary(self, event: SummaryEvent) -> None:
        """Nothing more to tick for."""
        del event
        self._ticker.stop()

    def _tick(self) -> None:
        self._said_at = self._clock.monotonic()
        if self._last is None:
            return
        last = self._last
        done = last.saved + last.failed + last.in_doubt
        self._say(
            "progress",
            done=done,
            total=last.total,
            ok=last.saved,
            retry=last.retries,
            fail=last.failed,
            doubt=last.in_doubt,
            in_flight=last.in_flight,
            usd=last.cost_usd,
            left=None if last.left_seconds is None else round(last.left_seconds),
        )

    def _say(self, event: str, **fields: Any) -> None:
        known = {"time": timestamp(self._clock.now()), "event": event, "job": self._job, **fields}
        self._screen.note(" ".join(f"{name}={_value(value)}" for name, value in known.items() if value is not None))


def _value(value: Any) -> str:
    """Bare when it is one plain word, else in JSON quotes: no value can start a line or a field of its own."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1 else f"{value:.10g}"
    text = one_line(str(value))
    return text if text and not set(text) & set(' "=') else json.dumps(text, ensure_ascii=False)


class Ending(NullObserver):
    """Collects remarks and prints the summary at the end, to stdout unless `aside` (then stderr).

    `aftermath` looks at what is left; it is asked only when something is, or by a `retry`, which also says what it does
    not touch. What the plan warns of is said at the start, on stderr.
    """

    def __init__(
        self,
        screen: Screen,
        *,
        job_arguments: str,
        images: str,
        aside: bool = False,
        aftermath: Callable[[], Aftermath] = Aftermath,
        is_retry: bool = False,
    ) -> None:
        self._screen = screen
        self._job_arguments = job_arguments
        self._images = images
        self._say = screen.note if aside else screen.line
        self._aftermath = aftermath
        self._is_retry = is_retry
        self._failures = 0
        self._tally = Tally()

    def plan(self, event: PlanEvent) -> None:
        """Say what a plan that may be smaller than meant warns of, whether or not there is anything to send."""
        for line in warning_lines(event.warnings):
            self._screen.note(*line)

    def image(self, event: ImageEvent) -> None:
        """Count the remarks on it."""
        self._tally.remark(event)

    def failure(self, event: FailureEvent) -> None:
        """Count the attempt; why a slot has no image in the end is looked up then."""
        del event
        self._failures += 1

    def summary(self, event: SummaryEvent) -> None:
        """Print the summary and the next commands."""
        after = self._look(event)
        for left in after.left:
            self._tally.add(left)
        lines = summary_lines(
            event,
            self._tally,
            job=self._job_arguments,
            next_commands=next_commands(event, after, self._job_arguments, is_retry=self._is_retry),
            folder=self._images,
            width=self._screen.width,
            # Every attempt ends in an image or a failure, unless a second signal or the disk ended it.
            broken_off=max(0, event.attempts - event.saved - self._failures),
            idle="nothing to retry" if self._is_retry and not event.requests else "nothing to do",
        )
        # The run is over: what it came to, its exit code, must not be lost with whoever read along.
        with contextlib.suppress(ReaderGoneError):
            for line in lines:
                self._say(*line)

    def _look(self, event: SummaryEvent) -> Aftermath:
        if event.failed or event.in_doubt or event.not_started or self._is_retry:
            # The counts must be said even where the folder cannot be read any more.
            with contextlib.suppress(BatchgenError, OSError):
                return self._aftermath()
        return Aftermath()


class Cron(Ending):
    """Silent while all is well, so that mail means trouble. A night without new rows is no trouble."""

    def plan(self, event: PlanEvent) -> None:
        """Keep the plan's warnings back: a filter that leaves nothing is the usual end of a nightly job."""

    def summary(self, event: SummaryEvent) -> None:
        """Print the summary of a run that needs somebody."""
        if event.exit_code != 0:
            super().summary(event)
