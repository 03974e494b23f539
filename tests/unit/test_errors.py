"""Errors: each branch of the tree owns an exit code, and a problem names place, value and remedy."""

import pytest

from batchgen import errors
from batchgen.errors import BatchgenError, ManifestError, Problem

CODES = {
    "BatchgenError": 1,
    "InputError": 2,
    "UsageError": 2,
    "ManifestError": 2,
    "PlanError": 2,
    "FolderError": 2,
    "DecisionNeededError": 3,
    "ProviderError": 4,
    "LimitError": 5,
    "StorageError": 5,
    "LedgerLockedError": 6,
    "LedgerDamagedError": 7,
}


@pytest.mark.parametrize("name", CODES)
def test_each_error_has_its_exit_code(name):
    """Exit codes are a contract."""
    assert getattr(errors, name).exit_code == CODES[name]


def test_the_table_of_codes_is_complete():
    """No error is without a code that somebody decided on."""
    assert set(errors.__all__) - {"Problem"} == set(CODES)


@pytest.mark.parametrize("name", CODES)
def test_the_tree_in_the_docstring_is_true(name):
    """The drawing names every error with its code."""
    drawn = next(line for line in (errors.__doc__ or "").splitlines() if f"{name} " in line)
    assert str(CODES[name]) in drawn.split()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "no"),
        ({"key": "size"}, "size: no"),
        ({"file": "a.yaml"}, "a.yaml  no"),
        ({"file": "a.yaml", "line": 3, "key": "size"}, "a.yaml:3  size: no"),
        ({"file": "a.yaml", "line": 3, "column": 7, "key": "size"}, "a.yaml:3:7  size: no"),
        ({"file": "a.yaml", "excerpt": "size: 3"}, "a.yaml  no"),
    ],
)
def test_problem_shows_what_is_known(fields, text):
    """Place and key stand in front, as far as they are known."""
    assert str(Problem(message="no", **fields)) == text


def test_problem_points_at_the_column():
    """The caret stands under the first character that is wrong."""
    shown = str(Problem(message="no", file="a.yaml", line=12, column=7, excerpt="size: 3x3")).splitlines()
    assert shown[1][shown[2].index("^") :] == "3x3"


def test_problem_shows_the_line_without_a_column():
    """No caret is better than a wrong one."""
    assert str(Problem(message="no", line=2, excerpt="size: 3")).endswith("    2 | size: 3")


def test_error_carries_every_problem_of_its_pass():
    """All findings come at once, in order."""
    found = [Problem(message="first"), Problem(message="second")]
    error = ManifestError(problems=iter(found))
    assert (error.problems, str(error)) == (tuple(found), "first\nsecond")


def test_error_with_a_message_says_only_that():
    """A message stands for its problems where it is given."""
    assert str(BatchgenError("short", problems=[Problem(message="long")])) == "short"
