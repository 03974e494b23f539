"""The disk: a job folder held open, durable writes inside it, and the lock of a run.

Nothing else calls fsync, rename or lock.
"""

from batchgen.files.folder import FileFact, Folder, unusable
from batchgen.files.lock import RunLock

__all__ = ["FileFact", "Folder", "RunLock", "unusable"]
