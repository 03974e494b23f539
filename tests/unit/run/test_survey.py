"""How a job stands: manifest, ledger and folder held together, without changing a byte."""

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import yaml
from fakes.desk import Desk
from fakes.pictures import picture

from batchgen.errors import FolderError, LedgerDamagedError, PlanError, UsageError
from batchgen.images.arrival import part_path
from batchgen.ledger.entry import (
    AttemptFailed,
    AttemptStarted,
    Decision,
    ImageLocated,
    ImageMoved,
    ImageSaved,
    RunFinished,
    RunStarted,
)
from batchgen.plan.select import parse_selection
from batchgen.run.because import asked_of
from batchgen.run.job import Options, open_job
from batchgen.run.survey import look, make_plan, survey

RED, BLUE = picture(color="red"), picture(color="blue")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MUG, TRAY = {"id": "mug", "text": "a mug"}, {"id": "tray", "text": "a tray"}
P = "images/mug-v1.png"


class Place:
    """A manifest and its job folder."""

    def __init__(self, folder):
        self.path = folder / "job.yaml"
        self.manifest = {
            "version": 1,
            "name": "shop",
            "request": {"model": "gpt-image-2", "size": "1024x1024"},
            "prompts": [MUG, TRAY],
        }

    def job(self, **options):
        self.path.write_text(yaml.safe_dump(self.manifest, sort_keys=False))
        now = options.pop("now", NOW)
        return open_job(Options(path=self.path, environ={}, **options), now=now)

    def look(self, **options):
        return look(self.job(**options))

    def states(self, **options):
        return {status.request.slot: status.state for status in self.look(**options).selected}

    def status(self, slot="mug/v1", **options):
        return next(status for status in self.look(**options).standing.slots if status.request.slot == slot)

    @property
    def desk(self):
        folder = self.job().folder
        folder.mkdir(parents=True, exist_ok=True)
        return Desk(folder)

    def write(self, *entries):
        """Append entries to the ledger."""

        async def act(running):
            for entry in entries:
                await running.journal.append(entry)

        self.desk.during(act)

    def file(self, path, data):
        """Put a file, or take it away."""
        place = self.desk.path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink() if data is None else place.write_bytes(data)

    def sent(self, slot="mug/v1", attempt=1):
        job = self.job()
        plan = make_plan(job, self.desk.state)
        request = next(request for request in plan.requests if request.slot == slot)
        asked = msgspec.Raw(asked_of(plan, request).encode())
        entry = AttemptStarted(request=request.id, slot=slot, attempt=attempt, because=None, asked=asked)
        self.write(RunStarted(run="a"), entry)
        return request

    def made(self, slot="mug/v1", data=RED, path=None, *, end=True):
        """A finished image, and its run."""
        request = self.sent(slot)
        path = path or request.path
        self.write(saved(request.id, slot, path, data))
        if end:
            self.write(RunFinished(run="a", counts={}))
        self.file(path, data)
        return request


def saved(request_id, slot, path, data, attempt=1):
    return ImageSaved(
        request=request_id,
        slot=slot,
        attempt=attempt,
        path=path,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        format="png",
        width=16,
        height=16,
    )


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_without_a_job_folder_everything_is_new(place):
    """Looking makes no folder."""
    job = place.job()
    found = look(job)
    assert (found.event.new, found.event.requests, job.folder.exists()) == (2, 2, False)
    assert [status.request.slot for status in found.to_send] == ["mug/v1", "tray/v1"]


def test_a_finished_image_is_done(place):
    """Recorded, present and as recorded."""
    place.made()
    assert place.states() == {"mug/v1": "done", "tray/v1": "new"}


@pytest.mark.parametrize(
    ("data", "state"), [(None, "missing"), (RED[:50], "missing"), (BLUE, "altered"), (RED, "done")]
)
def test_the_file_is_looked_at(place, data, state):
    """Gone, broken or retouched, whatever the record says."""
    place.made(end=False)
    place.file(P, data)
    assert place.states()["mug/v1"] == state


def test_a_symlink_in_the_place_of_the_images_is_refused(place, tmp_path):
    """What was bought could not be saved behind it, and what is there would look lost: exit 2, nothing sent."""
    place.made()
    images = place.desk.path / "images"
    images.rename(tmp_path / "elsewhere")
    images.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FolderError, match="is a link"):
        place.look()


