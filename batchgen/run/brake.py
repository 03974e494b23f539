"""The brake: a run is brought to a halt by signals, by its time limit, and by the end of the time to drain."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from batchgen.run.crew import Crew
from batchgen.run.events import PauseEvent
from batchgen.run.job import Limits
from batchgen.run.stop import Stop

__all__ = ["Brake"]

_MINUTE = 60


class Brake:
    """Stops a run in two stages: first nothing new is sent and what was sent may arrive, then that is aborted too."""

    def __init__(self, *, stop: Stop, crew: Crew, limits: Limits, notify: Callable[[PauseEvent], None]) -> None:
        self._stop = stop
        self._crew = crew
        self._limits = limits
        self._notify = notify
        self._signals = 0
        self._timers: list[asyncio.TimerHandle] = []

    def interrupt(self, exit_code: int) -> None:
        """A signal: the first drains, every further one aborts, whatever else the run is stopped for."""
        self._signals += 1
        if self._signals > 1:
            self._crew.abort()
            return
        self._drain("interrupted", exit_code)

    @contextmanager
    def on_time(self, left_seconds: float | None) -> Iterator[None]:
        """Drain as after the first signal when `left_seconds` are over; every timer ends with the block."""
        if left_seconds is not None:
            self._later(max(0.0, left_seconds), self._time_is_up)
        try:
            yield
        finally:
            for timer in self._timers:
                timer.cancel()

    def _time_is_up(self) -> None:
        self._drain("the time limit (stop_after) is reached", 5)

    def _drain(self, reason: str, exit_code: int) -> None:
        self._stop.set(reason, exit_code)
        if self._crew.is_working:
            self._notify(PauseEvent(message=self._message(), seconds=self._limits.drain_seconds))
        self._later(self._limits.drain_seconds, self._crew.abort)

    def _message(self) -> str:
        longest = _spoken(self._limits.drain_seconds)
        message = f"stopping: what was sent may still arrive, in up to {longest}; once more aborts"
        if self._limits.drain_seconds >= self._limits.request_timeout_seconds:
            return message
        return f"{message}; what has not come by limits.drain, which is shorter than a request may take, is in doubt"

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, act))


def _spoken(seconds: float) -> str:
    return f"{seconds / _MINUTE:.0f} min" if seconds >= 2 * _MINUTE else f"{seconds:g} s"
