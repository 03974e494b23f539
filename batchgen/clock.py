"""Time as a dependency: what the program asks of a clock, and the system's."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "timestamp"]


class Clock(Protocol):
    """What batchgen needs to know of time: `monotonic` for deadlines and waits, `now` for people and buckets."""

    def now(self) -> datetime:
        """The wall clock, in UTC. May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump back and go on counting while the machine sleeps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait at least `seconds`."""
        ...


class SystemClock:
    """The machine's clock. Counts suspended time where the system can (a request does not outlive a laptop's lid)."""

    _source = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since boot, suspension included where the system counts it."""
        return time.clock_gettime(self._source)

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-01-01T00:00:00.123Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
