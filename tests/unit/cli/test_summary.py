import pytest

from batchgen.cli.leftover import Leftover
from batchgen.cli.screen import Ink
from batchgen.cli.summary import Tally, summary_lines
from batchgen.provider.failure import DEADLINE_PASSED
from batchgen.run.events import ImageEvent, SummaryEvent

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
    fields = {"slot": slot, "state": "failed", "kind": kind, "message": message, "attempts": 6, "is_sent_next": True}
    return Leftover(**{**fields, **changes})


def doubt(slot="a", message="http 524: A timeout occurred", **changes):
    return failure(slot, "in_doubt", message, **{"state": "in_doubt", "is_sent_next": False, **changes})


def image(slot, *warnings):
    fields = {"id": "ab", "path": "images/a.png", "bytes": 1, "sha256": "cd", "format": "png", "width": 8, "height": 8}
    return ImageEvent(slot=slot, warnings=warnings, attempts=1, seconds=1.0, cost_usd=0.0, **fields)


def text(event, left=(), images=(), next_commands=(), width=80, **more):
    tally = Tally()
    for one in images:
        tally.remark(one)
    for one in left:
        tally.add(one)
    options = {"job": "j.yaml", "next_commands": next_commands, "folder": "output/launch/images", "width": width}
    lines = summary_lines(event, tally, **options, **more)
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


def test_tries_are_counted_per_reason():
    """One slot that was tried often does not speak for the others."""
    said = text(summary(), [failure("a", attempts=2), failure("b", attempts=6), failure("c", "not_sent", attempts=1)])
    assert "server error after 2 to 6 tries: upstream died" in said
    assert "provider not reached: upstream died" in said


def test_messages_that_differ_in_a_size_are_one_reason():
    """A connection that breaks after 3 kB or after 12 kB is one cause; another status is another."""
    cut = [doubt(f"a/{kilobytes}", f"the answer was cut short; {kilobytes} kB had come") for kilobytes in (3, 12)]
    said = text(summary(), [*cut, doubt("b", "http 502 Bad Gateway"), doubt("c", "http 504 Gateway Time-out")])
    assert "    2  no answer, may have been billed after 6 tries: the answer was cut short" in said
    assert said.count("    1  no answer") == 2


def test_a_deadline_of_ours_is_told_from_one_of_the_gateway():
    """Nobody raises limits.request_timeout against a gateway that gives up by itself."""
    assert "raise limits.request_timeout" in text(summary(), [doubt(message=DEADLINE_PASSED)])
    said = text(summary(), [doubt()])
    assert "request_timeout" not in said
    assert "the gateway gave up, not batchgen" in said


@pytest.mark.parametrize(("is_sent", "words"), [(True, "a run sends it again"), (False, "held: nothing sends it")])
def test_a_doubt_says_what_becomes_of_it(is_sent, words):
    """Held and sent again are two different bills."""
    assert words in text(summary(), [doubt(is_sent_next=is_sent)])


def test_a_refusal_names_the_command_that_asks_again():
    """A plain retry does not."""
    assert "batchgen retry j.yaml --refused" in text(summary(), [failure("a", "refused", is_sent_next=False)])


def test_what_a_stopped_run_would_have_tried_again_agrees_with_status():
    """It stands as failed, and this run did not get to it."""
    said = text(summary(failed=1, not_started=5), [failure("a"), failure("b"), failure("c")])
    assert "  2 of the not started failed last time and wait to be tried again\n" in said


@pytest.mark.parametrize(
    "kind",
    ["not_sent", "throttled", "server_error", "in_doubt", "bad_answer", "refused", "bad_request", "stopped"],
)
def test_every_kind_of_failure_has_a_remedy(kind):
    """Nobody is left alone with a reason."""
    state = "in_doubt" if kind in {"in_doubt", "bad_answer"} else "failed"
    assert "-> " in text(summary(), [failure("a", kind, state=state)])


def test_what_may_have_been_billed_is_counted_and_priced():
    """Doubts are never silent."""
    said = text(summary(maybe_billed=3, maybe_billed_usd=0.21))
    assert "maybe billed: 3 requests without an answer, about $0.21" in said


def test_what_was_broken_off_counts_as_maybe_billed():
    """A second Ctrl-C leaves attempts without an outcome."""
    said = text(summary(maybe_billed=1, maybe_billed_usd=0.28), broken_off=3)
    assert "maybe billed: 4 requests without an answer, about $0.28" in said


def test_an_unknown_price_of_what_was_broken_off_is_no_zero():
    """Nothing could be reserved for it."""
    assert "without an answer, price unknown" in text(summary(cost_usd=None), broken_off=1)


def test_a_remark_on_a_command_never_makes_the_command_wrap():
    """It is there to be copied."""
    said = text(summary(), next_commands=[("batchgen run j.yaml " + "x" * 60, "each may be billed once more")])
    assert f"next:  batchgen run j.yaml {'x' * 60}\n       (each may be billed once more)\n" in said


def test_a_stopped_run_says_why_and_what_next():
    """The reason and the next command stand in the summary."""
    stopped = summary(stop_reason="budget of $15.00 reached", not_started=7)
    said = text(stopped, next_commands=[("batchgen run launch.yaml", "")])
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
