"""What is wrong with an expression, in plain words."""

import pytest

from batchgen.manifest.template import TemplateError, compile, compile_expression  # noqa: A004  as its own module says


def text(expression):
    with pytest.raises(TemplateError) as caught:
        compile(f"${{{{ {expression} }}}}")
    return caught.value.message


def condition(expression):
    with pytest.raises(TemplateError) as caught:
        compile_expression(expression)
    return caught.value.message


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("a = 1", "`=` compares nothing; write `==`"),
        ("a === 1", "write `==`"),
        ("a && b", "write `and`"),
        ("a || b", "write `or`"),
        ("!a", "write `not`"),
        ("a OR b", "'OR' is not known; write it in small letters"),
        ("a == 'x", "a quote is never closed"),
    ],
)
def test_habits_of_other_languages_are_recognised(expression, says):
    """What other languages write is answered with what to write here, in texts and in conditions."""
    assert says in text(expression)
    assert says in condition(expression)


@pytest.mark.parametrize("expression", ["'a' ~", "a |", "a.", "a ==", "not", "a is"])
def test_an_expression_that_stops_short_says_so(expression):
    """Nobody has to know what an unexpected '}}' is."""
    assert text(expression).endswith("it ends too early, something is missing before '}}'")
    assert condition(expression).endswith("it ends too early, something is missing at its end")


def test_an_empty_expression_says_what_belongs_there():
    """`${{ }}` is hardly meant."""
    assert "nothing stands in it; write a name" in text("")


@pytest.mark.parametrize(("expression", "sign"), [("(a", ")"), ("a[", "]")])
def test_an_open_bracket_is_named(expression, sign):
    """The closing bracket that is missing is shown."""
    assert f"a bracket is never closed (expected '{sign}')" in text(expression)


def test_an_open_bracket_of_a_condition_is_named():
    """A condition has no `}}` behind it, and the bracket is still what is missing."""
    assert "a bracket is never closed (expected ')')" in condition("(a and b")


def test_an_expression_inside_an_expression_is_named():
    """The inner `${{` is what is wrong."""
    assert "`${{` cannot stand inside an expression" in text("a + ${{ b }}")


def test_unknown_complaints_are_passed_on():
    """What nobody has met yet is still said."""
    assert text("a ? b").startswith("is no valid expression: unexpected char '?'")
