"""The gates before a request: how many at once, how many per minute, pauses after a 429, and the budget."""

from collections.abc import Callable
from dataclasses import dataclass

from batchgen.clock import Clock
from batchgen.run.stop import Stop, StoppedError
from batchgen.run.turnstile import Turnstile

__all__ = ["Budget", "Gate", "Pace", "RetryAllowance"]

_SUCCESSES_TO_GROW = 5


class Pace:
    """Evenly spaced starts: `per_minute` units, no burst. A unit is an image, or one input image of an edit."""

    def __init__(self, per_minute: float | None, clock: Clock) -> None:
        self._spacing_seconds = 60.0 / per_minute if per_minute else 0.0
        self._clock = clock
        self._next = 0.0

    def delay_seconds(self, units: int = 1) -> float:
        """Claim the next start and say how long it is away. Claims are in order, so nobody overtakes."""
        if not self._spacing_seconds or not units:
            return 0.0
        now = self._clock.monotonic()
        start = max(now, self._next)
        self._next = start + units * self._spacing_seconds
        return start - now


class Gate:
    """One provider's door. A 429 pauses everyone, halves how many go through at once, and successes win it back."""

    def __init__(self, *, at_once: int, clock: Clock) -> None:
        self.at_once = at_once
        self.paused_until = 0.0
        self._most = at_once
        self._inside = 0
        self._successes = 0
        self._clock = clock
        self._queue = Turnstile()

    @property
    def inside(self) -> int:
        """How many are through."""
        return self._inside

    def pause_left_seconds(self) -> float:
        """Seconds until the pause ends; 0 when there is none."""
        return max(0.0, self.paused_until - self._clock.monotonic())

    async def enter(self) -> None:
        """Wait for a place, then for the end of a pause. `leave` must follow."""
        waited = False
        while self._inside >= self.at_once or (self._queue and not waited):
            await self._queue.wait(first=waited)
            waited = True
        self._inside += 1
        try:
            while (left := self.pause_left_seconds()) > 0:
                await self._clock.sleep(left)
        except BaseException:
            self.leave()
            raise
        if self._inside < self.at_once:
            self._queue.wake()

    def leave(self) -> None:
        """Give the place back."""
        self._inside -= 1
        if self._inside < self.at_once:
            self._queue.wake()

    def throttled(self, seconds: float) -> bool:
        """Pause for `seconds`; True when this began a new pause, which halves how many go at once.

        A hundred 429s of one burst are one pause and one halving.
        """
        is_new = self.pause_left_seconds() <= 0
        if is_new:
            self.at_once = max(1, self.at_once // 2)
            self._successes = 0
        self.paused_until = max(self.paused_until, self._clock.monotonic() + seconds)
        return is_new

    def succeeded(self) -> None:
        """Five successes give back half of what is left to win."""
        if self.at_once >= self._most:
            return
        self._successes += 1
        if self._successes >= _SUCCESSES_TO_GROW:
            self._successes = 0
            self.at_once = min(self._most, self.at_once + max(1, self.at_once // 2))
            self._queue.wake()


@dataclass(slots=True)
class _Open:
    pending_usd: float = 0.0
    count: int = 0


class Budget:
    """Reserve before sending: reserved + spent + in doubt never exceeds the limit of the window.

    `committed` is what the ledger's state counts in the current window. A reservation is *pending* until its
    `attempt_started` is durable, from then on the state counts it.
    """

    def __init__(self, limit_usd: float | None, *, committed: Callable[[], float], stop: Stop) -> None:
        self.limit_usd = limit_usd
        self._committed = committed
        self._stop = stop
        self._open = _Open()
        self._queue = Turnstile()

    async def reserve(self, usd: float) -> None:
        """Wait until `usd` fits. When nothing in flight can make room, stop the run and raise StoppedError."""
        waited = False
        while not self._fits(usd):
            if self._open.count == 0:
                self._stop.set(f"the budget of ${self.limit_usd:.2f} is used up; raise it with --budget", 5)
                raise StoppedError
            await self._queue.wait(first=waited)
            waited = True
        self._open.pending_usd += usd
        self._open.count += 1
        if waited:
            self._queue.wake()

    def recorded(self, usd: float) -> None:
        """The reservation is in the ledger now."""
        self._open.pending_usd -= usd

    def settled(self) -> None:
        """An attempt ended; what it did not use is free again."""
        self._open.count -= 1
        self._queue.wake()

    def _fits(self, usd: float) -> bool:
        if self.limit_usd is None:
            return True
        # Half a microdollar of slack: sums of floats must not refuse what fits exactly.
        return self._committed() + self._open.pending_usd + usd <= self.limit_usd + 5e-7


class RetryAllowance:
    """Free retries: 10 and a tenth of the requests, so that a broken hour makes neither a storm nor a bill.

    Beyond that they go one at a time, one per `spacing_seconds`.
    """

    def __init__(self, requests: int, *, spacing_seconds: float, clock: Clock) -> None:
        self._left = 10 + requests // 10
        self._spacing_seconds = spacing_seconds
        self._clock = clock
        self._next = 0.0

    def delay_seconds(self) -> float:
        """Claim one retry and say how long it has to wait for its turn."""
        if self._left > 0:
            self._left -= 1
            return 0.0
        now = self._clock.monotonic()
        start = max(now, self._next)
        self._next = start + self._spacing_seconds
        return start - now
