"""`batchgen resolve`: close requests in doubt, that is sent without an answer that says whether they were billed."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import click

from batchgen.cli.choosing import chosen, list_some, slots_argument
from batchgen.cli.figures import amount, money
from batchgen.cli.opening import existing, options_for
from batchgen.cli.options import JobOptions, SelectionOptions, job_options, screen_options, selection_options
from batchgen.cli.plantext import TINTS
from batchgen.cli.screen import Ink, Line, one_line
from batchgen.cli.shell import Shell
from batchgen.clock import SystemClock
from batchgen.errors import UsageError
from batchgen.plan.compare import SIGNS, SlotStatus
from batchgen.run.decide import Closing, Resolution, can_close, cost_usd, deciding, resolve
from batchgen.run.host import Host
from batchgen.run.job import Job, open_job
from batchgen.run.survey import Survey, look

__all__ = ["command"]

_SOME_LEFT: Final = 3
_DONE: Final[dict[Closing, str]] = {
    "not_billed": "not billed; the next run sends them, their price is free again",
    "resend": "to be sent again; each may be billed once more",
    "give_up": "given up; no run sends them",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a person wants done with which slots."""

    slots: Sequence[str]
    what: Closing
    max_usd: float | None

    @property
    def by(self) -> str:
        return f"resolve --{self.what.replace('_', '-')}"


@click.command("resolve")
@job_options
@slots_argument
@selection_options
@click.option("--not-billed", "what", flag_value="not_billed", help="They were not billed: try again, free.")
@click.option("--resend", "what", flag_value="resend", help="Send them again, even if that is paid twice.")
@click.option("--give-up", "what", flag_value="give_up", help="Leave them; they stay listed as failed.")
@click.option(
    "--max-usd",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="With --resend: only as many as may be sent again for this.",
)
@screen_options
def command(
    shell: Shell,
    job: JobOptions,
    selection: SelectionOptions,
    *,
    slots: Sequence[str],
    what: Closing | None,
    max_usd: float | None,
) -> int:
    """List the requests of JOB that are in doubt, with their price, or close them. Exit 3 while any is in doubt.

    Ask your provider's usage page whether they were billed. Nothing is sent here; `batchgen run` does that.
    """
    if max_usd is not None and what != "resend":
        message = "--max-usd: bounds what is sent again; give it with --resend"
        raise UsageError(message)
    opened = existing(open_job(options_for(shell, job, selection=selection), now=SystemClock().now()))
    if what is None:
        return _list(shell, opened, slots, job)
    resolution, survey = asyncio.run(_close(opened, _Asked(slots=slots, what=what, max_usd=max_usd)))
    return _report(shell, survey, resolution, what, job)


async def _close(job: Job, asked: _Asked) -> tuple[Resolution, Survey]:
    async with deciding(job, clock=SystemClock(), host=Host.current()) as (desk, survey):
        doubts = [status for status in chosen(survey, asked.slots) if can_close(survey, status)]
        return await resolve(desk, survey, doubts, asked.what, by=asked.by, max_usd=asked.max_usd), survey


def _list(shell: Shell, job: Job, slots: Sequence[str], asked: JobOptions) -> int:
    survey = look(job)
    doubts = [status for status in chosen(survey, slots) if status.state == "in_doubt"]
    for line in _lines(survey, doubts):
        shell.screen.line(*line)
    if not doubts:
        shell.screen.line(f"{job.name}: nothing is in doubt")
        return 0
    prices = [cost_usd(survey, status) for status in doubts]
    known = [price for price in prices if price is not None]
    again = money(sum(known)) if len(known) == len(prices) else money(None)
    shell.screen.line(
        f"{job.name}: {amount(len(doubts), 'request')} in doubt, "
        f"up to {money(_billed(survey, doubts))} may be billed already, up to {again} to send again"
    )
    shell.screen.note(f"next:  batchgen resolve {asked.arguments} --not-billed | --resend | --give-up")
    return _SOME_LEFT


def _lines(survey: Survey, doubts: Sequence[SlotStatus]) -> Iterator[Line]:
    for status in doubts:
        sign = Ink(SIGNS[status.state], TINTS[status.state])
        yield (sign, f" {one_line(status.request.slot)}  {money(cost_usd(survey, status))}  {one_line(status.reason)}")


def _billed(survey: Survey, doubts: Sequence[SlotStatus]) -> float:
    """What the attempts without an answer may have cost, by what was reserved for them."""
    known = [survey.state.records.get(status.request.id) for status in doubts]
    return sum(
        sum(attempt.reserved_usd for attempt in record.doubtful) + (record.open.reserved_usd if record.open else 0.0)
        for record in known
        if record is not None
    )


def _report(shell: Shell, survey: Survey, resolution: Resolution, what: Closing, asked: JobOptions) -> int:
    closed, left = resolution.closed, resolution.left
    if not closed and not left:
        shell.screen.line(f"{survey.job.name}: nothing that was chosen is in doubt")
        return 0
    for status in closed:
        shell.screen.line(f"closed  {one_line(status.request.slot)}")
    if left:
        shell.screen.note(f"{amount(len(left), 'request')} did not fit --max-usd and stay in doubt:")
        list_some(shell.screen, [(status.request.slot, money(cost_usd(survey, status))) for status in left])
    if closed:
        shell.screen.line(f"{survey.job.name}: {amount(len(closed), 'request')} {_DONE[what]}")
    if closed and what != "give_up":
        shell.screen.note(f"next:  batchgen run {asked.arguments}")
    return _SOME_LEFT if left else 0
