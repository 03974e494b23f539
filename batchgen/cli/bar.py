"""The progress line on a terminal: one line of tqdm on stderr, with failures and pauses above it."""

import textwrap
import threading
from typing import NoReturn

from tqdm import tqdm

from batchgen.cli.figures import duration, money
from batchgen.cli.observers import Ticker
from batchgen.cli.screen import Ink, Screen, Tint, clip, one_line
from batchgen.clock import Clock
from batchgen.run.events import FailureEvent, ImageEvent, NullObserver, PauseEvent, ProgressEvent, SummaryEvent

__all__ = ["TerminalBar"]

_REDRAW_EVERY_SECONDS = 0.1
_TICK_EVERY_SECONDS = 1.0
_JOB_WIDTH = 18
_SLOT_SHARE = 0.4


class TerminalBar(NullObserver):
    """Done, retries, failures, dollars and time left in one line; nothing at all when stderr is no terminal.

    Final failures are printed above it, with `verbose` also images and attempts that will be repeated.
    """

    def __init__(self, screen: Screen, clock: Clock, job: str, *, verbose: bool = False) -> None:
        self._screen = screen
        self._clock = clock
        self._job = clip(one_line(job), _JOB_WIDTH)
        self._verbose = verbose
        self._bar: tqdm[NoReturn] | None = None
        self._last: ProgressEvent | None = None
        self._drawn_at = 0.0
        self._paused = ""
        self._ticker = Ticker(_TICK_EVERY_SECONDS, self._draw)
        # tqdm's own lock is a semaphore of the multiprocessing kind, which some containers forbid.
        tqdm.set_lock(threading.RLock())
        tqdm.monitor_interval = 0  # its watching thread would outlive the bar; `Ticker` redraws instead

    def image(self, event: ImageEvent) -> None:
        """With `verbose` one line above the bar, and one per remark; the summary has the remarks in any case."""
        if not self._verbose:
            return
        self._above("green", "made    ", event.slot, f"{event.path}  {duration(event.seconds)}")
        for warning in event.warnings:
            self._above("yellow", "note    ", event.slot, warning)

    def failure(self, event: FailureEvent) -> None:
        """One line above the bar."""
        if event.final:
            self._above("red", "failed  ", event.slot, event.message)
        elif self._verbose:
            wait = "" if event.retry_in_seconds is None else f", again in {duration(event.retry_in_seconds)}"
            self._above("yellow", "retry   ", event.slot, event.message + wait)

    def pause(self, event: PauseEvent) -> None:
        """Above the bar and in full, once per message."""
        if event.message != self._paused:
            self._paused = event.message
            for line in textwrap.wrap(one_line(event.message), self._screen.width):
                self._above("yellow", "", line)

    def progress(self, event: ProgressEvent) -> None:
        """Redraw, at most ten times a second."""
        self._last = event
        if self._bar is None and event.total:
            self._bar = self._opened(event.total)
            self._ticker.start()
        if self._clock.monotonic() - self._drawn_at >= _REDRAW_EVERY_SECONDS:
            self._draw()

    def summary(self, event: SummaryEvent) -> None:
        """Take the bar away; the summary says the same in words."""
        del event
        self.close()

    def close(self) -> None:
        """Remove the bar. Safe to call twice, and needed when the run raises."""
        self._ticker.stop()
        if self._bar is not None:
            self._wipe()
            self._bar.close()
            self._bar = None

    def _opened(self, total: int) -> "tqdm[NoReturn]":
        return tqdm(
            total=total,
            desc=self._job,
            file=self._screen.err,
            disable=None,
            leave=False,
            ncols=self._columns(),
        )

    def _columns(self) -> int:
        # The terminal echoes ^C behind the line: without room for it the bar wraps and is never taken away.
        return self._screen.width - len("^C")

    def _wipe(self) -> None:
        """Blank the whole line: taking the bar away leaves what the terminal echoed behind it, a ^C."""
        if self._bar is not None and not self._bar.disable:
            self._bar.display(" " * self._screen.width)

    def _draw(self) -> None:
        if self._bar is None or self._last is None:
            return
        last = self._last
        self._drawn_at = self._clock.monotonic()
        left = "?" if last.left_seconds is None else duration(last.left_seconds)
        head = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<" + left + "] "
        self._bar.ncols = self._columns()
        self._bar.total = last.total
        self._bar.n = last.saved + last.failed + last.in_doubt
        self._bar.bar_format = head + _tail(last)
        self._bar.refresh()

    def _above(self, tint: Tint, label: str, text: str, *more: str) -> None:
        room = max(20, self._screen.width - len(label))
        # A long slot must not push the reason off the line.
        head = clip(one_line(text), round(room * _SLOT_SHARE) if more else room)
        shown = clip("  ".join([head, *map(one_line, more)]), room)
        self._wipe()
        with tqdm.external_write_mode(file=self._screen.err):
            self._screen.note(*((Ink(label, tint), shown) if label else (Ink(shown, tint),)))


def _tail(last: ProgressEvent) -> str:
    doubt = f" doubt {last.in_doubt}" if last.in_doubt else ""
    cost = "" if last.cost_usd is None else f"  {money(last.cost_usd)}"
    return f"ok {last.saved} retry {last.retries} fail {last.failed}{doubt}{cost}"
