"""From a saved image to its final name: put away what is there, rename, and move files whose name changed.

The record always comes before the rename, so a crash in between is finished by the next run, by hash.
"""

import asyncio
import contextlib
import stat
from collections.abc import Iterable, Iterator

from batchgen.errors import StorageError
from batchgen.files import Folder
from batchgen.images.store import digest, put_away_path
from batchgen.ledger.entry import ImageMoved
from batchgen.ledger.journal import Journal
from batchgen.ledger.record import WAITING
from batchgen.ledger.state import State

__all__ = ["Publisher"]


class Publisher:
    """Moves files of one job folder, one at a time per path. Blocking work runs in threads.

    StorageError leaves when the disk fails: the image is saved but not in its place, and the next run puts it there.
    """

    def __init__(self, folder: Folder, journal: Journal) -> None:
        self._folder = folder
        self._journal = journal
        self._touched: set[str] = set()
        self._claimants: dict[str, tuple[str, ...]] | None = None
        self._moving: set[str] = set()
        self._loose: set[str] = set()

    @property
    def state(self) -> State:
        """What the ledger says."""
        return self._journal.state

    async def publish(self, request_id: str, source: str, *, replaces: str | None) -> None:
        """Give a saved image its final name; the image of `replaces`, and anything else there, is put away first."""
        path = self._path_of(request_id)
        with self._disk(path):
            old = self.state.records.get(replaces) if replaces is not None else None
            if replaces is not None and old is not None and old.saved is not None and not old.saved.is_aside:
                await self._put_away(replaces, old.slot, old.saved.path)
            await self._clear(path, request_id)
            await self._clear_remains(request_id)
            await self._rename(source, path)

    async def move_all(self, moves: Iterable[tuple[str, str, str]]) -> None:
        """Move finished files, each as `(request id, slot, target)`, in any order and round in circles."""
        planned = list(moves)
        # One that is in another's way waits. Put away instead, a retouched one would be lost to a crash in between.
        self._moving = {request_id for request_id, _, _ in planned}
        for request_id, slot, target in planned:
            await self.move(request_id, slot, target)
            self._moving.discard(request_id)

    async def move(self, request_id: str, slot: str, target: str) -> None:
        """Move a finished file to the place its slot has now. Nothing is bought and nothing is overwritten."""
        source = self._path_of(request_id)
        if source == target:
            return
        with self._disk(target):
            sha256 = await asyncio.to_thread(digest, self._folder, source)
            await self._clear(target, request_id)
            # Of two moves only the last one is looked for: the first one must not come undone.
            await self._settle(source)
            entry = ImageMoved(request=request_id, slot=slot, source=source, target=target, sha256=sha256)
            await self._journal.append(entry)
            await self._rename(source, target)

    async def found_at(self, request_id: str, path: str) -> None:
        """Record that an image lies under another name than its own: somebody exchanged files by hand."""
        record = self.state.records[request_id]
        with self._disk(path):
            sha256 = await asyncio.to_thread(digest, self._folder, path)
        entry = ImageMoved(
            request=request_id, slot=record.slot, source=self._path_of(request_id), target=path, sha256=sha256
        )
        await self._journal.append(entry)
        claims = self._claims()
        claims[path] = (*claims.get(path, ()), request_id)

    async def sync_folders(self) -> None:
        """Make the renames of this run durable."""
        touched, self._touched = self._touched, set()
        for folder in sorted(touched):
            await asyncio.to_thread(self._folder.sync_folder, folder)

    def _path_of(self, request_id: str) -> str:
        saved = self.state.records[request_id].saved
        if saved is None:
            msg = f"request {request_id} has no image to publish"
            raise ValueError(msg)
        return saved.path

    async def _clear(self, path: str, new_owner: str) -> None:
        """Put away whatever lies at a path that the file of `new_owner` is about to get."""
        if await asyncio.to_thread(self._folder.stat, path) is not None:
            owner = self._owner_of(path, new_owner)
            await self._put_away(owner, self.state.records[owner].slot if owner else "", path)
        claims = self._claims()
        claims[path] = (*claims.get(path, ()), new_owner)

    async def _clear_remains(self, request_id: str) -> None:
        """Put away what is left of this request's earlier image under a name that its slot has no more."""
        saved = self.state.records[request_id].saved
        path = saved.remains if saved is not None else None
        if path is not None and not self._owner_of(path, request_id):
            await self._put_away("", "", path)

    def _owner_of(self, path: str, new_owner: str) -> str:
        """Whose image a path holds, or nothing: a stranger's, or the remains of the new owner's earlier image.

        Of several that name it, it is the one that came there last; the file of `new_owner` is not there yet.
        """
        for owner in reversed(self._claims().get(path, ())):
            saved = self.state.records[owner].saved
            if owner != new_owner and saved is not None and saved.path == path:
                return owner
        return ""

    def _claims(self) -> dict[str, tuple[str, ...]]:
        """Request ids by path, in the order in which they came there.

        Made once a run: looking through all records for each image would be quadratic.
        """
        if self._claimants is None:
            records = ((key, record.saved) for key, record in self.state.records.items())
            placed = sorted((saved.placed_at_seq, saved.path, key) for key, saved in records if saved is not None)
            self._claimants = {}
            for _, path, key in placed:
                self._claimants[path] = (*self._claimants.get(path, ()), key)
        return self._claimants

    async def _put_away(self, request_id: str, slot: str, path: str) -> None:
        there = await asyncio.to_thread(self._folder.stat, path)
        # A link holds no bytes: the rename replaces it and leaves alone what it points at.
        if there is None or stat.S_ISLNK(there.st_mode):
            return
        sha256 = await asyncio.to_thread(digest, self._folder, path)
        if request_id in self._moving:
            target = f"{WAITING}{request_id}.{path.rpartition('.')[2]}"
        else:
            target = await asyncio.to_thread(put_away_path, self._folder, path, request_id or sha256)
        await self._settle(path)
        entry = ImageMoved(request=request_id, slot=slot, source=path, target=target, sha256=sha256)
        await self._journal.append(entry)
        await self._rename(path, target)

    async def _rename(self, source: str, target: str) -> None:
        # Were this rename to survive a power loss and the one that made room not, a paid image would have no name.
        await self._settle(target)
        if not source.endswith(".part"):
            self._loose |= {source, target}
        await asyncio.to_thread(self._folder.rename, source, target)
        self._touched |= {source.rpartition("/")[0], target.rpartition("/")[0]}

    async def _settle(self, path: str) -> None:
        """Make the last move from or to `path` durable, before another one is built on it."""
        if path in self._loose:
            await asyncio.to_thread(self._folder.sync_folder, path.rpartition("/")[0])
            self._loose.discard(path)

    @contextlib.contextmanager
    def _disk(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            msg = f"{self._folder.path / path}: cannot be put in its place ({reason}); mend the disk and run again"
            raise StorageError(msg) from problem
