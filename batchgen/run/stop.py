"""Stopping: the reason why nothing new is sent, and a way out for everything that only waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Stop", "StoppedError"]


class StoppedError(Exception):
    """The run stops, so this wait is over; nothing was sent."""


class Stop:
    """Set once, with a reason and an exit code; the first one counts, unless a later one weighs more.

    What waits does so inside `waiting()`: it is interrupted at once. What was sent is never interrupted by this.
    """

    # Where several exit codes fit: an internal error first, success last.
    _WEIGHT = (1, 7, 6, 2, 130, 143, 4, 5, 3, 0)

    def __init__(self) -> None:
        self.reason = ""
        self.exit_code = 0
        self._is_set = False
        self._scopes: set[asyncio.Timeout] = set()

    @property
    def is_set(self) -> bool:
        """Whether nothing new may be sent."""
        return self._is_set

    def set(self, reason: str, exit_code: int) -> None:
        """Start nothing new."""
        heavier = self._WEIGHT.index(exit_code) < self._WEIGHT.index(self.exit_code)
        if not self._is_set or heavier:
            self.reason, self.exit_code = reason, exit_code
        self._is_set = True
        now = asyncio.get_running_loop().time()
        for scope in self._scopes:
            scope.reschedule(now)
        self._scopes.clear()

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """A scope that ends in StoppedError as soon as the run stops."""
        if self._is_set:
            raise StoppedError
        try:
            async with asyncio.timeout(None) as scope:
                self._scopes.add(scope)
                try:
                    yield
                finally:
                    self._scopes.discard(scope)
        except TimeoutError:
            if not self._is_set:
                raise
            raise StoppedError from None
