"""A plan as people read it: one head, then slots with their state and the reason for it."""

import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from batchgen.cli.figures import amount, money, money_range, rough_duration
from batchgen.cli.screen import Ink, Line, Tint, clip, columns, one_line
from batchgen.plan.compare import SIGNS, Orphan, SlotState, SlotStatus
from batchgen.run.events import PlanEvent

__all__ = ["TINTS", "PlanHead", "head_lines", "slot_lines", "state_counts", "warning_lines"]

_ORDER: Sequence[SlotState] = ("new", "changed", "missing", "failed", "in_doubt", "altered", "done", "orphan")
_WORDS = {"in_doubt": "in doubt", "failed": "failed last time"}
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
_IN_FLIGHT = Ink(">", "cyan")
_REASON_WIDTH = 32
_WARNINGS_SHOWN = 10
_PATH = re.compile(r"(?<!\S)[^\s;,]+/([^\s;,/]+)")
_POINT = re.compile(r"(?:; [^;]*| \([^()]*\))\Z")
_Row = tuple[Ink, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHead:
    """What the head says beyond the counts.

    `product` explains the number of images (`4 x 3 x 4 - 3, x 2 takes`), `to_send` is how many a run would send,
    `to_move` how many files only get another name, `in_flight` how many another run is waiting for. `prices_dated` is
    the day of the price table (empty when no table was used), `budget_usd` what is left to spend.
    """

    providers: tuple[str, ...]
    model: str
    product: str
    total: int
    to_send: int
    to_move: int = 0
    in_flight: int = 0
    prices_dated: str = ""
    budget_usd: float | None = None
    expected_seconds: float | None = None
    is_sandbox: bool = False


def head_lines(event: PlanEvent, head: PlanHead, width: int) -> list[Line]:
    """The head of a plan and of a run: job, provider and number; counts by state; price and time."""
    lines = _title(event, head, width)
    lines.append(("  ", *state_counts(event, head.in_flight)))
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


def state_counts(event: PlanEvent, in_flight: int = 0) -> Line:
    """`+ 84 new   = 4 done`: every state that occurs, with its sign; what a run has in flight is in no doubt yet."""
    counts = [(Ink(SIGNS[state], TINTS[state]), getattr(event, state), _WORDS.get(state, state)) for state in _ORDER]
    doubts = _ORDER.index("in_doubt")
    counts[doubts] = (counts[doubts][0], max(0, event.in_doubt - in_flight), _WORDS["in_doubt"])
    counts.append((_IN_FLIGHT, in_flight, "in flight"))
    pieces: list[str | Ink] = []
    for sign, count, word in counts:
        if count:
            pieces += ["   " if pieces else "", sign, f" {count:,} {word}"]
    return tuple(pieces) or ("nothing selected",)


def _price(event: PlanEvent, head: PlanHead) -> str:
    moves = [f"{amount(head.to_move, 'file')} to move"] if head.to_move else []
    if not head.to_send:
        return ", ".join(["nothing to make", *moves])
    # The line above has said it where everything is new.
    said = [f"{amount(head.to_send, 'image')} to make"] if head.to_send not in {event.requests, event.new} else []
    if head.is_sandbox:
        said.append("sandbox: placeholder pictures, cost 0")
    else:
        said.append(_against_budget(event, head.budget_usd))
    if head.expected_seconds is not None:
        said.append(f"about {rough_duration(head.expected_seconds)}".replace("about under", "under"))
    if head.prices_dated and event.cost_low_usd is not None and not head.is_sandbox:
        said.append(f"prices of {head.prices_dated}")
    return ", ".join([*said, *moves])


def _against_budget(event: PlanEvent, budget_usd: float | None) -> str:
    price = money_range(event.cost_low_usd, event.cost_high_usd)
    if event.cost_high_usd is None:
        return price if budget_usd is None else f"{price}, budget {money(budget_usd)}"
    if budget_usd is None:
        return f"about {price}"
    relation = "of" if event.cost_high_usd <= budget_usd else "above the budget of"
    return f"about {price}{',' if relation != 'of' else ''} {relation} {money(budget_usd)}"


def slot_lines(
    slots: Iterable[SlotStatus],
    orphans: Iterable[Orphan],
    *,
    width: int,
    limit: int | None,
    in_flight: Collection[str] = (),
) -> Iterator[Line]:
    """One line per slot, at most `limit` of those a run would act on (all of all states without one).

    `in_flight` are the ids that another run is waiting for.
    """
    rows: list[_Row] = []
    total = 0
    for sign, slot, reason in _rows(slots, orphans, in_flight, finished=limit is None):
        total += 1
        if limit is None or total <= limit:
            rows.append((sign, one_line(slot), one_line(reason)))
    slot_width = _slot_width(rows, width)
    for sign, slot, reason in rows:
        name = clip(slot, slot_width)
        padded = name + " " * (slot_width - columns(name))
        yield ("  ", sign, f" {padded}  ", _fitted(reason, width - slot_width - 6))
    if total > len(rows):
        yield (f"  ... and {total - len(rows):,} more; --all shows them",)


def _rows(
    slots: Iterable[SlotStatus], orphans: Iterable[Orphan], in_flight: Collection[str], *, finished: bool
) -> Iterator[_Row]:
    for status in slots:
        if status.request.id in in_flight:
            yield _IN_FLIGHT, status.request.slot, "in flight: a run of this job is on"
        elif finished or status.state != "done" or status.move_from is not None:
            yield Ink(SIGNS[status.state], TINTS[status.state]), status.request.slot, _reason(status)
    for orphan in orphans:
        yield Ink(SIGNS["orphan"], TINTS["orphan"]), orphan.slot or orphan.path, orphan.reason


def _reason(status: SlotStatus) -> str:
    if status.move_from is not None:
        return f"moves from {status.move_from}; nothing is bought"
    reason = status.reason or _WORDS.get(status.state, status.state)
    return reason if status.would_send or status.state not in {"failed", "changed"} else f"{reason} (not sent)"


def _fitted(reason: str, room: int) -> str:
    """`reason` in `room` cells: folders go first, then the middle; how it ends says what happens."""
    if columns(reason) <= room:
        return reason
    reason = _PATH.sub(r"…/\1", reason)
    point = _POINT.search(reason)
    if columns(reason) <= room or point is None or columns(point[0]) > room * 2 // 3:
        return clip(reason, room)
    return clip(reason[: point.start()], room - columns(point[0])) + point[0]


def _slot_width(rows: Sequence[_Row], width: int) -> int:
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
