"""From temp file to final name: nothing that was paid for is overwritten, and every move is recorded first."""

import asyncio
import errno
import hashlib

import pytest
from fakes.desk import Desk
from fakes.ledgers import decided, request_id
from fakes.pictures import picture

from batchgen.errors import StorageError

RED, BLUE, GREEN = (picture(color=color) for color in ("red", "blue", "green"))
P, Q = "images/mug-v1.png", "images/tray-v1.png"
AWAY = "images/.superseded/mug-v1.00000000.png"


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def make(desk, *images):
    """Each image is `(number, path, data)`, optionally with what it replaces."""

    async def act(running):
        for number, path, data, *replaces in images:
            attempt = running.journal.state.records.get(request_id(number))
            await running.make(
                number, path, data, attempt=attempt.attempts + 1 if attempt else 1, replaces=next(iter(replaces), None)
            )
        return running

    return desk.during(act)


def move(desk, *moves):
    async def act(running):
        for number, target in moves:
            await running.publisher.move(request_id(number), f"new-{number}", target)

    return desk.during(act)


def shown(desk):
    return {path: data for path, data in desk.files.items() if "/." not in path}


def test_a_saved_image_gets_its_final_name(desk):
    """Nothing else is left behind."""
    make(desk, (1, P, RED))
    assert desk.files == {P: RED}


def test_a_replaced_image_is_put_away(desk):
    """The old image of a changed slot stays, out of the way, and its record knows."""
    make(desk, (1, P, RED), (2, P, BLUE, 1))
    assert desk.files == {P: BLUE, AWAY: RED}
    assert (desk.saved_path(1), desk.saved_path(2)) == (AWAY, P)


def test_a_replaced_image_of_another_format_is_put_away(desk):
    """The slot shows one file, even if the extension changed."""
    make(desk, (1, P, RED), (2, "images/mug-v1.jpg", BLUE, 1))
    assert desk.files == {"images/mug-v1.jpg": BLUE, AWAY: RED}


def test_a_replaced_image_that_is_gone_is_no_obstacle(desk):
    """There is nothing to put away."""
    make(desk, (1, P, RED))
    (desk.path / P).unlink()
    make(desk, (2, P, BLUE, 1))
    assert (desk.files, desk.saved_path(1)) == ({P: BLUE}, P)


def test_the_remains_of_the_same_request_are_put_away(desk):
    """A broken file may hold something somebody wants; the new image takes the name."""
    make(desk, (1, P, RED))
    (desk.path / P).write_bytes(b"remains")
    make(desk, (1, P, BLUE))
    remains = hashlib.sha256(b"remains").hexdigest()[:8]
    assert desk.files == {P: BLUE, f"images/.superseded/mug-v1.{remains}.png": b"remains"}
    assert desk.saved_path(1) == P


def test_a_strangers_file_is_put_away(desk):
    """What nobody recorded is not overwritten either."""
    desk.during(lambda running: asyncio.to_thread(running.put, P, b"mine"))
    make(desk, (1, P, RED))
    assert sorted(desk.files.values()) == sorted([RED, b"mine"])
    assert desk.files[P] == RED


def test_the_image_of_another_request_at_the_path_is_put_away_in_its_name(desk):
    """Its record follows it, so it can come back."""
    make(desk, (1, P, RED), (2, P, BLUE))
    assert (desk.saved_path(1), desk.files) == (AWAY, {P: BLUE, AWAY: RED})
    move(desk, (1, Q))
    assert shown(desk) == {P: BLUE, Q: RED}


def test_who_owns_a_path_is_known_over_many_images(desk):
    """One image after the other at the same path: each is put away in its own name."""
    make(desk, *((number, P, data) for number, data in enumerate((RED, BLUE, GREEN, RED), 1)))
    kept = [desk.files[desk.saved_path(number)] for number in (1, 2, 3, 4)]
    assert kept == [RED, BLUE, GREEN, RED]


def test_a_link_at_the_final_name_is_replaced(desk, tmp_path_factory):
    """It holds no bytes to keep, and what it leads to is left alone."""
    target = tmp_path_factory.mktemp("outside") / "victim"
    target.write_bytes(b"precious")
    (desk.path / "images").mkdir()
    (desk.path / P).symlink_to(target)
    make(desk, (1, P, RED))
    assert (desk.files, target.read_bytes()) == ({P: RED}, b"precious")


def test_a_folder_at_the_final_name_is_a_storage_error(desk):
    """The image is saved and keeps its temp file; the next run tries again."""
    (desk.path / P).mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be put in its place"):
        make(desk, (1, P, RED))
    assert list(desk.files.values()) == [RED]
    (desk.path / P).rmdir()
    desk.recover()
    assert desk.files == {P: RED}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EXDEV, errno.ENOENT, errno.EROFS])
def test_a_failed_rename_keeps_the_temp_file(desk, number):
    """Saved but not in its place: exit 5, and nothing is lost."""

    async def act(running):
        running.folder.faults["rename"] = OSError(number, "No luck")
        await running.make(1, P, RED)

    with pytest.raises(StorageError, match="no luck"):
        desk.during(act)
    assert list(desk.files.values()) == [RED]


def test_moving_takes_the_file_and_the_slot_along(desk):
    """A renamed slot costs nothing."""
    make(desk, (1, P, RED))
    move(desk, (1, Q))
    assert (desk.files, desk.saved_path(1)) == ({Q: RED}, Q)
    assert desk.state.by_slot["new-1"] == request_id(1)


