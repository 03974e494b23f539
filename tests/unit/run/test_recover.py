"""After a crash: every point of it, and crashes of the recovery itself, end in the same sound folder."""

import asyncio
import hashlib
import itertools
import os

import pytest
from fakes.desk import Desk
from fakes.ledgers import AT, failed, request_id
from fakes.pictures import animated, noise, picture

from batchgen.errors import LedgerDamagedError, StorageError
from batchgen.images.arrival import part_path
from batchgen.ledger.entry import ImageLocated, RunStarted

RED, BLUE, GREEN = (picture(color=color) for color in ("red", "blue", "green"))
PINK = picture(color="pink")
SPOILT = {PINK, RED[:20]}
"""What became of the first image of request 1: somebody's retouching, or a broken file."""
P, Q = "images/mug-v1.png", "images/tray-v1.png"
R = request_id(1)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def begun(desk, data=None, *, boot="b1", path=P):
    """A run on `boot` that dies while attempt 1 is out, with `data` in its temp file."""

    async def act(running):
        await running.journal.append(RunStarted(run="a", boot=boot))
        await running.begin(1)
        if data is not None:
            await running.arrive(1, path, data)

    desk.during(act)


def record(desk, number=1):
    return desk.state.records[request_id(number)]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def assert_sound(desk):
    """Every image is where its record says, with the bytes that it says; nothing is open or half done."""
    files = desk.files
    for found in desk.state.records.values():
        assert found.open is None
        if found.saved is not None:
            data = files[found.saved.path]
            is_spoilt = data in SPOILT and found.saved.attempt == 1
            assert is_spoilt or sha256(data) in {found.saved.sha256, found.saved.moved_sha256}
    assert not [path for path in files if path.endswith(".part")]


async def fresh(running):
    await running.make(1, P, RED)


async def changed(running):
    await running.make(2, P, BLUE, replaces=1)


async def changed_format(running):
    await running.make(2, "images/mug-v1.webp", BLUE, replaces=1)


async def remade(running):
    await running.make(1, P, BLUE, attempt=2)


async def moved(running):
    await running.publisher.move(R, "new", "images/deep/new.png")


async def swapped(running):
    await running.publisher.move(R, "b", Q)
    await running.publisher.move(request_id(9), "a", P)


async def settled(running):
    await running.make(1, P, RED)
    await running.make(9, Q, GREEN)


async def retouched(running):
    await settled(running)
    (running.folder.path / P).write_bytes(PINK)


async def broken(running):
    await settled(running)
    (running.folder.path / P).write_bytes(RED[:20])


SCENARIOS = {
    "a new image": (None, fresh, set()),
    "a changed prompt": (settled, changed, {GREEN, RED}),
    "a changed prompt and another format": (settled, changed_format, {GREEN, RED}),
    "a changed prompt over a retouched image": (retouched, changed, {GREEN, PINK}),
    "a broken image made again": (broken, remade, {GREEN, RED[:20]}),
    "a retouched image made again": (retouched, remade, {GREEN, PINK}),
    "a renamed slot": (settled, moved, {GREEN, RED}),
    "a renamed slot of a retouched image": (retouched, moved, {GREEN, PINK}),
    "two slots that swap": (settled, swapped, {GREEN, RED}),
}
NESTED = {"once": [], "again and again": [("write", 1), ("rename", 1), ("sync", 1), ("rename", 2)]}


