"""The judge on trial: forged histories, each with one thing wrong, and sound ones that only look suspicious."""

import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
from crash.kills.books import Bill, Claim, History, Terms, read_bills, read_files, read_ledger
from crash.kills.checker import check

R, S = "a" * 32, "b" * 32
PRICE = 0.05


class Story:
    """A history in the making. Every step says what the ledger says; `pays` is what the gateway says."""

    def __init__(self, **terms: Any) -> None:
        self.terms = Terms(**terms)
        self.entries: list[dict[str, Any]] = []
        self.bills: list[Bill] = []
        self.files: dict[str, str] = {}
        self.claims: list[Claim] = []
        self.more: dict[str, Any] = {}
        self.add("run_started", run="r1")

    def add(self, kind: str, **fields: Any) -> int:
        self.entries.append({"v": 1, "seq": len(self.entries) + 1, "kind": kind, **fields})
        return len(self.entries)

    def begins(self, number: int = 1, because: int | None = None, request: str = R, **fields: Any) -> "Story":
        rest = {"key": request, "reserved_usd": PRICE, "because": because} | fields
        self.add("attempt_started", request=request, attempt=number, **rest)
        return self

    def pays(self, number: int = 1, request: str = R, **fields: Any) -> "Story":
        rest = {"key": request, "price_usd": PRICE, "image": f"image-{request[0]}-{number}"} | fields
        self.bills.append(Bill(attempt=f"{request}-{number}", **rest))
        return self

    def fails(self, number: int = 1, request: str = R, **fields: Any) -> "Story":
        self.add("attempt_failed", request=request, attempt=number, **fields)
        return self

    def saves(self, number: int = 1, request: str = R, **fields: Any) -> "Story":
        path, sha256 = f"images/{request[0]}.png", f"image-{request[0]}-{number}"
        rest = {"path": path, "sha256": sha256, "cost_usd": PRICE} | fields
        self.add("image_saved", request=request, attempt=number, **rest)
        self.files[path] = sha256
        self.claims = [claim for claim in self.claims if claim.id != request]
        return self.claims_(request, "done", path)

    def claims_(self, request: str = R, state: str = "done", path: str = "", **fields: Any) -> "Story":
        self.claims.append(Claim(slot=request[0], id=request, state=state, path=path, **fields))
        return self

    def moves(self, target: str, request: str = R) -> "Story":
        (source,) = (path for path in self.files if f"/{request[0]}" in path)
        sha256 = self.files[target] = self.files.pop(source)
        self.add("image_moved", request=request, **{"from": source, "to": target}, sha256=sha256)
        self.claims = [replace(claim, path=target) for claim in self.claims]
        return self

    def decides(self, what: str, *, really: bool = True) -> "Story":
        self.add("decision", what=what, requests=[R])
        if really:
            self.more["consents"] = frozenset({(what, R)})
        return self

    def history(self, **changes: Any) -> History:
        known = {"bills": self.bills, "entries": self.entries, "files": self.files, "claims": self.claims}
        return History(**(known | {"terms": self.terms} | self.more | changes))

    def classes(self, **changes: Any) -> set[str]:
        return check(self.history(**changes)).classes


def made(number: int = 1, **terms: Any) -> Story:
    """One image, bought once."""
    return Story(**terms).begins(number).pays(number).saves(number)


def doubted(**terms: Any) -> Story:
    """One attempt that nobody heard of again; it was billed."""
    return Story(**terms).begins().pays().fails()


HELD: dict[str, Any] = {"claims": [Claim(slot="a", id=R, state="in_doubt", path="images/a.png")], "exit_code": 3}
"""The end of a run that leaves the request in doubt."""


def test_a_sound_story_is_sound():
    """Bought, recorded, there: nothing to say against it."""
    assert made().classes() == set()


SOUND = {
    "resend of a doubt": doubted().begins(2, 3).pays(2).saves(2),
    "not billed, tried again": Story().begins().fails(billed="no").begins(2, 3).pays(2).saves(2),
    "a decision under hold": doubted(in_doubt="hold").decides("resend").begins(2, 4).pays(2).saves(2),
    "a replayed answer": Story(keys="replay").begins().pays().fails().begins(2, 3).saves(2, sha256="image-a-1"),
    "moved": made().moves("images/sub/a.png"),
    "a bill that comes late": Story().begins().fails().begins(2, 3).pays(2).pays(1).saves(2),
    "two requests": made().begins(request=S).pays(request=S).saves(request=S),
    "a rejected key that was held": doubted(keys="reject").begins(2, 3).fails(2, hold=True),
}
SOUND["a replayed answer"].files["images/a.png"] = "image-a-1"


