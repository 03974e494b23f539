"""The end of a run in a few lines: what was made, what was not and what to do about it, and the next command."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from batchgen.cli.figures import amount, duration, money
from batchgen.cli.leftover import Leftover
from batchgen.cli.screen import Ink, Line, clip, one_line
from batchgen.provider.failure import DEADLINE_PASSED
from batchgen.run.events import ImageEvent, SummaryEvent

__all__ = ["FailureGroup", "NoteGroup", "Tally", "summary_lines"]

_SLOTS_SHOWN = 3
_MOST_GROUPS = 20
_REASON_WIDTH = 160

_REASONS = {
    "not_sent": ("provider not reached", "nothing was billed; check the network, then retry"),
    "throttled": ("throttled by the provider", "lower limits.rpm or limits.concurrency, then retry"),
    "server_error": ("server error", "retry later"),
    "in_doubt": ("no answer, may have been billed", ""),
    "bad_answer": ("answer without a usable image, may have been billed", "what came is in images/.rejected/"),
    "refused": ("refused by moderation", "change the prompt, or ask again: batchgen retry {job} --refused"),
    "bad_request": ("request not accepted", "change what the message names"),
    "stopped": ("provider refused to go on", "check the key, the balance and the model, then run again"),
    "given_up": ("given up by `resolve --give-up`", "batchgen redo {job} SLOT makes one anew"),
    "unfetched": ("paid, and not fetched yet", "the next run fetches it, free"),
    "stranger": (
        "a file that the ledger does not know is in its place",
        "batchgen adopt {job} keeps it; a run with --remake-altered puts it aside",
    ),
}
_TELLING_ALONE = frozenset({"refused", "throttled", "stranger", "unfetched"})
"""Kinds whose reason says it all: their message would only repeat it in the gateway's words."""
_BY_GATEWAY = re.compile(r"http (?:408|499|50[24]|52\d)\b")
_MEASURE = re.compile(r"\d+(?:\.\d+)?(?= ?(?:bytes|kB|MB|ms|s)\b)")


@dataclass(slots=True)
class FailureGroup:
    """Slots without an image for one reason: how many, how often they were tried, and the first few of them."""

    first: Leftover
    message: str
    count: int = 0
    fewest_tries: int = 0
    most_tries: int = 0
    slots: list[str] = field(default_factory=list)


@dataclass(slots=True)
class NoteGroup:
    """Images with the same remark, such as another size than asked for: how many, and the first of them."""

    text: str
    slot: str
    count: int = 0


class Tally:
    """Collects what is left by reason, and remarks on images. Its size does not grow with the job: 20 of each."""

    def __init__(self) -> None:
        self._groups: dict[tuple[object, ...], FailureGroup] = {}
        self._notes: dict[str, NoteGroup] = {}
        self.failed = 0

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

    def add(self, left: Leftover) -> None:
        """Count one slot without its image. Messages that differ in a size or a time only are one reason."""
        self.failed += left.state == "failed"
        message = "" if left.kind in _TELLING_ALONE else clip(one_line(left.message), _REASON_WIDTH)
        standing = (left.kind, left.state, left.is_sent_next)
        key = (*standing, _MEASURE.sub("#", message))
        if key not in self._groups and len(self._groups) >= _MOST_GROUPS:
            message = "various messages; `batchgen show` has each"
            key = (*standing, message)
        if key not in self._groups:
            self._groups[key] = FailureGroup(first=left, message=message, fewest_tries=left.attempts)
        group = self._groups[key]
        group.count += 1
        group.fewest_tries = min(group.fewest_tries, left.attempts)
        group.most_tries = max(group.most_tries, left.attempts)
        if len(group.slots) < _SLOTS_SHOWN:
            group.slots.append(left.slot)

    def groups(self) -> list[FailureGroup]:
        """The most frequent reason first."""
        return sorted(self._groups.values(), key=lambda group: -group.count)


def summary_lines(
    event: SummaryEvent,
    tally: Tally,
    *,
    job: str,
    next_commands: Sequence[tuple[str, str]],
    folder: str,
    width: int,
    broken_off: int = 0,
    idle: str = "nothing to do",
) -> list[Line]:
    """The whole summary.

    `job` are the arguments that name the job again, `next_commands` commands with a remark on each, `folder` is where
    the images are. `broken_off` is how many attempts ended without an outcome: aborted, or cut off by the disk.
    `idle` says that there was nothing to do.
    """
    lines: list[Line] = [_head(event, idle)]
    if event.stop_reason:
        lines += _wrapped(f"stopped: {event.stop_reason}", "  ", width)
    lines += _tried_before(event, tally, width)
    for group in tally.groups():
        lines += _group(group, job, width)
    for note in tally.notes():
        lines += _note(note, width)
    lines += _maybe_billed(event, broken_off, width)
    for number, (command, remark) in enumerate(next_commands):
        lines += _next("next:  " if number == 0 else "       ", command, remark, width)
    if event.saved or event.skipped:
        lines.append((f"look:  {folder}",))
    return lines


