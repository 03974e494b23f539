import fcntl
from pathlib import Path

import pytest

from batchgen.cli.underway import in_flight
from batchgen.ledger.entry import AttemptFailed, AttemptStarted, ImageLocated, RunFinished, RunStarted
from batchgen.ledger.state import fold

BEGUN = [RunStarted(run="r1", seq=1)]
SENT = [*BEGUN, AttemptStarted(request="q", attempt=1, because=None, seq=2)]
LOCATED = [*SENT, ImageLocated(request="q", attempt=1, url="https://x/y", seq=3)]
AGAIN = [RunStarted(run="r2", seq=4), AttemptStarted(request="p", attempt=1, because=None, seq=5)]
OVER = [RunFinished(run="r1", counts={}, seq=4)]
ANSWERED = [AttemptFailed(request="q", attempt=1, failure="server_error", billed="no", seq=3)]


@pytest.fixture
def lock(tmp_path):
    """`run.lock` of the job in `tmp_path`, held as another process holds it."""
    with (tmp_path / "run.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


@pytest.mark.parametrize(
    ("entries", "ids"),
    [
        (SENT, {"q"}),
        ([*LOCATED, *AGAIN], {"p"}),
        ([*SENT, *ANSWERED], set()),
        (BEGUN, set()),
        ([], set()),
    ],
    ids=["sent", "sent after an address came earlier", "answered", "nothing sent", "no ledger"],
)
@pytest.mark.usefixtures("lock")
def test_what_the_run_that_holds_the_lock_has_sent_is_in_flight(tmp_path, entries, ids):
    """Not what an earlier run left, and not what was answered."""
    assert in_flight(tmp_path, fold(entries)) == ids


def test_without_a_lock_nothing_is_in_flight(tmp_path):
    """The run was cut off: its requests are in doubt."""
    (tmp_path / "run.lock").touch()
    assert in_flight(tmp_path, fold(SENT)) == frozenset()


def test_a_finished_job_is_not_asked_for_its_lock(tmp_path):
    """A look must not be what makes a run that starts just then find another one on."""
    assert in_flight(tmp_path, fold([*SENT, *OVER])) == frozenset()
    assert not (tmp_path / "run.lock").exists()


def test_a_folder_that_is_gone_has_nothing_in_flight():
    """Asking makes no folder and raises nothing."""
    assert in_flight(Path("/nonexistent/job"), fold(SENT)) == frozenset()
