"""One ledger line: its spelling is a contract, its checksum a chain."""

import json
import zlib

import msgspec
import pytest
from fakes.ledgers import AT, decided, failed, request_id, saved, small_run, started
from hypothesis import given
from hypothesis import strategies as st

from batchgen.ledger.entry import (
    NOT_ASKED,
    AttemptFailed,
    AttemptStarted,
    Entry,
    ImageMoved,
    ImageSaved,
    RunStarted,
    Unknown,
    decode,
    encode,
    is_good,
    written_crc,
)

VECTORS = [
    b'{"v":1,"seq":1,"at":"2026-01-01T00:00:00.123Z","kind":"run_started","run":"7f3a","crc":"9e5833b0"}',
    (
        b'{"v":1,"seq":2,"at":"2026-01-01T00:00:00.456Z","kind":"attempt_started","request":"ab12","attempt":1,'
        b'"because":null,"crc":"2752c9b6"}'
    ),
    (
        b'{"v":1,"seq":3,"at":"2026-01-01T00:02:31.009Z","kind":"attempt_failed","request":"ab12","attempt":1,'
        b'"billed":"maybe","crc":"c0ea6ab4"}'
    ),
]
CRCS = [0x9E5833B0, 0x2752C9B6, 0xC0EA6AB4]

anything = st.text(st.characters(), max_size=40)  # half surrogate pairs included


def line_of(entry, seq=1, crc=0):
    return encode(entry, seq=seq, at=AT, crc=crc)[0]


@pytest.mark.parametrize("number", range(3))
def test_vectors_check_against_the_line_before(number):
    """The published lines are good, each only after the one before it."""
    before = CRCS[number - 1] if number else 0
    assert written_crc(VECTORS[number]) == CRCS[number]
    assert is_good(VECTORS[number], before)
    assert not is_good(VECTORS[number], before ^ 1)


def test_vectors_are_read():
    """The published lines say what they say."""
    first, second, third = map(decode, VECTORS)
    assert isinstance(first, RunStarted)
    assert first.run == "7f3a"
    assert isinstance(second, AttemptStarted)
    assert (second.request, second.attempt, second.because) == ("ab12", 1, None)
    assert isinstance(third, AttemptFailed)
    assert (third.seq, third.billed) == (3, "maybe")


class _BareRun(Entry, frozen=True, kw_only=True, tag="run_started"):
    run: str


class _BareStart(Entry, frozen=True, kw_only=True, tag="attempt_started"):
    request: str
    attempt: int
    because: int | None


class _BareFailure(Entry, frozen=True, kw_only=True, tag="attempt_failed"):
    request: str
    attempt: int
    billed: str


def test_what_people_search_for_is_always_in_the_line():
    """The kind and the bill of a failure, the window and the cause of an attempt are written even when usual."""
    assert b'"billed":"maybe"' in line_of(AttemptFailed(request="a", attempt=1, billed="maybe"))
    assert b'"failure":"in_doubt"' in line_of(AttemptFailed(request="a", attempt=1, billed="maybe"))
    started = line_of(AttemptStarted(request="a", attempt=1, because=None))
    assert b'"window":"job"' in started
    assert b'"because":null' in started


@pytest.mark.parametrize(
    ("number", "entry"),
    [
        (0, _BareRun(run="7f3a")),
        (1, _BareStart(request="ab12", attempt=1, because=None)),
        (2, _BareFailure(request="ab12", attempt=1, billed="maybe")),
    ],
)
def test_vectors_are_written_byte_for_byte(number, entry):
    """The writer spells the published lines exactly so."""
    at = json.loads(VECTORS[number])["at"]
    written = encode(entry, seq=number + 1, at=at, crc=CRCS[number - 1] if number else 0)
    assert written == (VECTORS[number] + b"\n", CRCS[number])


