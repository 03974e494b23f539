"""Turnstile: waiters in order of arrival, let through one at a time, without polling and without waking the herd."""

import asyncio
from collections import deque

__all__ = ["Turnstile"]


class Turnstile:
    """A queue of waiters. `wait` returns after a `wake`; who finds nothing to do passes the wake on."""

    def __init__(self) -> None:
        self._waiters: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._waiters)

    async def wait(self, *, first: bool = False) -> None:
        """Wait for a wake; `first` keeps the place of one that was woken too early."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if first:
            self._waiters.appendleft(waiter)
        else:
            self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            # A wake that reached a cancelled waiter belongs to the next one: lost wake-ups hang a run.
            if waiter.done() and not waiter.cancelled():
                self.wake()
            raise
        finally:
            if not waiter.done() or waiter.cancelled():
                self._forget(waiter)

    def wake(self) -> None:
        """Let the first waiter through."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _forget(self, waiter: asyncio.Future[None]) -> None:
        try:
            self._waiters.remove(waiter)
        except ValueError:
            return
