"""One request to a settled outcome. Four things in turn: wait at the gates, do, judge, record."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec import Raw

from batchgen.clock import Clock
from batchgen.errors import StorageError
from batchgen.images.arrival import Arrival, Arrived
from batchgen.images.picture import EXTENSIONS, MAX_PIXELS
from batchgen.ledger.entry import NOT_ASKED, AttemptFailed, AttemptStarted, ImageLocated, ImageSaved, RequestFailed
from batchgen.ledger.record import RequestRecord
from batchgen.plan.compare import SlotStatus
from batchgen.provider.decode import Answer
from batchgen.provider.encode import encode
from batchgen.provider.failure import Failure
from batchgen.request import Request
from batchgen.run.attempt import Call, perform
from batchgen.run.desk import Desk
from batchgen.run.landing import Landing
from batchgen.run.lane import Lane, Route
from batchgen.run.limits import Budget, RetryAllowance
from batchgen.run.money import Money, cost_of, price_of
from batchgen.run.remarks import remarks
from batchgen.run.retry import Again, GiveUp, RetryPolicy, StopRun, Verdict, decide
from batchgen.run.stop import Stop, StoppedError
from batchgen.run.tally import Tally

__all__ = ["Outcome", "Settler", "Work"]

Outcome = Literal["saved", "failed", "in_doubt", "not_started"]


@dataclass(slots=True, kw_only=True)
class Work:
    """One request on its way: its status when the run began, and this run's sends of it."""

    status: SlotStatus
    sends: int = 0
    began: float = 0.0
    is_priced: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settler:
    """Settles requests of one run. Workers share it; it keeps nothing per request.

    `landing` knows the workers whose answer is complete and paid: whoever aborts must leave those alone.
    """

    desk: Desk
    route: Route
    budget: Budget
    money: Money
    allowance: RetryAllowance
    policy: RetryPolicy
    stop: Stop
    tally: Tally
    clock: Clock
    rng: random.Random
    asked: Callable[[Request], str]
    landing: Landing
    request_timeout_seconds: float
    max_bytes: int = 64 << 20

    async def settle(self, status: SlotStatus) -> Outcome:
        """Send until there is an image, or the policy gives up, or the run stops. StorageError: the disk failed."""
        work = Work(status=status, began=self.clock.monotonic())
        try:
            while True:
                failure, is_outage = await self._attempt(work)
                if failure is None:
                    return "saved"
                verdict = self._judge(work, failure, is_outage=is_outage)
                number = self._record(work).attempts
                self.tally.failed_attempt(status.request, number, failure, verdict, is_priced=work.is_priced)
                if isinstance(verdict, GiveUp):
                    return await self._give_up(work, verdict)
                await self._wait(verdict, failure, is_outage=is_outage)
        except StoppedError:
            return "in_doubt" if self._record(work).is_in_doubt else "not_started"

    async def _attempt(self, work: Work) -> tuple[Failure | None, bool]:
        """Wait at the gates, reserve, send once, record. Also says whether the provider is down."""
        record = self._record(work)
        place = record.provider if record.doubts or record.open else None
        async with self.route.enter(in_doubt_at=place, inputs=len(work.status.request.images)) as (lane, is_probe):
            reserved = await self._reserve(work, lane)
            try:
                failure = await self._send(work, lane, reserved)
            finally:
                self.budget.settled()
            self.route.judge(lane, failure, request_id=work.status.request.id, is_probe=is_probe)
            counts = failure is None or (failure.kind != "throttled" and not lane.outage.is_down)
            work.sends += counts
            return failure, lane.outage.is_down

    async def _reserve(self, work: Work, lane: Lane) -> float | None:
        price = price_of(work.status.request, lane.provider)
        reserved = None if price is None else price.high_usd
        work.is_priced = price is not None
        async with self.stop.waiting():
            # An open attempt's reservation stands, and fetching its image is free.
            await self.budget.reserve(0.0 if self._record(work).is_fetchable else reserved or 0.0)
        return reserved

    async def _send(self, work: Work, lane: Lane, reserved: float | None) -> Failure | None:
        """From the durable `attempt_started` to the recorded outcome; None is an image."""
        record = self._record(work)
        request = work.status.request
        refetch = record.url if record.is_fetchable else None
        attempt = record.attempts if refetch else record.attempts + 1
        try:
            if not refetch:
                await self._start(work, lane, attempt, reserved)
        finally:
            self.budget.recorded(0.0 if refetch else reserved or 0.0)
        call = Call(
            outgoing=None if refetch else encode(request, lane.provider, attempt=attempt),
            url=refetch or "",
            deadline_seconds=self.request_timeout_seconds,
            max_bytes=self.max_bytes,
        )
        arrival = Arrival(
            self.desk.folder, path=work.status.path, request_id=request.id, attempt=attempt, max_pixels=MAX_PIXELS
        )
        self.tally.sent()
        try:
            async with arrival:
                outcome = await self._perform(call, lane, arrival, request.id, attempt)
                if isinstance(outcome, Failure):
                    await self._record_failure(request.id, attempt, outcome, arrival)
                    return outcome
                await self._record_image(work, lane, attempt, *outcome, reserved=reserved)
                return None
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            place = self.desk.folder.path / arrival.part
            msg = f"{place}: cannot be written ({reason}); free space or mend the disk, then run again"
            raise StorageError(msg) from problem
        finally:
            self.tally.returned()
            self.landing.end()

    async def _start(self, work: Work, lane: Lane, attempt: int, reserved: float | None) -> None:
        # Nothing may leave before this is durable: a crash after the first byte must find the attempt in the ledger.
        record = self._record(work)
        request = work.status.request
        redo = self.desk.journal.state.redos.get(request.base_id) if request.redo else None
        entry = AttemptStarted(
            request=request.id,
            slot=request.slot,
            attempt=attempt,
            key=request.id,
            provider=lane.provider.name,
            window=self.money.window(),
            because=record.last_seq if record.last_seq is not None else (redo.seq if redo else None),
            reserved_usd=reserved,
            asked=Raw(self.asked(request).encode()) if record.asked_at_seq is None else NOT_ASKED,
        )
        with self.landing.waiting():
            await self.desk.journal.append(entry)

    async def _perform(
        self, call: Call, lane: Lane, arrival: Arrival, request_id: str, attempt: int
    ) -> tuple[Arrived, Answer] | Failure:
        async def locate(url: str) -> None:
            await self.desk.journal.append(ImageLocated(request=request_id, attempt=attempt, url=url))

        try:
            return await perform(
                call, lane.transport, arrival, locate=locate, landing=self.landing.begin, clock=self.clock
            )
        except (StorageError, OSError):
            # The answer may be paid and its temp file whole: the attempt stays open, and the next run adopts it.
            raise
        except BaseException as problem:
            # Cancelled, or a bug: it was sent, so never call it "not sent".
            reason = "interrupted while the answer was awaited" if not isinstance(problem, Exception) else repr(problem)
            await self._record_failure(
                request_id, attempt, Failure(kind="in_doubt", billed="maybe", message=reason[:300]), arrival
            )
            raise

    async def _record_failure(self, request_id: str, attempt: int, failure: Failure, arrival: Arrival) -> None:
        record = self.desk.journal.state.records[request_id]
        if record.is_fetchable and not failure.hold:
            # Paid, and its address is known: the attempt stays open, so that the next run fetches it and buys nothing.
            await arrival.discard()
            return
        await self.desk.journal.append(
            AttemptFailed(
                request=request_id,
                attempt=attempt,
                failure=failure.kind,
                billed=failure.billed,
                status=failure.status,
                code=failure.code,
                message=failure.message,
                provider_request_id=failure.provider_request_id,
                retry_after=failure.retry_after_seconds,
                hold=failure.hold,
            )
        )
        # A whole image in an answer that was cut behind it proves nothing, but it may be paid for: it is kept.
        if failure.kind == "bad_answer" or arrival.is_whole:
            await arrival.reject(failure.evidence)
        else:
            await arrival.discard()

    async def _record_image(
        self, work: Work, lane: Lane, attempt: int, arrived: Arrived, answer: Answer, *, reserved: float | None
    ) -> None:
        """The paid-and-safe point comes before the rename; a crash in between is finished by the next run."""
        request, picture = work.status.request, arrived.picture
        path = f"{work.status.path.rpartition('.')[0]}.{EXTENSIONS[picture.format]}"
        seconds = round(self.clock.monotonic() - work.began, 3)
        cost = cost_of(answer.usage, request, lane.provider, reserved)
        saved = ImageSaved(
            request=request.id,
            slot=request.slot,
            attempt=attempt,
            path=path,
            bytes=arrived.bytes,
            sha256=arrived.sha256,
            format=picture.format,
            width=picture.width,
            height=picture.height,
            usage=dict(answer.usage) if answer.usage else None,
            cost_usd=cost,
            revised_prompt=answer.revised_prompt,
            provider_request_id=answer.provider_request_id,
            seconds=seconds,
        )
        await self.desk.journal.append(saved)
        try:
            await self.desk.publisher.publish(request.id, arrived.part, replaces=work.status.replaces)
        except StorageError:
            # Paid and recorded; the next run puts it in its place.
            self.tally.unpublished(saved)
            raise
        warnings = (*answer.warnings, *remarks(picture, request, lane.provider))
        self.tally.saved(request, saved, warnings)

    def _judge(self, work: Work, failure: Failure, *, is_outage: bool) -> Verdict:
        if self._record(work).is_fetchable:
            return GiveUp(reason=failure.message, is_held=True)
        verdict = decide(
            self.policy,
            failure,
            sends=work.sends,
            doubts=self._record(work).doubts,
            jitter=self.rng.random(),
            is_outage=is_outage,
        )
        # Another provider may still take it: a stopped one has certainly not made it.
        if isinstance(verdict, StopRun) and not self.stop.is_set:
            return Again(wait_seconds=0.0)
        # Whoever listens is told that this run does not try again.
        if isinstance(verdict, Again) and self.stop.is_set:
            return StopRun(reason=failure.message)
        return verdict

    async def _wait(self, verdict: Verdict, failure: Failure, *, is_outage: bool) -> None:
        """Hold the worker while waiting: that is the backpressure."""
        if isinstance(verdict, StopRun):
            raise StoppedError
        seconds = verdict.wait_seconds if isinstance(verdict, Again) else 0.0
        async with self.stop.waiting():
            # Probes have a pace of their own, and a pause after a 429 holds everybody anyway.
            if failure.kind not in {"throttled", "stopped"} and not is_outage:
                seconds = max(seconds, self.allowance.delay_seconds())
            await self.clock.sleep(seconds)

    async def _give_up(self, work: Work, verdict: GiveUp) -> Outcome:
        request = work.status.request
        if verdict.is_held or self._record(work).is_in_doubt:
            self.tally.held()
            return "in_doubt"
        await self.desk.journal.append(RequestFailed(request=request.id, slot=request.slot, reason=verdict.reason))
        self.tally.gave_up(self.stop)
        return "failed"

    def _record(self, work: Work) -> RequestRecord:
        return self.desk.journal.state.records.get(work.status.request.id) or RequestRecord()