@pytest.mark.parametrize("nested", NESTED)
@pytest.mark.parametrize("method", ["write", "sync", "rename"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_recovery_heals_every_crash(tmp_path, name, method, nested):
    """Killed before any write, sync or rename, and again while recovering: nothing that was paid for is lost."""
    before, act, kept = SCENARIOS[name]
    for number in itertools.count(1):
        desk = Desk(tmp_path / str(number))
        desk.path.mkdir()
        if before is not None:
            desk.during(before)
        if not desk.during(act, kill_at=(method, number)):
            break
        arrived = {data for path, data in desk.files.items() if path.endswith(".part")}
        for kill in NESTED[nested]:
            desk.recover(kill_at=kill)
        desk.recover()
        assert_sound(desk)
        assert kept | arrived <= set(desk.files.values())
    assert number > 1


@pytest.mark.parametrize("name", SCENARIOS)
def test_recovery_of_a_sound_folder_changes_nothing(desk, name):
    """Without a crash there is nothing to do, however often it runs."""
    before, act, _ = SCENARIOS[name]
    if before is not None:
        desk.during(before)
    desk.during(act)
    earlier = desk.files, (desk.path / "ledger.jsonl").read_bytes()
    desk.recover()
    desk.recover()
    assert (desk.files, (desk.path / "ledger.jsonl").read_bytes()) == earlier


def test_killed_before_anything_was_sent(desk):
    """Nothing happened, nothing is known."""
    desk.recover()
    assert (desk.files, desk.state.records) == ({}, {})


def test_killed_before_an_answer_came(desk):
    """Sent, and nobody knows: in doubt, with its price."""
    begun(desk)
    desk.recover()
    found = record(desk)
    assert (found.is_in_doubt, found.doubts, found.open, found.message) == (
        True,
        1,
        None,
        "the run ended before an answer came",
    )
    assert desk.state.committed_usd(window="job") == 0.25


@pytest.mark.parametrize("data", [b"", RED[:-30], b"<html>", bytes(5000)])
def test_half_an_answer_is_a_doubt_and_its_temp_file_goes(desk, data):
    """What is no whole image is not called one."""
    begun(desk, data)
    desk.recover()
    assert (record(desk).doubts, record(desk).saved, desk.files) == (1, None, {})


def test_a_whole_answer_without_a_record_is_adopted(desk):
    """It was paid for: recorded, published, and nothing is sent."""
    begun(desk, RED)
    desk.recover(p1=P)
    image = record(desk).saved
    assert desk.files == {P: RED}
    assert (image.sha256, image.bytes, image.format, image.width, image.attempt) == (
        sha256(RED),
        len(RED),
        "png",
        16,
        1,
    )
    assert desk.state.committed_usd(window="job") == image.cost_usd == 0.25


@pytest.mark.parametrize(
    ("data", "boot", "adopted"),
    [
        (RED, "b1", True),
        (RED, "b2", True),
        (picture("JPEG"), "b1", True),
        (picture("JPEG"), "b2", False),
        (picture("WEBP"), "b1", True),
        (picture("WEBP"), "b2", False),
        (picture("WEBP"), "", False),
        (animated("WEBP"), "b1", True),
        (RED + b"x", "b1", False),
        (RED[:-1], "b1", False),
        (picture("JPEG")[:-2], "b1", False),
        (noise("WEBP")[:-100] + bytes(100), "b2", False),
    ],
)
def test_only_what_is_provably_whole_is_adopted(desk, data, boot, adopted):
    """After another boot a tail of zeros may hide in anything but PNG; a doubtful end is no proof on any."""
    begun(desk, data, boot="b1")
    desk.recover(boot=boot, p1=P)
    assert (record(desk).saved is not None, record(desk).is_in_doubt) == (adopted, not adopted)


def test_a_system_without_boot_ids_proves_nothing(desk):
    """Two unknown boots are not the same boot."""
    begun(desk, picture("JPEG"), boot="")
    desk.recover(boot="")
    assert record(desk).is_in_doubt


@pytest.mark.parametrize(("kind", "extension"), [("JPEG", "jpg"), ("WEBP", "webp")])
def test_what_looks_whole_without_proof_is_kept(desk, kind, extension):
    """In doubt, but it may be all that there is of something paid for."""
    data = picture(kind)
    begun(desk, data, boot="b1")
    desk.recover(boot="b2")
    assert desk.files == {f"images/.rejected/{R}-1.{extension}": data}


@pytest.mark.parametrize(("kind", "path"), [("JPEG", "images/mug-v1.jpg"), ("WEBP", "images/mug-v1.webp")])
def test_an_adopted_file_is_called_what_it_is(desk, kind, path):
    """The extension is that of the bytes."""
    begun(desk, picture(kind))
    desk.recover(p1=P)
    assert list(desk.files) == [path]


def test_an_adopted_image_that_nobody_plans_any_more_gets_a_name(desk):
    """The manifest was edited since: it becomes an orphan, not a loss."""
    begun(desk, RED)
    desk.recover()
    assert desk.files == {f"images/{R}.png": RED}


def test_an_adopted_image_puts_away_what_is_in_its_place(desk):
    """The old image of a changed slot stays, and its record follows."""
    desk.during(lambda running: running.make(9, P, GREEN))
    begun(desk, RED)
    desk.recover(p1=P)
    assert desk.files[P] == RED
    assert desk.files[desk.saved_path(9)] == GREEN


def test_adopting_syncs_before_it_records(desk):
    """The bytes may still be in memory only: a record must not come first."""
    begun(desk, RED)
    desk.recover(kill_at=("sync", 1), p1=P)
    assert record(desk).saved is None
    desk.recover(p1=P)
    assert desk.files == {P: RED}


def test_a_preview_is_never_adopted(desk):
    """It is a whole image and not the one that was paid for."""
    begun(desk)
    desk.during(lambda running: asyncio.to_thread(running.put, "images/.previews/mug-v1-partial-0.png", RED))
    desk.recover(p1=P)
    assert (record(desk).saved, record(desk).doubts) == (None, 1)


def test_a_located_image_stays_open(desk):
    """It is fetched again, free; the attempt must not be called in doubt, nor its temp file be removed."""
    begun(desk, RED[:40])

    async def locate(running):
        await running.journal.append(ImageLocated(request=R, attempt=1, url="https://x/1"))

    desk.during(locate)
    desk.recover()
    assert (record(desk).is_fetchable, record(desk).doubts, len(desk.files)) == (True, 0, 1)


@pytest.mark.parametrize(("number", "attempt"), [(2, 1), (1, 2)])
def test_a_temp_file_of_an_unknown_attempt_proves_lost_lines(desk, number, attempt):
    """An older copy of the ledger was put back: nothing is sent, exit 7, nothing is touched."""
    begun(desk)
    desk.during(lambda running: running.arrive(number, P, RED, attempt))
    before = desk.files, (desk.path / "ledger.jsonl").read_bytes()
    with pytest.raises(LedgerDamagedError, match="older copy put back") as caught:
        desk.recover()
    assert caught.value.exit_code == 7
    assert (desk.files, (desk.path / "ledger.jsonl").read_bytes()) == before


def test_leftovers_of_settled_attempts_go(desk):
    """A temp file is removed only when its attempt is settled without it."""

    async def act(running):
        await running.begin(1)
        await running.arrive(1, P, b"half")
        await running.journal.append(failed(1))
        await running.begin(1, 2)
        await running.arrive(1, P, RED, 2)

    desk.during(act)
    desk.recover(boot="", p1=P)
    assert desk.files == {P: RED}


def test_a_record_without_its_rename_is_finished_by_hash(desk):
    """The temp file with the recorded hash is the image, whatever has its name by now."""

    async def act(running):
        await running.begin(1)
        await running.arrive(1, P, RED)
        await running.record(1, P, RED)
        running.put(P, b"somebody else's")

    desk.during(act)
    desk.recover()
    assert desk.files[P] == RED
    assert b"somebody else's" in desk.files.values()


def test_a_temp_file_with_another_hash_is_not_published(desk):
    """What differs from its record is not called the image, and the slot is missing."""

    async def act(running):
        await running.begin(1)
        await running.arrive(1, P, BLUE)
        await running.record(1, P, RED)

    desk.during(act)
    desk.recover()
    assert P not in desk.files


def test_a_deleted_image_stays_missing(desk):
    """Recovery invents nothing."""
    desk.during(settled)
    (desk.path / P).unlink()
    desk.recover()
    assert (desk.files, desk.saved_path(1)) == ({Q: GREEN}, P)


def test_a_disk_error_while_recovering_is_a_storage_error(desk):
    """Exit 5 and try again, never a traceback and never a second purchase."""
    begun(desk, RED)

    async def act(running):
        running.folder.faults["rename"] = OSError(5, "Input/output error")
        await running.recovery({R: P}, "b1").recover()

    with pytest.raises(StorageError, match="input/output error"):
        desk.during(act)
    desk.recover(p1=P)
    assert desk.files == {P: RED}


def test_an_unreadable_temp_file_is_a_storage_error(desk):
    """A temp file that cannot be read may be whole: it is not called a failure, and not removed."""
    begun(desk, RED)

    async def act(running):
        running.folder.open_read = _unreadable
        await running.recovery({R: P}, "b1").recover()

    with pytest.raises(StorageError):
        desk.during(act)
    assert list(desk.files) == [part_path(P, R, 1)]


def _unreadable(relative):
    raise OSError(5, os.strerror(5), relative)


def test_the_run_of_an_attempt_decides_its_boot_not_the_last_run(desk):
    """A later run on this boot does not vouch for a file of an earlier one."""
    begun(desk, picture("JPEG"), boot="b1")

    async def later(running):
        await running.journal.append(RunStarted(run="b", boot="b2", at=AT))

    desk.during(later)
    desk.recover(boot="b2")
    assert record(desk).saved is None


def test_two_unfinished_replacements_leave_both_old_images_in_the_ledger(desk):
    """Each old image is put away in its own name: going back to it must not buy it again."""

    async def die_before_the_renames(running):
        for number, path in ((3, P), (4, Q)):
            await running.begin(number)
            await running.arrive(number, path, GREEN)
            await running.record(number, path, GREEN)

    async def two(running):
        await running.make(1, P, RED)
        await running.make(2, Q, BLUE)

    desk.during(two)
    desk.during(die_before_the_renames)
    desk.recover()
    assert [desk.files[desk.saved_path(number)] for number in (1, 2, 3, 4)] == [RED, BLUE, GREEN, GREEN]


def test_a_whole_image_that_was_being_fetched_is_adopted(desk):
    """Its address may be gone by the next run; what is here is paid and whole."""

    async def act(running):
        await running.begin(1)
        await running.journal.append(ImageLocated(request=request_id(1), attempt=1, url="https://example.invalid/1"))
        await running.arrive(1, P, RED)

    desk.during(act)
    desk.recover(p1=P, boot="b1")
    assert desk.files == {P: RED}
