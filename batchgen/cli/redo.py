"""`batchgen redo`: make rejected images again, and only those; the old ones are kept."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from batchgen.cli.choosing import chosen, list_some, slots_argument
from batchgen.cli.confirm import ask_before
from batchgen.cli.figures import amount
from batchgen.cli.opening import existing, options_for
from batchgen.cli.options import (
    JobOptions,
    LimitOptions,
    RunOptions,
    SelectionOptions,
    job_options,
    limit_options,
    run_options,
    screen_options,
    selection_options,
)
from batchgen.cli.overrides import read_overrides
from batchgen.cli.picks import read_picks
from batchgen.cli.planview import show_plan
from batchgen.cli.running import run_job
from batchgen.cli.shell import Shell
from batchgen.clock import SystemClock
from batchgen.errors import UsageError
from batchgen.files import Folder
from batchgen.ledger.entry import Decision
from batchgen.plan.compare import SlotStatus
from batchgen.run.consent import check_consent
from batchgen.run.decide import deciding, record
from batchgen.run.host import Host
from batchgen.run.job import Job, open_job
from batchgen.run.redo import preview, redos, sort_out, undos
from batchgen.run.survey import Survey, look

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Which images, and what is to be different about them."""

    slots: Sequence[str]
    picks: Path | None
    prompt_suffix: str | None
    sets: Mapping[str, Any]


@click.command("redo")
@job_options
@slots_argument
@selection_options
@click.option(
    "--picks",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What was rejected in the review page; what was kept is never touched.",
)
@click.option("--prompt-suffix", metavar="TEXT", help="Put this after the prompt of these images.")
@click.option("--undo", is_flag=True, help="Take a redo back, as long as nothing was sent for it.")
@limit_options
@run_options
@screen_options
def command(
    shell: Shell,
    job: JobOptions,
    selection: SelectionOptions,
    limits: LimitOptions,
    run: RunOptions,
    *,
    slots: Sequence[str],
    picks: Path | None,
    prompt_suffix: str | None,
    undo: bool,
) -> int:
    """Make images of JOB again that somebody rejected: SLOT..., a selection, or --picks. This buys them anew.

    --set request.quality=high changes these images alone. The old files are kept in images/.superseded/.
    """
    asked = _Asked(slots=slots, picks=picks, prompt_suffix=prompt_suffix, sets=read_overrides(job.sets))
    # The assignments are for these images: applied to the manifest they would change every other one too.
    job = replace(job, sets=())
    _check(asked, selection, run, undo=undo)
    options = options_for(shell, job, selection=selection, limits=limits, run=run)
    opened = existing(open_job(options, now=SystemClock().now()))
    if undo:
        return _take_back(shell, opened, asked)
    if run.dry_run:
        return _show(shell, opened, asked, as_json=run.json)
    ids = asyncio.run(_decide(shell, opened, asked, run))
    if not ids:
        shell.screen.note(f"{opened.name}: nothing to make again")
        return 0
    # Asked and answered; and midnight in between must not move it to another period.
    settled, same = replace(run, yes=True), replace(job, period=opened.period)
    return run_job(shell, same, selection=SelectionOptions(), limits=limits, run=settled, only_ids=ids)


def _check(asked: _Asked, selection: SelectionOptions, run: RunOptions, *, undo: bool) -> None:
    if not asked.slots and asked.picks is None and selection == SelectionOptions():
        message = "name the images to make again: SLOT..., -s SELECTOR, or --picks FILE"
        raise UsageError(message)
    if run.plan_file is not None or run.keep_changed:
        message = "--plan and --keep-changed do not go with redo, which sends exactly what it is told"
        raise UsageError(message)
    if undo and (asked.prompt_suffix is not None or asked.sets):
        message = "--undo takes a redo back as it is; leave out --prompt-suffix and --set"
        raise UsageError(message)


