import pytest

from batchgen.cli.plantext import PlanHead, head_lines, slot_lines, warning_lines
from batchgen.cli.screen import Ink, columns
from batchgen.plan.compare import SIGNS, Orphan, SlotStatus
from batchgen.request import Request
from batchgen.run.events import PlanEvent

EVENT = PlanEvent(
    job="spring-launch",
    folder="f",
    requests=90,
    new=84,
    changed=1,
    done=4,
    failed=1,
    cost_low_usd=14.2,
    cost_high_usd=17.3,
)
HEAD = PlanHead(
    providers=("openai",),
    model="gpt-image-2",
    product="4 x 3 x 4 - 3, x 2 takes",
    total=90,
    to_send=86,
    prices_dated="2026-11-01",
    budget_usd=40.0,
    expected_seconds=720.0,
)


def status(slot="hero/mug/v1", state="new", reason="", **changes):
    request = Request(
        id="ab", base_id="ab", slot=slot, operation="generate", prompt="p", params={}, path="images/hero.png"
    )
    fields = {"request": request, "state": state, "reason": reason, "would_send": state != "done", "path": request.path}
    return SlotStatus(**{**fields, **changes})


def plain(lines):
    return ["".join(piece.text if isinstance(piece, Ink) else piece for piece in line) for line in lines]


def changed(record, **changes):
    return type(record)(**{name: getattr(record, name) for name in record.__slots__} | changes)


def test_the_head_shows_job_number_states_price_and_time():
    """All that decides about paying is in the first lines."""
    assert plain(head_lines(EVENT, HEAD, 100)) == [
        "spring-launch   provider openai, gpt-image-2   90 images = 4 x 3 x 4 - 3, x 2 takes",
        "  + 84 new   ~ 1 changed   ! 1 failed last time   = 4 done",
        "  86 images to make, about $14-17 of $40.00, about 12 min, prices of 2026-11-01",
    ]


def test_the_head_fits_80_columns():
    """A long title goes on in a second line."""
    said = plain(head_lines(EVENT, HEAD, 80))
    assert said[:2] == ["spring-launch   provider openai, gpt-image-2", "  90 images = 4 x 3 x 4 - 3, x 2 takes"]
    assert max(map(len, said)) <= 80


def test_the_sandbox_is_never_mistaken_for_the_real_thing():
    """Placeholder pictures are announced."""
    said = plain(head_lines(EVENT, changed(HEAD, is_sandbox=True), 80))
    assert any("sandbox: placeholder pictures, cost 0" in line for line in said)
    assert not any("$" in line for line in said)


def test_an_unknown_price_is_said():
    """Unknown is not 0, and no date is claimed for it."""
    said = plain(head_lines(changed(EVENT, cost_low_usd=None, cost_high_usd=None), HEAD, 80))[-1]
    assert "price unknown, budget $40.00" in said
    assert "prices of" not in said


def test_a_finished_job_has_nothing_to_make():
    """No price and no time for nothing."""
    done = PlanEvent(job="j", folder="f", requests=2, done=2)
    assert plain(head_lines(done, changed(HEAD, total=2, to_send=0, product="2"), 80))[1:] == [
        "  = 2 done",
        "  nothing to make",
    ]


def test_a_plan_above_its_budget_says_so():
    """`$17 of $10` reads like a part of it."""
    said = " ".join(plain(head_lines(EVENT, changed(HEAD, budget_usd=10.0), 100)))
    assert "about $14-17, above the budget of $10.00, about 12 min" in said


def test_the_number_to_make_is_not_said_twice():
    """Where all that is sent is new, the states have said it."""
    new = changed(EVENT, new=86, changed=0, failed=0)
    assert not any("to make" in line for line in plain(head_lines(new, HEAD, 80)))


def test_files_that_only_move_are_counted():
    """A run renames them, and makes nothing."""
    done = PlanEvent(job="j", folder="f", requests=40, done=40)
    head = changed(HEAD, total=40, to_send=0, to_move=40, product="40")
    assert plain(head_lines(done, head, 80))[-1] == "  nothing to make, 40 files to move"


