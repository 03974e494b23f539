"""Plan, ledger and folder held together: the eight states, what is sent, and what is never bought by surprise."""

import pytest

from batchgen.ledger.record import OpenAttempt, RequestRecord, SavedImage
from batchgen.plan.compare import SIGNS, Facts, compare, stem
from batchgen.request import Request

A, B, C = (letter * 32 for letter in "abc")
OPEN = OpenAttempt(attempt=1, seq=2, reserved_usd=0.1, run=0, day="2026-11-20")


def request(request_id=A, slot="mug/v1", path=None):
    return Request(
        id=request_id,
        base_id=request_id,
        slot=slot,
        operation="generate",
        prompt="a mug",
        params={},
        path=path or f"images/{slot.replace('/', '-')}.png",
    )


def image(path="images/mug-v1.png", **fields):
    rest = {"seq": 3, "at": "", "run": 0, "attempt": 1, "bytes": 1, "sha256": "", "format": "png"}
    return SavedImage(path=path, width=1, height=1, **(rest | fields))


def known(slot="mug/v1", **fields):
    return RequestRecord(slot=slot, attempts=1, **fields)


def finished(slot="mug/v1", path=None, **fields):
    return known(slot, saved=image(path or f"images/{slot.replace('/', '-')}.png"), **fields)


def standing(*requests, records=None, by_slot=None, **facts):
    records = records or {}
    shown = {record.slot: key for key, record in records.items() if record.saved is not None}
    rest = {
        "verdicts": {},
        "strangers": {},
        "is_past": lambda _: False,
        "because": lambda old, new: f"{old[0]} became {new.id[0]}",
        "resends": 2,
        "may_resend": True,
    }
    return compare(requests, Facts(records=records, by_slot=by_slot or shown, **(rest | facts)))


def status(record=None, *others, **facts):
    """The status of request A with `record`."""
    records = facts.pop("records", {})
    if record is not None:
        records = {**records, A: record}
    return standing(request(), *others, records=records, **facts).slots[0]


def brief(found):
    return found.state, found.would_send


def test_every_state_has_a_sign_of_its_own():
    """People tell states by one character."""
    assert len(set(SIGNS.values())) == len(SIGNS) == 8


@pytest.mark.parametrize(
    ("record", "state", "sent", "says"),
    [
        (None, "new", True, ""),
        (known(), "new", True, ""),
        (finished(), "done", False, ""),
        (known(failure="server_error", message="oops"), "failed", True, "server_error: oops"),
        (known(failure="not_sent"), "failed", True, "not_sent"),
        (known(failure="refused", message="policy", is_refused=True), "failed", False, "refused: policy"),
        (known(failure="in_doubt", is_given_up=True), "failed", False, "given up: in_doubt"),
        (known(open=OPEN), "in_doubt", True, "sent once"),
        (known(open=OPEN, url="https://x"), "in_doubt", True, "waiting at the provider"),
        (known(doubts=1, message="timeout"), "in_doubt", True, "(timeout)"),
        (known(doubts=2), "in_doubt", True, "sent 2 times"),
        (known(doubts=3), "in_doubt", False, "held until"),
        (known(doubts=1, is_held=True), "in_doubt", False, "held until"),
        (known(is_held=True), "in_doubt", False, "held until"),
        (finished(doubts=1), "in_doubt", True, "sent once"),
    ],
)
def test_the_record_decides_the_state(record, state, sent, says):
    """Every state that the ledger alone can tell."""
    found = status(record)
    assert brief(found) == (state, sent)
    assert says in found.reason


@pytest.mark.parametrize(
    ("verdict", "state", "says"),
    [
        (None, "done", ""),
        ("gone", "missing", "is gone"),
        ("broken", "missing", "no longer a whole image"),
        ("altered", "altered", "; kept"),
        ("unreadable", "altered", "cannot be read"),
    ],
)
def test_the_file_decides_the_state_of_a_finished_slot(verdict, state, says):
    """Only an image that is surely lost is made again."""
    found = status(finished(), verdicts={A: verdict} if verdict else {})
    assert brief(found) == (state, state == "missing")
    assert says in found.reason


@pytest.mark.parametrize(("verdict", "sent"), [("altered", True), ("unreadable", False), ("gone", True)])
def test_remake_altered_overwrites_retouched_images_only(verdict, sent):
    """What cannot be read is not known to be retouched."""
    for facts in ({"remake_altered": True}, {"remake": {A}}):
        found = status(finished(), verdicts={A: verdict}, **facts)
        assert found.would_send is sent
        assert "kept" not in found.reason


@pytest.mark.parametrize("resends", [0, 1, 2, 5])
def test_doubts_are_resent_as_often_as_allowed(resends):
    """Each round may be billed; after the last one it is held."""
    sent = [status(known(doubts=doubts), resends=resends).would_send for doubts in range(1, 8)]
    assert sum(sent) == resends


@pytest.mark.parametrize("record", [known(doubts=1), known(open=OPEN)])
def test_policy_hold_sends_no_doubt(record):
    """Without a decision nothing is bought that may have been bought before."""
    found = status(record, may_resend=False)
    assert brief(found) == ("in_doubt", False)
    assert "batchgen resolve" in found.reason


