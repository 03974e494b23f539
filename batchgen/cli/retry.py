"""`batchgen retry`: run again what failed, as often as wanted; the ledger knows what that is."""

from dataclasses import replace

import click

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
from batchgen.cli.running import run_job
from batchgen.cli.shell import Shell

__all__ = ["command"]


@click.command("retry")
@job_options
@selection_options
@click.option("--refused", is_flag=True, help="Also send what moderation refused before.")
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
    refused: bool,
) -> int:
    """Run only what failed before; -n lists it. The same as `run -s state:failed`."""
    failed = replace(selection, failed=True)
    return run_job(shell, job, selection=failed, limits=limits, run=run, send_refused=refused)