def test_looking_changes_nothing(place):
    """Not with a torn tail, not with temp files, not in any state."""
    request = place.made()
    place.file(part_path(P, request.id, 1), RED)
    ledger = place.desk.path / "ledger.jsonl"
    with ledger.open("ab") as tail:
        tail.write(b"half")
    before = {path: path.read_bytes() for path in place.desk.path.rglob("*") if path.is_file()}
    place.look()
    assert {path: path.read_bytes() for path in place.desk.path.rglob("*") if path.is_file()} == before


def test_a_damaged_ledger_is_refused(place):
    """Nothing can be said about the job, so nothing is."""
    place.made()
    ledger = place.desk.path / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b"mug", b"mob", 1))
    with pytest.raises(LedgerDamagedError):
        place.look()


def test_a_record_without_its_rename_is_done(place):
    """The next run finishes it, so it is not counted as lost before."""
    request = place.sent()
    place.write(saved(request.id, "mug/v1", P, RED))
    place.file(part_path(P, request.id, 1), RED)
    assert place.states()["mug/v1"] == "done"


def test_a_record_without_its_rename_is_done_over_an_older_image(place):
    """The old image that still has the name is not taken for a retouched new one."""
    old = place.made()
    place.manifest["prompts"] = [{"id": "mug", "text": "a blue mug"}, TRAY]
    request = place.sent()
    place.write(saved(request.id, "mug/v1", P, BLUE))
    place.file(part_path(P, request.id, 1), BLUE)
    found = place.look()
    assert found.selected[0].state == "done"
    assert [orphan.id for orphan in found.standing.orphans] == [old.id]


def test_a_move_without_its_rename_is_done(place):
    """The file is still where the move took it from, and that place is nobody's else."""
    request = place.made()
    sha256 = hashlib.sha256(RED).hexdigest()
    place.write(ImageMoved(request=request.id, slot="mug/v1", source=P, target="images/x.png", sha256=sha256))
    status = place.status()
    assert (status.state, status.would_send) == ("done", False)


def test_a_half_done_move_leaves_no_stranger(place):
    """A slot that now has the old path is new, not held for a file that nobody knows."""
    request = place.made()
    sha256 = hashlib.sha256(RED).hexdigest()
    place.write(ImageMoved(request=request.id, slot="cup/v1", source=P, target="images/cup-v1.png", sha256=sha256))
    place.manifest["prompts"] = [{"id": "cup", "text": "a mug"}, {"id": "mug", "text": "another"}]
    assert place.states() == {"cup/v1": "done", "mug/v1": "new"}


def test_a_renamed_slot_is_moved(place):
    """The same request under another name costs nothing."""
    place.made()
    place.manifest["prompts"] = [{"id": "cup", "text": "a mug"}, TRAY]
    status = place.status("cup/v1")
    assert (status.state, status.move_from, status.path) == ("done", P, "images/cup-v1.png")


def test_a_changed_slot_says_what_changed(place):
    """Old and new request are compared, from the ledger."""
    old = place.made()
    place.manifest["prompts"] = [{"id": "mug", "text": "a mug", "request": {"size": "1536x1024"}}, TRAY]
    status = place.status()
    assert (status.state, status.reason, status.replaces) == ("changed", "size changed", old.id)
    assert not place.status(keep_changed=True).would_send


def test_a_reverted_prompt_is_brought_back(place):
    """Its image lies in .superseded and is moved, not bought."""
    old = place.made()
    away = "images/.superseded/mug-v1.png"
    sha256 = hashlib.sha256(RED).hexdigest()
    place.write(ImageMoved(request=old.id, slot="mug/v1", source=P, target=away, sha256=sha256))
    (place.desk.path / away).parent.mkdir()
    (place.desk.path / P).rename(place.desk.path / away)
    status = place.status()
    assert (status.state, status.move_from, status.path) == ("done", away, P)


def test_retouched_bytes_in_superseded_come_back_as_retouched(place):
    """Somebody's work on a paid image is kept: it is moved back and shown, and nothing is bought."""
    old = place.made()
    away = "images/.superseded/mug-v1.png"
    sha256 = hashlib.sha256(BLUE).hexdigest()
    place.write(ImageMoved(request=old.id, slot="mug/v1", source=P, target=away, sha256=sha256))
    place.file(P, None)
    place.file(away, BLUE)
    assert (place.status().state, place.status().move_from) == ("altered", away)


