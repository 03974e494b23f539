"""Forks children and kills them, each by its own descriptor: never a process that somebody else started."""

import os
import random
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .child import guarded

LONGEST_SECONDS = 0.060
PATIENCE_SECONDS = 60.0

Action = Callable[[int], int]
"""What a child does, given the descriptor to write to when its plan is made; returns its exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a child ended: its exit code, or None when a signal took it. `hung`: it had to be killed for that."""

    code: int | None
    hung: bool = False
    seconds: float = 0.0


class Child:
    """One forked child; its standard error goes to `log`."""

    def __init__(self, action: Action, log: Path) -> None:
        heard, planned = os.pipe()
        self._began = time.monotonic()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(heard)
            _become(action, planned, log)
        os.close(planned)
        self._planned = heard
        self._life = os.pidfd_open(self._pid)

    def wait(self, seconds: float) -> bool:
        """Wait for its end, at most so long; whether it has ended."""
        return bool(select.select([self._life], [], [], max(seconds, 0.0))[0])

    def wait_for_plan(self) -> None:
        """Wait until its plan is made or it has ended."""
        select.select([self._life, self._planned], [], [], PATIENCE_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; one that is gone already hears nothing."""
        signal.pidfd_send_signal(self._life, number)

    def kill_after(self, seconds: float) -> Ended:
        """SIGKILL after so long, unless it ends before."""
        if not self.wait(seconds):
            self.send(signal.SIGKILL)
        return self.reap()

    def reap(self, *, seconds: float = PATIENCE_SECONDS) -> Ended:
        """Wait for its end; kill it after `seconds`."""
        hung = not self.wait(seconds)
        if hung:
            self.send(signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        os.close(self._life)
        os.close(self._planned)
        code = os.waitstatus_to_exitcode(status)
        return Ended(code=None if code < 0 else code, hung=hung, seconds=time.monotonic() - self._began)


def _become(action: Action, planned: int, log: Path) -> None:
    """The child's whole life; never returns, so that nothing of the parent's runs twice."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(target, 2)
    code = guarded(lambda: action(planned))
    os._exit(code)


def let(action: Action, log: Path) -> Ended:
    """A child that is left in peace."""
    return Child(action, log).reap()


def kill_after_start(action: Action, log: Path, seconds: float) -> Ended:
    """SIGKILL so long after the fork: planning, recovery, the first requests."""
    return Child(action, log).kill_after(seconds)


def kill_in_flight(action: Action, log: Path, seconds: float) -> Ended:
    """SIGKILL so long after the plan was made: requests, answers, records, renames."""
    child = Child(action, log)
    child.wait_for_plan()
    return child.kill_after(seconds)


def stop_then_kill(action: Action, log: Path, rng: random.Random) -> Ended:
    """SIGTERM in flight and SIGKILL while it drains."""
    child = Child(action, log)
    child.wait_for_plan()
    child.wait(rng.uniform(0, LONGEST_SECONDS))
    child.send(signal.SIGTERM)
    return child.kill_after(rng.uniform(0, 0.02))


def stop(action: Action, log: Path, rng: random.Random, *, times: int) -> Ended:
    """SIGTERM in flight, once (it drains) or twice (it aborts), and all the time it wants."""
    child = Child(action, log)
    child.wait_for_plan()
    child.wait(rng.uniform(0, LONGEST_SECONDS))
    for _ in range(times):
        child.send(signal.SIGTERM)
        child.wait(rng.uniform(0, 0.005))
    return child.reap()
