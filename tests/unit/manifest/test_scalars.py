"""What unquoted text means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.manifest.scalars import resolve_scalar


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "yes",
        "on",
        "off",
        "y",
        "9:16",
        "12:30:00",
        "0123",
        "-01",
        "2026-11-20",
        "1_000",
        "1.2.3",
        "tRue",
        "+",
        "e3",
    ],
)
def test_what_only_yaml_1_1_converts_stays_text(text):
    """Country codes, ratios, article numbers, dates and times keep their characters."""
    assert resolve_scalar(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("0o17", 15),
        ("0xFF", 255),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("3.", 3.0),
        ("true", True),
        ("FALSE", False),
    ],
)
def test_numbers_and_booleans_of_yaml_1_2(text, value):
    """The core schema's numbers and booleans have their values and types."""
    resolved = resolve_scalar(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_nulls_of_yaml_1_2(text):
    """Every spelling of null is None."""
    assert resolve_scalar(text) is None


@pytest.mark.parametrize("text", [".inf", "-.INF", ".NaN", "1e999", "-1e999"])
def test_a_number_that_is_not_finite_is_refused(text):
    """JSON has no infinity, so neither has a manifest."""
    with pytest.raises(ValueError, match=r"e999|\.(?i:inf|nan)"):
        resolve_scalar(text)


def test_a_number_of_thousands_of_digits_stays_text():
    """A long row of digits costs no quadratic conversion and no error."""
    assert resolve_scalar("9" * 5000) == "9" * 5000


@given(st.integers(min_value=-(10**18), max_value=10**18))
def test_every_integer_reads_back(number):
    """Any integer written in decimal is that integer."""
    assert resolve_scalar(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_reads_back(number):
    """Any finite float as Python writes it is that float."""
    assert resolve_scalar(repr(number)) == number
