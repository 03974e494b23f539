"""What `run`, `retry` and `redo` share: open the job, choose who listens, connect the outside, run."""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

from batchgen.cli.bar import TerminalBar
from batchgen.cli.confirm import ask_before
from batchgen.cli.leftover import Lookback
from batchgen.cli.observers import Cron, Ending, JsonEvents, LineLog, Several
from batchgen.cli.opening import options_for
from batchgen.cli.options import JobOptions, LimitOptions, RunOptions, SelectionOptions
from batchgen.cli.outbox import outbox
from batchgen.cli.planfile import read_plan_file
from batchgen.cli.planview import show_head, show_plan
from batchgen.cli.screen import Screen
from batchgen.cli.shell import Shell
from batchgen.cli.signals import at_once, in_stages
from batchgen.clock import Clock, SystemClock
from batchgen.errors import FolderError, UsageError
from batchgen.provider.catalog import Provider
from batchgen.provider.key import Key, env_files, require_key
from batchgen.provider.session import Session
from batchgen.run.events import Observer
from batchgen.run.host import Host
from batchgen.run.job import Job, Options, open_job
from batchgen.run.runner import Connect, Run, Surroundings
from batchgen.run.survey import Survey, look
from batchgen.sandbox.server import Sandbox

__all__ = ["run_job"]


def run_job(
    shell: Shell,
    job: JobOptions,
    *,
    selection: SelectionOptions,
    limits: LimitOptions,
    run: RunOptions,
    send_refused: bool = False,
    only_ids: frozenset[str] | None = None,
) -> int:
    """Run a job, or with `dry_run` show what would be sent. Returns the exit code; raises before anything is sent."""
    clock = SystemClock()
    options = options_for(
        shell, job, selection=selection, limits=limits, run=run, send_refused=send_refused, only_ids=only_ids
    )
    opened = open_job(_planned(options, run), now=clock.now())
    _check_plan_file(opened, run)
    if run.dry_run:
        show_plan(shell.screen, look(opened), now=clock.now(), as_json=run.json)
        return 0
    lookback = Lookback(opened)
    ending = (Cron if run.cron else Ending)(
        shell.screen,
        job_arguments=job.arguments,
        images=_from_here(opened.folder / "images"),
        aside=run.json,
        aftermath=lookback,
        is_retry=selection.failed,
    )
    with at_once(), _listeners(shell, opened, run, clock, ending) as observer:
        return asyncio.run(_carry_out(shell, lookback, run, observer, clock))


def _planned(options: Options, run: RunOptions) -> Options:
    """With `--plan` exactly its ids, in the period it was made for unless another one is asked for."""
    if run.plan_file is None:
        return options
    plan = read_plan_file(run.plan_file)
    return replace(options, only_ids=plan.ids, period=options.period or plan.period)


def _check_plan_file(job: Job, run: RunOptions) -> None:
    if run.plan_file is None:
        return
    made_for = read_plan_file(run.plan_file).job
    if made_for != job.name:
        message = f"--plan: '{run.plan_file}' was made for {made_for}, this is {job.name}; give the same options"
        raise UsageError(message)


async def _carry_out(shell: Shell, lookback: Lookback, run: RunOptions, observer: Observer, clock: Clock) -> int:
    job = lookback.job

    def confirm(survey: Survey) -> None:
        lookback.began(survey)
        if not (run.quiet or run.cron or run.json):
            show_head(shell.screen, survey, now=clock.now())
        with at_once():
            ask_before(survey, run)

    running = Run(
        job,
        Surroundings(
            observer=observer,
            clock=clock,
            rng=random.Random(),  # noqa: S311  spreads retries, guards nothing
            host=Host.current(),
            connect=_connect(shell, job, run),
            embed=_embed,
            confirm=confirm,
            wait_lock_seconds=run.wait_lock_seconds,
        ),
    )
    in_stages(running.interrupt)
    return (await running.go()).exit_code


def _connect(shell: Shell, job: Job, run: RunOptions) -> Connect:
    """Finds each provider's key once per run: a `key_cmd` may ask for a fingerprint."""
    found: dict[str, Key | None] = {}

    def connect(provider: Provider) -> Session:
        if provider.name not in found:
            found[provider.name] = _key(shell, job, provider, is_silent=run.cron)
        key = found[provider.name]
        return Session(provider, key=None if key is None else key.secret)

    return connect


def _key(shell: Shell, job: Job, provider: Provider, *, is_silent: bool) -> Key | None:
    folder = job.manifest.folder
    key = require_key(
        provider, environ=shell.environ, env_files=env_files(folder), config_dir=shell.config_folder, folder=folder
    )
    if key is None:
        return None
    shell.secrets.append(key.secret)
    for warning in () if is_silent else key.warnings:
        shell.screen.note(f"warning: {warning}")
    return key


@contextlib.asynccontextmanager
async def _embed(provider: Provider) -> AsyncIterator[str]:
    """The sandbox, for as long as the run lasts."""
    async with Sandbox(faults=provider.faults, seed=provider.seed, latency=provider.latency) as sandbox:
        yield sandbox.url


@contextlib.contextmanager
def _listeners(shell: Shell, job: Job, run: RunOptions, clock: Clock, ending: Ending) -> Iterator[Observer]:
    """Who hears of the run: `ending` always, a bar on a terminal or lines elsewhere, events for programs."""
    with contextlib.ExitStack() as stack:
        observers: list[Observer] = []
        if run.json:
            observers.append(JsonEvents(shell.screen, stack.enter_context(outbox(shell.screen))))
        if run.log_file is not None:
            observers.append(JsonEvents(stack.enter_context(_log(run.log_file, shell))))
        if not (run.cron or run.quiet):
            observers.append(stack.enter_context(_progress(shell.screen, job.name, run, clock)))
        yield Several(*observers, ending)


@contextlib.contextmanager
def _progress(screen: Screen, name: str, run: RunOptions, clock: Clock) -> Iterator[Observer]:
    # Events and a bar on one terminal would write into each other's lines.
    crossed = run.json and screen.out.isatty()
    if not screen.interactive or crossed:
        yield LineLog(screen, clock, name, verbose=run.verbose)
        return
    bar = TerminalBar(screen, clock, name, verbose=run.verbose)
    try:
        yield bar
    finally:
        bar.close()


@contextlib.contextmanager
def _log(path: Path, shell: Shell) -> Iterator[Screen]:
    """A screen whose stdout is the log file: appended to, and readable by nobody else, as the ledger is."""
    try:
        file = open(path, "a", encoding="utf-8", opener=_private)  # noqa: SIM115  closed by `with` below
    except OSError as problem:
        message = f"--log-file: '{path}' cannot be written: {(problem.strerror or str(problem)).lower()}"
        raise FolderError(message) from problem
    with file:
        yield Screen(out=file, err=shell.screen.err, environ=shell.environ)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _from_here(path: Path) -> str:
    """The path as seen from the working directory, when it lies below."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)
