"""What happens in a run, as values, and the observer that hears of it. Nothing here prints."""

from dataclasses import dataclass
from typing import Protocol

__all__ = [
    "FailureEvent",
    "ImageEvent",
    "NullObserver",
    "Observer",
    "PauseEvent",
    "PlanEvent",
    "ProgressEvent",
    "SummaryEvent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEvent:
    """The counts of a plan by state; they cover the selection. Dollars are None when no price is known.

    `warnings` are for people, also of a run that nobody watches: why the plan may be smaller than meant.
    """

    job: str
    folder: str
    requests: int
    new: int = 0
    changed: int = 0
    done: int = 0
    missing: int = 0
    altered: int = 0
    failed: int = 0
    in_doubt: int = 0
    orphan: int = 0
    cost_low_usd: float | None = None
    cost_high_usd: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEvent:
    """An image is paid, safe and published. `path` is relative to the job folder; `cost_usd` None: no price known."""

    slot: str
    id: str
    path: str
    bytes: int
    sha256: str
    format: str
    width: int
    height: int
    attempts: int
    seconds: float
    cost_usd: float | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureEvent:
    """One attempt failed. `final`: this run does not try again; else it does in `retry_in_seconds`."""

    slot: str
    id: str
    attempt: int
    kind: str
    billed: str
    final: bool
    message: str
    retry_in_seconds: float | None = None
    provider_request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent:
    """Where the run stands, after each change. `seconds` since the start; `left_seconds` is an estimate or None."""

    total: int
    saved: int
    failed: int
    in_doubt: int
    retries: int
    in_flight: int
    cost_usd: float | None
    seconds: float
    left_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseEvent:
    """Something the user should hear while it lasts: a pause after a 429, an outage, draining, a slow disk."""

    message: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryEvent:
    """The end of a run. `requests = saved + skipped + failed + in_doubt + not_started`; all over the selection."""

    job: str
    folder: str
    requests: int
    saved: int
    skipped: int
    failed: int
    in_doubt: int
    not_started: int
    attempts: int
    cost_usd: float | None
    maybe_billed_usd: float | None
    maybe_billed: int
    seconds: float
    exit_code: int
    stop_reason: str = ""


class Observer(Protocol):
    """Hears of a run. Calls come from the event loop and must return at once."""

    def plan(self, event: PlanEvent) -> None:
        """The plan is made; nothing was sent."""
        ...

    def image(self, event: ImageEvent) -> None:
        """An image was saved."""
        ...

    def failure(self, event: FailureEvent) -> None:
        """An attempt failed."""
        ...

    def progress(self, event: ProgressEvent) -> None:
        """The counts changed."""
        ...

    def pause(self, event: PauseEvent) -> None:
        """The run waits, drains or resumes."""
        ...

    def summary(self, event: SummaryEvent) -> None:
        """The run ended."""
        ...


class NullObserver:
    """Hears nothing."""

    def plan(self, event: PlanEvent) -> None:
        """Ignore."""

    def image(self, event: ImageEvent) -> None:
        """Ignore."""

    def failure(self, event: FailureEvent) -> None:
        """Ignore."""

    def progress(self, event: ProgressEvent) -> None:
        """Ignore."""

    def pause(self, event: PauseEvent) -> None:
        """Ignore."""

    def summary(self, event: SummaryEvent) -> None:
        """Ignore."""
