"""A request body of known length that is read from files while it is sent, and never held.

One shape serves all: runs of bytes, and files between them, as they are (multipart) or as base64 (inside JSON).
"""

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiofiles
import pybase64
from aiofiles.threadpool.binary import AsyncBufferedReader

from batchgen.provider.encode import FilePart, Outgoing

__all__ = ["Body", "BodyFile", "ChangedFileError", "measure"]

# Small hops to the file thread cost four times the CPU; a multiple of 3 keeps base64 free of padding inside.
PIECE_BYTES = 3 * (1 << 17)


class ChangedFileError(Exception):
    """An input file is not what it was when the plan was made; the message names it."""

    def __init__(self, part: FilePart, problem: str) -> None:
        super().__init__(f"'{Path(part.path).name}' {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyFile:
    """A file inside a body: what it was when it was measured."""

    part: FilePart
    size: int
    as_base64: bool

    @property
    def length(self) -> int:
        """Bytes on the wire."""
        return (self.size + 2) // 3 * 4 if self.as_base64 else self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Content type, and the pieces in the order of sending."""

    content_type: str
    pieces: tuple[bytes | BodyFile, ...]

    @property
    def length(self) -> int:
        """The Content-Length: exact, because some gateways refuse chunked uploads."""
        return sum(len(piece) if isinstance(piece, bytes) else piece.length for piece in self.pieces)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The bytes in pieces of at most 512 KiB.

        Raises ChangedFileError before the last piece of a file that is no longer the measured one: the announced length
        is then never reached, so no server can take the request for whole.
        """
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                async with aclosing(_read(piece)) as pieces:
                    async for data in pieces:
                        yield data


async def measure(outgoing: Outgoing) -> Body:
    """Hash every input file, then lay out the body. Raises ChangedFileError if one changed since the plan."""
    sizes = {part.path: await _verified_size(part) for part in (*outgoing.files, *outgoing.inline_images)}
    if outgoing.json is None:
        return _form(outgoing, sizes)
    return _document(outgoing, sizes)


def _document(outgoing: Outgoing, sizes: dict[str, int]) -> Body:
    text = json.dumps(outgoing.json, separators=(",", ":"), allow_nan=False).encode()
    if not outgoing.inline_images:
        return Body(content_type="application/json", pieces=(text,))
    files = [BodyFile(part=part, size=sizes[part.path], as_base64=True) for part in outgoing.inline_images]
    start, between, end = (b'"', b"", b'"') if len(files) == 1 else (b'["', b'","', b'"]')
    opening = text[:-1] + (b"," if outgoing.json else b"") + json.dumps(outgoing.inline_field).encode() + b":" + start
    pieces: list[bytes | BodyFile] = [opening]
    for index, file in enumerate(files):
        pieces += [between, file] if index else [file]
    return Body(content_type="application/json", pieces=(*pieces, end + b"}"))


def _form(outgoing: Outgoing, sizes: dict[str, int]) -> Body:
    """A multipart/form-data body (RFC 7578)."""
    boundary = f"batchgen-{secrets.token_hex(16)}"
    pieces: list[bytes | BodyFile] = []
    for name, text in outgoing.fields:
        pieces.append(f"{_part_head(boundary, name)}\r\n{text}\r\n".encode("utf-8", "replace"))
    for part in outgoing.files:
        head = f"{_part_head(boundary, part.field, part.filename)}Content-Type: {part.content_type}\r\n\r\n"
        pieces += [head.encode(), BodyFile(part=part, size=sizes[part.path], as_base64=False), b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return Body(content_type=f"multipart/form-data; boundary={boundary}", pieces=tuple(pieces))


def _part_head(boundary: str, name: str, filename: str | None = None) -> str:
    file = "" if filename is None else f'; filename="{_quoted(filename)}"'
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"{file}\r\n'


def _quoted(text: str) -> str:
    """Names as browsers write them (HTML standard, multipart encoding): only what would end the quotes is escaped."""
    plain = text.encode("utf-8", "replace").decode()
    return plain.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


async def _verified_size(part: FilePart) -> int:
    digest, size = hashlib.sha256(), 0
    try:
        async with _opened(part.path) as file:
            while data := await file.read(PIECE_BYTES):
                digest.update(data)
                size += len(data)
    except OSError as error:
        raise ChangedFileError(part, f"cannot be read ({error.strerror}); restore the file") from None
    if digest.hexdigest() != part.sha256:
        raise ChangedFileError(part, "changed since the plan; run again to plan with the new file")
    return size


async def _read(file: BodyFile) -> AsyncGenerator[bytes, None]:
    digest, left = hashlib.sha256(), file.size
    async with _opened(file.part.path) as source:
        while left:
            data = await source.read(min(PIECE_BYTES, left))
            digest.update(data)
            left -= len(data)
            if not data or (not left and digest.hexdigest() != file.part.sha256):
                raise ChangedFileError(file.part, "changed while it was sent")
            yield pybase64.b64encode(data) if file.as_base64 else data


@asynccontextmanager
async def _opened(path: str) -> AsyncGenerator[AsyncBufferedReader, None]:
    # A request given up while its file is being opened must not leave it open: the thread opens it all the same.
    opening = asyncio.ensure_future(_open(path))
    try:
        file = await asyncio.shield(opening)
    except asyncio.CancelledError:
        with suppress(OSError):
            await (await opening).close()
        raise
    try:
        yield file
    finally:
        await file.close()


async def _open(path: str) -> AsyncBufferedReader:
    return await aiofiles.open(path, "rb")
