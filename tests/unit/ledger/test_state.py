"""The fold: what entries amount to, in states of requests and in dollars."""

import math

import msgspec
import pytest
from fakes.ledgers import AT, decided, failed, numbered, request_id, saved, small_run, started
from hypothesis import given
from hypothesis import strategies as st

from batchgen.ledger.entry import (
    ImageLocated,
    ImageMoved,
    ImageSaved,
    RequestFailed,
    RunFinished,
    RunStarted,
    Unknown,
)
from batchgen.ledger.state import State, fold

RUN = RunStarted(run="a", boot="b1")


def folded(*entries, at="2026-11-20T12:00:00.000Z"):
    return fold(numbered(entries, at))


def record(state, number=1):
    return state.records[request_id(number)]


def dollars(state, window="job", **where):
    return round(state.committed_usd(window=window, **where), 6)


def money(state):
    account = next(iter(state.days.values()))
    amounts = (account.spent_usd, account.reserved_usd, account.in_doubt_usd)
    return tuple(round(amount, 6) + 0.0 for amount in amounts)


def moved(number, source, target, sha256=None, slot=None):
    return ImageMoved(
        request=request_id(number),
        slot=slot or f"slot-{number}",
        source=source,
        target=target,
        sha256=sha256 or f"{number:064x}",
    )


def test_nothing_happened():
    """No entries, no state."""
    assert fold([]) == State()


@pytest.mark.parametrize(
    ("entries", "amounts"),
    [
        ([started(1)], (0, 0.25, 0)),
        ([started(1), saved(1)], (0.2, 0, 0)),
        ([started(1), saved(1, cost_usd=None)], (0.25, 0, 0)),
        ([started(1), failed(1, billed="no")], (0, 0, 0)),
        ([started(1), failed(1)], (0, 0, 0.25)),
        ([started(1), started(1, 2)], (0, 0.25, 0.25)),
        ([started(1), failed(1), started(1, 2), saved(1, 2)], (0.2, 0, 0.25)),
        ([started(1), failed(1), decided("not_billed", 1)], (0, 0, 0)),
        ([started(1), failed(1), started(1, 2), failed(1, 2), decided("not_billed", 1)], (0, 0, 0)),
        ([started(1), decided("not_billed", 1)], (0, 0, 0)),
        ([started(1), failed(1), decided("give_up", 1)], (0, 0, 0.25)),
        ([started(1), failed(1), decided("resend", 1)], (0, 0, 0.25)),
        ([started(1, reserved_usd=None), failed(1)], (0, 0, 0)),
        ([started(1), started(2), saved(2), failed(1)], (0.2, 0, 0.25)),
    ],
)
def test_dollars_follow_each_attempt(entries, amounts):
    """Reserved while open; then spent, free, or in doubt until somebody says that it was not billed."""
    state = folded(RUN, *entries)
    assert money(state) == amounts
    assert dollars(state) == dollars(state, run=0) == round(sum(amounts), 6)


def test_days_and_months_count_apart():
    """A day's budget sees that day, a month's that month, a job's everything."""
    days = ["2026-10-31", "2026-11-20", "2026-11-20", "2026-11-21"]
    state = State()
    for number, day in enumerate(days):
        state.apply(started(number, at=f"{day}T12:00:00.000Z", seq=number + 1))
    windows = ("2026-10", "2026-11", "2026-11-20", "2026-11-22", "job")
    assert [dollars(state, window) for window in windows] == [0.25, 0.75, 0.5, 0, 1.0]


@pytest.mark.parametrize(("window", "later"), [("2026-11-30", "2026-12-01"), ("2026-11", "2026-12")])
def test_a_request_counts_in_the_window_it_was_reserved_in(window, later):
    """Checked before midnight and recorded after it: it counts where the budget was checked."""
    late = started(1, window=window, at="2026-12-01T00:00:01.000Z")
    state = fold([late, saved(1, at="2026-12-01T00:02:00.000Z")])
    assert (dollars(state, window), dollars(state, later)) == (0.2, 0)


@pytest.mark.parametrize("window", ["job", "7f3a9c21d0e44b18", ""])
def test_other_windows_count_on_the_day_of_the_record(window):
    """Job and run budgets leave the day to the entry."""
    assert dollars(folded(RUN, started(1, window=window)), "2026-11-20") == 0.25


