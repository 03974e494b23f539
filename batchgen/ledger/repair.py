"""Repairing a damaged ledger: every line that can still be proved is kept, every gap is named, nothing is guessed.

A line proves itself against the checksum that the line before it carries. So after damage the next pair of neighbours
that fit is found again, and lines that were only moved or doubled find their place by number and checksum. What is
left between is a gap: one `decision` (repair, first and last lost seq) stands there for the lost entries, and a last
one closes the repair and holds whatever has no image, because any purchase may be among the lost lines.
"""

import contextlib
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from batchgen.errors import LedgerDamagedError
from batchgen.files import Folder, unusable
from batchgen.ledger.entry import FORMAT_VERSION, Decision, Entry, Unknown, decode, encode, is_good, reseal, written_crc
from batchgen.ledger.journal import LEDGER
from batchgen.ledger.replay import replay

__all__ = ["Gap", "Repair", "find_gaps", "is_damaged", "repair"]

_PIECE_BYTES = 1 << 20
_MOST_LOST = 1_000_000  # a changed digit must not name a gap of billions


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Lost entries, `first` to `last` by seq, and where: the unusable lines `line` to `last_line`, from 1."""

    first: int
    last: int
    line: int
    last_line: int

    def __str__(self) -> str:
        lines = f"line {self.line}" if self.line == self.last_line else f"lines {self.line} to {self.last_line}"
        entry = f"entry {self.first} is" if self.first == self.last else f"entries {self.first} to {self.last} are"
        return f"{lines}: {entry} changed or lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What a repair did. `aside` is the copy of the damaged file; empty when there was nothing to repair."""

    aside: str
    gaps: tuple[Gap, ...] = ()


def is_damaged(folder: Folder) -> bool:
    """Whether a ledger has damage inside; a torn tail is none."""
    with _opened(folder) as source:
        return replay(source, lambda _: None).verdict == "damaged"


def find_gaps(folder: Folder) -> list[Gap]:
    """The gaps that a repair would name. Raises LedgerDamagedError for a ledger of a newer format."""
    with _opened(folder) as source:
        return [item for item in _sift(source) if isinstance(item, Gap)]


def repair(folder: Folder, *, at: str, by: str, lost_at_end: bool = False) -> Repair:
    """Write a new ledger of the good lines in order, under the run's lock; `at` is the time now.

    `lost_at_end`: something outside the ledger proves that lines are missing behind the last one. The damaged file is
    kept beside the new one, and a crash at any point leaves the old ledger or the new one, whole. Raises
    LedgerDamagedError for a newer format, FolderError and StorageError when the disk does not play along.
    """
    if not lost_at_end and not is_damaged(folder):
        return Repair(aside="")
    gaps = find_gaps(folder)
    try:
        aside = _copy_aside(folder)
        with _opened(folder) as source:
            folder.write_pieces(LEDGER, _joined(_mended(_sift(source), at=at, by=by, lost_at_end=lost_at_end)))
    except OSError as problem:
        raise unusable(folder.path / LEDGER, problem) from problem
    return Repair(aside=aside, gaps=tuple(gaps))


class _Line(NamedTuple):
    """A good line without its newline."""

    seq: int
    text: bytes


@contextlib.contextmanager
def _opened(folder: Folder) -> Iterator[BinaryIO]:
    try:
        descriptor = folder.open_read(LEDGER)
    except FileNotFoundError:
        yield io.BytesIO()
        return
    except OSError as problem:
        raise unusable(folder.path / LEDGER, problem) from problem
    with os.fdopen(descriptor, "rb", buffering=_PIECE_BYTES) as source:
        yield source


def _copy_aside(folder: Folder) -> str:
    """A durable copy of the damaged file; its bytes are complete before anything takes its place."""
    number = 1
    while folder.stat(f"{LEDGER}.damaged-{number}") is not None:
        number += 1
    aside = f"{LEDGER}.damaged-{number}"
    with _opened(folder) as source:
        folder.write_pieces(aside, iter(lambda: source.read(_PIECE_BYTES), b""))
    return aside


def _mended(items: Iterable[_Line | Gap], *, at: str, by: str, lost_at_end: bool) -> Iterator[bytes]:
    """The lines of the new ledger: checksums are chained anew, numbers stay, so that citations still point right."""
    crc = seq = 0
    gaps: list[Gap] = []
    for item in items:
        if isinstance(item, Gap):
            gaps.append(item)
            seq = item.last
            line, crc = encode(_named(item, by), seq=seq, at=at, crc=crc)
        else:
            seq = item.seq
            line, crc = reseal(item.text, crc)
        yield line
    if lost_at_end and (not gaps or gaps[-1].last < seq):
        seq += 1
        gaps.append(Gap(first=seq, last=seq, line=0, last_line=0))
        line, crc = encode(_named(gaps[-1], by), seq=seq, at=at, crc=crc)
        yield line
    if gaps:
        # A gap may lie far back: what the lines after it began must be held as well.
        closing = Decision(what="repair", first=gaps[0].first, last=gaps[-1].last, by=by)
        yield encode(closing, seq=seq + 1, at=at, crc=crc)[0]


