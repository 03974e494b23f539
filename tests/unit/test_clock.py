"""The clock: what it promises, and the one spelling of a moment."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from batchgen.clock import SystemClock, timestamp


def test_now_is_in_utc():
    """The wall clock knows its zone, and it is UTC."""
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_monotonic_never_goes_back():
    """Of many readings none is earlier than the one before."""
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(1000)]
    assert readings == sorted(readings)


def test_sleep_lasts_at_least_as_long_as_asked():
    """A sleep is never short."""
    clock = SystemClock()
    before = clock.monotonic()
    asyncio.run(clock.sleep(0.02))
    assert clock.monotonic() - before >= 0.02


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00.000Z"),
        (datetime(2026, 1, 1, 0, 0, 0, 123999, tzinfo=UTC), "2026-01-01T00:00:00.123Z"),
        (datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))), "2025-12-31T23:30:00.000Z"),
    ],
)
def test_timestamp_is_utc_with_milliseconds(moment, text):
    """Moments are written in UTC, cut (not rounded) to milliseconds."""
    assert timestamp(moment) == text


def test_timestamps_are_read_back_by_the_standard_library():
    """What is written can be compared with file times again."""
    moment = datetime(2026, 11, 20, 9, 8, 7, 6000, tzinfo=UTC)
    assert datetime.fromisoformat(timestamp(moment)) == moment
