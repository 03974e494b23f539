"""From what was typed to what a run is asked for: options, environment and the user's defaults in one value."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from batchgen.cli.jobpath import find_manifest
from batchgen.cli.options import JobOptions, LimitOptions, RunOptions, SelectionOptions
from batchgen.cli.settings import read_settings
from batchgen.cli.shell import Shell
from batchgen.errors import FolderError, ManifestError, Problem
from batchgen.manifest.load import load
from batchgen.plan.select import Selection, parse_selection
from batchgen.run.job import Job, Options

__all__ = ["existing", "options_for"]


def options_for(
    shell: Shell,
    job: JobOptions,
    *,
    selection: SelectionOptions | None = None,
    limits: LimitOptions | None = None,
    run: RunOptions | None = None,
    only_ids: frozenset[str] | None = None,
    send_refused: bool = False,
) -> Options:
    """Everything `open_job` needs. Flags and BATCHGEN_* win over the manifest, the manifest over config.yaml.

    Raises UsageError for a JOB or a selection that does not fit, ManifestError for the manifest or config.yaml.
    """
    limits, run = limits or LimitOptions(), run or RunOptions()
    options = Options(
        path=find_manifest(job.job),
        environ=shell.environ,
        profile=job.profile,
        provider=job.provider,
        sets=job.sets,
        output=None if job.output is None else Path.cwd() / job.output.expanduser(),
        period=job.period,
        providers_file=shell.providers_file,
        config_dir=shell.config_folder,
        check_faults=_check_faults,
        selection=_selected(selection or SelectionOptions()),
        only_ids=only_ids,
        concurrency=limits.concurrency,
        rpm=limits.rpm,
        budget_usd=limits.budget,
        max_images=limits.max_images,
        stop_after_seconds=limits.stop_by_seconds,
        keep_changed=run.keep_changed,
        remake_altered=run.remake_altered,
        send_refused=send_refused,
        fail_fast=run.fail_fast,
        accept_risk=run.yes,
    )
    return _with_defaults(shell, options)


def _check_faults(raw: object) -> Sequence[Problem]:
    if not raw:
        return ()
    from batchgen.sandbox.faults import check_faults  # noqa: PLC0415  the server's modules take long to import

    return check_faults(raw)


def existing(job: Job) -> Job:
    """The job, whose folder has to be there. Raises FolderError: a mistyped option must not look like an empty job."""
    if job.folder.is_dir():
        return job
    message = f"'{job.folder}' is not there: nothing was made yet, or it was made with other options"
    raise FolderError(message)


def _selected(asked: SelectionOptions) -> Selection:
    return parse_selection(
        select=asked.select,
        exclude=asked.exclude,
        words=asked.words,
        failed=asked.failed,
        limit=asked.limit,
        sample=asked.sample,
    )


def _with_defaults(shell: Shell, options: Options) -> Options:
    """What config.yaml says and the manifest leaves open, as assignments in front of those that were typed."""
    settings = read_settings(shell.config_file)
    if not settings.values:
        return options
    try:
        manifest = load(options.path, profile=options.profile, sets=options.sets, environ=options.environ)
    except ManifestError:
        return options  # whoever opens the job says what is wrong, and what else is
    return replace(options, sets=(*settings.sets_for(manifest.document), *options.sets))