@pytest.mark.parametrize("entry", small_run(), ids=lambda entry: entry.__struct_config__.tag)
def test_entries_survive_writing_and_reading(entry):
    """What was written is what is read, plus seq and time."""
    assert decode(line_of(entry, seq=7)[:-1]) == msgspec.structs.replace(entry, seq=7, at=AT)


def test_a_move_says_from_and_to():
    """The fields of a move have the names that people expect in the file."""
    moved = ImageMoved(request="ab12", slot="a/v1", source="images/a.png", target="images/b.png", sha256="00")
    written = json.loads(line_of(moved))
    assert (written["from"], written["to"]) == ("images/a.png", "images/b.png")
    assert decode(line_of(moved)[:-1]).source == "images/a.png"


def test_what_was_asked_is_kept_byte_for_byte():
    """The text that an id is the hash of must not be spelt anew."""
    asked = '{"b":1.0,"a":"\\u00e9"}'
    entry = decode(line_of(started(1, asked=msgspec.Raw(asked.encode())))[:-1])
    assert bytes(entry.asked).decode() == asked


def test_an_entry_that_does_not_ask_says_so():
    """Only a request's first attempt carries what was asked."""
    assert decode(line_of(started(1))[:-1]).asked is NOT_ASKED


@given(message=anything)
def test_any_text_of_an_answer_can_be_written(message):
    """No character that a server sends costs the record: one line, legal UTF-8, readable."""
    line = line_of(failed(1, message=message, code=message))
    assert line.count(b"\n") == 1
    assert line.decode()
    assert decode(line[:-1]).message == message.encode("utf-8", "replace").decode()


def test_half_a_surrogate_pair_is_replaced_at_any_depth():
    """Text inside usage and overrides is as harmless as any other."""
    entry = decode(line_of(saved(1, usage={"a\ud800": ["\udfff", {"b": "\ud800"}], "n": 3}))[:-1])
    assert isinstance(entry, ImageSaved)
    assert entry.usage == {"a?": ["?", {"b": "?"}], "n": 3}


@given(message=anything, before=st.integers(0, 2**32 - 1))
def test_the_checksum_covers_everything_before_it(message, before):
    """Anyone can compute it from the bytes: crc32 of the line up to `,"crc"`, seeded with the one before."""
    line, crc = encode(failed(1, message=message), seq=1, at=AT, crc=before)
    assert crc == zlib.crc32(line.partition(b',"crc":"')[0], before) == written_crc(line[:-1])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'"crc":"00000000"}',
        VECTORS[0][:-1],
        VECTORS[0].replace(b"9e5833b0", b"9E5833B0"),
        VECTORS[0].replace(b"9e5833b0", b"+e5833b0"),
    ],
)
def test_lines_without_a_checksum_are_never_good(line):
    """Eight lowercase hex digits at the very end, or none."""
    assert written_crc(line) is None
    assert not is_good(line, 0)


def test_unknown_fields_are_skipped():
    """A newer writer of the same major version may say more."""
    assert decode(b'{"v":1,"seq":1,"at":"","kind":"run_started","run":"a","moon":{"phase":[1,2]}}').run == "a"


def test_unknown_kinds_are_kept():
    """An entry of a kind from the future has its place in the order."""
    entry = decode(b'{"v":1,"seq":5,"at":"x","kind":"image_framed","gold":true}')
    assert entry == Unknown(v=1, seq=5, at="x", kind="image_framed")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"v":1,"kind":"image_framed"}',
        b'{"v":1,"seq":1,"kind":"run_started"}',
        b'{"v":1,"seq":"1","kind":"run_started","run":"a"}',
        b'{"v":1,"seq":1,"kind":"image_saved","request":"a"}',
        b"\xff" * 20,
    ],
)
def test_what_is_no_entry_is_refused(line):
    """A known kind that lacks a field is no unknown kind."""
    with pytest.raises(ValueError, match=r".+"):
        decode(line)


def test_decisions_name_requests():
    """A decision lists the ids it is about."""
    assert json.loads(line_of(decided("resend", 1, 2)))["requests"] == [request_id(1), request_id(2)]
