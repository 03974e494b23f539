"""After a crash: finish what was recorded, adopt what is provably whole, and call the rest in doubt.

Recovery is idempotent: killing it at any point and running it again leads to the same end. Nothing is sent here.
"""

import asyncio
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from batchgen.errors import LedgerDamagedError, StorageError
from batchgen.files import FileFact, Folder
from batchgen.images.arrival import rejected_path
from batchgen.images.picture import EXTENSIONS, BadImageError, Picture
from batchgen.images.store import Part, digest, examine_file, find_parts
from batchgen.ledger.entry import AttemptFailed, ImageSaved
from batchgen.ledger.journal import Journal
from batchgen.ledger.record import OpenAttempt, RequestRecord, SavedImage
from batchgen.ledger.state import State
from batchgen.run.publish import Publisher

__all__ = ["Recovery", "unknown_parts"]


def unknown_parts(parts: Iterable[Part], state: State) -> list[Part]:
    """The temp files of attempts that the ledger has never heard of: it lost lines."""
    attempts = {request_id: record.attempts for request_id, record in state.records.items()}
    return [part for part in parts if part.attempt > attempts.get(part.request, 0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Recovers one job folder. `paths` are the planned paths by request id; `boot` is that of this machine, now."""

    folder: Folder
    journal: Journal
    publisher: Publisher
    paths: Mapping[str, str]
    boot: str
    max_pixels: int

    async def recover(self) -> None:
        """Bring files and ledger together.

        Raises LedgerDamagedError when a temp file proves lost lines, and StorageError when the disk fails.
        """
        try:
            await self._recover()
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            msg = f"{self.folder.path}: cannot be brought in order ({reason}); mend the disk and run again"
            raise StorageError(msg) from problem

    async def _recover(self) -> None:
        if not self.journal.was_closed:
            # A killed run may have left folders and names in memory only, and what follows builds on them.
            await asyncio.to_thread(self.folder.sync_tree, "images")
        seen = await asyncio.to_thread(self.folder.scan, "images")
        parts = {(part.request, part.attempt): part for part in find_parts(seen)}
        self._check_known(parts)
        await self._finish_renames(parts, seen)
        for request_id, record in list(self.journal.state.records.items()):
            if record.open is not None:
                await self._close(request_id, record, record.open, parts.get((request_id, record.open.attempt)))
        await self._remove_settled(parts)

    def _check_known(self, parts: Mapping[tuple[str, int], Part]) -> None:
        for part in unknown_parts(parts.values(), self.journal.state):
            msg = (
                f"{self.folder.path / part.path}: the ledger does not know this attempt, so it lost lines (was an "
                f"older copy put back?); nothing was sent; put the ledger back, or use `batchgen verify --repair`"
            )
            raise LedgerDamagedError(msg)

    async def _finish_renames(self, parts: Mapping[tuple[str, int], Part], seen: Mapping[str, FileFact]) -> None:
        """Records without their renames: the files are still where moves took them from, or under their temp names."""
        records = self.journal.state.records.items()
        saved = [(record.saved.placed_at_seq, key, record.saved) for key, record in records if record.saved is not None]
        # In the order of the ledger, and before new images: a name that one file gets may be another's to leave.
        for _, request_id, image in sorted(saved, key=operator.itemgetter(0)):
            if image.moved_from is not None and image.moved_from in seen:
                await self._finish_move(request_id, image, image.moved_from)
        for _, request_id, image in saved:
            part = parts.get((request_id, image.attempt))
            # The temp file decides even if the final name is taken: that may be the image which this one replaces.
            if part is not None and await self._holds(part.path, image.sha256):
                await self.publisher.publish(request_id, part.path, replaces=None)

    async def _finish_move(self, request_id: str, image: SavedImage, source: str) -> None:
        is_taken = await asyncio.to_thread(self.folder.stat, image.path) is not None
        if not is_taken and await self._holds(source, image.moved_sha256):
            await self.publisher.publish(request_id, source, replaces=None)

    async def _holds(self, path: str, sha256: str | None) -> bool:
        try:
            return await asyncio.to_thread(digest, self.folder, path) == sha256
        except FileNotFoundError:
            # Putting another file in its place moved this one since the scan.
            return False

    async def _close(self, request_id: str, record: RequestRecord, attempt: OpenAttempt, part: Part | None) -> None:
        """An attempt without an end: its temp file is adopted when it is provably whole, else nobody knows."""
        picture = await asyncio.to_thread(self._examine, part) if part is not None else None
        if part is not None and picture is not None and self._is_proven(picture, attempt):
            await self._adopt(request_id, record, part, picture)
            return
        if record.is_fetchable:
            # It stays open: the run fetches it again, free.
            return
        if part is not None and picture is not None:
            kept = rejected_path(request_id, attempt.attempt, f".{EXTENSIONS[picture.format]}")
            await asyncio.to_thread(self.folder.rename, part.path, kept)
        message = "the run ended before an answer came"
        await self.journal.append(
            AttemptFailed(
                request=request_id, attempt=attempt.attempt, failure="in_doubt", billed="maybe", message=message
            )
        )

    async def _adopt(self, request_id: str, record: RequestRecord, part: Part, picture: Picture) -> None:
        """The answer was paid and is whole; only its record is missing."""
        planned = self.paths.get(request_id) or str(PurePosixPath(part.path).with_name(f"{request_id}.png"))
        path = f"{planned.rpartition('.')[0]}.{EXTENSIONS[picture.format]}"
        fact = await asyncio.to_thread(self.folder.stat, part.path)
        reserved = record.open.reserved_usd if record.open is not None else 0.0
        await asyncio.to_thread(self._make_durable, part)
        saved = ImageSaved(
            request=request_id,
            slot=record.slot,
            attempt=part.attempt,
            path=path,
            bytes=fact.st_size if fact is not None else 0,
            sha256=await asyncio.to_thread(digest, self.folder, part.path),
            format=picture.format,
            width=picture.width,
            height=picture.height,
            cost_usd=reserved or None,
        )
        await self.journal.append(saved)
        await self.publisher.publish(request_id, part.path, replaces=None)

    def _make_durable(self, part: Part) -> None:
        """The bytes may be in memory only, even after a sync that failed: the record must not call those safe."""
        self.folder.rewrite(part.path)
        self.folder.sync_folder(str(PurePosixPath(part.path).parent))

    def _examine(self, part: Part) -> Picture | None:
        try:
            return examine_file(self.folder, part.path, max_pixels=self.max_pixels)
        except BadImageError:
            return None

    def _is_proven(self, picture: Picture, attempt: OpenAttempt) -> bool:
        """Whether a file that looks whole is provably whole.

        On the boot that wrote it the file is an exact prefix of what was written, so the checks find every cut. After
        another boot a tail of zeros may stand for data that never reached the disk, which only PNG checks find.
        """
        runs = self.journal.state.runs
        same_boot = bool(self.boot) and attempt.run < len(runs) and runs[attempt.run].boot == self.boot
        return not picture.warning and (same_boot or picture.format == "png")

    async def _remove_settled(self, parts: Mapping[tuple[str, int], Part]) -> None:
        """Temp files go only when their attempt is settled."""
        for (request_id, attempt), part in parts.items():
            record = self.journal.state.records[request_id]
            is_open = record.open is not None and record.open.attempt == attempt
            if not is_open:
                await asyncio.to_thread(self.folder.remove, part.path)
