"""Arrival: the bytes of one answer on their way into a temp file, hashed as they are written.

The temp file lies in the folder of the final name, so that the rename cannot cross a file system. Nothing blocks the
event loop: pieces of half a megabyte are written and hashed in one thread hop each.
"""

import asyncio
import contextlib
import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal, Self

from aiofiles import threadpool

from batchgen.files import Folder
from batchgen.images.picture import BadImageError, Picture, examine

__all__ = ["Arrival", "Arrived", "LostBytesError", "part_path", "rejected_path"]

_PIECE_BYTES = 512 * 1024


class LostBytesError(Exception):
    """The disk took the bytes of a paid image and gives back others: nobody has that image any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A whole image in its temp file: durable, examined, not yet recorded. `part` is relative to the job folder."""

    part: str
    bytes: int
    sha256: str
    picture: Picture


def part_path(path: str, request_id: str, attempt: int) -> str:
    """The temp name of an attempt, beside the final name."""
    return str(PurePosixPath(path).with_name(f".{request_id}-{attempt}.part"))


def rejected_path(request_id: str, attempt: int, suffix: str) -> str:
    """Where the bytes of an unusable answer are kept."""
    return f"images/.rejected/{request_id}-{attempt}{suffix}"


class _HashedFile(io.FileIO):
    """A file whose writes carry on until all is written and feed the hash, in the thread that writes."""

    def __init__(self, folder: Folder, descriptor: int) -> None:
        super().__init__(descriptor, "wb", closefd=True)
        self._folder = folder
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        self._folder.write(self.fileno(), data)
        self.sha256.update(data)
        self.size += len(data)
        return len(data)


class _Stream:
    """One file that is being written: bytes gather until a piece is worth a thread hop."""

    def __init__(self, folder: Folder, path: str) -> None:
        self.path = path
        self.buffer = bytearray()
        self.is_whole = False
        self.file: _HashedFile | None = None
        self._folder = folder

    async def drain(self, *, everything: bool = False) -> None:
        """Write what has gathered, when it is enough or `everything` is wanted."""
        if not self.buffer or (len(self.buffer) < _PIECE_BYTES and not everything):
            return
        piece, self.buffer = self.buffer, bytearray()
        if self.file is None:
            self.file = await asyncio.to_thread(self._create)
        await threadpool.wrap(self.file).write(piece)

    def close(self) -> None:
        """Let go of the file."""
        if self.file is not None:
            self.file.close()

    def _create(self) -> _HashedFile:
        # An image that replaces an unusable one of the same answer takes over its temp name.
        self._folder.remove(self.path)
        return _HashedFile(self._folder, self._folder.create(self.path))