async def _decide(shell: Shell, job: Job, asked: _Asked, run: RunOptions) -> frozenset[str]:
    """Look ahead, ask, then record; returns the ids to send. Nothing is recorded that a run would then refuse."""
    host = Host.current()
    async with deciding(job, clock=SystemClock(), host=host, wait_lock_seconds=run.wait_lock_seconds) as (desk, survey):
        decisions, ahead = _planned(shell, desk.folder, survey, asked)
        if ahead is None:
            return frozenset()
        check_consent(ahead, host)
        ask_before(ahead, run)
        await record(desk, decisions)
        return frozenset(status.request.id for status in ahead.to_send)


def _planned(shell: Shell, folder: Folder, survey: Survey, asked: _Asked) -> tuple[list[Decision], Survey | None]:
    """The decisions, and how the chosen slots stand with them; None when there is nothing to make."""
    retakes = sort_out(_wanted(shell, survey, asked))
    if retakes.left and asked.slots and asked.picks is None:
        status, reason = retakes.left[0]
        message = f"'{status.request.slot}' is {reason}"
        raise UsageError(message)
    list_some(shell.screen, [(status.request.slot, f"left out, {reason}") for status, reason in retakes.left])
    is_changed = asked.prompt_suffix is not None or bool(asked.sets)
    anew = (*retakes.again, *(retakes.pending if is_changed else ()))
    decisions = redos(survey.state, anew, prompt_suffix=asked.prompt_suffix, sets=asked.sets, by="redo")
    slots = [status.request.slot for status in (*retakes.again, *retakes.pending)]
    return decisions, preview(folder, survey.job, survey.state, decisions, slots) if slots else None


def _wanted(shell: Shell, survey: Survey, asked: _Asked) -> Sequence[SlotStatus]:
    if asked.picks is None:
        return chosen(survey, asked.slots)
    picks, written = read_picks(asked.picks, job=survey.job.name)
    rejected = set(picks.rejected)
    for slot in asked.slots:
        if slot not in rejected:
            message = f"'{slot}' is not rejected in '{asked.picks}'; leave --picks out to make it again all the same"
            raise UsageError(message)
    gone = rejected - {status.request.slot for status in survey.standing.slots}
    wanted = [status for status in chosen(survey, asked.slots) if status.request.slot in rejected]
    newer = [status for status in wanted if _is_newer(survey, status, written)]
    list_some(shell.screen, [(slot, "left out, no longer in the manifest") for slot in sorted(gone)])
    remark = "left out, its image is newer than the picks, so it was made again already"
    list_some(shell.screen, [(status.request.slot, remark) for status in newer])
    return [status for status in wanted if status not in newer]


def _is_newer(survey: Survey, status: SlotStatus, written: datetime) -> bool:
    """Whether the slot shows an image that the reviewer cannot have seen: the same picks twice must not buy twice."""
    known = survey.state.records.get(status.request.id)
    return known is not None and known.saved is not None and datetime.fromisoformat(known.saved.at) > written


def _show(shell: Shell, job: Job, asked: _Asked, *, as_json: bool) -> int:
    with Folder(job.folder) as folder:
        _, ahead = _planned(shell, folder, look(job), asked)
    if ahead is None:
        shell.screen.note(f"{job.name}: nothing to make again")
    else:
        show_plan(shell.screen, ahead, now=SystemClock().now(), as_json=as_json)
    return 0


def _take_back(shell: Shell, job: Job, asked: _Asked) -> int:
    count, left = asyncio.run(_undo(shell, job, asked))
    if left and asked.slots:
        message = f"'{left[0].request.slot}' has no redo to take back, or something was sent for it"
        raise UsageError(message)
    shell.screen.line(f"{job.name}: {amount(count, 'redo')} taken back")
    return 0


async def _undo(shell: Shell, job: Job, asked: _Asked) -> tuple[int, list[SlotStatus]]:
    async with deciding(job, clock=SystemClock(), host=Host.current()) as (desk, survey):
        wanted = _wanted(shell, survey, asked)
        decisions, left = undos(survey.state, wanted, by="redo --undo")
        if not (left and asked.slots):
            await record(desk, decisions)
        return len(wanted) - len(left), left
