"""Whether a run of a job is on at this moment, and what it has in flight: no doubts, but answers still to come."""

from pathlib import Path

from batchgen.errors import BatchgenError, LedgerLockedError
from batchgen.files import Folder, RunLock
from batchgen.ledger.state import State

__all__ = ["in_flight"]


def in_flight(job_folder: Path, state: State) -> frozenset[str]:
    """The ids of the requests that a run has sent and waits for; `state` is what the ledger said a moment ago.

    Only a ledger whose last run has no end is asked for its lock: a look at a finished job must never be what makes a
    run that starts just then believe that another one is on.
    """
    last = len(state.runs) - 1
    if last < 0 or state.is_run_finished(last) or not _is_locked(job_folder):
        return frozenset()
    # What an earlier run left open and this one has not sent is a doubt, or waits to be fetched.
    return frozenset(
        request_id
        for request_id, record in state.records.items()
        if record.open is not None and record.open.run == last and not record.is_fetchable
    )


def _is_locked(job_folder: Path) -> bool:
    try:
        with Folder(job_folder) as folder, RunLock(folder) as lock:
            lock.acquire()
    except LedgerLockedError:
        return True
    except BatchgenError:
        return False
    return False
