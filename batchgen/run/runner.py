"""A run from lock to summary: plan, recover, move, send with a pool of workers, stop in two stages."""

import asyncio
import contextlib
import functools
import json
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from batchgen import __version__
from batchgen.clock import Clock
from batchgen.errors import StorageError
from batchgen.files import Folder
from batchgen.ledger.entry import Decision, RunFinished, RunStarted
from batchgen.ledger.state import State
from batchgen.plan.expand import Plan
from batchgen.provider.catalog import Provider
from batchgen.run.attempt import Transport
from batchgen.run.because import asked_of
from batchgen.run.brake import Brake
from batchgen.run.consent import check_consent, check_space
from batchgen.run.crew import Crew
from batchgen.run.desk import Desk, open_desk, take_stock, usable
from batchgen.run.events import Observer, SummaryEvent
from batchgen.run.host import Host
from batchgen.run.job import Job
from batchgen.run.landing import Landing
from batchgen.run.lane import Lane, Route
from batchgen.run.limits import Budget, Gate, Pace, RetryAllowance
from batchgen.run.money import Money
from batchgen.run.outage import Outage
from batchgen.run.settle import Settler
from batchgen.run.stop import Stop
from batchgen.run.summary import summarise
from batchgen.run.survey import Survey, make_plan, survey
from batchgen.run.tally import Tally

__all__ = ["Connect", "Embed", "Run", "Surroundings"]

Connect = Callable[[Provider], AbstractAsyncContextManager[Transport]]
"""Finds the key of a provider (ProviderError when there is none) and returns its HTTP session, not yet open."""
Embed = Callable[[Provider], AbstractAsyncContextManager[str]]
"""Starts an embedded provider for as long as the context lasts, and yields its base url."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run takes from outside.

    `open_folder` makes and opens the job folder; `confirm` sees the survey before anything is sent and may raise to
    call it off.
    """

    observer: Observer
    clock: Clock
    rng: random.Random
    host: Host
    connect: Connect
    embed: Embed
    open_folder: Callable[[Path], Folder] = Folder.make
    confirm: Callable[[Survey], None] = lambda _: None
    wait_lock_seconds: float = 0.0