def test_what_a_run_has_in_flight_is_in_no_doubt():
    """Its answers are still to come."""
    event = PlanEvent(job="j", folder="f", requests=5, in_doubt=3, done=2)
    said = plain(head_lines(event, changed(HEAD, in_flight=2), 100))
    assert "  ? 1 in doubt   = 2 done   > 2 in flight" in said
    (line,) = plain(slot_lines([status(state="in_doubt")], [], width=80, limit=None, in_flight={"ab"}))
    assert line == "  > hero/mug/v1  in flight: a run of this job is on"


def test_a_selection_is_announced():
    """Counts cover the selection, so its size is said."""
    assert any("; 6 selected" in line for line in plain(head_lines(changed(EVENT, requests=6), HEAD, 80)))


@pytest.mark.parametrize("state", [state for state in SIGNS if state != "orphan"])
def test_every_state_has_its_sign(state):
    """The sign in the table is the contract's."""
    (line,) = plain(slot_lines([status(state=state, reason="why")], [], width=80, limit=None))
    assert line.split()[:2] == [SIGNS[state], "hero/mug/v1"]
    assert "why" in line


def test_orphans_are_listed_with_their_sign():
    """What the manifest no longer names is shown, not deleted."""
    (line,) = plain(slot_lines([], [Orphan(id="ab", slot="old/v1", path="images/old.png")], width=80, limit=None))
    assert line.split()[:2] == ["-", "old/v1"]


def test_only_the_first_slots_are_listed_and_the_rest_counted():
    """A plan of thousands stays readable."""
    said = plain(slot_lines([status(slot=f"s/{n}") for n in range(25)], [], width=80, limit=10))
    assert len(said) == 11
    assert "15 more; --all" in said[-1]


def test_finished_slots_are_left_out_unless_all_are_asked_for():
    """The reasons that matter are those of what would happen."""
    slots = [status(state="done"), status(slot="other")]
    assert len(plain(slot_lines(slots, [], width=80, limit=10))) == 1
    assert len(plain(slot_lines(slots, [], width=80, limit=None))) == 2


def test_a_file_that_only_moves_is_said_to_cost_nothing():
    """A renamed path buys nothing, and the plan says so."""
    (line,) = plain(slot_lines([status(state="done", move_from="images/a.png")], [], width=100, limit=10))
    assert "moves from images/a.png; nothing is bought" in line


def test_a_failure_that_run_leaves_alone_is_marked():
    """A refused prompt is listed, but not sent."""
    (line,) = plain(slot_lines([status(state="failed", reason="refused", would_send=False)], [], width=80, limit=10))
    assert "refused (not sent)" in line


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        (f"images/{'deep/' * 12}mug-v1.png is gone", "…/mug-v1.png is gone"),
        (
            f"images/{'deep/' * 12}mug-v1.png was changed after it was made; kept",
            "…/mug-v1.png was changed after it was made; kept",
        ),
        (
            f"sent once without an answer ({'so long ' * 9}); held until `batchgen resolve`",
            "…; held until `batchgen resolve`",
        ),
    ],
)
def test_a_reason_keeps_its_point_at_80_columns(reason, shown):
    """Folders go first, then the middle: how it ends says what happens."""
    (line,) = plain(slot_lines([status(reason=reason)], [], width=80, limit=None))
    assert line.endswith(shown)
    assert columns(line) <= 80


@pytest.mark.parametrize("slot", ["a" * 200, "陶器/" * 40, "x\ny\x1b[2J"])
def test_no_slot_breaks_the_table(slot):
    """Long, wide and hostile names stay in one line of the screen."""
    (line,) = plain(slot_lines([status(slot=slot, reason="because " * 30)], [], width=80, limit=None))
    assert columns(line) <= 80
    assert "\n" not in line


def test_many_warnings_are_counted():
    """Ten warnings are read, a thousand are not."""
    assert plain(warning_lines([f"w{n}" for n in range(13)]))[-1] == "... and 3 more warnings"
