import pytest

from batchgen.cli.screen import Ink
from batchgen.cli.summary import Tally, summary_lines
from batchgen.run.events import FailureEvent, ImageEvent, SummaryEvent

COUNTS = {"requests": 90, "saved": 84, "skipped": 4, "failed": 2, "in_doubt": 0, "not_started": 0}


def summary(**changes):
    fields = {
        "job": "launch",
        "folder": "output/launch",
        **COUNTS,
        "attempts": 97,
        "cost_usd": 14.96,
        "maybe_billed_usd": 0.0,
        "maybe_billed": 0,
        "seconds": 351.0,
        "exit_code": 3,
    }
    return SummaryEvent(**{**fields, **changes})


def failure(slot, kind="server_error", message="upstream died", **changes):
    fields = {"slot": slot, "id": "ab", "attempt": 6, "kind": kind, "billed": "no", "final": True, "message": message}
    return FailureEvent(**{**fields, **changes})


def image(slot, *warnings):
    fields = {"id": "ab", "path": "images/a.png", "bytes": 1, "sha256": "cd", "format": "png", "width": 8, "height": 8}
    return ImageEvent(slot=slot, warnings=warnings, attempts=1, seconds=1.0, cost_usd=0.0, **fields)


def text(event, failures=(), images=(), next_command="", width=80):
    tally = Tally()
    for one in images:
        tally.remark(one)
    for one in failures:
        tally.add(one)
    lines = summary_lines(event, tally, next_command=next_command, folder="output/launch/images", width=width)
    return "\n".join("".join(piece.text if isinstance(piece, Ink) else piece for piece in line) for line in lines)


def test_the_first_line_says_what_came_of_it():
    """Counts, time and dollars, without what did not occur."""
    assert text(summary()).splitlines()[0] == "launch: 84 made, 2 failed, 4 already there   5m51s   $14.96"


def test_a_finished_job_has_nothing_to_do():
    """A rerun says so and names no price."""
    idle = summary(saved=0, failed=0, skipped=90, cost_usd=0.0, seconds=0.2, exit_code=0)
    assert text(idle).splitlines() == ["launch: nothing to do, 90 already there   0s", "look:  output/launch/images"]


def test_an_unknown_price_is_said():
    """Unknown is not 0."""
    assert "price unknown" in text(summary(cost_usd=None))


def test_failures_are_grouped_by_reason_with_the_remedy():
    """Hundreds of failures with one cause are one entry."""
    said = text(summary(), [failure(f"hero/{n}/v1") for n in range(40)])
    assert (
        "   40  server error after 6 tries: upstream died\n       hero/0/v1, hero/1/v1, hero/2/v1 and 37 more\n" in said
    )
    assert "-> retry later" in said


def test_the_most_frequent_reason_comes_first():
    """What helps most is read first."""
    said = text(summary(), [failure("a", "refused"), failure("b"), failure("c")])
    assert said.index("server error") < said.index("refused by moderation")


def test_only_final_failures_count():
    """What succeeded in the end is not listed."""
    assert "server error" not in text(summary(), [failure("a", final=False)])


@pytest.mark.parametrize(
    "kind",
    ["not_sent", "throttled", "server_error", "in_doubt", "bad_answer", "refused", "bad_request", "stopped"],
)
def test_every_kind_of_failure_has_a_remedy(kind):
    """Nobody is left alone with a reason."""
    assert "-> " in text(summary(), [failure("a", kind)])


def test_what_may_have_been_billed_is_counted_and_priced():
    """Doubts are never silent."""
    said = text(summary(maybe_billed=3, maybe_billed_usd=0.21))
    assert "maybe billed: 3 requests without an answer, about $0.21" in said


def test_a_stopped_run_says_why_and_what_next():
    """The reason and the next command stand in the summary."""
    said = text(summary(stop_reason="budget of $15.00 reached", not_started=7), next_command="batchgen run launch.yaml")
    assert "  stopped: budget of $15.00 reached\n" in said
    assert "next:  batchgen run launch.yaml" in said


def test_the_tally_does_not_grow_with_the_job():
    """A gateway whose every message is different costs no memory."""
    tally = Tally()
    for n in range(5000):
        tally.add(failure(f"slot-{n}", message=f"request {n} went wrong"))
    assert len(tally.groups()) <= 30
    assert sum(group.count for group in tally.groups()) == 5000


def test_remarks_on_images_are_grouped():
    """A gateway that makes another size than asked for is reported once, with the number of images."""
    said = text(summary(), images=[image(f"a/{n}", "is 8x8, not 16x16") for n in range(3)])
    assert "    3  note: is 8x8, not 16x16 (a/0 and 2 more)\n" in said + "\n"


def test_remarks_do_not_grow_with_the_job():
    """Thousands of different remarks cost no memory, and none is lost from the count."""
    tally = Tally()
    for n in range(5000):
        tally.remark(image(f"a/{n}", f"remark {n}"))
    assert len(tally.notes()) <= 30
    assert sum(note.count for note in tally.notes()) == 5000


def test_a_long_message_is_folded_to_the_screen():
    """Nothing sticks out of 80 columns."""
    said = text(summary(), [failure("a/very/long/slot/" * 6, message="no luck " * 60)])
    assert max(map(len, said.splitlines())) <= 80


def test_a_slot_cannot_fake_a_line():
    """Slots and messages come from outside."""
    said = text(summary(), [failure("a\nnext:  rm -rf /", message="x\nlook: evil")])
    assert not any(line.startswith(("next:  rm", "look: evil")) for line in said.splitlines())
