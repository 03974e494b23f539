"""Outage: three failures in a row without a success mean that the provider is down. Then one probe at a time."""

from batchgen.clock import Clock
from batchgen.provider.failure import Failure
from batchgen.run.turnstile import Turnstile

__all__ = ["Outage"]

_IN_A_ROW = 3
_KINDS = {"not_sent", "server_error"}


class Outage:
    """Whether a provider is down, and whose turn it is to find out.

    Where images have been made before, a streak of one single request says something about that request and not about
    the provider: then it fails like any other. While the provider is down, one request per `spacing_seconds` goes
    through as a probe; everybody else waits, and nobody is failed for it. `down_seconds` tells when to give up.
    """

    def __init__(self, *, spacing_seconds: float, clock: Clock) -> None:
        self.ever_answered = False
        self._spacing_seconds = spacing_seconds
        self._clock = clock
        self._in_a_row = 0
        self._who: set[str] = set()
        self._ever_made = False
        self._down_since: float | None = None
        self._next_probe = 0.0
        self._is_probing = False
        self._queue = Turnstile()

    @property
    def is_down(self) -> bool:
        """Whether only probes go through."""
        return self._down_since is not None

    def down_seconds(self) -> float:
        """How long the provider has been down."""
        return 0.0 if self._down_since is None else self._clock.monotonic() - self._down_since

    async def turn(self) -> bool:
        """Wait until the provider is up, or until it is this caller's turn to probe (True). `judge` must follow."""
        waited = False
        while self.is_down:
            if self._is_probing or (self._queue and not waited):
                await self._queue.wait(first=waited)
                waited = True
                continue
            self._is_probing = True
            try:
                await self._clock.sleep(max(0.0, self._next_probe - self._clock.monotonic()))
            except BaseException:
                self.abandon()
                raise
            return True
        self._queue.wake()
        return False

    def abandon(self) -> None:
        """A probe did not take place after all."""
        self._is_probing = False
        self._queue.wake()

    def judge(self, failure: Failure | None, *, request_id: str, is_probe: bool) -> None:
        """Take the outcome of an attempt; None is an image."""
        now = self._clock.monotonic()
        if is_probe:
            self._is_probing = False
            self._next_probe = now + self._spacing_seconds
        if failure is None or failure.status is not None:
            self.ever_answered = True
        if self.is_down and failure is not None and failure.billed == "maybe":
            # No success: a gateway whose backend is down answers 503 and 504 by turns, and each doubt costs money.
            pass
        elif failure is None or failure.kind not in _KINDS:
            self._in_a_row = 0
            self._who.clear()
            self._down_since = None
            self._ever_made = self._ever_made or failure is None
        else:
            self._in_a_row += 1
            self._who.add(request_id)
            if self._is_streak() and self._down_since is None:
                self._down_since = now
                self._next_probe = now + self._spacing_seconds
        self._queue.wake()

    def _is_streak(self) -> bool:
        return self._in_a_row >= _IN_A_ROW and (len(self._who) > 1 or not self._ever_made)