@pytest.mark.parametrize(("policy", "sent"), [("resend", True), ("hold", False)])
def test_the_policy_decides_on_doubts(place, policy, sent):
    """The manifest says whether a doubt is bought again."""
    place.sent()
    place.manifest["retry"] = {"in_doubt": policy}
    assert (place.status().state, place.status().would_send) == ("in_doubt", sent)


def test_resends_are_counted_over_all_runs(place):
    """The manifest's limit holds for the ledger, not for one run."""
    request = place.sent()
    place.manifest["retry"] = {"resends": 1}
    sent = []
    for attempt in (1, 2):
        place.write(AttemptFailed(request=request.id, attempt=attempt, billed="maybe"))
        sent.append(place.status().would_send)
        place.write(AttemptStarted(request=request.id, attempt=attempt + 1, because=1))
    assert sent == [True, False]


def test_a_located_image_is_fetched_under_hold(place):
    """It is paid, and the address is known."""
    request = place.sent()
    place.write(ImageLocated(request=request.id, attempt=1, url="https://x/1"))
    place.manifest["retry"] = {"in_doubt": "hold"}
    assert place.status().would_send


def test_a_refusal_is_sent_again_on_request(place):
    """`retry --refused` is the only way."""
    request = place.sent()
    place.write(AttemptFailed(request=request.id, attempt=1, failure="refused", billed="no"))
    assert [place.status(send_refused=again).would_send for again in (False, True)] == [False, True]


@pytest.mark.parametrize("name", ["mug-v1.png", "MUG-V1.webp"])
def test_a_file_that_the_ledger_does_not_know_is_held(place, name):
    """An older ledger beside newer images must not buy them again."""
    place.file(f"images/{name}", RED)
    status = place.status()
    assert (status.state, status.would_send) == ("in_doubt", False)
    assert place.status(remake_altered=True).would_send


def test_a_remake_decision_holds_for_one_image(place):
    """It survives a crash before the image, and ends with it."""
    request = place.made(end=False)
    place.file(P, BLUE)
    place.write(Decision(what="remake", requests=[request.id]))
    assert place.status().would_send
    place.write(saved(request.id, "mug/v1", P, RED, attempt=2))
    assert (place.status().state, place.status().would_send) == ("altered", False)


def test_after_a_repair_unknown_requests_are_held(place):
    """Their purchase may be among the lost lines."""
    place.made()
    place.write(Decision(what="repair", first=6, last=6))
    assert place.states() == {"mug/v1": "done", "tray/v1": "in_doubt"}


def test_a_redo_is_a_new_request(place):
    """The decision of the ledger shapes the plan: a new id in the same slot, with its overrides."""
    old = place.made()
    place.write(Decision(what="redo", requests=[old.id], count=1, overrides={"prompt_suffix": "in blue"}))
    status = place.status()
    assert (status.state, status.replaces, status.request.base_id) == ("changed", old.id, old.id)
    assert status.request.prompt.endswith("in blue")
    assert status.reason == "prompt, redo changed"


def test_images_of_an_earlier_period_are_past_not_orphans(place):
    """Yesterday's images are neither wanted nor lost."""
    place.manifest["period"] = "daily"
    place.made("2026-11-20/mug/v1")
    tomorrow = place.look(now=datetime(2026, 11, 21, tzinfo=UTC))
    assert (tomorrow.event.new, tomorrow.event.orphan) == (2, 0)
    again = place.look(now=datetime(2026, 11, 21, tzinfo=UTC), period="2026-11-20")
    assert again.event.done == 1


def test_what_left_the_manifest_is_an_orphan(place):
    """It is counted and stays."""
    place.made()
    place.manifest["prompts"] = [TRAY]
    assert [orphan.slot for orphan in place.look().standing.orphans] == ["mug/v1"]


def test_counts_cover_the_selection(place):
    """The event counts what was selected, the standing everything."""
    place.made()
    found = place.look(selection=parse_selection(["mug/*"]))
    assert (found.event.requests, found.event.done, found.event.new) == (1, 1, 0)
    assert (len(found.standing.slots), found.to_send) == (2, ())


