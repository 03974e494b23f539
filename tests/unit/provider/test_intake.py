import pytest
from fakes.sinks import MemorySink

from batchgen.provider.intake import Intake


def opened(max_bytes: int = 100) -> tuple[Intake, MemorySink]:
    sink = MemorySink()
    return Intake(sink, max_bytes=max_bytes), sink


def give(intake: Intake, text: bytes, kind="image") -> None:
    strings = intake.open(kind)
    strings.feed(text, 0, len(text))
    intake.close()


def test_empty_picture_never_begins():
    """An empty string beside the real field is no picture."""
    intake, sink = opened()
    give(intake, b"")
    assert not sink.pictures
    assert not intake.problem


@pytest.mark.parametrize(("kind", "is_image"), [("image", True), ("preview", False)])
def test_undecided_picture_waits_for_its_kind(kind, is_image):
    """A picture whose kind is told last ends only then, as what it was told to be."""
    intake, sink = opened()
    give(intake, b"QUJD", None)
    assert sink.pictures[0].whole is None
    intake.settle(kind)
    assert (intake.has_image, sink.pictures[0].whole) == (is_image, is_image)


def test_next_picture_settles_the_undecided_one():
    """A second picture in the same undecided document means that the first was the answer's image."""
    intake, sink = opened()
    give(intake, b"QUJD", None)
    give(intake, b"REVG", None)
    intake.settle("image")
    assert (sink.whole(), sink.whole("surplus"), intake.surplus) == ([b"ABC"], [b"DEF"], 1)


def test_abort_ends_what_is_open():
    """A cut answer leaves no picture open, and none of it whole."""
    intake, sink = opened()
    intake.open("image").feed(b"QUJDREVG", 0, 8)
    intake.abort()
    intake.abort()
    assert [picture.whole for picture in sink.pictures] == [False]


def test_cap_counts_each_picture_alone():
    """Previews do not eat into the image's cap."""
    intake, sink = opened(max_bytes=3)
    give(intake, b"QUJD", "preview")
    give(intake, b"QUJD")
    assert sink.whole() == [b"ABC"]
    assert not intake.over


def test_picture_over_the_cap_is_not_written():
    """Not a byte beyond the cap reaches the sink."""
    intake, sink = opened(max_bytes=2)
    give(intake, b"QUJD")
    assert intake.over
    assert not sink.pictures
