"""Tally: the counts of one run, and the one place that tells the observer."""

from dataclasses import dataclass

from batchgen.clock import Clock
from batchgen.ledger.entry import ImageSaved
from batchgen.provider.failure import Failure
from batchgen.request import Request
from batchgen.run.events import FailureEvent, ImageEvent, Observer, ProgressEvent
from batchgen.run.retry import Again, Verdict
from batchgen.run.stop import Stop

__all__ = ["FailureLimit", "Tally"]

_RESULTS_BEFORE_JUDGING = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureLimit:
    """How many final failures stop a run: a count, or a share of the results. Judged from ten results on."""

    count: int | None = None
    share: float | None = None

    def is_reached(self, *, failed: int, results: int) -> bool:
        """Whether the run should stop. Held requests are no failures."""
        if results < _RESULTS_BEFORE_JUDGING:
            return False
        too_many = self.count is not None and failed > self.count
        return too_many or (self.share is not None and failed > self.share * results)

    def __str__(self) -> str:
        return str(self.count) if self.share is None else f"{self.share * 100:g}%"


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of one run. `total` is what the run set out to send; dollars are None until a price is known.

    `has_unpriced_images` and `has_unpriced_doubts`: some of them were made where no price is known.
    """

    observer: Observer
    clock: Clock
    total: int
    limit: FailureLimit
    fail_fast: bool = False
    began: float = 0.0
    saved_count: int = 0
    unpublished_count: int = 0
    failed_count: int = 0
    in_doubt_count: int = 0
    attempts: int = 0
    retries: int = 0
    in_flight: int = 0
    maybe_billed: int = 0
    cost_usd: float | None = None
    has_unpriced_images: bool = False
    has_unpriced_doubts: bool = False

    def sent(self) -> None:
        """An attempt is on its way."""
        self.attempts += 1
        self.in_flight += 1
        self._progress()

    def returned(self) -> None:
        """An attempt ended, one way or the other."""
        self.in_flight -= 1

    def unpublished(self, entry: ImageSaved) -> None:
        """An image is paid and recorded, but the disk failed before it got its name."""
        self.unpublished_count += 1
        self._kept(entry)

    def _kept(self, entry: ImageSaved) -> None:
        self.saved_count += 1
        if entry.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + entry.cost_usd
        self.has_unpriced_images |= entry.cost_usd is None

    def saved(self, request: Request, entry: ImageSaved, warnings: tuple[str, ...]) -> None:
        """An image is published."""
        self._kept(entry)
        self.observer.image(
            ImageEvent(
                slot=request.slot,
                id=request.id,
                path=entry.path,
                bytes=entry.bytes,
                sha256=entry.sha256,
                format=entry.format,
                width=entry.width,
                height=entry.height,
                attempts=entry.attempt,
                seconds=entry.seconds,
                cost_usd=entry.cost_usd,
                warnings=warnings,
            )
        )
        self._progress()

    def failed_attempt(
        self, request: Request, attempt: int, failure: Failure, verdict: Verdict, *, is_priced: bool = True
    ) -> None:
        """One attempt failed; `verdict` says what follows, `is_priced` whether its price is known."""
        again = verdict if isinstance(verdict, Again) else None
        self.retries += again is not None
        self.maybe_billed += failure.billed == "maybe"
        self.has_unpriced_doubts |= failure.billed == "maybe" and not is_priced
        self.observer.failure(
            FailureEvent(
                slot=request.slot,
                id=request.id,
                attempt=attempt,
                kind=failure.kind,
                billed=failure.billed,
                final=again is None,
                message=failure.message,
                retry_in_seconds=None if again is None else round(again.wait_seconds, 3),
                provider_request_id=failure.provider_request_id,
            )
        )
        self._progress()

    def held(self) -> None:
        """A request stays in doubt."""
        self.in_doubt_count += 1
        self._progress()

    def gave_up(self, stop: Stop) -> None:
        """A request failed for good, as far as this run goes; too many of them stop it."""
        self.failed_count += 1
        self._progress()
        results = self.saved_count + self.failed_count
        if self.fail_fast:
            stop.set("a request failed and --fail-fast is set", 5)
        elif self.limit.is_reached(failed=self.failed_count, results=results):
            limit = f"limits.max_failures is {self.limit}; raise it to go on"
            stop.set(f"{self.failed_count} of {results} requests failed ({limit})", 5)

    def _progress(self) -> None:
        seconds = self.clock.monotonic() - self.began
        done = self.saved_count + self.failed_count + self.in_doubt_count
        left = seconds / done * (self.total - done) if done else None
        self.observer.progress(
            ProgressEvent(
                total=self.total,
                saved=self.saved_count,
                failed=self.failed_count,
                in_doubt=self.in_doubt_count,
                retries=self.retries,
                in_flight=self.in_flight,
                cost_usd=self.cost_usd,
                seconds=seconds,
                left_seconds=left,
            )
        )
