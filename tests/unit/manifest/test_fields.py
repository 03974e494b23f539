"""Durations, shares, names and numbers that come as text."""

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from batchgen.manifest.fields import AxisValue, Limit, VarName, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("600s", 600),
        ("10m", 600),
        ("3h", 10_800),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2d", 172_800),
        ("90", 90),
        ("0.5", 0.5),
    ],
)
def test_durations_are_seconds(text, seconds):
    """Units add up; a bare number is seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10 m", "m", "30m1h", "1h 30m", "-5s", "ten", "1w", "true", "10ms", ".inf"])
def test_what_is_no_duration_is_refused(text):
    """Unknown units, wrong order and words are errors, never zero."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_duration(text)


@pytest.mark.parametrize("value", [0, 20, "20%", "0%", "12.5%", "100%"])
def test_a_limit_is_a_count_or_a_share(value):
    """Counts and percentages pass unchanged."""
    assert TypeAdapter(Limit).validate_python(value) == value


def test_a_limit_spelled_as_text_is_a_count():
    """The environment gives text."""
    assert TypeAdapter(Limit).validate_python("20") == 20


@pytest.mark.parametrize("value", [-1, 1.5, True, "101%", "x%", "%", "-5%", [1]])
def test_what_is_no_limit_is_refused(value):
    """Negative counts, fractions and shares above the whole are errors."""
    with pytest.raises(ValidationError):
        TypeAdapter(Limit).validate_python(value)


@pytest.mark.parametrize("name", ["job", "take", "prompt", "row", "period", "vars", "in", "true", "a b", "9a", "ä", ""])
def test_a_variable_needs_a_free_name(name):
    """Names that templates own, keywords and odd characters are refused."""
    with pytest.raises(ValidationError):
        TypeAdapter(VarName).validate_python(name)


@pytest.mark.parametrize("value", ["square", 1.1, 7, True, {"id": "wide", "size": "1792x1024"}, {"id": 2}])
def test_an_axis_value_is_a_scalar_or_has_an_id(value):
    """Both spellings of an axis value pass unchanged."""
    assert TypeAdapter(AxisValue).validate_python(value) == value


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, {"size": 1}, {"id": ""}, {"id": None}, {"id": ["a"]}])
def test_an_axis_value_without_a_name_is_refused(value):
    """What cannot become a part of a slot is an error."""
    with pytest.raises(ValidationError):
        TypeAdapter(AxisValue).validate_python(value)
