"""Bytes arriving: pieces, previews, second tries, and what is kept when it comes to nothing."""

import asyncio
import errno
import hashlib
from pathlib import Path

import pytest
from fakes.disk import FailingFolder
from fakes.pictures import noise, picture

from batchgen.images.arrival import Arrival, LostBytesError, part_path, rejected_path
from batchgen.images.picture import BadImageError

ID = f"{1:032x}"
PATH = "images/hero/mug-v1.png"
PART = f"images/hero/.{ID}-2.part"
LARGE = noise("PNG", (700, 700))


@pytest.fixture
def folder(tmp_path):
    with FailingFolder(tmp_path) as opened:
        yield opened


def arrival(folder, path=PATH):
    return Arrival(folder, path=path, request_id=ID, attempt=2, max_pixels=10**6)


async def receive(sink, kind, data, *, index=0, whole=True, piece=100_000):
    sink.begin(kind, index)
    for start in range(0, len(data), piece):
        sink.write(memoryview(data)[start : start + piece])
        await sink.drain()
    sink.end(whole=whole)
    await sink.drain()


def arrive(folder, *pictures, path=PATH, then="finish"):
    """Let `(kind, data, whole)` arrive, then finish, reject or discard."""

    async def main():
        async with arrival(folder, path) as sink:
            for index, (kind, data, whole) in enumerate(pictures):
                await receive(sink, kind, data, index=index, whole=whole)
            return await (sink.reject(b"evidence") if then == "reject" else getattr(sink, then)())

    return asyncio.run(main())


def files(folder):
    return {path: (folder.path / path).read_bytes() for path in folder.scan("images")}


def test_names():
    """The temp file lies beside the final name and carries request and attempt."""
    assert part_path(PATH, ID, 2) == PART
    assert part_path("x.png", ID, 10) == f".{ID}-10.part"
    assert rejected_path(ID, 2, ".png") == f"images/.rejected/{ID}-2.png"


@pytest.mark.parametrize("data", [picture(), LARGE], ids=["small", "large"])
def test_an_image_arrives_whole(folder, data):
    """Size, hash and format are those of the bytes, and the bytes are in the temp file."""
    arrived = arrive(folder, ("image", data, True))
    assert files(folder) == {PART: data}
    assert (arrived.part, arrived.bytes, arrived.sha256) == (PART, len(data), hashlib.sha256(data).hexdigest())
    assert arrived.picture.format == "png"


@pytest.mark.parametrize("piece", [1 << 20, 65_536, 1_000])
def test_pieces_of_any_size_make_the_same_file(folder, piece):
    """How the network cuts the answer does not matter, and large writes are few."""

    async def main():
        async with arrival(folder) as sink:
            await receive(sink, "image", LARGE, piece=piece)
            return await sink.finish()

    assert asyncio.run(main()).sha256 == hashlib.sha256(LARGE).hexdigest()
    assert folder.calls["write"] <= 4


def test_memory_stays_small_while_a_large_image_arrives(folder):
    """What has gathered is written as soon as it is worth it."""

    async def main():
        most = 0
        async with arrival(folder) as sink:
            sink.begin("image", 0)
            for start in range(0, len(LARGE), 50_000):
                sink.write(LARGE[start : start + 50_000])
                await sink.drain()
                most = max(most, len(sink._streams[0].buffer))
        return most

    assert asyncio.run(main()) < 600_000


def test_the_bytes_are_synced_before_the_image_is_called_whole(folder):
    """Finishing without a sync would call safe what is only in memory."""
    folder.faults["sync"] = OSError(errno.EIO, "Input/output error")
    with pytest.raises(OSError, match="Input/output"):
        arrive(folder, ("image", picture(), True))
    assert PART in files(folder)


class _OneFailure:
    """Fails the first sync, as a disk with one bad spot does; `harm` is done to the file right then."""

    def __init__(self, folder, harm=lambda: None):
        self.folder, self.harm, self.synced = folder, harm, []
        folder.faults["sync"] = OSError(errno.EIO, "Input/output error")
        folder.before = self.judge

    def judge(self, name):
        if name != "sync":
            return
        if self.synced:
            self.folder.faults.clear()
        self.synced.append((self.folder.path / PART).stat().st_ino)
        if len(self.synced) == 1:
            self.harm()


def test_a_failed_sync_is_answered_by_a_copy(folder):
    """The file whose sync failed is never synced again: its bytes are checked, copied and synced elsewhere."""
    failure = _OneFailure(folder)
    arrived = arrive(folder, ("image", LARGE, True))
    assert arrived.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert files(folder) == {PART: LARGE}
    assert len(failure.synced) == 2
    assert (folder.path / PART).stat().st_ino != failure.synced[0]


def test_bytes_that_a_failing_disk_changed_are_not_called_safe(folder):
    """What is read back is not what was written: the image is lost, and nothing pretends otherwise."""
    _OneFailure(folder, harm=lambda: (folder.path / PART).write_bytes(bytes(len(LARGE))))
    with pytest.raises(LostBytesError, match="lost bytes"):
        arrive(folder, ("image", LARGE, True))
    assert list(files(folder)) == [PART]


