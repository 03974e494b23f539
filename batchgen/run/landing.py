"""Landing: the workers for whom only the disk is left to wait, and a word to the user when that takes long."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from batchgen.run.events import PauseEvent

__all__ = ["Landing"]

_PATIENCE_SECONDS = 5.0
_AGAIN_AFTER_SECONDS = 60.0


class Landing:
    """Who holds a complete answer: it is paid for, so whoever aborts a run must let that worker finish.

    `notify` hears when a write has kept somebody waiting for five seconds, at most once a minute.
    """

    def __init__(self, notify: Callable[[PauseEvent], None]) -> None:
        self._notify = notify
        self._timers: dict[asyncio.Task[object] | None, asyncio.TimerHandle] = {}
        self._said_at: float | None = None

    def __contains__(self, worker: object) -> bool:
        return worker in self._timers

    def begin(self) -> None:
        """The answer of the current worker is complete; what follows is work for the disk."""
        self._timers[asyncio.current_task()] = self._timer()

    def end(self) -> None:
        """The current worker is done with it, if it ever began."""
        timer = self._timers.pop(asyncio.current_task(), None)
        if timer is not None:
            timer.cancel()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A write that nothing paid hangs on yet."""
        timer = self._timer()
        try:
            yield
        finally:
            timer.cancel()

    def _timer(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._say)

    def _say(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._said_at is None or now - self._said_at >= _AGAIN_AFTER_SECONDS:
            self._said_at = now
            self._notify(PauseEvent(message="the disk is slow: a write has taken more than 5 s; what was sent goes on"))