@pytest.mark.parametrize("name", SOUND)
def test_what_is_allowed_is_not_complained_about(name):
    """Each of these has more attempts than images, for a reason that counts."""
    story = SOUND[name]
    assert story.classes(**({} if story.claims else HELD)) == set()


def test_doubts_are_told_apart():
    """Billed or not, nobody could know: counted, not complained about."""
    billed, free = doubted(), Story().begins().fails()
    counts = [check(story.history(**HELD)).counts for story in (billed, free)]
    assert [(count["recovered"], count["phantom"]) for count in counts] == [(1, 0), (0, 1)]


@pytest.mark.parametrize(
    "story",
    [
        Story().pays(),
        made().pays(2),
        made().pays(request=S),
        Story().begins().pays().fails(billed="no"),
    ],
    ids=["no entry at all", "no such attempt", "no such request", "called not billed"],
)
def test_a_bill_that_the_ledger_does_not_own_up_to_is_lost(story):
    """Money is gone and nobody knows what for."""
    assert "lost" in story.classes(exit_code=None)


@pytest.mark.parametrize(
    "story",
    [
        made().pays(),
        doubted(in_doubt="hold").begins(2, 3).pays(2).saves(2),
        doubted(resends=0).begins(2, 3).pays(2).saves(2),
        made().begins(2, 3).pays(2).saves(2),
        Story().begins().pays().fails(billed="no").begins(2, 3).pays(2).saves(2),
        doubted().fails(1, hold=True).begins(2, 4).pays(2).saves(2),
    ],
    ids=["one attempt twice", "under hold", "beyond the bound", "although it is there", "after a lie", "although held"],
)
def test_a_second_bill_that_nothing_covers_is_double(story):
    """The gateway was paid twice, and nobody wanted that."""
    assert "double" in story.classes()


def test_the_bound_on_resends_is_exact():
    """Two resends allow three purchases and not a fourth."""
    story = doubted(resends=2)
    for number in (2, 3):
        story.begins(number, len(story.entries)).pays(number).fails(number)
    assert story.classes(**HELD) == set()
    story.begins(4, len(story.entries)).pays(4).fails(4)
    assert story.classes(**HELD) == {"double", "unconsented"}


def test_a_missing_file_covers_one_purchase():
    """Taken away once, bought again once; the next one is too many."""
    story = made()
    taken = {"taken": {R: [len(story.entries)]}}
    story.begins(2, 3).pays(2).saves(2)
    assert story.classes(**taken) == set()
    story.begins(3, 5).pays(3).saves(3)
    assert story.classes(**taken) == {"double", "unconsented"}


@pytest.mark.parametrize("what", ["resend", "give_up"])
def test_only_a_decision_to_send_covers_a_purchase(what):
    """Who gave up did not ask for another one."""
    story = doubted(in_doubt="hold").decides(what).begins(2, 4).pays(2).saves(2)
    assert story.classes() == (set() if what == "resend" else {"double", "unconsented"})


def test_an_image_without_a_bill_is_unexpected():
    """Somebody else's, or none at all; under a replaying gateway an earlier bill will do."""
    assert Story().begins().saves().classes() == {"unexpected"}
    assert "unexpected" in doubted().begins(2, 3).saves(2, sha256="image-a-1").classes()


def test_a_file_without_a_record_is_unexpected():
    """Not so in folders where things are put away."""
    assert made().classes(files={"images/a.png": "image-a-1", "images/x.png": "x"}) == {"unexpected"}
    assert made().classes(files={"images/a.png": "image-a-1", "images/.superseded/x.png": "x"}) == set()


@pytest.mark.parametrize("files", [{}, {"images/a.png": "other"}], ids=["gone", "other bytes"])
def test_done_without_its_bytes_is_wrong(files):
    """Unless somebody took them away, which a claim of done does not excuse."""
    assert made().classes(files=files) == {"wrong"}
    assert made().classes(files=files, taken={R: [9]}) == {"wrong"}
    missing = [Claim(slot="a", id=R, state="missing", path="images/a.png")]
    assert made().classes(files=files, taken={R: [9]}, claims=missing, exit_code=5) == {"stuck"}