def test_a_reviewed_plan_limits_the_selection(place):
    """Only its ids, and none that the manifest lost since."""
    wanted = frozenset({place.status().request.id})
    assert list(place.states(only_ids=wanted)) == ["mug/v1"]
    with pytest.raises(UsageError, match="1 of its images are no longer in the manifest"):
        place.look(only_ids=wanted | {"0" * 32})


def test_the_price_is_that_of_what_would_be_sent(place):
    """Nothing to send costs nothing; an unknown price makes the sum unknown."""
    both = place.look().price
    place.made()
    one = place.look().price
    place.made("tray/v1")
    assert (both.high_usd, place.look().price.high_usd) == (pytest.approx(2 * one.high_usd), 0)
    place.manifest |= {"provider": {"use": "openai", "base_url": "http://127.0.0.1:9/v1"}}
    place.manifest["request"] = {"model": "somebody-elses-model"}
    assert place.look().price is None


def test_what_a_provider_would_refuse_is_a_plan_error(place):
    """Every problem at its place, before anything is sent."""
    place.manifest |= {"provider": {"use": "openai"}, "prompts": [MUG, {**TRAY, "request": {"size": "17x17"}}]}
    with pytest.raises(PlanError) as caught:
        place.look()
    assert [(problem.line is not None, "17x17" in str(problem)) for problem in caught.value.problems] == [(True, True)]


def test_wall_time_is_a_guess_by_concurrency_and_rate(place):
    """More at once is faster, a rate limit slower; the embedded sandbox makes no promise."""
    assert place.look().left_seconds is None
    place.manifest["provider"] = {"use": "openai", "expected_seconds": 100}
    guesses = [place.look(concurrency=at_once).left_seconds for at_once in (1, 2)]
    assert guesses == [200, 100]
    assert place.look(concurrency=2, rpm=0.5).left_seconds == 240


def test_hash_all_finds_what_size_and_time_hide(place):
    """Same size and an old file: only the hash tells."""
    request = place.made()
    other = bytearray(RED)
    other[-20] ^= 1
    job = place.job()
    place.file(P, bytes(other))

    async def act(running):
        seen = {P: running.folder.scan("images")[P]._replace(mtime_ns=0)}
        plan = make_plan(job, running.journal.state)
        looks = [survey(job, plan, running.journal.state, running.folder, seen, hash_all=full) for full in (0, 1)]
        return [found.standing.slots[0].state for found in looks]

    assert request.path == P
    assert place.desk.during(act) == ["done", "missing"]


@pytest.mark.parametrize("data", [RED, BLUE])
def test_a_gone_image_is_missing_although_another_has_its_name_by_now(place, data):
    """The file that was moved there is neither its own nor its retouched one: it must not be moved on in its name."""
    tray = place.made("tray/v1", data)
    place.file(tray.path, None)
    mug = place.made("mug/v1", RED)
    sha256 = hashlib.sha256(RED).hexdigest()
    place.write(ImageMoved(request=mug.id, slot="tray/v1", source=P, target=tray.path, sha256=sha256))
    (place.desk.path / P).rename(place.desk.path / tray.path)
    place.manifest["prompts"] = [MUG | {"text": "a tray"}, TRAY | {"text": "a mug"}]
    states = {status.request.id: (status.state, status.move_from) for status in place.look().selected}
    assert states == {tray.id: ("missing", None), mug.id: ("done", None)}


def test_lost_lines_hold_what_the_ledger_does_not_know(place):
    """Until somebody resolves all of it; a later prompt is new then."""
    place.write(Decision(what="repair", first=1, last=1))
    assert set(place.states().values()) == {"in_doubt"}
    place.write(Decision(what="not_billed", requests=[], last=1))
    assert set(place.states().values()) == {"new"}


def test_a_period_that_began_after_the_repair_is_not_held(place):
    """A nightly job must not stand still because of what was lost before: tomorrow's images cannot be among it."""
    place.manifest["period"] = "daily"
    place.write(Decision(what="repair", first=1, last=1))
    repaired = datetime.fromisoformat(place.desk.state.lost_until)
    assert set(place.states(now=repaired).values()) == {"in_doubt"}
    assert set(place.states(now=repaired - timedelta(days=1)).values()) == {"in_doubt"}
    assert set(place.states(now=repaired + timedelta(days=2)).values()) == {"new"}
