"""Braces without a dollar."""

import pytest

from batchgen.plan.bare import bare_reference


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a {{ colour }} mug", ("{{ colour }}", "${{ colour }}")),
        ("a {{ row.name }} mug", ("{{ row.name }}", "${{ row.name }}")),
        ("a {{name}} mug", ("{{name}}", "${{ row.name }}")),
        ("{{ colour | upper }}", ("{{ colour | upper }}", "${{ colour | upper }}")),
        ("{{ x }} {{ take }}", ("{{ take }}", "${{ take }}")),
    ],
)
def test_a_known_name_without_its_dollar_is_found(text, found):
    """What was meant is what to write."""
    assert bare_reference(text, ["colour"], ["name"]) == found


@pytest.mark.parametrize("text", ["${{ colour }}", "a {{ x }} mug", "{colour}", "{{ }}", "{{ name.x }}", "plain"])
def test_what_is_meant_or_unknown_is_left_alone(text):
    """Real expressions, other names, and braces that are part of the picture."""
    assert bare_reference(text, ["colour"], ["name"]) is None