def test_runs_count_apart():
    """A run's budget sees only attempts that it started, also when a later run settles them."""
    state = folded(RUN, started(1), RunStarted(run="b"), started(2), failed(1), saved(2))
    assert (dollars(state, run=0), dollars(state, run=1), dollars(state, run=2)) == (0.25, 0.2, 0)


def test_a_run_is_finished_when_it_says_so():
    """A run without its end was killed."""
    state = folded(RUN, RunStarted(run="b"), RunFinished(run="b", counts={}))
    assert [state.is_run_finished(index) for index in (-1, 0, 1, 2)] == [False, False, True, False]


def test_an_open_attempt_is_in_doubt():
    """Sent, and nobody knows: that needs no further entry."""
    found = record(folded(RUN, started(1)))
    assert (found.is_in_doubt, found.open.attempt, found.attempts, found.doubts) == (True, 1, 1, 0)


@pytest.mark.parametrize(
    ("entries", "doubts", "in_doubt"),
    [
        ([failed(1, billed="no")], 0, False),
        ([failed(1)], 1, True),
        ([failed(1), started(1, 2), failed(1, 2)], 2, True),
        ([failed(1), started(1, 2), failed(1, 2, billed="no", failure="throttled")], 1, True),
        ([failed(1), started(1, 2), saved(1, 2)], 0, False),
        ([failed(1), decided("resend", 1)], 0, False),
        ([failed(1), started(1, 2), failed(1, 2, billed="no", failure="refused")], 1, False),
    ],
)
def test_doubts_last_until_an_image_or_a_decision(entries, doubts, in_doubt):
    """A later answer that was not billed does not say whether the earlier one was."""
    found = record(folded(RUN, started(1), *entries))
    assert (found.doubts, found.is_in_doubt) == (doubts, in_doubt)


def test_a_hold_lasts_until_a_decision():
    """What is held stays held over further entries, and a decision frees it."""
    held = [RUN, started(1), failed(1, billed="no", hold=True)]
    assert record(folded(*held)).is_held
    assert record(folded(*held)).is_in_doubt
    assert not record(folded(*held, decided("resend", 1))).is_held


def test_what_was_given_up_is_not_in_doubt():
    """The user left it, open or not."""
    for entries in ([started(1)], [started(1), failed(1)]):
        found = record(folded(RUN, *entries, decided("give_up", 1)))
        assert (found.is_given_up, found.is_in_doubt, found.open) == (True, False, None)


def test_a_refusal_is_remembered_until_a_decision():
    """Only the user sends a refused request again."""
    refused = [RUN, started(1), failed(1, billed="no", failure="refused", message="policy")]
    found = record(folded(*refused, RequestFailed(request=request_id(1), slot="slot-1", reason="refused")))
    assert (found.is_refused, found.message) == (True, "policy")
    assert not record(folded(*refused, decided("resend", 1))).is_refused


def test_the_entry_that_allows_a_further_attempt_is_known():
    """Failure, doubt, decision or image: the latest is what the next attempt cites."""
    seqs = [
        record(folded(*entries)).last_seq
        for entries in (
            [RUN, started(1)],
            [RUN, started(1), failed(1)],
            [RUN, started(1), failed(1), decided("resend", 1)],
            [RUN, started(1), saved(1), started(2)],
            [RUN, started(1), started(1, 2)],
        )
    ]
    assert seqs == [None, 3, 4, 3, 3]


def test_an_image_closes_everything():
    """With an image nothing is open, held, refused or failed."""
    state = folded(RUN, started(1), failed(1, hold=True, message="x"), started(1, 2), saved(1, 2, width=7))
    found = record(state)
    assert (found.open, found.is_held, found.failure, found.message, found.url) == (None, False, None, "", None)
    assert (found.saved.width, found.saved.run, found.saved.attempt) == (7, 0, 2)
    assert state.by_slot == {"slot-1": request_id(1)}


def test_a_located_image_waits_at_its_url_until_the_next_attempt():
    """The url belongs to the open attempt only."""
    located = ImageLocated(request=request_id(1), attempt=1, url="https://x/1")
    assert record(folded(RUN, started(1), located)).is_fetchable
    assert not record(folded(RUN, started(1), located, failed(1))).is_fetchable
    assert record(folded(RUN, started(1), located, started(1, 2))).url is None


