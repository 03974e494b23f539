import pytest

from batchgen.cli.leftover import Aftermath, Leftover
from batchgen.cli.nextstep import next_commands
from batchgen.run.events import SummaryEvent

REFUSED = {"state": "failed", "kind": "refused"}
FAILED = {"state": "failed", "kind": "server_error", "is_sent_next": True}
RESENT = {"state": "in_doubt", "kind": "in_doubt", "is_sent_next": True}
HELD = {"state": "in_doubt", "kind": "in_doubt"}
UNFETCHED = {"state": "in_doubt", "kind": "unfetched", "is_sent_next": True}
STRANGER = {"state": "in_doubt", "kind": "stranger"}


def left(*kinds):
    return tuple(Leftover(slot=f"s/{number}", **kind) for number, kind in enumerate(kinds))


def summary(**changes):
    fields = dict.fromkeys(("requests", "saved", "skipped", "failed", "in_doubt", "not_started", "attempts"), 0)
    fields |= {"job": "j", "folder": "f", "cost_usd": 0.0, "maybe_billed_usd": 0.0, "maybe_billed": 0}
    return SummaryEvent(**{**fields, "seconds": 1.0, "exit_code": 3, **changes})


@pytest.mark.parametrize(
    ("changes", "kinds", "commands"),
    [
        ({}, [], []),
        ({"failed": 2}, [FAILED, REFUSED], ["retry j.yaml"]),
        ({"failed": 1}, [REFUSED], ["ls j.yaml -s state:failed"]),
        ({"failed": 1}, [], ["ls j.yaml -s state:failed"]),
        ({"in_doubt": 1}, [HELD], ["resolve j.yaml"]),
        ({"in_doubt": 1}, [RESENT], ["run j.yaml"]),
        ({"in_doubt": 1}, [UNFETCHED], ["run j.yaml"]),
        ({"in_doubt": 1}, [STRANGER], ["adopt j.yaml"]),
        ({"in_doubt": 1, "failed": 1}, [HELD, FAILED], ["retry j.yaml", "resolve j.yaml"]),
        ({"not_started": 5}, [HELD], ["run j.yaml", "resolve j.yaml"]),
    ],
)
def test_the_next_command_fits_what_is_left(changes, kinds, commands):
    """Retry what failed, run what never started, resolve what is held, look at what a retry cannot help."""
    steps = next_commands(summary(**changes), Aftermath(left=left(*kinds)), "j.yaml")
    assert [command for command, _ in steps] == [f"batchgen {command}" for command in commands]


def test_a_run_that_sends_doubts_again_says_that_they_may_be_billed_again():
    """Typing what is suggested must not cost unawares."""
    ((_, remark),) = next_commands(summary(in_doubt=2), Aftermath(left=left(RESENT, RESENT)), "j.yaml")
    assert remark == "sends 2 in doubt again; each may be billed once more"


@pytest.mark.parametrize(("kind", "command"), [(HELD, "resolve"), (RESENT, "run")])
def test_a_retry_that_finds_only_doubts_says_where_to_go(kind, command):
    """They are not failed, so retry leaves them alone, and says so."""
    beside = Aftermath(beside=left(kind))
    ((said, remark),) = next_commands(summary(), beside, "j.yaml", is_retry=True)
    assert (said, remark[:24]) == (f"batchgen {command} j.yaml", "1 not chosen here: in do")
    assert next_commands(summary(), beside, "j.yaml") == []
