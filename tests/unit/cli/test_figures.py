import pytest

from batchgen.cli import figures


@pytest.mark.parametrize(
    ("usd", "shown"),
    [(None, "price unknown"), (0.0, "$0.00"), (0.004, "$0.004"), (0.53, "$0.53"), (1234.5, "$1,234.50")],
)
def test_money_never_shows_an_unknown_price_as_zero(usd, shown):
    """An unknown price is said, a tiny one keeps a digit that counts."""
    assert figures.money(usd) == shown


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (None, None, "price unknown"),
        (0.42, 0.42, "$0.42"),
        (0.42, 0.51, "$0.42-0.51"),
        (14.2, 17.4, "$14-17"),
        (14.2, 14.4, "$14"),
        (0.0, 0.0, "$0.00"),
        (950.0, 1234.0, "$950-1,234"),
    ],
)
def test_price_ranges_are_as_exact_as_they_can_be(low, high, shown):
    """Cents are shown only where they mean something."""
    assert figures.money_range(low, high) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0s"), (41.2, "41s"), (59.6, "1m00s"), (351, "5m51s"), (7500, "2h05m")]
)
def test_durations_keep_two_units_at_most(seconds, shown):
    """A duration is read at a glance."""
    assert figures.duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(20, "under a minute"), (90, "2 min"), (720, "12 min"), (7500, "2 h 05 min")]
)
def test_estimates_pretend_no_seconds(seconds, shown):
    """An expected time has no more digits than it deserves."""
    assert figures.rough_duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (812, "812 B"), (2_040_692, "2.0 MB"), (3 * 10**12, "3000.0 GB")]
)
def test_sizes_use_units_of_1000(count, shown):
    """Bytes are shown as file managers show them."""
    assert figures.size(count) == shown


def test_amounts_know_the_singular():
    """One image is no `1 images`."""
    assert [figures.amount(1, "image"), figures.amount(1200, "image")] == ["1 image", "1,200 images"]
