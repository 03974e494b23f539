import json
import os
from datetime import UTC, datetime

import pytest

from batchgen.cli.picks import read_picks
from batchgen.errors import UsageError

GOOD = {"version": 1, "job": "hello", "marks": {"a/v1": "keep", "b/v1": "reject"}}


@pytest.fixture
def write(tmp_path):
    """Write a picks file of any content; returns its path."""

    def write(content):
        path = tmp_path / "picks.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def test_rejected_slots_and_the_time_of_the_file(write):
    """What was kept is not among them; fields from the future are passed over."""
    path = write(GOOD | {"reviewer": "ana"})
    os.utime(path, (1_700_000_000, 1_700_000_000))
    picks, written = read_picks(path, job="hello")
    assert (picks.rejected, written) == (["b/v1"], datetime.fromtimestamp(1_700_000_000, UTC))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        {},
        GOOD | {"version": 2},
        GOOD | {"version": "1"},
        GOOD | {"marks": {"a": "redo"}},
        GOOD | {"marks": {"a": 1}},
        GOOD | {"marks": ["a"]},
        {"version": 1, "marks": {}},
    ],
)
def test_anything_else_is_refused_with_the_form(write, content):
    """Half a file decides nothing."""
    with pytest.raises(UsageError, match="is no picks file"):
        read_picks(write(content), job="hello")


def test_the_picks_of_another_job_are_refused(write):
    """A draft's review says nothing about the final."""
    with pytest.raises(UsageError, match="is about hello, this is hello@draft"):
        read_picks(write(GOOD), job="hello@draft")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """With the system's reason."""
    with pytest.raises(UsageError, match="no such file"):
        read_picks(tmp_path / "picks.json", job="hello")
