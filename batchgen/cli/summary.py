"""The end of a run in a few lines: what was made, what failed and what to do about it, and the next command."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from batchgen.cli.figures import amount, duration, money
from batchgen.cli.screen import Ink, Line, clip, one_line
from batchgen.run.events import FailureEvent, ImageEvent, SummaryEvent

__all__ = ["FailureGroup", "NoteGroup", "Tally", "summary_lines"]

_SLOTS_SHOWN = 3
_MOST_GROUPS = 20
_REASON_WIDTH = 160

_REASONS = {
    "not_sent": ("provider not reached", "nothing was billed; check the network, then retry"),
    "throttled": ("throttled by the provider", "lower limits.rpm or limits.concurrency, then retry"),
    "server_error": ("server error", "retry later"),
    "in_doubt": (
        "no answer, may have been billed",
        "raise limits.request_timeout if it was a timeout; `retry.resends` says how often to send again",
    ),
    "bad_answer": ("answer without a usable image", "what came is in images/.rejected/"),
    "refused": ("refused by moderation", "change the prompt; a plain retry will not send it again"),
    "bad_request": ("request not accepted", "change what the message names"),
    "stopped": ("provider refused to go on", "check the key, the balance and the model, then run again"),
}
_TELLING_ALONE = frozenset({"refused", "throttled"})
"""Kinds whose reason says it all: their message would only repeat it in the gateway's words."""


@dataclass(slots=True)
class FailureGroup:
    """Final failures with one reason: how many, and the first few slots."""

    kind: str
    message: str
    count: int = 0
    tries: int = 0
    slots: list[str] = field(default_factory=list)


@dataclass(slots=True)
class NoteGroup:
    """Images with the same remark, such as another size than asked for: how many, and the first of them."""

    text: str
    slot: str
    count: int = 0


class Tally:
    """Collects final failures by reason, and remarks on images. Its size does not grow with the job: 20 of each."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], FailureGroup] = {}
        self._notes: dict[str, NoteGroup] = {}

    def remark(self, event: ImageEvent) -> None:
        """Count what there is to say of an image that was saved all the same."""
        for warning in event.warnings:
            text = clip(one_line(warning), _REASON_WIDTH)
            if text not in self._notes and len(self._notes) >= _MOST_GROUPS:
                text = "other remarks"
            self._notes.setdefault(text, NoteGroup(text=text, slot=event.slot)).count += 1

    def notes(self) -> list[NoteGroup]:
        """The most frequent remark first."""
        return sorted(self._notes.values(), key=lambda note: -note.count)

    def add(self, event: FailureEvent) -> None:
        """Count a failure if it is final."""
        if not event.final:
            return
        message = "" if event.kind in _TELLING_ALONE else clip(one_line(event.message), _REASON_WIDTH)
        key = (event.kind, message)
        if key not in self._groups and len(self._groups) >= _MOST_GROUPS:
            key = (event.kind, "various messages; `batchgen show` has each")
        group = self._groups.setdefault(key, FailureGroup(kind=key[0], message=key[1]))
        group.count += 1
        group.tries = max(group.tries, event.attempt)
        if len(group.slots) < _SLOTS_SHOWN:
            group.slots.append(event.slot)

    def groups(self) -> list[FailureGroup]:
        """The most frequent reason first."""
        return sorted(self._groups.values(), key=lambda group: -group.count)


def summary_lines(event: SummaryEvent, tally: Tally, *, next_command: str, folder: str, width: int) -> list[Line]:
    """The whole summary. `next_command` is empty when nothing is left to do; `folder` is where the images are."""
    lines: list[Line] = [_head(event)]
    if event.stop_reason:
        lines += _wrapped(f"stopped: {event.stop_reason}", "  ", width)
    for group in tally.groups():
        lines += _group(group, width)
    for note in tally.notes():
        lines += _note(note, width)
    lines += _maybe_billed(event, width)
    if next_command:
        lines.append(("next:  ", Ink(next_command, "bold")))
    if event.saved or event.skipped:
        lines.append((f"look:  {folder}",))
    return lines


def _head(event: SummaryEvent) -> Line:
    counts = [
        (event.failed, "failed"),
        (event.in_doubt, "in doubt"),
        (event.skipped, "already there"),
        (event.not_started, "not started"),
    ]
    idle = not (event.saved or event.failed or event.in_doubt or event.not_started)
    said = ["nothing to do" if idle else f"{event.saved:,} made"]
    said += [f"{count:,} {word}" for count, word in counts if count]
    tint = "green" if event.exit_code == 0 else "red"
    cost = "" if idle else f"   {money(event.cost_usd)}"
    return (Ink(event.job, tint), f": {', '.join(said)}   {duration(event.seconds)}{cost}")  # type: ignore[arg-type]


def _group(group: FailureGroup, width: int) -> Iterator[Line]:
    reason, remedy = _REASONS.get(group.kind, (group.kind, ""))
    tries = f" after {group.tries} tries" if group.tries > 1 else ""
    said = f"{reason}{tries}" + (f": {group.message}" if group.message else "")
    first, *more = textwrap.wrap(said, width - 7) or [""]
    yield (Ink(f"{group.count:>5}", "red"), f"  {first}")
    yield from ((f"       {line}",) for line in more)
    rest = f" and {group.count - len(group.slots):,} more" if group.count > len(group.slots) else ""
    yield from _wrapped(", ".join(map(one_line, group.slots)) + rest, "       ", width)
    if remedy:
        yield from _wrapped(f"-> {remedy}", "       ", width)


def _note(note: NoteGroup, width: int) -> Iterator[Line]:
    more = f" and {note.count - 1:,} more" if note.count > 1 else ""
    first, *rest = textwrap.wrap(f"note: {note.text} ({one_line(note.slot)}{more})", width - 7, break_on_hyphens=False)
    yield (Ink(f"{note.count:>5}", "yellow"), f"  {first}")
    yield from ((f"       {line}",) for line in rest)


def _maybe_billed(event: SummaryEvent, width: int) -> list[Line]:
    if not event.maybe_billed:
        return []
    cost = "price unknown" if event.maybe_billed_usd is None else f"about {money(event.maybe_billed_usd)}"
    text = f"maybe billed: {amount(event.maybe_billed, 'request')} without an answer, {cost}; see the provider's bill"
    return _wrapped(text, "  ", width)


def _wrapped(text: str, indent: str, width: int) -> list[Line]:
    return [(indent + line,) for line in textwrap.wrap(text, width - len(indent), break_on_hyphens=False)]