def test_a_located_image_is_fetched_under_any_policy():
    """It is paid for and fetching is free."""
    assert status(known(open=OPEN, url="https://x"), may_resend=False).would_send


@pytest.mark.parametrize("make", [known, finished])
def test_a_refusal_is_sent_again_only_on_request(make):
    """The same prompt meets the same filter, also when its earlier image is gone."""
    record = make(failure="refused", is_refused=True, message="policy")
    assert not status(record, verdicts={A: "gone"}).would_send
    assert status(record, verdicts={A: "gone"}, send_refused=True).would_send


@pytest.mark.parametrize("facts", [{}, {"send_refused": True}])
def test_what_was_given_up_is_not_sent(facts):
    """New, changed or missing: the user decided to leave it."""
    shown = {B: finished()}
    given_up = {"is_given_up": True, "failure": "in_doubt"}
    assert not status(known(**given_up), **facts).would_send
    assert not status(finished(**given_up), verdicts={A: "gone"}, **facts).would_send
    changed = status(known(**given_up), records=shown, by_slot={"mug/v1": B}, **facts)
    assert brief(changed) == ("changed", False)
    assert "given up" in changed.reason


def test_a_changed_prompt_replaces_the_image_of_its_slot():
    """The slot shows the old image until the new one is there."""
    found = status(records={B: finished()})
    assert brief(found) == ("changed", True)
    assert (found.reason, found.replaces) == ("b became a", B)


def test_a_changed_slot_that_failed_is_still_changed():
    """The old image is still shown, and the new one is still wanted."""
    found = status(known(failure="server_error"), records={B: finished()}, by_slot={"mug/v1": B})
    assert brief(found) == ("changed", True)


def test_keep_changed_sends_no_changed_slot():
    """The old image is good enough."""
    found = status(records={B: finished()}, keep_changed=True)
    assert (brief(found), found.replaces) == (("changed", False), B)


def test_a_changed_slot_remembers_a_refusal():
    """A new prompt that was refused is not sent by every run."""
    refused = known(is_refused=True, failure="refused", message="policy")
    found = status(refused, records={B: finished()}, by_slot={"mug/v1": B})
    assert brief(found) == ("changed", False)
    assert "refused before: policy" in found.reason


def test_a_doubt_in_a_changed_slot_replaces_the_old_image_when_it_comes():
    """The old image does not stay beside the new one."""
    assert status(known(doubts=1), records={B: finished()}, by_slot={"mug/v1": B}).replaces == B


@pytest.mark.parametrize("record", [None, known(doubts=1), known(open=OPEN, url="https://x")])
def test_an_image_that_the_plan_still_wants_is_never_put_away(record):
    """The prompt of another slot now stands here; its image goes there and is nobody's to replace."""
    records = {B: finished()}
    other = request(B, "tray/v1")
    assert status(record, other, records=records, by_slot={"mug/v1": B}).replaces is None


def test_an_image_that_moved_on_is_never_put_away():
    """The slot once showed it; by now it is known under another name."""
    assert status(records={B: finished("old/v1")}, by_slot={"mug/v1": B}).state == "new"


def test_an_image_that_was_put_away_is_not_shown():
    """A slot whose image went to .superseded is new, not changed."""
    away = known(saved=image("images/.superseded/mug-v1.png"))
    assert status(records={B: away}, by_slot={"mug/v1": B}).state == "new"


@pytest.mark.parametrize("verdict", [None, "altered"])
def test_a_finished_image_under_another_path_is_moved_not_bought(verdict):
    """Renaming a slot costs nothing, and takes retouched files along."""
    found = status(finished("cup/v1"), verdicts={A: verdict} if verdict else {})
    assert (found.would_send, found.move_from, found.path) == (False, "images/cup-v1.png", "images/mug-v1.png")


@pytest.mark.parametrize("verdict", ["gone", "broken", "unreadable"])
def test_what_is_lost_or_unreadable_is_not_moved(verdict):
    """There is nothing to move, or nobody can tell what."""
    assert status(finished("cup/v1"), verdicts={A: verdict}).move_from is None


def test_a_retouched_image_that_is_remade_is_not_moved_first():
    """It is put away where it is when the new one comes."""
    assert status(finished("cup/v1"), verdicts={A: "altered"}, remake_altered=True).move_from is None


def test_a_reverted_prompt_finds_its_old_image():
    """Going back to an earlier prompt brings back what was paid for, out of .superseded."""
    old = known(saved=image("images/.superseded/mug-v1.aaaaaaaa.png"))
    found = standing(request(), records={A: old, B: finished()}, by_slot={"mug/v1": B})
    assert brief(found.slots[0]) == ("done", False)
    assert found.slots[0].move_from == "images/.superseded/mug-v1.aaaaaaaa.png"
    assert found.orphans == ()


