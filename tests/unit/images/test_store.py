"""Finished files: held against their records, found among temp files, put away under free names."""

import errno
import hashlib
import os
from datetime import UTC, datetime

import pytest
from fakes.pictures import noise, picture

from batchgen.files import Folder
from batchgen.images.picture import MAX_PIXELS, BadImageError
from batchgen.images.store import Expected, digest, examine_file, find_parts, inspect, picture_files, put_away_path

ID = f"{1:032x}"
DATA = noise()
OLD, NEW = "2020-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z"


class UnreadableFolder(Folder):
    """A disk that lists files and cannot read them."""

    def open_read(self, relative):
        raise OSError(errno.EIO, os.strerror(errno.EIO), relative)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    with Folder(tmp_path) as opened:
        yield opened


def put(folder, data, path="images/a.png"):
    place = folder.path / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return path


def expected(data=DATA, *, saved_at=NEW, is_trusted=True, path="images/a.png"):
    return Expected(
        request=ID,
        path=path,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        saved_at=saved_at,
        is_trusted=is_trusted,
    )


def verdict(folder, record, *, hash_all=False):
    seen = folder.scan("images")
    return inspect(folder, [record], seen, max_pixels=MAX_PIXELS, hash_all=hash_all).get(ID)


def same_size_other_pixels():
    return next(other for other in map(other_noise, range(99)) if len(other) == len(DATA) and other != DATA)


def other_noise(seed):
    return noise(seed=seed)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (None, "gone"),
        (b"", "broken"),
        (DATA[:-1], "broken"),
        (DATA[:100], "broken"),
        (DATA + b"x", "broken"),
        (bytes(len(DATA)), "broken"),
        (b"<html>", "broken"),
        (picture(color="blue"), "altered"),
        (picture("JPEG"), "altered"),
        (picture("WEBP"), "altered"),
    ],
)
def test_what_differs_is_judged(folder, data, found):
    """Gone or no whole image: to be made again. Another whole image: somebody's retouching."""
    if data is not None:
        put(folder, data)
    assert verdict(folder, expected(), hash_all=True) == found


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (expected(), None),
        (expected(saved_at=OLD), "altered"),
        (expected(saved_at="never"), "altered"),
        (expected(is_trusted=False), "altered"),
    ],
)
def test_bytes_are_hashed_only_when_in_question(folder, record, found):
    """Same size: a newer file, an unfinished run or an unreadable date make it a question."""
    put(folder, same_size_other_pixels())
    assert verdict(folder, record) == found


def test_a_file_written_just_before_its_record_is_not_in_question(folder):
    """The record follows the last byte; coarse file times are no reason to hash 100,000 files."""
    put(folder, same_size_other_pixels())
    now = datetime.now(UTC)
    os.utime(folder.path / "images/a.png", (now.timestamp() + 1,) * 2)
    assert verdict(folder, expected(saved_at=now.isoformat())) is None


def test_a_disk_error_never_makes_an_image_missing(folder):
    """What cannot be read is not bought again."""
    put(folder, DATA)
    with UnreadableFolder(folder.path) as broken:
        assert verdict(broken, expected(), hash_all=True) == "unreadable"


def test_a_link_in_the_place_of_an_image_is_no_image(folder):
    """The file that it leads to is not this job's."""
    put(folder, DATA, "elsewhere.png")
    (folder.path / "images/a.png").symlink_to(folder.path / "elsewhere.png")
    assert verdict(folder, expected()) == "gone"


def test_digest_is_the_hash_of_the_whole_file(folder):
    """Files of more than one piece too."""
    data = os.urandom((1 << 20) + 7)
    assert digest(folder, put(folder, data)) == hashlib.sha256(data).hexdigest()


def test_examine_file_looks_at_the_bytes_not_at_the_name(folder):
    """A wrong extension does not fool it."""
    path = put(folder, picture("WEBP"), "images/really.png")
    assert examine_file(folder, path, max_pixels=MAX_PIXELS).format == "webp"
    with pytest.raises(BadImageError):
        examine_file(folder, put(folder, b"text"), max_pixels=MAX_PIXELS)


def test_temp_files_are_known_by_their_names():
    """Only names that batchgen gives, at any depth."""
    names = [
        f"images/a/.{ID}-12.part",
        f".{ID}-1.part",
        f"images/{ID}-1.part",
        f"images/.{ID}-.part",
        f"images/.{ID}-1.part.bak",
        f"images/.{ID[:-1]}-1.part",
        f"images/.{ID}-1.part/x.png",
        f"images/.{ID[:-1]}G-1.part",
    ]
    assert [(part.path, part.request, part.attempt) for part in find_parts(names)] == [
        (names[0], ID, 12),
        (names[1], ID, 1),
    ]


def test_published_pictures_are_told_from_the_rest():
    """Neither temp files nor dot folders nor text."""
    pictures = ["images/a.png", "images/b/c.JPG", "images/d.jpeg", "images/e.webp"]
    others = ["images/.superseded/a.png", "images/.x.png", "images/a.txt", f"images/.{ID}-1.part", "images/png"]
    assert picture_files([*others, *pictures]) == pictures


@pytest.mark.parametrize(
    ("path", "away"),
    [
        ("images/hero/a.b.png", "images/.superseded/hero/a.b.00000000.png"),
        ("finals/a.png", "images/.superseded/finals/a.00000000.png"),
        ("images/bare", "images/.superseded/bare.00000000"),
    ],
)
def test_replaced_files_keep_their_path_below_superseded(folder, path, away):
    """Old versions are found where they were, with the id in the name."""
    assert put_away_path(folder, path, ID) == away


def test_a_replaced_file_never_replaces_another(folder):
    """A name that is taken gets a number, links included."""
    put(folder, b"1", "images/.superseded/a.00000000.png")
    (folder.path / "images/.superseded/a.00000000-2.png").symlink_to("nowhere")
    assert put_away_path(folder, "images/a.png", ID) == "images/.superseded/a.00000000-3.png"
