"""Lane: one provider in use, with its doors; and the route that picks a lane for a request."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from batchgen.clock import Clock
from batchgen.provider.catalog import Provider
from batchgen.provider.failure import Failure
from batchgen.run.attempt import Transport
from batchgen.run.events import PauseEvent
from batchgen.run.limits import Gate, Pace
from batchgen.run.outage import Outage
from batchgen.run.retry import RetryPolicy, backoff_seconds
from batchgen.run.stop import Stop, StoppedError

__all__ = ["Lane", "Route"]


@dataclass(slots=True, kw_only=True)
class Lane:
    """One provider: how it speaks, who speaks to it, and its gates. `closed` says why it is no longer used."""

    provider: Provider
    transport: Transport
    gate: Gate
    pace: Pace
    input_pace: Pace
    outage: Outage
    clock: Clock
    throttled_since: float | None = None
    pauses: int = 0
    closed: str = ""

    async def enter(self, *, inputs: int) -> bool | None:
        """Wait at every gate and take a place; whether this is a probe of a provider that is down.

        None, and no place: while waiting at one gate another was shut, so all of them have to be passed again. A long
        queue for the pace must not walk through a pause or into an outage.
        """
        is_probe = await self.outage.turn()
        try:
            await self.gate.enter()
            try:
                await self._keep_pace(inputs)
            except BaseException:
                self.gate.leave()
                raise
        except BaseException:
            if is_probe:
                self.outage.abandon()
            raise
        if self.closed or self.gate.pause_left_seconds() > 0 or (self.outage.is_down and not is_probe):
            self.leave(is_unused_probe=is_probe)
            return None
        return is_probe

    def leave(self, *, is_unused_probe: bool = False) -> None:
        """Give the place back; an unused probe lets the next one try."""
        if is_unused_probe:
            self.outage.abandon()
        self.gate.leave()

    async def _keep_pace(self, inputs: int) -> None:
        delay = max(self.pace.delay_seconds(), self.input_pace.delay_seconds(inputs))
        if delay > 0:
            await self.clock.sleep(delay)


class Route:
    """The providers of a run in order of preference.

    A request goes to the first lane that can take it. It moves on only when nothing can have been bought: a request in
    doubt stays with the provider that may have made it.
    """

    def __init__(
        self, lanes: Sequence[Lane], *, policy: RetryPolicy, stop: Stop, notify: Callable[[PauseEvent], None]
    ) -> None:
        self.lanes = tuple(lanes)
        self._policy = policy
        self._stop = stop
        self._notify = notify

    @asynccontextmanager
    async def enter(self, *, in_doubt_at: str | None, inputs: int) -> AsyncIterator[tuple[Lane, bool]]:
        """Hold a place in the lane for a request; yields it and whether this is a probe. Raises StoppedError."""
        is_probe = None
        while is_probe is None:
            lane = self.pick(in_doubt_at=in_doubt_at)
            async with self._stop.waiting():
                is_probe = await lane.enter(inputs=inputs)
        is_unused_probe = False
        try:
            yield lane, is_probe
        except StoppedError:
            is_unused_probe = is_probe
            raise
        finally:
            lane.leave(is_unused_probe=is_unused_probe)

    def pick(self, *, in_doubt_at: str | None) -> Lane:
        """The lane for a request. Raises StoppedError when no lane may take it."""
        bound = next((lane for lane in self.lanes if lane.provider.name == in_doubt_at), None)
        usable = [lane for lane in ([bound] if bound is not None else self.lanes) if not lane.closed]
        if not usable:
            raise StoppedError
        return next((lane for lane in usable if self._is_ready(lane)), usable[0])

    def close(self, lane: Lane, reason: str, *, exit_code: int = 4) -> None:
        """Use a lane no more; with the last one the run stops with `exit_code`."""
        if lane.closed:
            return
        lane.closed = reason
        if all(other.closed for other in self.lanes):
            self._stop.set(f"{lane.provider.name}: {reason}", exit_code)
        else:
            self._notify(PauseEvent(message=f"{lane.provider.name} is not used any more: {reason}"))

    def judge(self, lane: Lane, failure: Failure | None, *, request_id: str, is_probe: bool) -> None:
        """Let the gates of a lane learn from an outcome; None is an image."""
        was_down = lane.outage.is_down
        lane.outage.judge(failure, request_id=request_id, is_probe=is_probe)
        if failure is None or failure.kind != "throttled":
            lane.throttled_since, lane.pauses = None, 0
        if failure is None:
            lane.gate.succeeded()
        elif failure.kind == "throttled":
            self._throttled(lane, failure)
        elif failure.kind == "stopped":
            self.close(lane, failure.message)
        self._tell_outage(lane, was_down=was_down)
        if failure is not None and lane.outage.down_seconds() >= self._policy.give_up_after_seconds:
            reason = f"down for {lane.outage.down_seconds():.0f} s: {failure.message}"
            self.close(lane, reason, exit_code=5 if lane.outage.ever_answered else 4)

    def _is_ready(self, lane: Lane) -> bool:
        return not lane.outage.is_down and lane.gate.pause_left_seconds() <= self._policy.max_wait_seconds

    def _tell_outage(self, lane: Lane, *, was_down: bool) -> None:
        if lane.outage.is_down and not was_down:
            message = f"{lane.provider.name} is down; one request at a time finds out when it is back"
            self._notify(PauseEvent(message=message, seconds=self._policy.max_wait_seconds))
        elif was_down and not lane.outage.is_down:
            self._notify(PauseEvent(message=f"{lane.provider.name} is back"))

    def _throttled(self, lane: Lane, failure: Failure) -> None:
        """Pause as long as asked, else longer each time; give up when nothing but 429s came for too long."""
        now = lane.clock.monotonic()
        if lane.throttled_since is None:
            lane.throttled_since = now
        asked = failure.retry_after_seconds
        seconds = backoff_seconds(self._policy, lane.pauses + 1, 0.0) if asked is None else asked
        throttled = now - lane.throttled_since
        if throttled + seconds > self._policy.give_up_after_seconds:
            wait = f"asks for a wait of {seconds:.0f} s" if asked is not None else f"throttled for {throttled:.0f} s"
            self.close(lane, f"{wait}; {failure.message}", exit_code=5)
            return
        if lane.gate.throttled(seconds):
            lane.pauses += 1
            message = f"{lane.provider.name} asks to slow down: pausing, then {lane.gate.at_once} at once"
            self._notify(PauseEvent(message=message, seconds=seconds))