def test_a_slot_shows_the_image_that_came_last():
    """A changed prompt takes over its slot."""
    state = folded(RUN, started(1), saved(1), started(2), saved(2, slot="slot-1"))
    assert state.by_slot == {"slot-1": request_id(2)}


def test_a_move_changes_path_and_slot():
    """A renamed slot takes its file along; the old place is remembered in case the rename did not happen."""
    state = folded(RUN, started(1), saved(1), moved(1, "images/slot-1.png", "images/b.png", slot="b/v1"))
    image = record(state).saved
    assert (image.path, image.moved_from, image.moved_sha256) == ("images/b.png", "images/slot-1.png", f"{1:064x}")
    assert (record(state).slot, state.by_slot["b/v1"], image.is_aside) == ("b/v1", request_id(1), False)


@pytest.mark.parametrize(
    ("target", "sha256", "intact"),
    [
        ("images/.superseded/a.png", None, True),
        ("images/.superseded/a.png", "00", False),
        ("images/b.png", "00", True),
    ],
)
def test_remains_that_are_put_away_are_no_image(target, sha256, intact):
    """A retouched file may move and stay the image; put away it is not the bytes that were paid for."""
    state = folded(RUN, started(1), saved(1), moved(1, "images/slot-1.png", target, sha256))
    assert record(state).saved.is_intact is intact


def test_putting_away_leaves_the_slot_to_the_new_image():
    """An image in .superseded is nobody's current one."""
    away = moved(1, "images/slot-1.png", "images/.superseded/slot-1.png", slot="other")
    state = folded(RUN, started(1), saved(1), away)
    assert (record(state).saved.is_aside, record(state).slot, state.by_slot) == (
        True,
        "slot-1",
        {"slot-1": request_id(1)},
    )


def test_a_move_of_a_stranger_changes_nothing():
    """Files of nobody are moved under no id."""
    state = folded(RUN, ImageMoved(request="", slot="", source="a", target="b", sha256="00"), moved(9, "a", "b"))
    assert state.records == {}


@pytest.mark.parametrize("part", [None, "images/.x-1.part"])
def test_whereabouts_prefer_the_temp_file(part):
    """Beside its temp file the final name holds something older."""
    image = record(folded(RUN, started(1), saved(1), moved(1, "images/a.png", "images/b.png"))).saved
    assert image.whereabouts(part, {"images/a.png", "images/b.png"}) == "images/b.png"
    assert image.whereabouts(part, {"images/a.png", "images/b.png", "images/.x-1.part"}) == part or "images/b.png"
    assert image.whereabouts(part, {"images/a.png"}) == "images/a.png"
    assert image.whereabouts(part, set()) == "images/b.png"


def test_an_adopted_file_is_an_image_that_cost_nothing():
    """The user vouches for it."""
    adopt = decided("adopt", 1, slot="slot-1", path="images/slot-1.webp", bytes=9, sha256="ab")
    image = record(folded(RUN, adopt)).saved
    assert (image.path, image.bytes, image.format, image.cost_usd) == ("images/slot-1.webp", 9, "webp", 0.0)


def test_a_redo_names_the_base_id():
    """The last redo of a request counts, and makes no record."""
    state = folded(RUN, decided("redo", 1, count=1), decided("redo", 1, count=2, overrides={"prompt_suffix": "blue"}))
    redo = state.redos[request_id(1)]
    assert (redo.count, redo.overrides, redo.seq, state.records) == (2, {"prompt_suffix": "blue"}, 3, {})


def test_a_remake_allows_one_image():
    """Once the retouched image is made again, the next retouching is safe again."""
    remade = [RUN, started(1), saved(1), decided("remake", 1)]
    assert folded(*remade).remake == {request_id(1)}
    assert folded(*remade, started(1, 2), saved(1, 2)).remake == set()


def test_a_repair_holds_everything_without_an_image():
    """The lost lines may have held any purchase; later requests and finished ones are free."""
    entries = [RUN, started(1), failed(1, billed="no"), started(2), saved(2), started(3)]
    state = folded(*entries, decided("repair", first=7, last=9), started(4))
    assert [record(state, number).is_held for number in (1, 2, 3, 4)] == [True, False, True, False]
    assert (state.lost, state.lost_until) == ([(7, 9)], AT)
    assert not record(folded(*entries, decided("repair", first=7, last=9), decided("resend", 1))).is_held