def _head(event: SummaryEvent, idle: str) -> Line:
    counts = [
        (event.failed, "failed"),
        (event.in_doubt, "in doubt"),
        (event.skipped, "already there"),
        (event.not_started, "not started"),
    ]
    is_idle = not (event.saved or event.failed or event.in_doubt or event.not_started)
    said = [idle if is_idle else f"{event.saved:,} made"]
    said += [f"{count:,} {word}" for count, word in counts if count]
    tint = "green" if event.exit_code == 0 else "red"
    cost = "" if is_idle else f"   {money(event.cost_usd)}"
    return (Ink(event.job, tint), f": {', '.join(said)}   {duration(event.seconds)}{cost}")  # type: ignore[arg-type]


def _tried_before(event: SummaryEvent, tally: Tally, width: int) -> list[Line]:
    """A stopped run leaves what it would have tried again: `status` calls those failed, for so they stand."""
    waiting = min(tally.failed - event.failed, event.not_started)
    if waiting <= 0:
        return []
    return _wrapped(f"{waiting:,} of the not started failed last time and wait to be tried again", "  ", width)


def _group(group: FailureGroup, job: str, width: int) -> Iterator[Line]:
    first, *more = textwrap.wrap(_reason(group), width - 7, break_on_hyphens=False) or [""]
    yield (Ink(f"{group.count:>5}", "red"), f"  {first}")
    yield from ((f"       {line}",) for line in more)
    rest = f" and {group.count - len(group.slots):,} more" if group.count > len(group.slots) else ""
    yield from _wrapped(", ".join(map(one_line, group.slots)) + rest, "       ", width)
    remedy = _remedy(group, job)
    if remedy:
        yield from _wrapped(f"-> {remedy}", "       ", width)


def _reason(group: FailureGroup) -> str:
    left = group.first
    reason = _REASONS.get(left.kind, (left.kind, ""))[0]
    if left.is_doubt and "may have been billed" not in reason:
        reason += ", may have been billed"
    tries = f"{group.fewest_tries} to {group.most_tries}" if group.fewest_tries < group.most_tries else group.most_tries
    said = f"{reason} after {tries} tries" if group.most_tries > 1 else reason
    return f"{said}: {group.message}" if group.message else said


def _remedy(group: FailureGroup, job: str) -> str:
    left = group.first
    remedies = [_REASONS.get(left.kind, ("", ""))[1].replace("{job}", job)]
    if left.message.startswith(DEADLINE_PASSED):
        remedies.append("raise limits.request_timeout")
    elif left.is_doubt and _BY_GATEWAY.match(left.message):
        remedies.append("the gateway gave up, not batchgen: a smaller size or lower quality may be answered in time")
    if left.is_doubt:
        again = "a run sends it again, which may be billed once more"
        remedies.append(again if left.is_sent_next else "held: nothing sends it again until you decide")
    return "; ".join(filter(None, remedies))


def _note(note: NoteGroup, width: int) -> Iterator[Line]:
    more = f" and {note.count - 1:,} more" if note.count > 1 else ""
    first, *rest = textwrap.wrap(f"note: {note.text} ({one_line(note.slot)}{more})", width - 7, break_on_hyphens=False)
    yield (Ink(f"{note.count:>5}", "yellow"), f"  {first}")
    yield from ((f"       {line}",) for line in rest)


def _maybe_billed(event: SummaryEvent, broken_off: int, width: int) -> list[Line]:
    count, usd = event.maybe_billed + broken_off, event.maybe_billed_usd
    if not count:
        return []
    # Nothing is reserved where no price is known, and an unknown price is never shown as 0.
    is_unknown = usd is None or (usd == 0 and event.cost_usd is None)
    cost = "price unknown" if is_unknown else f"about {money(usd)}"
    text = f"maybe billed: {amount(count, 'request')} without an answer, {cost}; see the provider's bill"
    return _wrapped(text, "  ", width)


def _next(label: str, command: str, remark: str, width: int) -> Iterator[Line]:
    """A command is one line, however long: it is there to be copied."""
    beside = f"   ({remark})" if remark else ""
    fits = len(label) + len(command) + len(beside) <= width
    yield (label, Ink(command, "bold"), beside if fits else "")
    if remark and not fits:
        yield from _wrapped(f"({remark})", "       ", width)


def _wrapped(text: str, indent: str, width: int) -> list[Line]:
    return [(indent + line,) for line in textwrap.wrap(text, width - len(indent), break_on_hyphens=False)]