class Run:
    """One run of one job: `await go()` once. `interrupt` may be called from a signal handler at any time."""

    def __init__(self, job: Job, surroundings: Surroundings) -> None:
        self.job = job
        self._around = surroundings
        self._stop = Stop()
        notify = surroundings.observer.pause
        self._crew = Crew(self._stop, Landing(notify))
        self._brake = Brake(stop=self._stop, crew=self._crew, limits=job.limits, notify=notify)
        self._began = surroundings.clock.monotonic()

    async def go(self) -> SummaryEvent:
        """Carry out the run and return its summary. Raises every BatchgenError that ends it before anything is sent."""
        plan = await self._plan_before_writing()
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(self._around.open_folder(self.job.folder))
            desk = await stack.enter_async_context(
                open_desk(
                    folder,
                    clock=self._around.clock,
                    wait_lock_seconds=self._around.wait_lock_seconds,
                    is_cancelled=lambda: self._stop.is_set,
                )
            )
            found = await take_stock(self.job, desk, boot=self._around.host.boot, plan=plan)
            self._around.observer.plan(found.event)
            summary = await self._carry_out(found, desk)
        self._around.observer.summary(summary)
        if self._crew.bug is not None:
            raise self._crew.bug
        return summary

    def interrupt(self, exit_code: int) -> None:
        """First call: start nothing new, let what is in flight arrive. Second call: abort; those become in doubt."""
        self._brake.interrupt(exit_code)

    async def _plan_before_writing(self) -> Plan | None:
        """With no job folder yet, everything that can be wrong is found before one is made."""
        if self.job.folder.exists():
            return None
        plan = await asyncio.to_thread(make_plan, self.job, State())
        found = survey(self.job, plan, State(), None, {})
        check_consent(found, self._around.host)
        if found.to_send:
            self._check_keys()
        return plan

    def _check_keys(self) -> None:
        for provider in self.job.providers:
            if not provider.embedded:
                self._around.connect(provider)

    async def _carry_out(self, found: Survey, desk: Desk) -> SummaryEvent:
        tally = Tally(
            observer=self._around.observer,
            clock=self._around.clock,
            total=len(found.to_send),
            limit=self.job.limits.failures,
            fail_fast=self.job.options.fail_fast,
            began=self._around.clock.monotonic(),
        )
        if not found.to_send or self._stop.is_set:
            return self._summarise(found, tally, None)
        check_consent(found, self._around.host)
        with usable(desk.folder):
            await asyncio.to_thread(check_space, desk.folder, found.to_send)
        self._around.confirm(found)
        async with AsyncExitStack() as stack:
            providers = [await self._embedded(stack, provider) for provider in self.job.providers]
            transports = [await stack.enter_async_context(self._around.connect(provider)) for provider in providers]
            run_index = await self._record_start(found, desk)
            settler = self._settler(found, desk, tally, run_index, list(zip(providers, transports, strict=True)))
            with self._brake.on_time(self._left_seconds()):
                await self._crew.work(found.to_send, settler, at_once=self.job.limits.concurrency)
        summary = self._summarise(found, tally, run_index)
        await self._record_end(desk, summary)
        return summary

    async def _embedded(self, stack: AsyncExitStack, provider: Provider) -> Provider:
        if not provider.embedded:
            return provider
        return replace(provider, base_url=await stack.enter_async_context(self._around.embed(provider)))

    async def _record_start(self, found: Survey, desk: Desk) -> int:
        limits = self.job.limits
        await desk.journal.append(
            RunStarted(
                run=self._around.host.run,
                version=__version__,
                host=self._around.host.name,
                boot=self._around.host.boot,
                pid=self._around.host.pid,
                manifest=self.job.manifest.sha256,
                plan=len(found.plan.requests),
                provider=[provider.name for provider in self.job.providers],
                profile=self.job.options.profile,
                policy=self.job.policy.in_doubt,
                resends=self.job.policy.resends,
                budget_usd=limits.budget_usd,
                budget_per=limits.budget_per,
            )
        )
        altered = [status.request.id for status in found.to_send if status.state == "altered"]
        if altered:
            await desk.journal.append(Decision(what="remake", requests=altered, by="--remake-altered"))
        return len(desk.journal.state.runs) - 1

    def _settler(
        self,
        found: Survey,
        desk: Desk,
        tally: Tally,
        run_index: int,
        providers: list[tuple[Provider, Transport]],
    ) -> Settler:
        limits, policy, clock = self.job.limits, self.job.policy, self._around.clock
        lanes = [self._lane(provider, transport) for provider, transport in providers]
        money = Money(
            budget_per=limits.budget_per,
            run=self._around.host.run,
            run_index=run_index,
            state=desk.journal.state,
            now=clock.now,
        )
        return Settler(
            desk=desk,
            route=Route(lanes, policy=policy, stop=self._stop, notify=self._around.observer.pause),
            budget=Budget(limits.budget_usd, committed=money.committed_usd, stop=self._stop),
            money=money,
            allowance=RetryAllowance(len(found.to_send), spacing_seconds=policy.max_wait_seconds, clock=clock),
            policy=policy,
            stop=self._stop,
            tally=tally,
            clock=clock,
            rng=self._around.rng,
            asked=functools.partial(asked_of, found.plan),
            landing=self._crew.landing,
            request_timeout_seconds=limits.request_timeout_seconds,
        )

    def _lane(self, provider: Provider, transport: Transport) -> Lane:
        clock, limits = self._around.clock, self.job.limits
        rates = [rate for rate in (limits.rpm, provider.rpm) if rate]
        return Lane(
            provider=provider,
            transport=transport,
            gate=Gate(at_once=limits.concurrency, clock=clock),
            pace=Pace(min(rates, default=None), clock),
            input_pace=Pace(provider.rpm, clock),
            outage=Outage(spacing_seconds=self.job.policy.max_wait_seconds, clock=clock),
            clock=clock,
        )

    def _summarise(self, found: Survey, tally: Tally, run_index: int | None) -> SummaryEvent:
        seconds = self._around.clock.monotonic() - self._began
        return summarise(found, tally, self._stop, run_index=run_index, seconds=seconds)

    def _left_seconds(self) -> float | None:
        seconds = self.job.limits.stop_after_seconds
        return None if seconds is None else seconds - (self._around.clock.monotonic() - self._began)

    async def _record_end(self, desk: Desk, summary: SummaryEvent) -> None:
        """The end of the run, and its report. A broken disk must not hide the summary."""
        counts = {name: getattr(summary, name) for name in ("saved", "skipped", "failed", "in_doubt", "not_started")}
        with contextlib.suppress(StorageError, OSError):
            # An orderly end says that every name is durable: the next run does not look.
            await desk.publisher.sync_folders()
            await desk.journal.append(
                RunFinished(
                    run=self._around.host.run,
                    counts=counts,
                    spent_usd=summary.cost_usd,
                    in_doubt_usd=summary.maybe_billed_usd,
                    exit_code=summary.exit_code,
                )
            )
            report = json.dumps(asdict(summary), indent=2).encode()
            await asyncio.to_thread(desk.folder.write_whole, "report.json", report + b"\n")
