"""What is open while a run is on, over a folder whose disk can fail; entered anew it is the next run."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fakes.disk import FailingFolder
from fakes.ledgers import request_id, saved, started

from batchgen.clock import SystemClock
from batchgen.errors import StorageError
from batchgen.images.arrival import part_path
from batchgen.images.picture import MAX_PIXELS
from batchgen.ledger.entry import ImageSaved
from batchgen.ledger.journal import Journal, read_state
from batchgen.ledger.state import State
from batchgen.run.publish import Publisher
from batchgen.run.recover import Recovery


class KilledError(Exception):
    """The process ends here."""


class Desk:
    """A job folder on disk. `during(act)` opens it for one run; `files` and `state` look at what is left."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def during(self, act: Callable[["Running"], Awaitable[Any]], kill_at: tuple[str, int] | None = None) -> Any:
        """Let `act` run; `kill_at=("rename", 2)` ends the process before the second rename. True: it was killed."""

        async def main() -> Any:
            with FailingFolder(self.path) as folder:
                async with Journal(folder, clock=SystemClock(), threaded=False) as journal:
                    running = Running(folder, journal)
                    if kill_at is not None:
                        folder.before = _killer(folder, *kill_at)
                    return await act(running)

        try:
            return asyncio.run(main())
        except (KilledError, StorageError):
            if kill_at is None:
                raise
            return True

    def recover(self, *, boot: str = "b1", kill_at: tuple[str, int] | None = None, **paths: str) -> Any:
        """A recovery, as the next run begins with. `paths` are the planned paths, `p1` for request 1."""
        planned = {request_id(int(name[1:])): path for name, path in paths.items()}
        return self.during(lambda running: running.recovery(planned, boot).recover(), kill_at)

    @property
    def files(self) -> dict[str, bytes]:
        """Every file below images/."""
        with FailingFolder(self.path) as folder:
            return {path: (self.path / path).read_bytes() for path in folder.scan("images")}

    @property
    def state(self) -> State:
        """What the ledger says."""
        with FailingFolder(self.path) as folder:
            return read_state(folder)[0]

    def saved_path(self, number: int) -> str:
        """Where the ledger has the image of a request."""
        image = self.state.records[request_id(number)].saved
        assert image is not None
        return image.path


class Running:
    """One run: its folder, journal and publisher."""

    def __init__(self, folder: FailingFolder, journal: Journal) -> None:
        self.folder = folder
        self.journal = journal
        self.publisher = Publisher(folder, journal)

    def recovery(self, paths: dict[str, str], boot: str) -> Recovery:
        """What a run begins with."""
        return Recovery(
            folder=self.folder,
            journal=self.journal,
            publisher=self.publisher,
            paths=paths,
            boot=boot,
            max_pixels=MAX_PIXELS,
        )

    async def begin(self, number: int, attempt: int = 1, **fields: object) -> None:
        """An attempt goes out."""
        await self.journal.append(started(number, attempt, **fields))

    def put(self, path: str, data: bytes) -> None:
        """A file appears."""
        descriptor = self.folder.create(path)
        with open(descriptor, "wb") as target:  # noqa: PTH123  a descriptor
            target.write(data)

    async def arrive(self, number: int, path: str, data: bytes, attempt: int = 1) -> str:
        """Bytes of an attempt are in its temp file."""
        part = part_path(path, request_id(number), attempt)
        self.put(part, data)
        return part

    async def record(self, number: int, path: str, data: bytes, attempt: int = 1, **fields: object) -> ImageSaved:
        """The image is recorded."""
        sha256 = hashlib.sha256(data).hexdigest()
        entry = saved(number, attempt, path=path, bytes=len(data), sha256=sha256, **fields)
        await self.journal.append(entry)
        return entry

    async def make(
        self, number: int, path: str, data: bytes, *, attempt: int = 1, replaces: int | None = None, **fields: object
    ) -> None:
        """A whole attempt, from the first entry to the final name."""
        await self.begin(number, attempt, **fields)
        part = await self.arrive(number, path, data, attempt)
        await self.record(number, path, data, attempt, **fields)
        old = request_id(replaces) if replaces is not None else None
        await self.publisher.publish(request_id(number), part, replaces=old)


def _killer(folder: FailingFolder, method: str, number: int) -> Callable[[str], None]:
    first = folder.calls[method]

    def judge(_: str) -> None:
        # Once dead it does nothing more, whatever is called.
        if folder.calls[method] - first >= number:
            raise KilledError

    return judge
