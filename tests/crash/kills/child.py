"""What a forked child does: one whole run of a job over real HTTP and real files, as the command line would start it.

Its exit code is that of the command; a bug is 70. When the plan is made and nothing is sent yet, it says so through a
pipe, so that a kill can be timed from there.
"""

import asyncio
import os
import random
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from batchgen.cli.boundary import TerminatedError
from batchgen.cli.signals import at_once, in_stages
from batchgen.clock import SystemClock
from batchgen.errors import BatchgenError
from batchgen.provider.catalog import Provider
from batchgen.provider.session import Session
from batchgen.run.decide import can_close, deciding, record, resolve
from batchgen.run.events import NullObserver
from batchgen.run.host import Host
from batchgen.run.job import Job, Options, open_job
from batchgen.run.redo import redos, sort_out
from batchgen.run.runner import Run, Surroundings

BUG = 70
HASTE = 200.0


class HastyClock(SystemClock):
    """Waits a fraction of what is asked for: back-off in milliseconds."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / HASTE)


class _Herald(NullObserver):
    def __init__(self, planned: int) -> None:
        self._planned = planned

    def plan(self, event: Any) -> None:
        del event
        os.write(self._planned, b"p")


def opened(manifest: Path) -> Job:
    """The job of a manifest, below the folder `out` beside it."""
    return open_job(Options(path=manifest, environ={}, output=manifest.parent / "out"), now=SystemClock().now())


def run_job(job: Job, planned: int) -> int:
    """Run it to its end and return the exit code; `planned` is written to when nothing is sent yet."""
    with at_once():
        return asyncio.run(_carry_out(job, planned))


async def _carry_out(job: Job, planned: int) -> int:
    running = Run(
        job,
        Surroundings(
            observer=_Herald(planned),
            clock=HastyClock(),
            rng=random.Random(),  # noqa: S311  spreads retries
            host=Host.current(),
            connect=_connect,
            embed=_no_embedding,
            confirm=lambda _: in_stages(running.interrupt),
        ),
    )
    return (await running.go()).exit_code


def _connect(provider: Provider) -> Session:
    return Session(provider, key=None)


def _no_embedding(provider: Provider) -> AbstractAsyncContextManager[str]:
    raise AssertionError(provider.name)


def decide(job: Job, what: str, ids: list[str], planned: int) -> int:
    """Decide as `batchgen resolve` and `batchgen redo` do: under the lock, after recovery."""
    os.write(planned, b"p")
    return asyncio.run(_decide(job, what, set(ids)))


async def _decide(job: Job, what: Any, ids: set[str]) -> int:
    async with deciding(job, clock=SystemClock(), host=Host.current()) as (desk, survey):
        chosen = [status for status in survey.selected if status.request.id in ids]
        if what == "redo":
            again = sort_out(chosen).again
            await record(desk, redos(desk.journal.state, again, prompt_suffix=None, sets={}, by=""))
        else:
            await resolve(desk, survey, [status for status in chosen if can_close(survey, status)], what, by="")
    return 0


def guarded(action: Callable[[], int]) -> int:
    """The exit code of an action; what it raised goes to standard error."""
    try:
        return action()
    except TerminatedError:
        return 143
    except BatchgenError as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        return error.exit_code
    except BaseException:  # noqa: BLE001  whatever it is, the parent must hear of it
        os.write(2, traceback.format_exc().encode())
        return BUG
