"""A job folder whose disk can fail on request, and that counts what is asked of it."""

import threading
from collections.abc import Callable
from pathlib import Path

from batchgen.files import Folder


class FailingFolder(Folder):
    """A real folder; `faults` names methods that raise (`{"sync": OSError(...)}`), `calls` counts calls."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.faults: dict[str, OSError] = {}
        self.calls = {"write": 0, "sync": 0, "rename": 0}
        self.may_sync = threading.Event()
        self.may_sync.set()
        self.before: Callable[[str], None] = lambda _: None

    def write(self, descriptor: int, data: bytes | bytearray | memoryview) -> None:
        self._called("write")
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._called("sync")
        assert self.may_sync.wait(10), "nobody let the sync go on"
        super().sync(descriptor)

    def rename(self, old: str, new: str) -> None:
        self._called("rename")
        super().rename(old, new)

    def _called(self, name: str) -> None:
        self.calls[name] += 1
        self.before(name)
        if name in self.faults:
            raise self.faults[name]
