from datetime import UTC, datetime

import pytest

from batchgen.provider.pace import LONGEST_WAIT_SECONDS, retry_after

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({}, "", None),
        ({"retry-after": "7"}, "", 7),
        ({"retry-after": "0.5"}, "", 0.5),
        ({"retry-after": " 7 "}, "", 7),
        ({"retry-after": "-5"}, "", 0),
        ({"retry-after": "NaN"}, "", None),
        ({"retry-after": "inf"}, "", LONGEST_WAIT_SECONDS),
        ({"retry-after": "1000000000"}, "", LONGEST_WAIT_SECONDS),
        ({"retry-after": "soon"}, "", None),
        ({"retry-after": "\u0663"}, "", 3),
        ({"retry-after": "Fri, 20 Nov 2026 08:00:30 GMT"}, "", 30),
        ({"retry-after": "Fri, 20 Nov 2026 07:00:00 GMT"}, "", 0),
        ({"retry-after": "Fri, 20 Nov 2026 08:00:30 GMT", "date": "Fri, 20 Nov 2026 08:00:10 GMT"}, "", 20),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT", "date": "Thu, 01 Jan 1970 00:00:00 GMT"}, "", 60),
        ({"retry-after": "Fri, 20 Nov 2026 08:00:30 GMT", "date": "nonsense"}, "", 30),
        ({"retry-after": "Fri, 99 Nov 2026 08:00:30 GMT"}, "", None),
        ({"retry-after-ms": "1500"}, "", 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, "", 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, "", 9),
        ({}, "Please try again in 12s.", 12),
        ({}, "Please try again in 467ms.", 0.467),
        ({}, "Please try again in 1.5 seconds", 1.5),
        ({}, "try again in 2 minutes", 120),
        ({}, "Retry after 3 s", 3),
        ({}, "please wait for 90 seconds", 90),
        ({}, "try again in a while, 3 of 5 used", None),
        ({"retry-after": "7"}, "try again in 12s", 7),
        ({"x-ratelimit-reset-requests": "6m0s"}, "", 360),
        ({"x-ratelimit-reset-requests": "1s"}, "", 1),
        ({"x-ratelimit-reset-images": "1h2m3.5s"}, "", 3723.5),
        ({"x-ratelimit-reset-images": "88ms"}, "", 0.088),
        ({"x-ratelimit-reset-images": "30"}, "", 30),
        ({"x-ratelimit-reset": "1795161630"}, "", 30),
        ({"x-ratelimit-reset-images": "later"}, "", None),
        ({"x-ratelimit-reset-images": "9s", "x-ratelimit-remaining-images": "3"}, "", None),
        (
            {"x-ratelimit-reset-images": "9s", "x-ratelimit-remaining-images": "0", "x-ratelimit-reset-tokens": "2s"},
            "",
            9,
        ),
    ],
)
def test_wait_is_read(headers, message, seconds):
    """Every way of asking for a wait gives sane seconds, and nonsense gives none."""
    assert retry_after(headers, message, now=NOW) == pytest.approx(seconds)


def test_hostile_span_is_cheap():
    """A header of digits without end is looked at once."""
    assert retry_after({"x-ratelimit-reset": "1" * 60_000}, "try again in " + "9" * 60_000, now=NOW) is not None
