from datetime import UTC, datetime

import pytest

from batchgen.cli.durations import seconds_of, seconds_until

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("0", 0), ("1.5", 1.5)]
)
def test_durations_read_as_in_a_manifest(text, seconds):
    """The command line takes the spellings that `limits` take."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "nan", "inf", "1h 30m later", "10 minutes"])
def test_other_texts_are_no_duration(text):
    """Nothing is guessed."""
    assert seconds_of(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("13:30", 5400),
        ("06:30", 18.5 * 3600),
        ("12:00", 24 * 3600),
        ("2026-11-20T13:00", 3600),
        ("2026-11-20T13:00+01:00", None),
        ("3h", 10_800),
        ("2026-11-19T13:00", None),
        ("25:00", None),
        ("0", None),
        ("later", None),
    ],
)
def test_a_deadline_is_a_time_to_come(text, seconds):
    """A time of day means its next occurrence; what is past or unreadable is refused."""
    assert seconds_until(text, NOON) == seconds
