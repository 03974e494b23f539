"""The desk that a run and every decision work at: the job folder, locked, its ledger open, and who moves its files."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from batchgen.clock import Clock
from batchgen.errors import StorageError
from batchgen.files import Folder, RunLock, unusable
from batchgen.images.picture import MAX_PIXELS
from batchgen.ledger.journal import Journal
from batchgen.plan.expand import Plan
from batchgen.run.job import Job
from batchgen.run.publish import Publisher
from batchgen.run.recover import Recovery
from batchgen.run.survey import Survey, make_plan, survey

__all__ = ["Desk", "open_desk", "take_stock", "usable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What is open while a run is on: the job folder, its ledger, and who moves its files."""

    folder: Folder
    journal: Journal
    publisher: Publisher


@contextlib.asynccontextmanager
async def open_desk(
    folder: Folder, *, clock: Clock, wait_lock_seconds: float = 0.0, is_cancelled: Callable[[], bool] = lambda: False
) -> AsyncIterator[Desk]:
    """Take the run's lock and open the ledger for appending.

    Raises LedgerLockedError, LedgerDamagedError, FolderError and StorageError.
    """
    with RunLock(folder) as lock:
        # In a thread: waiting for the other run must not keep signals from being heard.
        await asyncio.to_thread(lock.acquire, wait_lock_seconds, is_cancelled)
        async with Journal(folder, clock=clock, guard=functools.partial(_guard, folder, lock)) as journal:
            yield Desk(folder=folder, journal=journal, publisher=Publisher(folder, journal))


async def take_stock(job: Job, desk: Desk, *, boot: str, plan: Plan | None = None) -> Survey:
    """Plan under the lock, finish what a crash left, move what was renamed, then see how the job stands.

    Raises what `make_plan` and `Recovery.recover` raise, and FolderError for a folder that cannot be used.
    """
    with usable(desk.folder):
        if plan is None:
            plan = await asyncio.to_thread(make_plan, job, desk.journal.state)
        recovery = Recovery(
            folder=desk.folder,
            journal=desk.journal,
            publisher=desk.publisher,
            paths={request.id: request.path for request in plan.requests},
            boot=boot,
            max_pixels=MAX_PIXELS,
        )
        await recovery.recover()
        found = await _look(job, desk, plan)
        if found.astray:
            # The record follows the disk first; putting the files back is then a move like any other.
            for request_id, path in found.astray.items():
                await desk.publisher.found_at(request_id, path)
            found = await _look(job, desk, plan)
        moves = [status for status in found.standing.slots if status.move_from is not None]
        await desk.publisher.move_all((status.request.id, status.request.slot, status.path) for status in moves)
        await desk.publisher.sync_folders()
        return await _look(job, desk, plan) if moves else found


async def _look(job: Job, desk: Desk, plan: Plan) -> Survey:
    seen = await asyncio.to_thread(desk.folder.scan, "images")
    return await asyncio.to_thread(survey, job, plan, desk.journal.state, desk.folder, seen)


@contextlib.contextmanager
def usable(folder: Folder) -> Iterator[None]:
    """A disk that fails before anything is sent makes a folder that cannot be used."""
    try:
        yield
    except OSError as problem:
        raise unusable(folder.path, problem) from problem


def _guard(folder: Folder, lock: RunLock) -> None:
    lock.check()
    if not folder.is_in_place():
        msg = f"{folder.path}: the job folder was moved or replaced meanwhile; put it back and run again"
        raise StorageError(msg)
