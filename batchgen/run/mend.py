"""Mending a job folder whose ledger cannot be trusted: the ledger itself, and temp files of attempts it has lost."""

from dataclasses import dataclass

from batchgen.clock import Clock, timestamp
from batchgen.files import Folder, RunLock
from batchgen.images.arrival import rejected_path
from batchgen.images.store import find_parts
from batchgen.ledger.journal import read_state
from batchgen.ledger.repair import Gap, repair
from batchgen.run.desk import usable
from batchgen.run.recover import unknown_parts

__all__ = ["Mended", "mend"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What was done: copies of the ledgers as they were, gaps named, temp files of lost attempts put by."""

    asides: tuple[str, ...]
    gaps: tuple[Gap, ...]
    kept: tuple[str, ...]


def mend(folder: Folder, *, clock: Clock, by: str) -> Mended:
    """Repair the ledger under the run's lock. Nothing is sent, and whatever may have been bought is held.

    Raises LedgerLockedError, LedgerDamagedError for a ledger of a newer format, FolderError and StorageError.
    """
    with RunLock(folder) as lock, usable(folder):
        lock.acquire()
        at = timestamp(clock.now())
        first = repair(folder, at=at, by=by)
        state, _ = read_state(folder)
        strays = unknown_parts(find_parts(folder.scan("images")), state)
        # The decision that holds comes before the files go that prove the loss: a crash in between repeats it.
        second = repair(folder, at=at, by=by, lost_at_end=True) if strays else None
        kept = []
        for stray in strays:
            kept.append(rejected_path(stray.request, stray.attempt, ".lost"))
            folder.rename(stray.path, kept[-1])
        done = [step for step in (first, second) if step is not None and step.aside]
        return Mended(asides=tuple(step.aside for step in done), gaps=first.gaps, kept=tuple(kept))