def test_moving_to_where_it_is_does_nothing(desk):
    """Not even an entry."""
    make(desk, (1, P, RED))
    before = (desk.path / "ledger.jsonl").read_bytes()
    move(desk, (1, P))
    assert (desk.path / "ledger.jsonl").read_bytes() == before


def test_two_images_swap_their_paths(desk):
    """Each is moved aside for the other and none is lost."""
    make(desk, (1, P, RED), (2, Q, BLUE))
    move(desk, (1, Q), (2, P))
    assert desk.files == {Q: RED, P: BLUE}


def test_three_images_move_round_in_a_circle(desk):
    """Any permutation works."""
    r = "images/pot-v1.png"
    make(desk, (1, P, RED), (2, Q, BLUE), (3, r, GREEN))
    move(desk, (1, Q), (2, r), (3, P))
    assert desk.files == {Q: RED, r: BLUE, P: GREEN}


def test_a_retouched_image_is_moved_as_it_is(desk):
    """The record keeps the hash that was paid for and learns the one on disk."""
    make(desk, (1, P, RED))
    (desk.path / P).write_bytes(BLUE)
    move(desk, (1, Q))
    image = desk.state.records[request_id(1)].saved
    assert (desk.files, image.is_intact) == ({Q: BLUE}, True)
    assert (image.sha256, image.moved_sha256) == tuple(hashlib.sha256(data).hexdigest() for data in (RED, BLUE))


def test_a_retouched_image_that_is_replaced_is_not_what_was_paid_for(desk):
    """Reverting the prompt must not bring back the retouched bytes as if they were the image."""
    make(desk, (1, P, RED))
    (desk.path / P).write_bytes(GREEN)
    make(desk, (2, P, BLUE, 1))
    assert (desk.files[AWAY], desk.state.records[request_id(1)].saved.is_intact) == (GREEN, False)


def test_a_move_is_recorded_before_the_rename(desk):
    """A rename without a record could not be told from a loss."""
    make(desk, (1, P, RED))

    async def act(running):
        running.folder.faults["rename"] = OSError(errno.EACCES, "No luck")
        await running.publisher.move(request_id(1), "new", Q)

    with pytest.raises(StorageError):
        desk.during(act)
    assert (desk.files, desk.saved_path(1)) == ({P: RED}, Q)


def test_an_unreadable_file_in_the_way_is_a_storage_error(desk):
    """What cannot be read cannot be put away under its hash, and is not overwritten."""
    make(desk, (1, P, RED))

    async def act(running):
        running.folder.open_read = _unreadable
        await running.make(2, P, BLUE, replaces=1)

    with pytest.raises(StorageError, match="input/output error"):
        desk.during(act)
    assert (desk.path / P).read_bytes() == RED


def _unreadable(relative):
    raise OSError(errno.EIO, "Input/output error", relative)


def test_only_folders_that_were_touched_are_synced(desk):
    """Renames of a run become durable at its end, each folder once."""

    async def act(running):
        await running.make(1, P, RED)
        await running.make(2, "images/deep/x.png", BLUE)
        touched = set(running.publisher._touched)
        await running.publisher.sync_folders()
        return touched, running.publisher._touched

    assert desk.during(act) == ({"images", "images/deep"}, set())


def test_a_request_without_an_image_cannot_be_published(desk):
    """That would be a bug, and is said at once."""

    async def act(running):
        await running.journal.append(decided("give_up", 1))
        await running.publisher.publish(request_id(1), "x", replaces=None)

    with pytest.raises(ValueError, match="no image to publish"):
        desk.during(act)


@pytest.mark.parametrize("taken", [False, True])
def test_remains_under_an_earlier_name_are_put_away(desk, taken):
    """A broken file whose slot got another path meanwhile is in nobody's way, unless its name is somebody's by now."""
    make(desk, (1, P, RED))
    (desk.path / P).write_bytes(b"remains")
    make(desk, *([(2, P, GREEN)] if taken else []), (1, Q, BLUE))
    assert shown(desk) == {Q: BLUE} | ({P: GREEN} if taken else {})
    assert b"remains" in desk.files.values()


def test_a_file_belongs_to_the_image_that_came_there_last(desk):
    """Another image got the name of one that was gone: what is put away there is put away in its name."""
    make(desk, (1, P, RED), (2, Q, BLUE))
    (desk.path / Q).unlink()
    move(desk, (1, Q))
    make(desk, (3, Q, GREEN))
    assert desk.files[desk.saved_path(1)] == RED


@pytest.mark.parametrize("number", [1, 2, 3])
def test_retouched_images_that_swap_places_survive_a_crash(desk, number):
    """Whichever rename it dies before: both end in each other's place, neither is taken for remains."""

    async def swap(running):
        await running.publisher.move_all([(request_id(1), "new-1", Q), (request_id(2), "new-2", P)])

    make(desk, (1, P, RED), (2, Q, GREEN))
    (desk.path / Q).write_bytes(BLUE)
    assert desk.during(swap, kill_at=("rename", number))
    desk.recover()
    desk.during(swap)
    assert desk.files == {Q: RED, P: BLUE}
    assert all(record.saved.is_intact for record in desk.state.records.values())