def test_an_image_that_nobody_wants_any_more_is_kept():
    """The manifest does not name it; it was paid for all the same."""
    assert made().classes(claims=[], files={}) == {"wrong"}
    assert made().classes(claims=[]) == set()


def test_bytes_of_another_bill_are_wrong():
    """What lies there was made for somebody else."""
    assert "wrong" in Story().begins().pays(image="image-b-1").saves().classes()


def test_a_retouched_image_that_was_put_away_is_bought_again():
    """Its paid bytes are gone; without a brush nothing excuses that."""
    story = made()
    sha256 = "retouched"
    story.add("image_moved", request=R, **{"from": "images/a.png", "to": "images/.superseded/a.png"}, sha256=sha256)
    story.files["images/.superseded/a.png"] = sha256
    story.begins(2, 3).pays(2).saves(2)
    assert story.classes(retouched={R: sha256}) == set()
    assert story.classes() == {"double", "unconsented"}


def test_a_retouched_image_is_altered_and_nothing_else():
    """Called altered it is right; called done, or altered without a brush, it is wrong."""
    story, files = made(), {"images/a.png": "retouched"}
    altered = [Claim(slot="a", id=R, state="altered", path="images/a.png")]
    assert story.classes(files=files, claims=altered, retouched={R: "retouched"}) == set()
    assert story.classes(files=files, retouched={R: "retouched"}) == {"wrong"}
    assert story.classes(claims=altered) == {"wrong"}


@pytest.mark.parametrize(
    "story",
    [
        made(budget_usd=0.04),
        Story(budget_usd=0.05).begins().begins(request=S).pays().saves().pays(request=S).saves(request=S),
        doubted(budget_usd=0.05).begins(2, 3).pays(2).saves(2),
        Story().begins(reserved_usd=0.04).pays().saves(),
        Story().begins().pays().saves(cost_usd=0.01),
        Story().begins(reserved_usd=None).pays().saves(),
    ],
    ids=["budget", "reservations", "doubts count", "below the bill", "cheap record", "no reservation"],
)
def test_more_than_was_agreed_is_over(story):
    """The budget, the reservation and the record of the cost each bound the bill."""
    assert "over" in story.classes()


@pytest.mark.parametrize(
    "story",
    [Story().begins(reserved_usd=None).fails(), Story(budget_usd=0.05).begins().fails().begins(2, 3).fails(2)],
    ids=["no reservation", "two doubts"],
)
def test_what_was_never_billed_is_reckoned_with(story):
    """While nobody knows, it counts."""
    assert story.classes(**HELD) == {"over"}


def test_each_run_has_its_own_budget_when_it_says_so():
    """A window is what the attempts say it is."""
    story = Story(budget_usd=0.05).begins(window="r1").pays().saves()
    assert story.begins(request=S, window="r2").pays(request=S).saves(request=S).classes() == set()


def test_what_was_declared_free_is_not_counted():
    """Who says that an attempt was not billed has the budget back."""
    story = Story(budget_usd=0.05).begins().fails().decides("not_billed").begins(2, 4).pays(2).saves(2)
    assert story.classes() == set()


def test_a_request_on_the_wire_before_its_record_is_early():
    """The gateway looked into the ledger when the request came."""
    assert Story().begins().pays(recorded=False).saves().classes() == {"early"}


def test_an_attempt_under_hold_is_unconsented():
    """Even if it was never billed."""
    story = Story(in_doubt="hold").begins().fails().begins(2, 3).fails(2)
    assert story.classes(**HELD) == {"unconsented"}


def test_a_located_image_is_not_bought_again():
    """It was paid for: that it cannot be fetched is no doubt to be resent."""
    story = Story().begins().pays()
    story.add("image_located", request=R, attempt=1, url="http://x/1")
    assert "double" in story.fails().begins(2, 4).pays(2).saves(2).classes()


def test_a_refusal_is_final():
    """Asking again is for who says so, even when the next answer is an image."""
    story = Story().begins().fails(billed="no", failure="refused").begins(2, 3).pays(2).saves(2)
    assert story.classes() == {"unconsented"}


