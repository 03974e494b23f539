"""Job: a manifest, its providers, its folder and its limits, before anything is planned. Touches no job folder."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from batchgen.errors import ManifestError, PlanError, Problem, UsageError
from batchgen.manifest.load import FlawedManifestError, Manifest, load
from batchgen.manifest.marks import Branch
from batchgen.manifest.schema import Document, ProviderUse
from batchgen.plan.expand import expand
from batchgen.plan.identity import bucket, is_bucket
from batchgen.plan.select import Selection
from batchgen.provider.catalog import Provider, ProviderDataError, resolve
from batchgen.run.refusals import Keys, Refusals
from batchgen.run.retry import RetryPolicy
from batchgen.run.tally import FailureLimit

__all__ = ["Job", "Limits", "Options", "open_job"]

_SECRETIVE = re.compile(r"key|token|secret|password|auth|headers", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line adds to a manifest. None: what the manifest says.

    `output` is an absolute root; `period` a bucket to finish; `only_ids` the ids of a reviewed plan; `providers_file`
    the user's providers; `config_dir` the user's configuration folder (keys). `check_faults` says what is wrong with
    the faults that an embedded provider shall show; `key` of a problem is its path in them, such as `faults[1].rate`.
    """

    path: Path
    environ: Mapping[str, str]
    profile: str | None = None
    provider: str | None = None
    sets: tuple[str, ...] = ()
    output: Path | None = None
    period: str | None = None
    providers_file: Path | None = None
    config_dir: Path | None = None
    check_faults: Callable[[object], Sequence[Problem]] = lambda _: ()
    selection: Selection = field(default_factory=Selection)
    only_ids: frozenset[str] | None = None
    concurrency: int | None = None
    rpm: float | None = None
    budget_usd: float | None = None
    max_images: int | None = None
    stop_after_seconds: float | None = None
    keep_changed: bool = False
    remake_altered: bool = False
    send_refused: bool = False
    fail_fast: bool = False
    accept_risk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use, in effect. `drain_seconds` is how long answers in flight may still take after a stop."""

    concurrency: int
    request_timeout_seconds: float
    drain_seconds: float
    rpm: float | None
    stop_after_seconds: float | None
    max_images: int | None
    budget_usd: float | None
    budget_per: str
    failures: FailureLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything a plan and a run of one manifest start from. `folder` is the job folder; it may not exist yet."""

    options: Options
    manifest: Manifest
    providers: tuple[Provider, ...]
    folder: Path
    period: str | None
    limits: Limits
    policy: RetryPolicy

    @property
    def name(self) -> str:
        """The job's name as its folder has it, with profile and sandbox."""
        return self.folder.name


def open_job(options: Options, *, now: datetime) -> Job:
    """Load the manifest and its providers. `now` (UTC) decides the period, once per run.

    Raises ManifestError with every problem found, and UsageError for options that do not fit.
    """
    manifest, problems = _manifest(options)
    document = manifest.document
    providers, wrong = _providers(manifest, options)
    problems += wrong
    if problems:
        problems += _plan_problems(manifest, providers, now)
        raise ManifestError(problems=_in_order(problems, manifest.display))
    return Job(
        options=options,
        manifest=manifest,
        providers=providers,
        folder=_root(manifest, options) / _folder_name(document, options.profile, providers),
        period=_period(document, options.period, now),
        limits=_limits(document, options),
        policy=_policy(document),
    )


def _manifest(options: Options) -> tuple[Manifest, list[Problem]]:
    """The manifest; with problems it is what is left to find more of them in."""
    try:
        return load(options.path, profile=options.profile, sets=options.sets, environ=options.environ), []
    except FlawedManifestError as error:
        return error.rest, list(error.problems)


def _plan_problems(manifest: Manifest, providers: Sequence[Provider], now: datetime) -> Sequence[Problem]:
    """What would be wrong with the plan, too: one pass names it all."""
    kind = manifest.document.period
    try:
        expand(manifest, period=kind and bucket(kind, now), judge=Refusals(manifest, providers))
    except PlanError as error:
        return error.problems
    return ()


def _in_order(problems: Sequence[Problem], file: str) -> list[Problem]:
    """Those of the manifest by their place, then the others."""

    def rank(problem: Problem) -> tuple[bool, int, int]:
        return problem.file != file, problem.line or 0, problem.column or 0

    return sorted(dict.fromkeys(problems), key=rank)


