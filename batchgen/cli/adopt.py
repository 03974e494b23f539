"""`batchgen adopt`: accept image files that are already in place, instead of buying them."""

import asyncio
from collections.abc import Sequence

import click

from batchgen.cli.choosing import chosen, slots_argument
from batchgen.cli.figures import amount
from batchgen.cli.opening import existing, options_for
from batchgen.cli.options import JobOptions, SelectionOptions, job_options, screen_options, selection_options
from batchgen.cli.screen import Ink, one_line
from batchgen.cli.shell import Shell
from batchgen.clock import SystemClock
from batchgen.errors import UsageError
from batchgen.plan.compare import SlotStatus
from batchgen.run.adopt import Adopted, adopt, adoptable
from batchgen.run.decide import deciding
from batchgen.run.host import Host
from batchgen.run.job import Job, open_job
from batchgen.run.survey import Survey

__all__ = ["command"]

_SOME_REFUSED = 3


@click.command("adopt")
@job_options
@slots_argument
@selection_options
@screen_options
def command(shell: Shell, job: JobOptions, selection: SelectionOptions, *, slots: Sequence[str]) -> int:
    """Accept files at planned paths of JOB that the ledger does not know.

    Slots that are named or selected may also keep the file they have: an image whose prompt changed, or a retouched
    one, then counts as what the manifest asks for. Exit 3 when a file is not a whole image.
    """
    opened = existing(open_job(options_for(shell, job, selection=selection), now=SystemClock().now()))
    adopted = asyncio.run(_adopt(opened, slots))
    for file in adopted:
        told = Ink("refused  ", "red") if file.problem else "adopted  "
        remark = f" {file.problem}; put a whole image there" if file.problem else ""
        shell.screen.line(told, f"{one_line(file.slot)}  {one_line(file.path)}{one_line(remark)}")
    bad = sum(bool(file.problem) for file in adopted)
    shell.screen.line(f"{opened.name}: {amount(len(adopted) - bad, 'file')} adopted")
    return _SOME_REFUSED if bad else 0


async def _adopt(job: Job, slots: Sequence[str]) -> Sequence[Adopted]:
    async with deciding(job, clock=SystemClock(), host=Host.current()) as (desk, survey):
        return await adopt(desk, survey, _candidates(job, survey, slots), by="adopt")


def _candidates(job: Job, survey: Survey, slots: Sequence[str]) -> list[SlotStatus]:
    """Without a choice only files that nobody knows: whoever changed forty prompts did not mean to keep all forty."""
    wanted = chosen(survey, slots)
    if not slots and job.options.selection.is_everything:
        return [status for status in wanted if status.stranger is not None]
    found = [status for status in wanted if adoptable(survey, status) is not None]
    missing = [status.request.slot for status in wanted if slots and status not in found]
    if missing:
        message = f"'{missing[0]}' has no file to adopt; put it where `batchgen ls` shows the slot's path"
        raise UsageError(message)
    return found
