"""Plan x what the ledger knows x what the folder holds -> a state and a reason per slot. Pure: no clock, no I/O.

States, the first that fits: in_doubt, changed, missing, altered, done, failed, new; and orphan for images that the
manifest no longer names.
"""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from batchgen.plan.known import Known, KnownImage
from batchgen.request import Request

__all__ = [
    "SIGNS",
    "Facts",
    "FileVerdict",
    "Orphan",
    "SlotState",
    "SlotStatus",
    "Standing",
    "compare",
    "stem",
]

SlotState = Literal["in_doubt", "changed", "missing", "altered", "done", "failed", "new", "orphan"]
FileVerdict = Literal["gone", "broken", "altered", "unreadable"]
"""What is wrong with a finished file; a file that is as recorded has no verdict."""

_LOST = "the ledger lost lines, one of which may be its purchase"
SIGNS: Mapping[SlotState, str] = {
    "new": "+",
    "changed": "~",
    "done": "=",
    "missing": "o",
    "altered": "*",
    "failed": "!",
    "in_doubt": "?",
    "orphan": "-",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotStatus:
    """One planned slot: its state, why, and whether `run` would send it.

    `path` is where its image is (or will be), relative to the job folder; `move_from` is set when a finished file only
    has to be moved there. `replaces` is the id whose image the slot shows until the new one is saved. `stranger` is a
    file at the slot's path that the ledger does not know.
    """

    request: Request
    state: SlotState
    reason: str
    would_send: bool
    path: str
    move_from: str | None = None
    replaces: str | None = None
    stranger: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """An image that the manifest no longer names."""

    id: str
    slot: str
    path: str
    reason: str = "no longer in the manifest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a job stands: a status per planned slot, in plan order, and the images that nobody names any more."""

    slots: tuple[SlotStatus, ...]
    orphans: tuple[Orphan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that `compare` judges by.

    `verdicts` has an entry only for finished files that are not as recorded, by request id. `strangers` are stems (see
    `stem`) of files that no record owns. `because` explains a changed slot from the old and the new id.
    """

    records: Mapping[str, Known]
    by_slot: Mapping[str, str]
    verdicts: Mapping[str, FileVerdict]
    strangers: Mapping[str, str]
    is_past: Callable[[str], bool]
    because: Callable[[str, Request], str]
    resends: int
    may_resend: bool
    keep_changed: bool = False
    remake_altered: bool = False
    send_refused: bool = False
    remake: Collection[str] = ()
    lost_lines: bool = False


def stem(path: str) -> str:
    """A path without its extension, as file systems that ignore case and composition see it."""
    folder, slash, name = path.rpartition("/")
    base = name.rpartition(".")[0] or name
    return unicodedata.normalize("NFC", f"{folder}{slash}{base}").casefold()


def compare(requests: Iterable[Request], facts: Facts) -> Standing:
    """The state of every planned request, and the orphans."""
    planned = tuple(requests)
    ids = {request.id for request in planned}
    slots = {request.slot for request in planned}
    return Standing(
        slots=tuple(_status(request, ids, facts) for request in planned),
        orphans=tuple(_orphans(ids, slots, facts)),
    )


def _status(request: Request, planned: Collection[str], facts: Facts) -> SlotStatus:
    known = facts.records.get(request.id)
    stranger = facts.strangers.get(stem(request.path))
    if known is not None and known.is_in_doubt:
        return replace(_in_doubt(request, known, planned, facts), stranger=stranger)
    is_gone = known is None or known.saved is None or facts.verdicts.get(request.id) == "gone"
    if stranger is not None and is_gone and not _may_remake(request, facts):
        reason = f"{stranger} is there and the ledger does not know it; `adopt` it, or run with --remake-altered"
        return replace(_sent(request, "in_doubt", reason, would_send=False), stranger=stranger)
    if known is not None and known.saved is not None:
        return _finished(request, known, known.saved, facts)
    return _unfinished(request, known, planned, facts)


def _in_doubt(request: Request, known: Known, planned: Collection[str], facts: Facts) -> SlotStatus:
    old = _shown(request, planned, facts)
    if known.is_fetchable:
        reason = "paid, and waiting at the provider to be fetched"
        return _sent(request, "in_doubt", reason, would_send=True, replaces=old)
    times = f"{known.doubts} times" if known.doubts > 1 else "once"
    reason = f"sent {times} without an answer that says whether it was billed"
    if known.is_held and not known.doubts:
        reason = _LOST
    if known.message:
        reason += f" ({known.message})"
    allowed = facts.may_resend and not known.is_held and known.doubts <= facts.resends
    if not allowed:
        reason += "; held until `batchgen resolve`"
    return _sent(request, "in_doubt", reason, would_send=allowed, replaces=old)


def _finished(request: Request, known: Known, saved: KnownImage, facts: Facts) -> SlotStatus:
    verdict = facts.verdicts.get(request.id)
    target = _with_extension(request.path, saved.path)
    move_from = saved.path if saved.path != target and verdict in {None, "altered"} else None
    state, reason, send = _judge_file(request, saved.path, verdict, facts)
    veto = _veto(known, facts) if send else ""
    send, reason = send and not veto, reason + veto
    return SlotStatus(
        request=request, state=state, reason=reason, would_send=send, path=target, move_from=None if send else move_from
    )


def _judge_file(request: Request, path: str, verdict: FileVerdict | None, facts: Facts) -> tuple[SlotState, str, bool]:
    match verdict:
        case None:
            return "done", "", False
        case "gone":
            return "missing", f"{path} is gone", True
        case "broken":
            return "missing", f"{path} is no longer a whole image", True
        case "unreadable":
            return "altered", f"{path} cannot be read", False
    remake = _may_remake(request, facts)
    return "altered", f"{path} was changed after it was made" + ("" if remake else "; kept"), remake


def _unfinished(request: Request, known: Known | None, planned: Collection[str], facts: Facts) -> SlotStatus:
    old = _shown(request, planned, facts)
    if known is None and facts.lost_lines:
        return _sent(request, "in_doubt", f"{_LOST}; held until `batchgen resolve`", would_send=False, replaces=old)
    if old is not None:
        veto = _veto(known, facts)
        send = not facts.keep_changed and not veto
        return _sent(request, "changed", facts.because(old, request) + veto, would_send=send, replaces=old)
    if known is None:
        return _sent(request, "new", "", would_send=True)
    return _failed(request, known, facts)


def _failed(request: Request, known: Known, facts: Facts) -> SlotStatus:
    if known.is_given_up:
        return _sent(request, "failed", f"given up: {known.message or known.failure}", would_send=False)
    if known.failure is None:
        return _sent(request, "new", "", would_send=True)
    reason = f"{known.failure}: {known.message}" if known.message else known.failure
    return _sent(request, "failed", reason, would_send=not known.is_refused or facts.send_refused)


def _sent(
    request: Request, state: SlotState, reason: str, *, would_send: bool, replaces: str | None = None
) -> SlotStatus:
    return SlotStatus(
        request=request, state=state, reason=reason, would_send=would_send, path=request.path, replaces=replaces
    )


def _shown(request: Request, planned: Collection[str], facts: Facts) -> str | None:
    """The id whose finished image the slot shows now and nobody wants any more: the new image will replace it."""
    old = facts.by_slot.get(request.slot)
    record = facts.records.get(old) if old is not None and old not in planned else None
    # An image that has moved on to another slot is not this one's to put away.
    if record is None or record.slot != request.slot:
        return None
    return old if record.saved is not None and not record.saved.is_aside else None


def _veto(known: Known | None, facts: Facts) -> str:
    """Why a slot that lacks its image is not sent all the same, or nothing."""
    if known is not None and known.is_given_up:
        return "; given up"
    if known is not None and known.is_refused and not facts.send_refused:
        return f"; refused before: {known.message}"
    return ""


def _may_remake(request: Request, facts: Facts) -> bool:
    return facts.remake_altered or request.id in facts.remake


def _orphans(ids: Collection[str], slots: Collection[str], facts: Facts) -> Iterable[Orphan]:
    for request_id, record in facts.records.items():
        if request_id in ids or record.saved is None or record.saved.is_aside:
            continue
        shown_by_plan = record.slot in slots and facts.by_slot.get(record.slot) == request_id
        if not shown_by_plan and not facts.is_past(record.slot) and facts.verdicts.get(request_id) != "gone":
            yield Orphan(id=request_id, slot=record.slot, path=record.saved.path)


def _with_extension(wanted: str, real: str) -> str:
    """The wanted path with the extension that the bytes have."""
    base = wanted[: -len(wanted.rpartition(".")[2]) - 1] if "." in wanted.rpartition("/")[2] else wanted
    return f"{base}.{real.rpartition('.')[2]}"
