"""`batchgen ls`: the slots of a job with their states and files."""

from collections.abc import Iterator

import click

from batchgen.cli.opening import options_for
from batchgen.cli.options import (
    JobOptions,
    SelectionOptions,
    job_options,
    json_option,
    screen_options,
    selection_options,
)
from batchgen.cli.plantext import TINTS
from batchgen.cli.planview import orphans_of, slot_events
from batchgen.cli.screen import Ink, Line, columns, one_line
from batchgen.cli.shell import Shell
from batchgen.clock import SystemClock
from batchgen.plan.compare import SIGNS
from batchgen.run.job import open_job
from batchgen.run.survey import Survey, look

__all__ = ["command"]

_WIDEST_SLOT = 60


@click.command("ls")
@job_options
@selection_options
@json_option
@screen_options
def command(shell: Shell, job: JobOptions, selection: SelectionOptions, *, as_json: bool) -> int:
    """List slots, one per line: sign, slot, file below the job folder.

    Narrow it down with a selection, for instance `-s state:failed` or `-s locale=de-DE`.
    """
    survey = look(open_job(options_for(shell, job, selection=selection), now=SystemClock().now()))
    if as_json:
        for line in slot_events(survey):
            shell.screen.raw(line)
    else:
        for row in _rows(survey):
            shell.screen.line(*row)
    return 0


def _rows(survey: Survey) -> Iterator[Line]:
    """Lines are never clipped: they are made for grep and cut."""
    slots = [one_line(status.request.slot) for status in survey.selected]
    width = min(_WIDEST_SLOT, max(map(columns, slots), default=0))
    for status, slot in zip(survey.selected, slots, strict=True):
        padding = " " * (width - columns(slot))
        yield (Ink(SIGNS[status.state], TINTS[status.state]), f" {slot}{padding}  {one_line(status.path)}")
    for orphan in orphans_of(survey):
        slot = one_line(orphan.slot)
        yield (
            Ink(SIGNS["orphan"], TINTS["orphan"]),
            f" {slot}{' ' * (width - columns(slot))}  {one_line(orphan.path)}",
        )
