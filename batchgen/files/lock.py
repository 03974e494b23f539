"""The lock of a run: at most one sends for a job folder, and it notices when that is no longer sure."""

import contextlib
import os
from collections.abc import Callable
from typing import Self

from filelock import FileLock, Timeout

from batchgen.errors import LedgerLockedError, StorageError
from batchgen.files.folder import Folder, unusable

__all__ = ["RunLock"]


class RunLock:
    """The exclusive lock of one run: `flock` on a file that is never removed. The kernel lets go of it on any death."""

    def __init__(self, folder: Folder) -> None:
        self._path = folder.path / "run.lock"
        self._held: os.stat_result | None = None
        # A file system without flock must not fall back to "the file exists": that kind of lock goes stale.
        self._lock = FileLock(self._path, mode=0o600, fallback_to_soft=False, thread_local=False)

    def acquire(self, wait_seconds: float = 0.0, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """Take the lock, waiting at most `wait_seconds`. Raises LedgerLockedError or FolderError."""
        try:
            self._lock.acquire(timeout=wait_seconds, poll_interval=0.2, cancel_check=is_cancelled)
        except Timeout:
            msg = f"{self._path}: another run of this job is on; wait for it, or use --wait-lock 10m"
            raise LedgerLockedError(msg) from None
        except OSError as problem:
            raise unusable(self._path, problem) from problem
        self._held = self._path.lstat()

    def release(self) -> None:
        """Let go of the lock; the file stays."""
        self._held = None
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def check(self) -> None:
        """Raise StorageError when the lock file is no longer the one that is held: a second run could be on."""
        there = None
        with contextlib.suppress(OSError):
            there = self._path.lstat()
        if there is None or self._held is None or not os.path.samestat(there, self._held):
            msg = f"{self._path}: the lock file was removed or replaced during the run; leave it alone and run again"
            raise StorageError(msg)