def test_a_doubt_stays_where_it_was_sent():
    """Another gateway knows nothing of the key, and would make the image once more."""
    story = Story().begins(provider="one").pays().fails().begins(2, 3, provider="two").pays(2).saves(2)
    assert story.classes() == {"double", "unconsented"}
    free = Story().begins(provider="one").fails(billed="no").begins(2, 3, provider="two").pays(2).saves(2)
    assert free.classes() == set()


def test_a_redo_is_a_request_of_its_own():
    """Its first attempt cites the decision; a decision of nobody's does not count."""
    story = made().decides("redo")
    story.begins(request=S, because=4).pays(request=S).saves(request=S)
    assert story.classes() == set()
    assert story.classes(consents=frozenset()) == {"unconsented"}


def test_a_decision_that_nobody_made_is_unconsented():
    """A run must not speak for its user."""
    story = doubted(in_doubt="hold").decides("resend", really=False).begins(2, 4).pays(2).saves(2)
    assert story.classes() == {"unconsented"}


@pytest.mark.parametrize("because", [None, 1, 2, 4])
def test_a_wrong_citation_is_uncited(because):
    """Only the doubt itself will do."""
    assert doubted().begins(2, because).pays(2).saves(2).classes() == {"uncited"}


@pytest.mark.parametrize(
    ("saved", "spent", "maybe", "honest"),
    [
        (1, 0.05, 0.05, True),
        (0, 0.05, 0.05, False),
        (1, 0.0, 0.05, False),
        (1, 0.05, 0.0, False),
        (1, 0.05, None, False),
    ],
)
def test_a_summary_that_does_not_add_up_is_unpriced(saved, spent, maybe, honest):
    """What was made, what it cost, and what may have been billed for nothing."""
    story = made().begins(request=S).pays(request=S).fails(request=S).claims_(S, "in_doubt")
    story.add("run_finished", run="r1", counts={"saved": saved}, spent_usd=spent, in_doubt_usd=maybe)
    assert story.classes(exit_code=3) == (set() if honest else {"unpriced"})


def test_a_doubt_after_a_drain_is_undrained():
    """It had all the time it wanted; a run that was killed had not."""
    story = doubted()
    assert story.classes(**HELD, drained=frozenset({"r1"})) == {"undrained"}
    assert story.classes(**HELD, drained=frozenset({"r2"})) == set()


@pytest.mark.parametrize(
    "story",
    [
        Story().begins().begins(2, None).pays().saves(),
        Story().begins(2).pays(2).saves(2),
        Story().begins(key="other").pays().saves(),
        Story().begins().pays(key="other").saves(),
        made().fails(),
        Story(concurrency=1).begins().begins(request=S).pays().saves().pays(request=S).saves(request=S),
    ],
    ids=["two open", "numbering", "key in the ledger", "key on the wire", "ended twice", "crowd"],
)
def test_a_broken_rule_of_the_ledger_is_broken(story):
    """Whatever the money says."""
    assert "broken" in story.classes()


def test_a_second_open_attempt_is_broken_even_if_it_brings_the_image():
    """The first one is nobody's business any more, and was paid for."""
    assert Story().begins().begins(2, None).pays(2).saves(2).classes(exit_code=None) == {"broken"}


def test_a_temp_file_of_a_settled_attempt_is_a_leftover():
    """That of an open one is not."""
    part = f"images/.{R}-1.part"
    assert made().classes(files={"images/a.png": "image-a-1", part: "x"}) == {"broken"}
    story = Story().begins().pays()
    story.add("image_located", request=R, attempt=1, url="http://x/1")
    assert story.classes(files={part: "x"}, **HELD) == set()


@pytest.mark.parametrize(
    ("state", "would_send", "code", "stuck"),
    [
        ("in_doubt", False, 3, False),
        ("in_doubt", True, 3, True),
        ("in_doubt", False, 0, True),
        ("in_doubt", False, 1, True),
        ("in_doubt", False, 5, True),
        ("changed", True, 3, True),
        ("new", True, 3, True),
        ("done", False, 3, True),
    ],
)
def test_the_exit_code_fits_what_is_left(state, would_send, code, stuck):
    """0: all there. 3: something is held or failed, and nothing else could be sent. 5 needs a limit."""
    story = made() if state == "done" else doubted()
    claim = Claim(slot="a", id=R, state=state, path="images/a.png", would_send=would_send)
    assert story.classes(claims=[claim], exit_code=code) == ({"stuck"} if stuck else set())