def test_a_redo_that_is_taken_back_leaves_the_one_before():
    """The chain of decisions stands as if the last one had not been made."""
    first = decided("redo", 1, count=1, overrides={"prompt_suffix": "blue"})
    state = folded(RUN, first, decided("redo", 1, count=2), first)
    redo = state.redos[request_id(1)]
    assert (redo.count, redo.before) == (1, None)
    again = folded(RUN, first, decided("redo", 1, count=2)).redos[request_id(1)]
    assert (again.count, again.before.count) == (2, 1)


def test_the_decision_that_closes_a_repair_names_no_new_gap():
    """It comes after everything that the gap may have touched, and holds that."""
    state = folded(RUN, decided("repair", first=2, last=2), started(1), decided("repair", first=2, last=2))
    assert (state.lost, record(state, 1).is_held) == ([(2, 2)], True)


def test_a_request_that_was_given_up_is_not_held():
    """Nobody sends it anyway."""
    state = folded(RUN, started(1), decided("give_up", 1), decided("repair", first=4, last=4))
    assert not record(state, 1).is_held


def test_a_refusal_does_not_hide_that_lines_are_lost():
    """A held request waits for its decision, whatever the last answer was."""
    refused = folded(RUN, started(1), failed(1, billed="no", failure="refused"))
    assert not record(refused).is_in_doubt
    refused.apply(decided("repair", first=4, last=4))
    assert record(refused).is_in_doubt


def test_lost_lines_are_settled_by_whoever_resolves_all():
    """A decision that names the last lost entry settles them; one about single requests does not."""
    entries = [RUN, decided("repair", first=2, last=2)]
    assert folded(*entries, decided("not_billed", 1)).lost_until == AT
    assert folded(*entries, decided("not_billed", 1, last=2)).lost_until == ""


def test_a_lost_start_still_counts_its_attempt():
    """The number of an attempt whose beginning is lost is never used again."""
    assert record(folded(RUN, failed(1, 3))).attempts == 3
    assert record(folded(RUN, saved(1, 3))).attempts == 3


def test_what_was_asked_is_remembered_by_its_entry():
    """The text stays in the file; the state knows where."""
    state = folded(RUN, started(1, asked=msgspec.Raw(b"{}")), failed(1), started(1, 2), started(2))
    assert (record(state, 1).asked_at_seq, record(state, 2).asked_at_seq) == (2, None)


def test_unknown_kinds_change_nothing():
    """An entry of a kind from the future is skipped."""
    assert fold([Unknown(v=1, seq=1, kind="moon_rose")]) == State()


@given(st.randoms())
def test_the_fold_does_not_depend_on_how_requests_interleave(random):
    """Within a request the order counts; between requests it does not."""
    first, *rest, last = numbered(small_run())
    queues = {}
    for entry in rest:
        key = getattr(entry, "request", None) or entry.requests[0]
        queues.setdefault(key, []).append(entry)
    mixed = []
    while queues:
        key = random.choice(sorted(queues))
        mixed.append(queues[key].pop(0))
        if not queues[key]:
            del queues[key]
    one, other = fold([first, *rest, last]), fold([first, *mixed, last])
    assert (one.records, one.by_slot, one.redos) == (other.records, other.by_slot, other.redos)
    assert math.isclose(one.committed_usd(window="job"), other.committed_usd(window="job"))


@given(st.integers(0, len(small_run())))
def test_no_prefix_of_a_run_loses_a_dollar(length):
    """At every moment each attempt is reserved, spent, in doubt or free, and counted once."""
    entries = numbered(small_run())[:length]
    state = fold(entries)
    attempts = sum(type(entry).__name__ == "AttemptStarted" for entry in entries)
    free = sum(getattr(entry, "billed", "") == "no" for entry in entries)
    forgiven = sum(getattr(entry, "what", "") == "not_billed" for entry in entries)
    images = sum(isinstance(entry, ImageSaved) for entry in entries)
    expected = 0.25 * (attempts - free - forgiven - images) + 0.2 * images
    assert math.isclose(state.committed_usd(window="job"), expected, abs_tol=1e-9)
