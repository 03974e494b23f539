"""The crew: N workers over one shared iterator, and how they are sent home."""

import asyncio
from collections.abc import Iterator, Sequence

from batchgen.errors import StorageError
from batchgen.plan.compare import SlotStatus
from batchgen.run.landing import Landing
from batchgen.run.settle import Settler
from batchgen.run.stop import Stop

__all__ = ["Crew"]


class Crew:
    """The workers of one run. `landing` knows those whose answer is complete and paid; `bug` is what broke, if any."""

    def __init__(self, stop: Stop, landing: Landing) -> None:
        self.landing = landing
        self.bug: Exception | None = None
        self._stop = stop
        self._workers: list[asyncio.Task[None]] = []

    @property
    def is_working(self) -> bool:
        """Whether anybody is still at it."""
        return any(not worker.done() for worker in self._workers)

    async def work(self, statuses: Sequence[SlotStatus], settler: Settler, *, at_once: int) -> None:
        """Settle all of `statuses`, at most `at_once` at a time, until done or stopped."""
        waiting = iter(statuses)
        async with asyncio.TaskGroup() as group:
            for number in range(min(at_once, len(statuses))):
                self._workers.append(group.create_task(self._worker(settler, waiting), name=f"worker-{number}"))

    def abort(self) -> None:
        """Give up what is in flight, but not an answer that is already here: it is paid for and lands by itself."""
        for worker in self._workers:
            if worker not in self.landing:
                worker.cancel()

    async def _worker(self, settler: Settler, waiting: Iterator[SlotStatus]) -> None:
        """Share one plain iterator: bounded by construction, no queue and no task per request."""
        for status in waiting:
            if self._stop.is_set:
                return
            try:
                await settler.settle(status)
            except StorageError as problem:
                self._stop.set(str(problem), 5)
            except Exception as bug:  # noqa: BLE001  a bug in one request must not cut the paid ones of others in half
                # The others drain, then it is raised.
                self.bug = self.bug or bug
                self._stop.set(f"internal error: {bug!r}", 1)
