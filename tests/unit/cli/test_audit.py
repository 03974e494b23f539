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


HOLD = RunStarted(run="r", policy="hold")
DOUBT = [started(), failed(billed="maybe")]
GAP = Decision(what="repair", first=4, last=4)
CLOSING = Decision(what="repair", first=4, last=4)


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
        ([RUN, started(key="k")], "entry 2: attempt 1 of q has the key k, not the request's own"),
        ([HOLD, *DOUBT, started(2, 3)], "entry 4: attempt 2 of q is sent again in doubt, under the policy hold"),
        (
            [RunStarted(run="r", resends=0), *DOUBT, started(2, 3)],
            "entry 4: attempt 2 of q is sent again after 1 doubts (at most 0 resends)",
        ),
        (
            [RUN, started(), replace(failed(billed="maybe"), hold=True), started(2, 3)],
            "entry 4: attempt 2 of q is sent although it is held until a decision",
        ),
        (
            [RUN, *DOUBT, Decision(what="give_up", requests=["q"]), started(2, 4)],
            "entry 5: attempt 2 of q is sent although it was given up",
        ),
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


@pytest.mark.parametrize(
    "later",
    [
        [saved()],
        [started(3, 99)],
        [started(1, 99), saved()],
        [failed(2), started(3, 5)],
    ],
)
def test_what_lost_lines_may_explain_is_no_finding(later):
    """Right after a gap a request may be anywhere; its first entry tells where."""
    assert findings(RUN, started(), failed(), GAP, *later) == []


def test_rules_hold_again_once_a_request_is_known_again():
    """One entry after the gap is enough to go by."""
    assert findings(RUN, started(), failed(), GAP, started(3, 99), started(4, 5))


def test_rules_hold_again_after_the_repair():
    """Runs after it knew exactly what the file says."""
    said = findings(RUN, started(), failed(), GAP, CLOSING, started(2, 3))
    assert said == [
        "entry 6: attempt 2 of q is sent although it is held until a decision",
    ]
    assert (
        findings(RUN, started(), failed(), GAP, CLOSING, Decision(what="resend", requests=["q"]), started(2, 6)) == []
    )


def test_a_budget_is_not_judged_where_lines_are_lost():
    """A lost line may have given dollars back."""
    run = RunStarted(run="r", budget_usd=1.0)
    over = AttemptStarted(request="p", attempt=1, because=None, reserved_usd=0.6)
    lost = Decision(what="repair", first=3, last=3)
    assert findings(run, started(reserved_usd=0.5), lost, over) == []
    assert findings(run, started(reserved_usd=0.5), lost, replace(lost), over) != []
