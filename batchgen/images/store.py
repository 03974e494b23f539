"""The finished files of a job: publish, put away, and hold what is on disk against what was recorded."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

from batchgen.files import FileFact, Folder
from batchgen.images.picture import BadImageError, Picture, examine

__all__ = [
    "Expected",
    "Part",
    "Verdict",
    "digest",
    "examine_file",
    "find_astray",
    "find_parts",
    "inspect",
    "picture_files",
    "put_away_path",
]

_PIECE_BYTES = 1 << 20
_PART = re.compile(r"\.(?P<request>[0-9a-f]{32})-(?P<attempt>[0-9]+)\.part")
_PICTURES = {".png", ".jpg", ".jpeg", ".webp"}

Verdict = Literal["gone", "broken", "altered", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A finished file as its record has it. `saved_at` is when; `is_trusted`: its run ended in an orderly way."""

    request: str
    path: str
    bytes: int
    sha256: str
    saved_at: str
    is_trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A temp file that a scan found: whose it is, and where."""

    path: str
    request: str
    attempt: int


def inspect(
    folder: Folder,
    expected: Iterable[Expected],
    seen: Mapping[str, FileFact],
    *,
    max_pixels: int,
    hash_all: bool = False,
) -> dict[str, Verdict]:
    """What is wrong with finished files, by request id; a file that is as recorded gets no entry.

    `seen` is a scan of `images`. Size and modification time decide first; bytes are hashed only when in question: the
    file is younger than its record, or the run that saved it never finished, or `hash_all`.
    """
    verdicts: dict[str, Verdict] = {}
    for file in expected:
        fact = seen.get(file.path)
        if fact is None:
            verdicts[file.request] = "gone"
        elif fact.size != file.bytes or hash_all or _is_in_question(file, fact):
            verdict = _judge(folder, file, max_pixels)
            if verdict is not None:
                verdicts[file.request] = verdict
    return verdicts


def find_astray(folder: Folder, expected: Iterable[Expected], verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    """Whole images that lie under each other's names, by request id: exchanged by hand, never *altered*.

    Only files that look retouched, or are gone, are in question, so that nothing else is read again.
    """
    doubtful = [file for file in expected if verdicts.get(file.request) in {"altered", "gone"}]
    owners = {file.sha256: file.request for file in doubtful}
    there = [file for file in doubtful if verdicts[file.request] == "altered"]
    found = {}
    for file in there:
        owner = owners.get(digest(folder, file.path))
        if owner is not None and owner != file.request:
            found[owner] = file.path
    return found


def digest(folder: Folder, path: str) -> str:
    """SHA-256 of a file, read in pieces. Raises OSError."""
    with os.fdopen(folder.open_read(path), "rb") as source:
        running = hashlib.sha256()
        while piece := source.read(_PIECE_BYTES):
            running.update(piece)
    return running.hexdigest()


def examine_file(folder: Folder, path: str, *, max_pixels: int) -> Picture:
    """Check that a file is a whole image. Raises BadImageError and OSError."""
    with os.fdopen(folder.open_read(path), "rb") as source:
        return examine(source, max_pixels=max_pixels)


def find_parts(seen: Iterable[str]) -> list[Part]:
    """The temp files among scanned paths."""
    found = []
    for path in seen:
        match = _PART.fullmatch(path.rpartition("/")[2])
        if match:
            found.append(Part(path=path, request=match["request"], attempt=int(match["attempt"])))
    return found


def picture_files(seen: Iterable[str]) -> list[str]:
    """The scanned paths that are published pictures: no dot folders, no temp files."""
    return [
        path
        for path in seen
        if PurePosixPath(path).suffix.lower() in _PICTURES and not any(part.startswith(".") for part in path.split("/"))
    ]


def put_away_path(folder: Folder, path: str, request: str) -> str:
    """Where a replaced file goes: the same path below `images/.superseded/`, with its id, and a number if need be."""
    old = PurePosixPath(path)
    inside = old.relative_to("images") if old.is_relative_to("images") else old
    base = f"images/.superseded/{inside.with_suffix('')}.{request[:8]}"
    candidate, number = f"{base}{old.suffix}", 1
    while folder.stat(candidate) is not None:
        number += 1
        candidate = f"{base}-{number}{old.suffix}"
    return candidate


def _is_in_question(file: Expected, fact: FileFact) -> bool:
    if not file.is_trusted:
        return True
    try:
        recorded = datetime.fromisoformat(file.saved_at).timestamp()
    except ValueError:
        return True
    # A record is written after the file's last byte; the margin covers coarse clocks of file systems.
    return fact.mtime_ns / 1e9 > recorded + 2


def _judge(folder: Folder, file: Expected, max_pixels: int) -> Verdict | None:
    """Hash, and when that differs see whether it is still a whole image: somebody's retouching is kept."""
    try:
        if digest(folder, file.path) == file.sha256:
            return None
        picture = examine_file(folder, file.path, max_pixels=max_pixels)
    except BadImageError:
        return "broken"
    except OSError:
        # A disk error must never turn into a second purchase.
        return "unreadable"
    return "broken" if picture.warning else "altered"
