"""Whole runs of the real program on a recorded disk: one job, a scripted gateway, and marks for what was promised.

Marks in the log, `request` and `attempt` in each: `pay` when a request leaves; `free` when its answer says that it
costs nothing; `deliver` (with the hash) when a whole image was handed over; `saved` (hash) and `failure` (billed) when
the run says so. And: `begin` and `bug` when a run begins and when it breaks; `known` when some time has passed since
the disk failed; `spoil` and `foreign` (hash) when somebody
destroyed a picture and when somebody brought one; `decide` (what, requests) when somebody closes doubts.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fakes.virtual import VirtualClock, VirtualLoop

from batchgen.errors import BatchgenError
from batchgen.files import Folder
from batchgen.ledger.journal import read_state
from batchgen.run.adopt import adopt
from batchgen.run.decide import Closing, can_close, record, resolve
from batchgen.run.desk import Desk, open_desk, take_stock
from batchgen.run.events import NullObserver
from batchgen.run.host import Host
from batchgen.run.job import Job, Options, open_job
from batchgen.run.redo import redos, sort_out
from batchgen.run.runner import Run, Surroundings
from batchgen.run.survey import Survey

from .folder import KilledError, Recorder
from .gateway import OUTCOMES, Gateway

JOB = "bench"
LEDGER = f"{JOB}/ledger.jsonl"
START = datetime(2100, 1, 1, tzinfo=UTC)  # files look older than their records, as they do in real life


class DirectLoop(VirtualLoop):
    """Virtual time without threads: what would run in one runs a moment later by itself, in an order by seed."""

    def __init__(self, rng: random.Random, tick: Callable[[], None]) -> None:
        self._tick = tick
        super().__init__()
        self._rng = rng
        self.set_exception_handler(lambda _loop, _context: None)

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, now: float) -> None:
        self._now = now
        self._tick()

    def run_in_executor(self, _executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = self.create_future()

        def act() -> None:
            if future.cancelled():
                return
            try:
                result = func(*args)
            except BaseException as problem:  # noqa: BLE001  as a thread would hand it over
                future.set_exception(problem)
            else:
                future.set_result(result)

        self.call_later(self._rng.choice((0.0, 0.0, 0.001, 0.01, 0.1)), act)
        return future


@dataclass(kw_only=True)
class Manifest:
    """What the user wrote. Prompts by id, text by id; every one of them in every locale."""

    prompts: dict[str, str] = field(default_factory=lambda: {f"p{number}": f"picture {number}" for number in range(3)})
    locales: tuple[str, ...] = ("de", "fr")
    policy: str = "resend"
    at_once: int = 3

    def text(self) -> str:
        prompts = "\n".join(
            f"  - {{ id: {key}, text: '{text} in ${{{{ locale }}}}' }}" for key, text in self.prompts.items()
        )
        return (
            f"version: 1\nname: {JOB}\n"
            "provider: { use: openai, base_url: 'http://127.0.0.1:9/v1', auth: none }\n"
            "request: { model: gpt-image-2, size: 1024x1024, quality: low }\n"
            f"retry: {{ in_doubt: {self.policy} }}\nlimits: {{ concurrency: {self.at_once} }}\n"
            f"matrix: {{ locale: [{', '.join(self.locales)}] }}\nprompts:\n{prompts}\n"
        )


class _Witness(NullObserver):
    """Marks what the run tells the world."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def image(self, event: Any) -> None:
        self._recorder.mark("saved", event.id, event.attempts, event.sha256)

    def failure(self, event: Any) -> None:
        self._recorder.mark("failure", event.id, event.attempt, event.billed)


