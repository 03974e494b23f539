import pytest
from msgspec.structs import replace

from batchgen.cli.audit import Audit
from batchgen.ledger.entry import AttemptFailed, AttemptStarted, Decision, ImageSaved, RunStarted

RUN = RunStarted(run="r")


def started(attempt=1, because=None, **changes):
    return AttemptStarted(request="q", slot="s", attempt=attempt, because=because, **changes)


def failed(attempt=1, billed="no"):
    return AttemptFailed(request="q", attempt=attempt, failure="server_error", billed=billed)


def saved(attempt=1, cost_usd=None):
    fields = {"path": "images/s.png", "bytes": 1, "sha256": "ab", "format": "png", "width": 1, "height": 1}
    return ImageSaved(request="q", slot="s", attempt=attempt, cost_usd=cost_usd, **fields)


def findings(*entries):
    audit = Audit()
    for seq, entry in enumerate(entries, 1):
        audit.take(replace(entry, seq=seq, at="2026-11-20T00:00:00.000Z"))
    return audit.findings


@pytest.mark.parametrize(
    "entries",
    [
        [RUN, started(), saved()],
        [RUN, started(), failed(), started(2, 3), saved(2)],
        [RUN, started(), saved(), started(2, 3), saved(2)],
        [RUN, started(), failed(), Decision(what="resend", requests=["q"]), started(2, 4)],
        [RUN, Decision(what="redo", requests=["base"], count=1), started(1, 2)],
    ],
)
def test_what_runs_do_keeps_every_rule(entries):
    """First send, retry, missing file, decision and redo are all in order."""
    assert findings(*entries) == []


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([RUN, started(), started(2, 2)], "entry 3: attempt 2 of q starts while attempt 1 is open"),
        ([RUN, started(), failed(), started(1, 3)], "entry 4: attempt 1 of q comes after attempt 1"),
        ([RUN, started(), failed(), started(2)], "entry 4: attempt 2 of q cites nothing that allows it"),
        ([RUN, started(), failed(), started(2, 1)], "entry 4: attempt 2 of q cites entry 1, which does not allow it"),
        ([RUN, started(1, 1)], "entry 2: attempt 1 of q cites entry 1, which does not allow it"),
        ([RUN, saved()], "entry 2: the image of q belongs to attempt 1, which is not open"),
        ([RUN, started(), failed(), saved()], "entry 4: the image of q belongs to attempt 1, which is not open"),
    ],
)
def test_every_broken_rule_is_found(entries, says):
    """The ledger alone shows what should never have been written."""
    assert says in findings(*entries)


@pytest.mark.parametrize(
    ("per", "window", "second", "broken"),
    [
        ("job", "job", 0.4, False),
        ("job", "job", 0.6, True),
        ("day", "2026-11-20", 0.6, True),
        ("month", "2026-11", 0.6, True),
        ("run", "r", 0.6, True),
        ("run", "r", 0.4, False),
    ],
)
def test_what_is_committed_never_exceeds_the_budget(per, window, second, broken):
    """Spent, reserved and in doubt count together, in each window."""
    run = RunStarted(run="r", budget_usd=1.0, budget_per=per)
    other = AttemptStarted(request="p", attempt=1, because=None, window=window, reserved_usd=second)
    said = findings(run, started(window=window, reserved_usd=0.5), saved(cost_usd=0.5), other)
    assert bool(said) is broken
