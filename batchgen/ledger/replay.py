"""Reading a ledger: which lines are good, and what the first bad one means.

A torn tail (the machine died while appending) was never acknowledged, so nothing depended on it: it may be cut. Damage
inside must not be guessed at: a dropped line could be a payment. The rules that tell them apart follow the write-ahead
logs of etcd and SQLite: only unterminated bytes, or pages that the disk never wrote (512 bytes of zeros), are torn.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

from batchgen.ledger.entry import (
    FORMAT_VERSION,
    NOT_ASKED,
    Decision,
    Entry,
    RunFinished,
    Unknown,
    decode,
    is_good,
    written_crc,
)

__all__ = ["End", "find_asked", "replay"]

_SECTOR = 512
_FEWEST_ZEROS = 8  # fewer prove nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where the good lines end and what follows them.

    `offset`, `crc` and `seq` are those after the last good line. `verdict`: `clean`; `unterminated` (a good last line
    that lacks its newline: `tail` is that line); `torn` (`tail` may be cut); `damaged` (`problem` says where).
    `batch_offset` is where the last batch begins, the only one that may never have reached the disk: the entries of a
    batch share their time. `is_closed`: the last entry is the orderly end of a run.
    """

    offset: int
    crc: int
    seq: int
    verdict: Literal["clean", "unterminated", "torn", "damaged"] = "clean"
    tail: bytes = b""
    problem: str = ""
    batch_offset: int = 0
    is_closed: bool = False


def replay(source: BinaryIO, take: Callable[[Entry | Unknown], None]) -> End:
    """Hand every good entry to `take`, in order, and say how the file ends. Reads `source` once, from the start."""
    offset = crc = seq = batch_offset = 0
    entry: Entry | Unknown | None = None
    at = ""
    for line in source:
        entry = _checked(line, crc, seq)
        if entry is None:
            return replace(_judge(source, line, offset=offset, crc=crc, seq=seq), batch_offset=batch_offset)
        take(entry)
        if entry.at != at:
            at, batch_offset = entry.at, offset
        crc = written_crc(line[:-1]) or 0
        offset += len(line)
        seq = entry.seq
    is_closed = isinstance(entry, RunFinished)
    return End(offset=offset, crc=crc, seq=seq, batch_offset=batch_offset, is_closed=is_closed)


def find_asked(source: BinaryIO, seqs: set[int]) -> dict[int, str]:
    """The canonical JSON that the entries with these `seqs` carry, in one pass over the file."""
    found: dict[int, str] = {}
    for line in source:
        number = line[len(b'{"v":1,"seq":') : 40].partition(b",")[0]
        if not number.isdigit() or int(number) not in seqs:
            continue
        asked = getattr(decode(line.rstrip(b"\n")), "asked", None)
        if asked is not None and asked is not NOT_ASKED:
            found[int(number)] = bytes(asked).decode()
    return found


def _checked(line: bytes, crc: int, seq: int) -> Entry | Unknown | None:
    """The entry of a whole line that follows `crc` and `seq`, else None."""
    if not line.endswith(b"\n") or not is_good(line[:-1], crc):
        return None
    try:
        entry = decode(line[:-1])
    except ValueError:
        return None
    return entry if entry.v == FORMAT_VERSION and _follows(entry, seq) else None


def _follows(entry: Entry | Unknown, seq: int) -> bool:
    if entry.seq == seq + 1:
        return True
    # A repair keeps the old numbers: its own entry stands for the lost ones.
    return isinstance(entry, Decision) and entry.what == "repair" and entry.first == seq + 1 and entry.seq == entry.last


def _judge(source: BinaryIO, line: bytes, *, offset: int, crc: int, seq: int) -> End:
    """What the bytes from the first bad line on mean; the first row that fits decides."""

    def end(verdict: Literal["unterminated", "torn", "damaged"], tail: bytes = b"", problem: str = "") -> End:
        return End(offset=offset, crc=crc, seq=seq, verdict=verdict, tail=tail, problem=problem)

    if not line.endswith(b"\n"):
        return _judge_unterminated(line, end, crc=crc, seq=seq)
    newer = _newer_version(line) if is_good(line[:-1], crc) else None
    if newer is not None:
        return end("damaged", problem=f"entry {seq + 1} has format version {newer}; a newer batchgen wrote it")
    later, has_hole = _search(source, line, offset)
    if later is None and has_hole:
        source.seek(offset)
        return end("torn", source.read())
    if later is None:
        return end("damaged", problem=f"entry {seq + 1} is changed")
    lost = f"entries {seq + 1} to {later - 1} are changed or lost"
    moved = f"lines after entry {seq} are changed, doubled or out of order"
    return end("damaged", problem=lost if later > seq + 1 else moved)


def _judge_unterminated(line: bytes, end: Callable[..., End], *, crc: int, seq: int) -> End:
    """The file does not end in a newline: an append that did not finish, unless only the newline was changed."""
    stripped = line.rstrip(b"\0")
    if _checked(stripped + b"\n", crc, seq) is not None:
        return end("unterminated", stripped)
    if _checked(line[:-1] + b"\n", crc, seq) is not None:
        return end("damaged", problem=f"the newline after entry {seq + 1} was changed")
    return end("torn", line)


def _newer_version(line: bytes) -> int | None:
    try:
        entry = decode(line[:-1])
    except ValueError:
        return None
    return entry.v if entry.v > FORMAT_VERSION else None


def _search(source: BinaryIO, bad: bytes, offset: int) -> tuple[int | None, bool]:
    """The seq of a later line that checks against the line before it, and whether a sector was never written."""
    before = written_crc(bad[:-1])
    for line in source:
        if line.endswith(b"\n") and before is not None and is_good(line[:-1], before):
            return _seq_of(line), False
        before = written_crc(line.rstrip(b"\n"))
    return None, _has_hole(source, offset)


def _seq_of(line: bytes) -> int:
    try:
        return decode(line[:-1]).seq
    except ValueError:
        return 0


def _has_hole(source: BinaryIO, offset: int) -> bool:
    """Whether a 512-aligned piece (8 bytes or more) from `offset` on is all zero."""
    source.seek(offset)
    sector = source.read(_SECTOR - offset % _SECTOR)
    while sector:
        if len(sector) >= _FEWEST_ZEROS and not sector.strip(b"\0"):
            return True
        sector = source.read(_SECTOR)
    return False