@dataclass(kw_only=True)
class Site:
    """One job on one machine. `boot` changes when the machine comes up again; runs are numbered over all machines."""

    recorder: Recorder
    rng: random.Random
    manifest: Manifest
    boot: int = 1
    runs: int = 0

    @property
    def folder(self) -> Path:
        return self.recorder.base / JOB

    def job(self, **options: Any) -> Job:
        """The job as the manifest has it now."""
        path = self.recorder.base.parent / "job.yaml"
        path.write_text(self.manifest.text())
        return open_job(Options(path=path, environ={}, output=self.recorder.base, **options), now=START)

    def run(self, *, outcomes: tuple[str, ...] = OUTCOMES, abort_after: float | None = None, **options: Any) -> Any:
        """One run; returns its summary, or the error that ended it."""
        self.runs += 1
        clock = VirtualClock(START)
        gateway = Gateway(self.recorder, self.rng, outcomes)

        async def main() -> Any:
            run = Run(
                self.job(**options),
                Surroundings(
                    observer=_Witness(self.recorder),
                    clock=clock,
                    rng=self.rng,
                    host=Host(name="here", boot=f"boot-{self.boot}", pid=1, run=f"run-{self.runs}"),
                    connect=lambda _: gateway,
                    embed=_no_embedding,
                    open_folder=self.recorder.folder().make,
                ),
            )
            if abort_after is not None:
                for number in (1, 2):
                    asyncio.get_running_loop().call_later(abort_after * number, run.interrupt, 130)
            return await run.go()

        self.recorder.mark("begin", self.runs)
        try:
            summary = run_direct(main, self.rng, self.recorder.time_passes)
        except (Exception, KilledError, BaseExceptionGroup) as problem:  # noqa: BLE001  judged like any other end
            summary = problem
            if not isinstance(problem, BatchgenError):
                self.recorder.mark("bug", repr(problem))
        else:
            if summary.exit_code in {0, 3}:
                self._acknowledge()
        self.recorder.fault, self.recorder.is_dead = None, False
        return summary

    def decide(self) -> None:
        """Somebody closes doubts, rejects images, and vouches for what was retouched."""
        job = self.job()

        async def main() -> None:
            with self.recorder.folder().make(self.folder) as folder:
                async with open_desk(folder, clock=VirtualClock(START)) as desk:
                    found = await take_stock(job, desk, boot=f"boot-{self.boot}")
                    await self._close_doubts(desk, found)
                    made = sort_out(status for status in found.standing.slots if self.rng.random() < 0.3).again
                    await record(desk, redos(found.state, made, prompt_suffix="again", sets={}, by="somebody"))
                    altered = [status for status in found.standing.slots if status.state == "altered"]
                    await adopt(desk, found, altered, by="somebody")

        with contextlib.suppress(BatchgenError, KilledError):
            run_direct(main, self.rng, self.recorder.time_passes)
        self.recorder.fault, self.recorder.is_dead = None, False

    async def _close_doubts(self, desk: Desk, found: Survey) -> None:
        doubts = [status for status in found.standing.slots if can_close(found, status)]
        what: Closing = self.rng.choice(("not_billed", "resend", "give_up"))
        self.recorder.mark("decide", what, [status.request.id for status in doubts])
        if doubts:
            await resolve(desk, found, doubts, what, by="somebody")

    def images(self) -> Iterator[str]:
        """The published pictures, relative to the base."""
        for path in sorted(self.folder.glob("images/**/*.*")):
            inside = path.relative_to(self.folder).as_posix()
            if "/." not in inside and path.suffix != ".part":
                yield f"{JOB}/{inside}"

    def _acknowledge(self) -> None:
        """A run that ended well has told its user what is there."""
        with contextlib.suppress(BatchgenError, OSError), Folder(self.folder) as folder:
            state, _ = read_state(folder)
            for request, record in state.records.items():
                if record.saved is not None and (folder.path / record.saved.path).exists():
                    self.recorder.mark("saved", request, record.saved.attempt, record.saved.sha256)


def run_direct(main: Callable[[], Any], rng: random.Random, tick: Callable[[], None] = lambda: None) -> Any:
    """Run a coroutine function in virtual time, on one thread; `tick` is called whenever time goes on."""
    with asyncio.Runner(loop_factory=lambda: DirectLoop(rng, tick)) as runner:
        return runner.run(main())


def _no_embedding(provider: Any) -> Any:
    raise AssertionError(provider.name)
