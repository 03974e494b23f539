"""Options that several verbs share: one decorator each, one frozen value each."""

import functools
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from batchgen.cli.durations import SECONDS, STOP_BY
from batchgen.cli.shell import Shell

__all__ = [
    "JobOptions",
    "LimitOptions",
    "RunOptions",
    "SelectionOptions",
    "Verb",
    "job_changes",
    "job_options",
    "json_option",
    "limit_options",
    "run_options",
    "screen_options",
    "selection_options",
]

Verb = Callable[..., int]
_Option = Callable[[Verb], Verb]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """Which job: the JOB argument and what changes the manifest or its folder."""

    job: str = ""
    profile: str | None = None
    provider: str | None = None
    output: Path | None = None
    sets: tuple[str, ...] = ()
    period: str | None = None

    @property
    def arguments(self) -> str:
        """The same job again, as typed after a verb: for the next command that a summary suggests."""
        named = (
            ("--profile", self.profile),
            ("--provider", self.provider),
            ("--output", None if self.output is None else str(self.output)),
            *(("--set", text) for text in self.sets),
            ("--period", self.period),
        )
        words = [self.job, *(word for name, value in named if value is not None for word in (name, value))]
        return shlex.join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionOptions:
    """Which slots of the plan."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    words: str | None = None
    failed: bool = False
    limit: int | None = None
    sample: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOptions:
    """Limits of one run that win over the manifest's; `stop_by_seconds` counts from now."""

    concurrency: int | None = None
    rpm: float | None = None
    budget: float | None = None
    max_images: int | None = None
    stop_by_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run and what to say meanwhile."""

    dry_run: bool = False
    yes: bool = False
    keep_changed: bool = False
    remake_altered: bool = False
    fail_fast: bool = False
    wait_lock_seconds: float = 0.0
    cron: bool = False
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    log_file: Path | None = None
    plan_file: Path | None = None


def _packed(options: Sequence[_Option], names: Sequence[str], pack: Callable[..., Any], into: str) -> _Option:
    """A decorator that adds `options` and hands their values to the verb as one value under `into`."""

    def decorate(verb: Verb) -> Verb:
        @functools.wraps(verb)
        def packing(*args: Any, **kwargs: Any) -> int:
            kwargs[into] = pack(**{name: kwargs.pop(name) for name in names})
            return verb(*args, **kwargs)

        decorated: Verb = packing
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


json_option = click.option("--json", "as_json", is_flag=True, help="NDJSON on stdout, for programs.")

_CHANGES = (
    click.option("--profile", envvar="BATCHGEN_PROFILE", metavar="NAME", help="One of the manifest's profiles."),
    click.option(
        "--provider",
        envvar="BATCHGEN_PROVIDER",
        metavar="NAME",
        help="Use this provider, not the manifest's (see `batchgen providers`).",
    ),
    click.option(
        "--output",
        envvar="BATCHGEN_OUTPUT",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="Root of the job folders, relative to the working directory.",
    ),
    click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="PATH=VALUE",
        help="Change one manifest value, e.g. request.quality=low. Repeatable.",
    ),
    click.option("--period", metavar="BUCKET", help="Finish an earlier period, e.g. 2026-11-20, 2026-W47, 2026-11."),
)
_CHANGE_NAMES = ("profile", "provider", "output", "sets", "period")

job_options = _packed((click.argument("job", metavar="JOB"), *_CHANGES), ("job", *_CHANGE_NAMES), JobOptions, "job")

job_changes = _packed(_CHANGES, _CHANGE_NAMES, JobOptions, "job")
"""The same without the JOB argument, for verbs that take several."""

selection_options = _packed(
    (
        click.option(
            "-s",
            "--select",
            multiple=True,
            metavar="WHAT",
            help="Slots by pattern (hero/mug/*), axis (locale=de-DE,ja-JP), column (row.sku=MU-*) or state "
            "(state:failed). Comma means or, repeated means and.",
        ),
        click.option("--exclude", multiple=True, metavar="WHAT", help="Leave these out; same forms as --select."),
        click.option("-k", "--words", metavar="WORDS", help="All these words occur in the slot or the prompt."),
        click.option("--failed", is_flag=True, help="Short for --select state:failed."),
        click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The first N of the selection."),
        click.option(
            "--sample", type=click.IntRange(min=1), metavar="N", help="N slots spread over all axes: a good first run."
        ),
    ),
    ("select", "exclude", "words", "failed", "limit", "sample"),
    SelectionOptions,
    "selection",
)

limit_options = _packed(
    (
        click.option(
            "-c",
            "--concurrency",
            envvar="BATCHGEN_CONCURRENCY",
            type=click.IntRange(1, 10_000),
            metavar="N",
            help="Requests at once.",
        ),
        click.option(
            "--rpm",
            envvar="BATCHGEN_RPM",
            type=click.FloatRange(min=0, min_open=True),
            metavar="N",
            help="Images per minute.",
        ),
        click.option(
            "--budget",
            envvar="BATCHGEN_BUDGET",
            type=click.FloatRange(min=0, min_open=True),
            metavar="USD",
            help="Stop before spending more than this.",
        ),
        click.option(
            "--max-images",
            envvar="BATCHGEN_MAX_IMAGES",
            type=click.IntRange(min=1),
            metavar="N",
            help="Refuse to send more than this.",
        ),
        click.option(
            "--stop-by",
            "stop_by_seconds",
            type=STOP_BY,
            metavar="WHEN",
            help="Start nothing new after this: 06:30, 2026-11-20T06:30, or a time from now (3h).",
        ),
    ),
    ("concurrency", "rpm", "budget", "max_images", "stop_by_seconds"),
    LimitOptions,
    "limits",
)

run_options = _packed(
    (
        click.option("-n", "--dry-run", is_flag=True, help="Show the plan and send nothing."),
        click.option(
            "-y",
            "--yes",
            is_flag=True,
            help="Do not ask: a large run, many missing files and a run cut off elsewhere are fine.",
        ),
        click.option(
            "--keep-changed", is_flag=True, help="Leave images whose prompt or parameters changed as they are."
        ),
        click.option(
            "--remake-altered", is_flag=True, help="Make retouched images again; the old files are kept aside."
        ),
        click.option("--fail-fast", is_flag=True, help="Stop at the first final failure."),
        click.option(
            "--wait-lock",
            "wait_lock_seconds",
            envvar="BATCHGEN_WAIT_LOCK",
            type=SECONDS,
            default=0.0,
            metavar="TIME",
            help="Wait this long for another run of the same job, e.g. 10m.",
        ),
        click.option("--cron", is_flag=True, help="Say nothing unless something is wrong."),
        click.option("--json", is_flag=True, help="NDJSON on stdout, for programs."),
        click.option("-q", "--quiet", is_flag=True, help="No plan and no progress; failures and the summary stay."),
        click.option("-v", "--verbose", is_flag=True, help="Also every image and every repeated attempt."),
        click.option(
            "--log-file",
            envvar="BATCHGEN_LOG_FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Also append the events to FILE, as NDJSON.",
        ),
        click.option(
            "--plan",
            "plan_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Send exactly what `batchgen plan -o FILE` wrote.",
        ),
    ),
    (
        "dry_run",
        "yes",
        "keep_changed",
        "remake_altered",
        "fail_fast",
        "wait_lock_seconds",
        "cron",
        "json",
        "quiet",
        "verbose",
        "log_file",
        "plan_file",
    ),
    RunOptions,
    "run",
)


def screen_options(verb: Verb) -> Verb:
    """Adds `--no-color` and gives the verb its Shell as first argument."""

    @functools.wraps(verb)
    def coloured(*args: Any, no_color: bool, **kwargs: Any) -> int:
        shell = click.get_current_context().find_object(Shell)
        assert shell is not None, "main() passes it"  # noqa: S101  narrows the type
        if no_color:
            shell.screen.colour_allowed = False
        return verb(shell, *args, **kwargs)

    return click.option("--no-color", is_flag=True, help="No colour; NO_COLOR does the same.")(coloured)