class Arrival:
    """The sink of one attempt's answer: its image, its previews, and images beyond the one that was asked for.

    Use as `async with`. `path` is the planned path of the image, relative to the job folder. The temp file stays on
    disk until somebody publishes, rejects or discards it: it may be the only copy of something paid for.
    """

    def __init__(self, folder: Folder, *, path: str, request_id: str, attempt: int, max_pixels: int) -> None:
        self.part = part_path(path, request_id, attempt)
        self._folder = folder
        self._path = PurePosixPath(path)
        self._request_id = request_id
        self._attempt = attempt
        self._max_pixels = max_pixels
        self._streams: list[_Stream] = []
        self._image: _Stream | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for stream in self._streams:
            stream.close()

    def begin(self, kind: Literal["image", "preview", "surplus"], index: int) -> None:
        """The next bytes belong to a new file. A preview never gets the attempt's temp name: it is a whole image."""
        stream = _Stream(self._folder, self._place(kind, index))
        self._streams.append(stream)
        if kind == "image":
            if self._image is not None:
                # It was not usable, and its temp name is taken over: what is left of it must not be written there.
                self._image.close()
                self._streams.remove(self._image)
            self._image = stream

    def write(self, data: bytes | memoryview) -> None:
        """Take decoded bytes; never blocks."""
        self._streams[-1].buffer += data

    def end(self, *, whole: bool) -> None:
        """The current file got its last byte, or (`whole` is False) will get no more."""
        self._streams[-1].is_whole = whole

    @property
    def is_whole(self) -> bool:
        """Whether the image got its last byte."""
        return self._image is not None and self._image.is_whole

    async def drain(self) -> None:
        """Write what has gathered; the caller waits, so a slow disk slows the sender and not the memory."""
        for stream in self._streams:
            ended = stream is not self._streams[-1] or stream.is_whole
            await stream.drain(everything=ended and stream is not self._image)

    async def finish(self) -> Arrived:
        """Make the image durable and examine it.

        Raises BadImageError for unusable bytes, LostBytesError when the disk lost them, OSError when it fails.
        """
        stream = self._image
        if stream is None:
            msg = "the answer holds no image"
            raise BadImageError(msg)
        for other in self._streams:
            await other.drain(everything=True)
        if stream.file is None:
            msg = "the image in the answer is empty"
            raise BadImageError(msg)
        return await asyncio.to_thread(self._make_durable, stream.file)

    async def reject(self, evidence: bytes) -> str | None:
        """Keep the bytes of an unusable answer in `images/.rejected/`; return the path, or None when there are none."""
        for stream in self._streams:
            await stream.drain(everything=True)
        if self._image is not None and self._image.file is not None:
            return await asyncio.to_thread(self._keep_part)
        return await asyncio.to_thread(self._keep_evidence, evidence) if evidence else None

    async def discard(self) -> None:
        """Remove the temp file of an attempt that is settled without an image."""
        for stream in self._streams:
            stream.buffer = bytearray()
        await asyncio.to_thread(self._folder.remove, self.part)

    def _place(self, kind: Literal["image", "preview", "surplus"], index: int) -> str:
        if kind == "image":
            return self.part
        if kind == "preview":
            inside = self._path.relative_to("images") if self._path.is_relative_to("images") else self._path
            return f"images/.previews/{inside.with_suffix('')}-partial-{index}{self._path.suffix}"
        return rejected_path(self._request_id, self._attempt, f"-surplus-{index}{self._path.suffix}")

    def _make_durable(self, file: _HashedFile) -> Arrived:
        # The bytes, then the folder entry: only then may the ledger call it saved.
        try:
            self._folder.sync(file.fileno())
            file.close()
        except OSError:
            self._copy(file)
        with os.fdopen(self._folder.open_read(self.part), "rb") as source:
            picture = examine(source, max_pixels=self._max_pixels)
        self._folder.sync_folder(str(PurePosixPath(self.part).parent))
        return Arrived(part=self.part, bytes=file.size, sha256=file.sha256.hexdigest(), picture=picture)

    def _copy(self, unsynced: _HashedFile) -> None:
        """Save an image whose sync failed: copied to a new file, checked by its hash, and synced there.

        The kernel takes the pages of a failed sync for written, so a further sync of that file would succeed without
        having written anything (https://wiki.postgresql.org/wiki/Fsync_Errors).
        """
        with contextlib.suppress(OSError):
            unsynced.close()
        copy = f"{self.part}.new"
        self._folder.remove(copy)
        target = _HashedFile(self._folder, self._folder.create(copy))
        try:
            self._copy_into(target, unsynced.sha256.digest())
        except BaseException:
            with contextlib.suppress(OSError):
                self._folder.remove(copy)
            raise
        self._folder.rename(copy, self.part)

    def _copy_into(self, target: _HashedFile, sha256: bytes) -> None:
        with contextlib.closing(target), os.fdopen(self._folder.open_read(self.part), "rb") as source:
            while piece := source.read(_PIECE_BYTES):
                target.write(piece)
            if target.sha256.digest() != sha256:
                msg = "the disk lost bytes of the image"
                raise LostBytesError(msg)
            self._folder.sync(target.fileno())

    def _keep_part(self) -> str:
        kept = rejected_path(self._request_id, self._attempt, self._path.suffix)
        self._folder.rename(self.part, kept)
        return kept

    def _keep_evidence(self, evidence: bytes) -> str:
        kept = rejected_path(self._request_id, self._attempt, ".body")
        self._folder.write_whole(kept, evidence)
        return kept
