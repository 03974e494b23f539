"""`batchgen run`: make the images that are missing."""

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


@click.command("run")
@job_options
@selection_options
@limit_options
@run_options
@screen_options
def command(shell: Shell, job: JobOptions, selection: SelectionOptions, limits: LimitOptions, run: RunOptions) -> int:
    """Make the images of JOB that are missing: JOB is a manifest, or its name under jobs/.

    Finished images are never made again. Ctrl-C once lets what was sent arrive, twice aborts. Options can also be
    set as BATCHGEN_PROVIDER, BATCHGEN_CONCURRENCY and so on.
    """
    return run_job(shell, job, selection=selection, limits=limits, run=run)
