"""A plan as people read it: one head, then slots with their state and the reason for it."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from batchgen.cli.figures import amount, money, money_range, rough_duration
from batchgen.cli.screen import Ink, Line, Tint, clip, columns, one_line
from batchgen.plan.compare import SIGNS, Orphan, SlotState, SlotStatus
from batchgen.run.events import PlanEvent

__all__ = ["TINTS", "PlanHead", "head_lines", "slot_lines", "state_counts", "warning_lines"]

_ORDER: Sequence[SlotState] = ("new", "changed", "missing", "failed", "in_doubt", "altered", "done", "orphan")
_WORDS = {"in_doubt": "in doubt"}
TINTS: dict[SlotState, Tint] = {
    "new": "green",
    "changed": "yellow",
    "done": "dim",
    "missing": "yellow",
    "altered": "cyan",
    "failed": "red",
    "in_doubt": "red",
    "orphan": "dim",
}
"""The colour of each state's sign."""
_REASON_WIDTH = 32
_WARNINGS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHead:
    """What the head says beyond the counts.

    `product` explains the number of images (`4 x 3 x 4 - 3, x 2 takes`), `to_send` is how many a run would send,
    `prices_dated` the day of the price table (empty when no table was used), `budget_usd` what is left to spend.
    """

    providers: tuple[str, ...]
    model: str
    product: str
    total: int
    to_send: int
    prices_dated: str = ""
    budget_usd: float | None = None
    expected_seconds: float | None = None
    is_sandbox: bool = False


def head_lines(event: PlanEvent, head: PlanHead, width: int) -> list[Line]:
    """The head of a plan and of a run: job, provider and number; counts by state; price and time."""
    lines = _title(event, head, width)
    lines.append(("  ", *state_counts(event)))
    lines += [("  " + text,) for text in textwrap.wrap(_price(event, head), width - 2)]
    return lines


def _title(event: PlanEvent, head: PlanHead, width: int) -> list[Line]:
    via = "provider " + ", then ".join(head.providers) + (f", {head.model}" if head.model else "")
    count = amount(head.total, "image")
    if head.product and head.product != f"{head.total}":
        count += f" = {head.product}"
    if event.requests != head.total:
        count += f"; {event.requests:,} selected"
    name, via, count = one_line(event.job), one_line(via), one_line(count)
    if columns(name) + columns(via) + columns(count) + 6 <= width:
        return [(Ink(name, "bold"), f"   {via}   {count}")]
    rest = textwrap.wrap(count, width - 2)
    return [(Ink(name, "bold"), f"   {via}"), *((f"  {text}",) for text in rest)]


def state_counts(event: PlanEvent) -> Line:
    """`+ 84 new   = 4 done`: every state that occurs, with its sign."""
    pieces: list[str | Ink] = []
    for state in _ORDER:
        count = getattr(event, state)
        if count:
            pieces += [
                "   " if pieces else "",
                Ink(SIGNS[state], TINTS[state]),
                f" {count:,} {_WORDS.get(state, state)}",
            ]
    return tuple(pieces) or ("nothing selected",)


def _price(event: PlanEvent, head: PlanHead) -> str:
    if not head.to_send:
        return "nothing to make"
    said = [f"{amount(head.to_send, 'image')} to make"] if head.to_send != event.requests else []
    if head.is_sandbox:
        said.append("sandbox: placeholder pictures, cost 0")
    else:
        price = money_range(event.cost_low_usd, event.cost_high_usd)
        of_budget = "" if head.budget_usd is None else f" of {money(head.budget_usd)}"
        said.append(f"{'' if event.cost_low_usd is None else 'about '}{price}{of_budget}")
    if head.expected_seconds is not None:
        said.append(f"about {rough_duration(head.expected_seconds)}".replace("about under", "under"))
    if head.prices_dated and event.cost_low_usd is not None and not head.is_sandbox:
        said.append(f"prices of {head.prices_dated}")
    return ", ".join(said)


def slot_lines(
    slots: Iterable[SlotStatus], orphans: Iterable[Orphan], *, width: int, limit: int | None
) -> Iterator[Line]:
    """One line per slot, at most `limit` of those a run would act on (all of all states without one)."""
    rows: list[tuple[SlotState, str, str]] = []
    total = 0
    for state, slot, reason in _rows(slots, orphans, finished=limit is None):
        total += 1
        if limit is None or total <= limit:
            rows.append((state, one_line(slot), one_line(reason)))
    slot_width = _slot_width(rows, width)
    for state, slot, reason in rows:
        name = clip(slot, slot_width)
        padded = name + " " * (slot_width - columns(name))
        yield ("  ", Ink(SIGNS[state], TINTS[state]), " ", clip(f"{padded}  {reason}", width - 4))
    if total > len(rows):
        yield (f"  ... and {total - len(rows):,} more; --all shows them",)


def _rows(
    slots: Iterable[SlotStatus], orphans: Iterable[Orphan], *, finished: bool
) -> Iterator[tuple[SlotState, str, str]]:
    for status in slots:
        if finished or status.state != "done" or status.move_from is not None:
            yield status.state, status.request.slot, _reason(status)
    for orphan in orphans:
        yield "orphan", orphan.slot or orphan.path, orphan.reason


def _reason(status: SlotStatus) -> str:
    if status.move_from is not None:
        return f"moves from {status.move_from}; nothing is bought"
    reason = status.reason or _WORDS.get(status.state, status.state)
    return reason if status.would_send or status.state not in {"failed", "changed"} else f"{reason} (not sent)"


def _slot_width(rows: Sequence[tuple[SlotState, str, str]], width: int) -> int:
    """As wide as the longest slot, unless that would leave the reasons no room."""
    longest_slot = max((columns(slot) for _, slot, _ in rows), default=0)
    longest_reason = max((columns(reason) for _, _, reason in rows), default=0)
    room = width - 6
    return min(longest_slot, max(room - longest_reason, room - _REASON_WIDTH))


def warning_lines(warnings: Sequence[str]) -> list[Line]:
    """The first few warnings, and how many more there are."""
    lines: list[Line] = [(Ink("warning: ", "yellow"), text) for text in warnings[:_WARNINGS_SHOWN]]
    if len(warnings) > _WARNINGS_SHOWN:
        lines.append((f"... and {len(warnings) - _WARNINGS_SHOWN:,} more warnings",))
    return lines