@pytest.mark.parametrize("state", ["failed", "changed", "missing"])
def test_what_failed_is_left_to_the_next_run(state):
    """Whatever its slot shows meanwhile."""
    story = Story().begins().fails(billed="no").claims_(R, state, would_send=True)
    assert story.classes(exit_code=3) == set()
    assert story.classes(exit_code=0) == {"stuck"}


@pytest.mark.parametrize(("budget", "early"), [(0.09, False), (0.11, True)])
def test_a_budget_is_used_up_only_when_the_next_one_does_not_fit(budget, early):
    """Stopping too early is no virtue."""
    story = made(budget_usd=budget).claims_(S, "new", would_send=True)
    assert story.classes(exit_code=5) == ({"stuck"} if early else set())


def test_an_attempt_that_stays_open_is_stuck():
    """A run that ended by itself has closed what it began."""
    story = Story().begins().pays()
    assert "stuck" in story.classes(**HELD)


def test_a_dead_run_is_still_held_to_its_bills():
    """Files are in no order then; what was bought is."""
    assert doubted().classes(exit_code=None) == set()
    assert made().pays(7).classes(exit_code=None, files={}) == {"lost"}


def lines(*entries: dict[str, Any]) -> list[bytes]:
    made, crc = [], 0
    for seq, entry in enumerate(entries, 1):
        body = json.dumps({"v": 1, "seq": seq} | entry).encode()[:-1]
        crc = zlib.crc32(body, crc)
        made.append(body + b',"crc":"%08x"}\n' % crc)
    return made


def test_the_ledger_is_read_by_its_description():
    """Three lines of the published test vector."""
    vector = (
        b'{"v":1,"seq":1,"at":"2026-01-01T00:00:00.123Z","kind":"run_started","run":"7f3a","crc":"9e5833b0"}\n'
        b'{"v":1,"seq":2,"at":"2026-01-01T00:00:00.456Z","kind":"attempt_started","request":"ab12","attempt":1,'
        b'"because":null,"crc":"2752c9b6"}\n'
        b'{"v":1,"seq":3,"at":"2026-01-01T00:02:31.009Z","kind":"attempt_failed","request":"ab12","attempt":1,'
        b'"billed":"maybe","crc":"c0ea6ab4"}\n'
    )
    entries, problems = read_ledger(vector)
    assert ([entry["seq"] for entry in entries], problems) == ([1, 2, 3], [])


@pytest.mark.parametrize("change", ["lost", "doubled", "swapped", "bit", "tail"])
def test_a_ledger_that_was_tampered_with_is_broken(change):
    """Any line lost, doubled, swapped or changed, and half a line at the end."""
    good = lines(*({"kind": "run_started", "run": str(number)} for number in range(4)))
    bad = {
        "lost": [good[0], *good[2:]],
        "doubled": [good[0], good[1], *good[1:]],
        "swapped": [good[0], good[2], good[1], good[3]],
        "bit": [good[0], good[1].replace(b'"1"', b'"9"'), *good[2:]],
        "tail": [*good, good[3][:9]],
    }[change]
    _, problems = read_ledger(b"".join(bad))
    assert problems
    assert check(History(problems=problems)).classes == {"broken"}


def test_a_number_left_out_is_broken():
    """The checksums follow each other, the numbers do not."""
    _, problems = read_ledger(b"".join(lines({"kind": "x"}, {"kind": "y", "seq": 3})))
    assert len(problems) == 1


def test_bills_and_files_are_read_as_they_are(tmp_path):
    """One JSON object per line; every file below images, by its hash."""
    bill = Bill(key=R, attempt=f"{R}-1", price_usd=PRICE, image="x")
    log = tmp_path / "log"
    log.write_text(json.dumps({"key": R, "attempt": f"{R}-1", "price_usd": PRICE, "image": "x"}) + "\n")
    (tmp_path / "images/.superseded").mkdir(parents=True)
    (tmp_path / "images/.superseded/a.png").write_bytes(b"")
    assert read_bills(log) == [bill]
    assert read_bills(tmp_path / "none") == []
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert read_files(tmp_path) == {"images/.superseded/a.png": empty}
