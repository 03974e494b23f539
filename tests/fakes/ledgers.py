"""Ledgers made of entries, as bytes, as if a run had written them."""

from collections.abc import Iterable, Sequence

import msgspec

from batchgen.ledger.entry import (
    AttemptFailed,
    AttemptStarted,
    Decision,
    Entry,
    ImageSaved,
    RunFinished,
    RunStarted,
    encode,
)

AT = "2026-11-20T12:00:00.000Z"


def request_id(number: int) -> str:
    """An id such as requests have."""
    return f"{number:032x}"


def started(number: int, attempt: int = 1, **fields: object) -> AttemptStarted:
    """An attempt of request `number` begins."""
    rest = {"because": None, "slot": f"slot-{number}", "reserved_usd": 0.25} | fields
    return AttemptStarted(request=request_id(number), attempt=attempt, **rest)


def failed(number: int, attempt: int = 1, **fields: object) -> AttemptFailed:
    """It ended without an image."""
    return AttemptFailed(request=request_id(number), attempt=attempt, **({"billed": "maybe"} | fields))


def saved(number: int, attempt: int = 1, **fields: object) -> ImageSaved:
    """It brought an image."""
    rest = {
        "slot": f"slot-{number}",
        "path": f"images/slot-{number}.png",
        "bytes": 1,
        "sha256": f"{number:064x}",
        "format": "png",
        "width": 1,
        "height": 1,
        "cost_usd": 0.2,
    }
    return ImageSaved(request=request_id(number), attempt=attempt, **(rest | fields))


def decided(what: str, *numbers: int, **fields: object) -> Decision:
    """The user said so."""
    return Decision(what=what, requests=[request_id(number) for number in numbers], **fields)


def numbered(entries: Iterable[Entry], at: str = AT) -> list[Entry]:
    """The entries with the seq (and time, where they have none) that a journal gives them."""
    return [msgspec.structs.replace(entry, seq=seq, at=entry.at or at) for seq, entry in enumerate(entries, 1)]


def lines(entries: Sequence[Entry], at: str = AT) -> list[bytes]:
    """The lines of a ledger with these entries."""
    made, crc = [], 0
    for seq, entry in enumerate(entries, 1):
        line, crc = encode(entry, seq=seq, at=at, crc=crc)
        made.append(line)
    return made


def small_run() -> list[Entry]:
    """31 entries: a run of a few requests with every outcome."""
    entries: list[Entry] = [RunStarted(run="7f3a", boot="b1")]
    for number in range(1, 10):
        entries.append(started(number))
        entries.append(saved(number) if number % 3 else failed(number, billed="no", failure="server_error"))
    for number in (3, 6, 9):
        entries.append(started(number, 2, because=1))
        entries.append(failed(number, 2, billed="maybe"))
    entries.append(decided("not_billed", 3))
    entries.append(decided("not_billed", 6))
    entries.append(decided("redo", 1, count=1))
    entries.append(started(3, 3, because=27))
    entries.append(saved(3, 3))
    entries.append(RunFinished(run="7f3a", counts={"saved": 7}))
    return entries