@pytest.mark.parametrize("real", ["png", "jpg", "webp"])
def test_the_extension_follows_the_bytes(real):
    """Asked for png and got webp: the file is called what it is, and is not moved for that."""
    found = status(known(saved=image(f"images/mug-v1.{real}")))
    assert (found.path, found.move_from) == (f"images/mug-v1.{real}", None)


@pytest.mark.parametrize("path", ["images/mug-v1.png", "images/mug-v1.jpg", "images/MUG-V1.PNG"])
def test_a_file_that_nobody_knows_is_held(path):
    """An older ledger beside newer images must not buy them again."""
    found = status(strangers={stem(path): path})
    assert brief(found) == ("in_doubt", False)
    assert path in found.reason
    assert "adopt" in found.reason


@pytest.mark.parametrize("facts", [{"remake_altered": True}, {"remake": {A}}])
def test_a_file_that_nobody_knows_can_be_made_anew(facts):
    """The user may prefer a new one."""
    assert brief(status(strangers={"images/mug-v1": "images/mug-v1.png"}, **facts)) == ("new", True)


def test_a_file_beside_a_finished_image_does_not_matter():
    """Somebody's export to another format is no question."""
    assert status(finished(), strangers={"images/mug-v1": "images/mug-v1.jpg"}).state == "done"


@pytest.mark.parametrize("records", [{}, {B: finished()}])
def test_after_lost_lines_everything_unknown_is_held(records):
    """Its purchase may have been among them, also in a changed slot."""
    found = status(records=records, lost_lines=True)
    assert brief(found) == ("in_doubt", False)
    assert brief(status(known(), lost_lines=True)) == ("new", True)
    assert brief(status(finished(), lost_lines=True)) == ("done", False)


def test_after_a_repair_the_hold_says_why():
    """Nobody is told of an answer that never came when it is lines that are lost."""
    found = status(known(is_held=True, failure="server_error"))
    assert brief(found) == ("in_doubt", False)
    assert "lost lines" in found.reason


@pytest.mark.parametrize("record", [None, known(doubts=1), finished()])
def test_a_file_that_could_be_adopted_is_named(record):
    """A doubt of its own, or an image that is gone, does not hide the file at the slot's path."""
    strangers = {"images/mug-v1": "images/mug-v1.jpg"}
    found = status(record, strangers=strangers, verdicts={A: "gone"})
    assert (found.state, found.stranger) == ("in_doubt", "images/mug-v1.jpg")


def test_an_image_that_is_gone_is_not_bought_beside_a_file_that_nobody_knows():
    """Somebody put another format in its place, or the move that says so is lost."""
    strangers = {"images/mug-v1": "images/mug-v1.jpg"}
    assert brief(status(finished(), strangers=strangers, verdicts={A: "gone"})) == ("in_doubt", False)
    assert brief(status(finished(), strangers=strangers, verdicts={A: "gone"}, remake_altered=True)) == (
        "missing",
        True,
    )


def test_what_the_manifest_no_longer_names_is_an_orphan():
    """It stays, and is listed."""
    found = standing(request(), records={A: finished(), B: finished("tray/v1")})
    assert [(orphan.id, orphan.slot, orphan.path) for orphan in found.orphans] == [(B, "tray/v1", "images/tray-v1.png")]


@pytest.mark.parametrize(
    ("record", "facts"),
    [
        (known("tray/v1"), {}),
        (known("tray/v1", saved=image("images/.superseded/x.png")), {}),
        (finished("tray/v1"), {"verdicts": {B: "gone"}}),
        (finished("2026-11-19/tray/v1"), {"is_past": lambda slot: slot.startswith("2026-")}),
    ],
)
def test_what_is_no_orphan(record, facts):
    """Never made, put away, gone, or of an earlier period."""
    assert standing(request(), records={B: record}, **facts).orphans == ()


def test_the_image_of_a_changed_slot_is_no_orphan():
    """The plan still shows it."""
    assert standing(request(), records={B: finished()}).orphans == ()


def test_a_replaced_image_that_was_not_put_away_is_an_orphan():
    """Two images for one slot: the one it does not show is nobody's."""
    found = standing(request(), records={A: finished(), B: finished()}, by_slot={"mug/v1": A})
    assert [orphan.id for orphan in found.orphans] == [B]


def test_statuses_come_in_plan_order():
    """The plan's order is the order of everything."""
    requests = [request(key, f"{key[0]}/v1") for key in (C, A, B)]
    assert [found.request.id for found in standing(*requests).slots] == [C, A, B]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("images/A.png", "images/a.jpg"),
        ("images/caf\u00e9.png", "images/cafe\u0301.png"),
        ("images/a.b.png", "images/a.b.webp"),
        ("images/stra\u00dfe.png", "images/STRASSE.png"),
    ],
)
def test_stems_are_compared_as_any_file_system_would(one, other):
    """Case, composition and extension tell no files apart."""
    assert stem(one) == stem(other)


@pytest.mark.parametrize(("one", "other"), [("a/b.png", "b.png"), ("a.b.png", "a.png"), ("a.b/c", "a/c")])
def test_different_stems(one, other):
    """A dot in the middle is part of the name."""
    assert stem(one) != stem(other)
