"""Decisions: what a person says of requests, durable in the ledger before anything acts on it.

Every decision is made at the desk of a run: under its lock, after recovery, so that nobody gives up an image that was
paid for and lies whole in a temp file.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from batchgen.clock import Clock
from batchgen.errors import UsageError
from batchgen.files import Folder
from batchgen.ledger.entry import Decision
from batchgen.plan.compare import SlotStatus
from batchgen.run.desk import Desk, open_desk, take_stock
from batchgen.run.host import Host
from batchgen.run.job import Job
from batchgen.run.money import price_of
from batchgen.run.survey import Survey, may_be_lost

__all__ = ["Closing", "Resolution", "can_close", "cost_usd", "deciding", "record", "resolve"]

Closing = Literal["not_billed", "resend", "give_up"]
"""How a doubt is closed: send again free, send again and maybe pay twice, or leave it."""


@contextlib.asynccontextmanager
async def deciding(
    job: Job, *, clock: Clock, host: Host, wait_lock_seconds: float = 0.0
) -> AsyncIterator[tuple[Desk, Survey]]:
    """The desk, and how the job stands now that what a crash left is finished.

    Raises LedgerLockedError, LedgerDamagedError, PlanError, UsageError for a selection, FolderError and StorageError.
    """
    with Folder.make(job.folder) as folder:
        async with open_desk(folder, clock=clock, wait_lock_seconds=wait_lock_seconds) as desk:
            yield desk, await take_stock(job, desk, boot=host.boot)


async def record(desk: Desk, decisions: Iterable[Decision]) -> None:
    """Make decisions durable, together. Raises StorageError."""
    await asyncio.gather(*(desk.journal.append(decision) for decision in decisions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What is closed, and what stays in doubt because it did not fit the limit."""

    closed: tuple[SlotStatus, ...]
    left: tuple[SlotStatus, ...]


def can_close(survey: Survey, status: SlotStatus) -> bool:
    """Whether a slot has a doubt of its own that a person can close.

    A paid image that waits to be fetched is no doubt, and a file that the ledger does not know asks to be adopted.
    """
    if status.state != "in_doubt":
        return False
    known = survey.state.records.get(status.request.id)
    if known is None:
        return status.stranger is None or may_be_lost(survey.job, survey.state)
    return known.is_in_doubt and not known.is_fetchable


def cost_usd(survey: Survey, status: SlotStatus) -> float | None:
    """What sending a slot once more costs at most; None when no price is known."""
    price = price_of(status.request, survey.job.providers[0])
    return None if price is None else price.high_usd


async def resolve(
    desk: Desk, survey: Survey, chosen: Sequence[SlotStatus], what: Closing, *, by: str, max_usd: float | None = None
) -> Resolution:
    """Close doubts by one decision. With `max_usd` only as many, in plan order, as may be sent again for that.

    Raises UsageError when `max_usd` is given and a price is not known, and StorageError.
    """
    closed, left = (list(chosen), []) if max_usd is None else _affordable(survey, chosen, max_usd)
    if closed:
        ids = [status.request.id for status in closed]
        lost = _settled_loss(survey, set(ids))
        limits = None if max_usd is None else {"max_usd": max_usd}
        await record(desk, [Decision(what=what, requests=ids, by=by, limits=limits, last=lost)])
    return Resolution(closed=tuple(closed), left=tuple(left))


def _affordable(
    survey: Survey, chosen: Iterable[SlotStatus], max_usd: float
) -> tuple[list[SlotStatus], list[SlotStatus]]:
    fits: list[SlotStatus] = []
    left: list[SlotStatus] = []
    spent = 0.0
    for status in chosen:
        price = cost_usd(survey, status)
        if price is None:
            message = f"--max-usd: no price is known for {status.request.slot}; give `prices` to the provider"
            raise UsageError(message)
        is_within = round(spent + price, 6) <= max_usd
        spent += price if is_within else 0.0
        (fits if is_within else left).append(status)
    return fits, left


def _settled_loss(survey: Survey, closed: set[str]) -> int | None:
    """The last lost entry, when this leaves nothing in doubt that the lost lines may have bought.

    From then on a request that the ledger does not know is new: it would be held for ever else.
    """
    if not may_be_lost(survey.job, survey.state) or not survey.state.lost:
        return None
    open_ids = {status.request.id for status in survey.standing.slots if can_close(survey, status)}
    return survey.state.lost[-1][1] if open_ids <= closed else None