def _named(gap: Gap, by: str) -> Decision:
    return Decision(what="repair", first=gap.first, last=gap.last, by=by)


def _joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines in larger pieces: a write for each of a million lines would take minutes."""
    gathered = bytearray()
    for line in lines:
        gathered += line
        if len(gathered) >= _PIECE_BYTES:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


def _sift(source: BinaryIO) -> Iterator[_Line | Gap]:
    """The good lines in the order of their numbers, and the gaps between them."""
    sieve = _Sieve()
    for number, line in enumerate(source, 1):
        if line.endswith(b"\n"):
            # An editor may have written other line ends.
            yield from sieve.take(number, line[:-1].removesuffix(b"\r"))
        else:
            yield from sieve.take_last(number, line)
    yield from sieve.end()


@dataclass(slots=True)
class _Sieve:
    """Where the good lines have got to: seq, checksum and text of the last one, and the lines that fit nowhere yet.

    `before` is the checksum that the line before carries, good or not. `bad` are the numbers of the first and the last
    line that may stand for lost entries.
    """

    seq: int = 0
    crc: int = 0
    last: bytes = b""
    before: int | None = 0
    loose: dict[int, list[bytes]] = field(default_factory=dict)
    bad: tuple[int, int] | None = None

    def take(self, number: int, text: bytes) -> Iterator[_Line | Gap]:
        """Place one whole line."""
        fits_neighbour = self.before is not None and is_good(text, self.before)
        self.before = written_crc(text)
        entry = _entry(text)
        if entry is not None and (fits_neighbour or is_good(text, self.crc)):
            _check_version(entry)
        if entry is None:
            self._set_aside(number, text, None)
        elif self._is_next(text, entry):
            yield from self._keep(text, entry)
        elif fits_neighbour and _start(entry) > self.seq + 1:
            yield self._gap(_start(entry) - 1)
            self.loose = {seq: texts for seq, texts in self.loose.items() if seq > entry.seq}
            yield from self._keep(text, entry)
            self.bad = None
        else:
            self._set_aside(number, text, entry)

    def take_last(self, number: int, line: bytes) -> Iterator[_Line]:
        """Place what follows the last newline: a good line that lost it, or an append that was never acknowledged."""
        for text in (line.rstrip(b"\r\0"), line[:-1]):
            entry = _entry(text)
            if entry is not None and self._is_next(text, entry):
                yield from self._keep(text, entry)
                return
        if self.bad is not None:
            self._set_aside(number, line, None)

    def end(self) -> Iterator[Gap]:
        """What cannot be placed behind the last good line is lost; the numbers on it may tell how much that is."""
        if self.bad is None:
            return
        counted = self.seq + 1 + self.bad[1] - self.bad[0]
        yield self._gap(max(seq for seq in (counted, *self.loose) if seq <= counted + _MOST_LOST))

    def _is_next(self, text: bytes, entry: Entry | Unknown) -> bool:
        return is_good(text, self.crc) and _start(entry) == self.seq + 1

    def _keep(self, text: bytes, entry: Entry | Unknown) -> Iterator[_Line]:
        """Keep a line, and those that were out of place and follow it."""
        following: Entry | Unknown | None = entry
        while following is not None:
            yield _Line(following.seq, text)
            self.seq, self.crc, self.last = following.seq, written_crc(text) or 0, text
            self.loose.pop(self.seq, None)
            text, following = self._found_loose()
        self.bad = self.bad if self.loose else None

    def _found_loose(self) -> tuple[bytes, Entry | Unknown | None]:
        for text in self.loose.get(self.seq + 1, ()):
            entry = _entry(text)
            if entry is not None and self._is_next(text, entry):
                return text, entry
        return b"", None

    def _set_aside(self, number: int, text: bytes, entry: Entry | Unknown | None) -> None:
        # A blank line and a doubled last one say nothing that could be lost.
        if not text.strip() or text == self.last:
            return
        if entry is not None and entry.seq > self.seq:
            self.loose.setdefault(entry.seq, []).append(text)
        self.bad = (number if self.bad is None else self.bad[0], number)

    def _gap(self, last: int) -> Gap:
        line, last_line = self.bad or (0, 0)
        return Gap(first=self.seq + 1, last=last, line=line, last_line=last_line)


def _entry(text: bytes) -> Entry | Unknown | None:
    try:
        entry = decode(text)
    except ValueError:
        return None
    return entry if entry.seq > 0 else None


def _check_version(entry: Entry | Unknown) -> None:
    """What a newer batchgen wrote must not be called damage and thrown away."""
    if entry.v > FORMAT_VERSION:
        message = f"entry {entry.seq} has format version {entry.v}: a newer batchgen wrote it; repair with that one"
        raise LedgerDamagedError(message)


def _start(entry: Entry | Unknown) -> int:
    """The first seq that an entry stands for: an earlier repair's stands for those that were lost then."""
    if isinstance(entry, Decision) and entry.what == "repair" and entry.last == entry.seq and entry.first is not None:
        return entry.first
    return entry.seq