def _providers(manifest: Manifest, options: Options) -> tuple[tuple[Provider, ...], list[Problem]]:
    """The providers that can be used, and what is wrong with them all."""
    problems: list[Problem] = []
    found: list[Provider] = []
    for keys, use, overrides in _uses(manifest.document, options.provider):
        try:
            found.append(resolve(use, overrides, user_file=options.providers_file))
            problems += _fault_problems(manifest, keys, found[-1], options)
        except ProviderDataError as error:
            problems += _placed(manifest, keys, error, is_option=options.provider is not None)
    names = [provider.name for provider in found]
    problems += [
        manifest.problem(("provider", number), f"'{name}' is listed twice; name the second one in your providers.yaml")
        for number, name in enumerate(names)
        if name in names[:number]
    ]
    return tuple(found), problems


def _fault_problems(manifest: Manifest, keys: Keys, provider: Provider, options: Options) -> Iterator[Problem]:
    if not provider.embedded:
        return
    for problem in options.check_faults(provider.faults):
        inner = [int(part) if part.isdigit() else part for part in re.split(r"[\[\].]+", problem.key) if part]
        yield manifest.problem((*keys, *inner), problem.message)


def _uses(document: Document, option: str | None) -> Iterator[tuple[Keys, str, Mapping[str, Any]]]:
    """Where each provider is named in the manifest, its name, and what is overridden."""
    listed = option if option is not None else document.provider
    if isinstance(listed, list):
        for number, use in enumerate(listed):
            yield ("provider", number), *_use(use)
    else:
        yield ("provider",), *_use(listed)


def _use(use: str | ProviderUse) -> tuple[str, Mapping[str, Any]]:
    return (use, {}) if isinstance(use, str) else (use.use, dict(use.model_extra or {}))


def _placed(manifest: Manifest, keys: Keys, error: ProviderDataError, *, is_option: bool) -> Sequence[Problem]:
    if error.file:
        return error.problems
    if is_option:
        return [replace(problem, key="--provider") for problem in error.problems]
    is_name = not isinstance(manifest.marks.at(*keys), Branch)
    problems = [
        manifest.problem(keys if is_name and inner == ("use",) else (*keys, *inner), message)
        for inner, message in error.findings
    ]
    # People paste the key itself into such fields: lines that may hold it are not repeated.
    if any(_SECRETIVE.search(str(inner[:1])) for inner, _ in error.findings):
        return [replace(problem, excerpt="") for problem in problems]
    return problems


def _root(manifest: Manifest, options: Options) -> Path:
    if options.output is not None:
        return options.output
    if manifest.document.output.dir is not None:
        return manifest.folder / manifest.document.output.dir
    return manifest.folder.parent / "output" if manifest.folder.name == "jobs" else manifest.folder / "output"


def _folder_name(document: Document, profile: str | None, providers: Sequence[Provider]) -> str:
    """A draft never satisfies a final, and a placeholder satisfies neither: each has a folder of its own."""
    name = f"{document.name}@{profile}" if profile else document.name
    return f"{name}@sandbox" if any(provider.sandbox for provider in providers) else name


def _period(document: Document, option: str | None, now: datetime) -> str | None:
    if option is None:
        return bucket(document.period, now) if document.period is not None else None
    if document.period is None:
        msg = f"--period: '{option}' does not fit (the manifest has no period); add `period: daily` to it"
        raise UsageError(msg)
    if not is_bucket(document.period, option):
        example = bucket(document.period, now)
        msg = f"--period: '{option}' is no {document.period} bucket (expected for instance {example})"
        raise UsageError(msg)
    return option


def _limits(document: Document, options: Options) -> Limits:
    block = document.limits
    timeout = block.request_timeout
    return Limits(
        concurrency=options.concurrency or block.concurrency,
        request_timeout_seconds=timeout,
        drain_seconds=timeout if block.drain is None else block.drain,
        rpm=options.rpm or block.rpm,
        stop_after_seconds=options.stop_after_seconds or block.stop_after,
        max_images=options.max_images or block.max_images,
        budget_usd=options.budget_usd or block.budget_usd,
        budget_per=block.budget_per,
        failures=_failure_limit(block.max_failures),
    )


def _failure_limit(limit: int | str) -> FailureLimit:
    if isinstance(limit, int):
        return FailureLimit(count=limit)
    return FailureLimit(share=float(limit.rstrip("% ")) / 100)


def _policy(document: Document) -> RetryPolicy:
    block = document.retry
    return RetryPolicy(
        attempts=block.attempts,
        waits_seconds=tuple(block.waits),
        max_wait_seconds=block.max_wait,
        give_up_after_seconds=block.give_up_after,
        in_doubt=block.in_doubt,
        resends=block.resends,
    )
