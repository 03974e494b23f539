"""`batchgen plan`: what a run would make, why, and at what price. Sends nothing and writes nothing but `-o FILE`."""

from pathlib import Path

import click
import yaml

from batchgen.cli.opening import options_for
from batchgen.cli.options import JobOptions, SelectionOptions, job_options, screen_options, selection_options
from batchgen.cli.planfile import write_plan_file
from batchgen.cli.planview import show_plan
from batchgen.cli.shell import Shell
from batchgen.clock import SystemClock
from batchgen.run.job import Job, open_job
from batchgen.run.survey import look

__all__ = ["command"]

_THERE_IS_WORK = 10


@click.command("plan")
@job_options
@selection_options
@click.option("--all", "everything", is_flag=True, help="Every slot, not only the first ten that would change.")
@click.option("--json", "as_json", is_flag=True, help="NDJSON: the plan event, then one event per slot.")
@click.option("--exit-code", is_flag=True, help="Exit 10 when a run would send something.")
@click.option("--resolved", is_flag=True, help="Print the manifest with profile, --set and environment in it.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the plan to FILE, for `batchgen run --plan FILE`.",
)
@screen_options
def command(
    shell: Shell,
    job: JobOptions,
    selection: SelectionOptions,
    *,
    everything: bool,
    as_json: bool,
    exit_code: bool,
    resolved: bool,
    out: Path | None,
) -> int:
    """Show what a run would make, slot by slot, with the reason for each and the price of all.

    Signs: + new, ~ changed, o missing, ! failed, ? in doubt, * altered, = done, - orphan.
    """
    now = SystemClock().now()
    opened = open_job(options_for(shell, job, selection=selection), now=now)
    if resolved:
        shell.screen.raw(resolved_text(opened).rstrip("\n"))
        return 0
    survey = look(opened)
    show_plan(shell.screen, survey, now=now, as_json=as_json, everything=everything)
    if out is not None:
        write_plan_file(out, survey)
        shell.screen.note(f"wrote {out}; send exactly this with: batchgen run --plan {out} {job.arguments}")
    return _THERE_IS_WORK if exit_code and survey.to_send else 0


def resolved_text(job: Job) -> str:
    """The manifest as it takes effect, as YAML that loads again to the same."""
    document = job.manifest.document.model_dump(mode="json", exclude_none=True, exclude={"profiles"})
    if job.options.provider is not None:
        document["provider"] = job.options.provider
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
