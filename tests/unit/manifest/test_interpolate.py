"""`${NAME}` and what it means."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.manifest.interpolate import interpolate, substitute

ENVIRON = {"HOME_DIR": "/srv", "EMPTY": "", "EVIL": "${{ 1 + 1 }}"}
LISTED = [*ENVIRON, "UNSET"]


def replaced(text: str) -> str:
    return substitute(text, env=LISTED, environ=ENVIRON)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${HOME_DIR}/a", "/srv/a"),
        ("${HOME_DIR}${HOME_DIR}", "/srv/srv"),
        ("${UNSET:-../data}", "../data"),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY}", ""),
        ("${UNSET:-}", ""),
        ("${HOME_DIR:-x}", "/srv"),
        ("${HOME_DIR:?needed}", "/srv"),
        ("$${HOME_DIR}", "${HOME_DIR}"),
        ("$5, $$, $HOME_DIR, 5$", "$5, $$, $HOME_DIR, 5$"),
        ("${{ row.x }}", "${{ row.x }}"),
        ("$${{ row.price }}", "$${{ row.price }}"),
        ("${{ '${HOME_DIR}' }}${HOME_DIR}", "${{ '${HOME_DIR}' }}/srv"),
        ("${{ never closed ${HOME_DIR}", "${{ never closed ${HOME_DIR}"),
        ("", ""),
    ],
)
def test_references_are_replaced_and_all_else_is_literal(text, result):
    """The compose forms work; templates, lone dollars and the escape stay what they are."""
    assert replaced(text) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${UNSET}", "environment variable 'UNSET' is not set; set it, or write ${UNSET:-default}"),
        ("${UNSET:?say where}", "environment variable 'UNSET' is not set: say where"),
        ("${EMPTY:?}", "environment variable 'EMPTY' is not set: it is required"),
        ("${HOME_DIRR}", "'HOME_DIRR' is not listed in env; did you mean 'HOME_DIR'?"),
        ("${PATH}", "'PATH' is not listed in env; add it: env: ["),
        ("${HOME_DIR", "is never closed"),
        ("${}", "'${}' is no reference"),
        ("${HOME_DIR-x}", "'${HOME_DIR-x}' is no reference"),
        ("${a b}", "is no reference"),
        ("${EVIL}", "the value of environment variable 'EVIL' holds a template"),
    ],
)
def test_a_reference_that_cannot_be_replaced_is_an_error(text, message):
    """Unset, unlisted and malformed references say what to do; the environment cannot bring in a template."""
    with pytest.raises(ValueError, match=re.escape(message)):
        replaced(text)


def test_prompt_texts_are_left_alone():
    """A prompt may say `${price}`; everything around it is interpolated."""
    values = {
        "prompts": ["${A}", {"text": "${A}", "file": "${A}", "vars": {"x": "${A}"}}],
        "output": {"dir": "${A}"},
        "profiles": {"p": {"output": {"dir": "${A}"}}},
    }
    done, findings = interpolate(values, env=["A"], environ={"A": "1"})
    assert findings == []
    assert done == {
        "prompts": ["${A}", {"text": "${A}", "file": "1", "vars": {"x": "1"}}],
        "output": {"dir": "1"},
        "profiles": {"p": {"output": {"dir": "${A}"}}},
    }


def test_every_finding_has_its_place():
    """All references that fail are reported in one pass."""
    _, findings = interpolate({"a": ["${X}", "ok"], "b": {"c": "${Y}"}}, env=["X"], environ={})
    assert [finding.keys for finding in findings] == [("a", 0), ("b", "c")]


def test_what_holds_no_reference_is_not_copied():
    """A large manifest costs nothing to look through."""
    values = {"rows": {"inline": [{"a": 1}]}, "output": {"dir": "x"}}
    done, _ = interpolate(values, env=[], environ={})
    assert all(done[key] is values[key] for key in values)


@given(st.text(alphabet="ab {}$", max_size=40))
def test_text_without_a_reference_never_changes(text):
    """Only `${` outside a template does anything."""
    if "${" not in text:
        assert replaced(text) == text


def test_ten_thousand_open_templates_are_no_work():
    """Hostile text is looked at once, not once per dollar."""
    text = "${{" * 1_000_000
    assert replaced(text) == text