def test_a_copy_that_cannot_be_synced_either_leaves_the_first_file(folder):
    """The next run may adopt it; the second copy would only fill the disk."""
    folder.faults["sync"] = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        arrive(folder, ("image", LARGE, True))
    assert files(folder) == {PART: LARGE}


def test_a_full_disk_leaves_as_it_is(folder):
    """The caller knows that a paid answer hangs on it; what arrived stays."""
    folder.faults["write"] = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        arrive(folder, ("image", LARGE, True))
    assert list(files(folder)) == [PART]


def test_previews_are_kept_apart(folder):
    """A preview is a whole image and must never look like the attempt's answer."""
    arrived = arrive(folder, ("preview", b"p0", True), ("preview", b"p1", True), ("image", picture(), True))
    kept = files(folder)
    assert kept[arrived.part] == picture()
    assert {path: data for path, data in kept.items() if path != PART} == {
        "images/.previews/hero/mug-v1-partial-0.png": b"p0",
        "images/.previews/hero/mug-v1-partial-1.png": b"p1",
    }


def test_previews_of_paths_outside_images_stay_in_their_folder(folder):
    """Any output path has its place for previews."""
    arrive(folder, ("preview", b"p", True), ("image", picture(), True), path="finals/a.b.png")
    assert (folder.path / "images/.previews/finals/a.b-partial-0.png").read_bytes() == b"p"


def test_a_second_image_is_kept_as_surplus(folder):
    """It came with the answer and may have been paid for: it is not thrown away."""
    arrived = arrive(folder, ("image", picture(), True), ("surplus", b"more", True))
    assert files(folder) == {arrived.part: picture(), f"images/.rejected/{ID}-2-surplus-1.png": b"more"}


@pytest.mark.parametrize("first", [b"x", b"x" * 600_000, b"x" * 700_001], ids=["small", "written", "written and more"])
@pytest.mark.parametrize("second", [picture(), LARGE], ids=["small", "large"])
def test_an_unusable_image_is_replaced_by_the_next(folder, first, second):
    """Whatever of the first was written or waited, the temp file is the second one's alone."""
    arrived = arrive(folder, ("image", first, False), ("image", second, True))
    assert (files(folder), arrived.bytes) == ({PART: second}, len(second))


def test_the_temp_file_of_an_earlier_try_is_replaced(folder):
    """A url that is fetched again writes the same name."""
    arrive(folder, ("image", LARGE, True))
    arrive(folder, ("image", picture(), True))
    assert files(folder) == {PART: picture()}


@pytest.mark.parametrize(
    ("pictures", "says"),
    [
        ([], "holds no image"),
        ([("preview", b"p", True)], "holds no image"),
        ([("image", b"", True)], "is empty"),
        ([("image", b"no picture", True)], "not a whole image"),
        ([("image", LARGE[:-3000], True)], "not a whole image"),
    ],
)
def test_what_is_no_image_is_said(folder, pictures, says):
    """An answer without a usable image is an answer, not a crash."""
    with pytest.raises(BadImageError, match=says):
        arrive(folder, *pictures)


def test_a_link_planted_at_the_temp_name_is_not_followed(folder, tmp_path_factory):
    """Image bytes go into a new file, never through a link."""
    target = tmp_path_factory.mktemp("outside") / "victim"
    target.write_bytes(b"precious")
    (folder.path / "images" / "hero").mkdir(parents=True)
    (folder.path / PART).symlink_to(target)
    arrive(folder, ("image", picture(), True))
    assert (target.read_bytes(), files(folder)) == (b"precious", {PART: picture()})


@pytest.mark.parametrize("data", [b"broken", LARGE[:600_000]])
def test_rejected_bytes_are_kept(folder, data):
    """They may have been paid for: the file moves out of the way and stays."""
    kept = arrive(folder, ("image", data, False), then="reject")
    assert (kept, files(folder)) == (f"images/.rejected/{ID}-2.png", {kept: data})


def test_without_bytes_the_start_of_the_answer_is_kept(folder):
    """Something to look at when the answer held no image at all."""
    kept = arrive(folder, then="reject")
    assert files(folder) == {kept: b"evidence"}


def test_nothing_to_keep_is_nothing(folder):
    """No bytes and no evidence make no file."""

    async def main():
        async with arrival(folder) as sink:
            return await sink.reject(b"")

    assert asyncio.run(main()) is None
    assert files(folder) == {}


@pytest.mark.parametrize("pictures", [[], [("image", b"half", False)], [("image", LARGE[:600_000], False)]])
def test_a_discarded_arrival_leaves_nothing(folder, pictures):
    """An attempt that is settled without an image has no temp file."""
    arrive(folder, *pictures, then="discard")
    assert files(folder) == {}


def test_an_abandoned_arrival_leaves_its_temp_file(folder):
    """Leaving the block decides nothing: the bytes may be the only copy of something paid for."""

    async def main():
        async with arrival(folder) as sink:
            await receive(sink, "image", LARGE)

    asyncio.run(main())
    assert list(files(folder)) == [PART]


def test_no_descriptor_is_left_open(folder):
    """Every file of an answer is closed, whatever became of it."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for then in ("finish", "reject", "discard"):
        arrive(folder, ("preview", b"p", True), ("image", picture(), True), ("surplus", b"s", True), then=then)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
