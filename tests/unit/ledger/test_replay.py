"""Reading a ledger: every good line, and the right verdict on what follows the last one."""

import io
import zlib

import msgspec
import pytest
from fakes.ledgers import decided, lines, small_run, started
from hypothesis import given
from hypothesis import strategies as st

from batchgen.ledger.entry import RunStarted, Unknown, encode, written_crc
from batchgen.ledger.replay import find_asked, replay

LINES = lines(small_run())
LEDGER = b"".join(LINES)
BOUNDARIES = {0: 0}
for _number, _line in enumerate(LINES, 1):
    BOUNDARIES[max(BOUNDARIES) + len(_line)] = _number


def read(data):
    """The seqs of the good entries, and the end."""
    seqs = []
    end = replay(io.BytesIO(data), lambda entry: seqs.append(entry.seq))
    return seqs, end


def whole_lines(data):
    return max(number for offset, number in BOUNDARIES.items() if offset <= len(data))


def chained(*bodies):
    """Lines of raw JSON text with right checksums."""
    made, crc = [], 0
    for body in bodies:
        crc = zlib.crc32(body, crc)
        made.append(body + b',"crc":"%08x"}\n' % crc)
    return b"".join(made)


def test_a_sound_ledger_is_read_to_its_end():
    """Every entry comes, in order, and nothing follows."""
    seqs, end = read(LEDGER)
    assert seqs == list(range(1, len(LINES) + 1))
    assert (end.verdict, end.offset, end.seq) == ("clean", len(LEDGER), len(LINES))


def test_an_empty_ledger_is_sound():
    """Nothing happened yet."""
    assert read(b"")[1].verdict == "clean"


def test_every_cut_leaves_the_entries_before_it():
    """Wherever an append was cut off, all lines before it are kept and none is invented."""
    for cut in range(len(LEDGER)):
        seqs, end = read(LEDGER[:cut])
        assert seqs == list(range(1, whole_lines(LEDGER[:cut]) + 1))
        lacks_newline = cut + 1 in BOUNDARIES
        expected = "clean" if cut in BOUNDARIES else "unterminated" if lacks_newline else "torn"
        assert (cut, end.verdict) == (cut, expected)
        assert LEDGER[:cut] == LEDGER[: end.offset] + end.tail


@pytest.mark.parametrize("zeros", [1, 7, 8, 9, 511, 512, 513, 4096, 8192])
def test_appended_zeros_are_torn(zeros):
    """A file system that grew the file before the data came adds zeros; no line is lost."""
    seqs, end = read(LEDGER + bytes(zeros))
    assert (len(seqs), end.verdict, len(end.tail)) == (len(LINES), "torn", zeros)


@pytest.mark.parametrize("zeros", [1, 8, 512, 5000])
def test_zeros_after_a_line_without_its_newline_keep_the_line(zeros):
    """A complete last line counts even if its newline became a zero."""
    seqs, end = read(LEDGER[:-1] + bytes(zeros))
    assert (len(seqs), end.verdict, end.tail) == (len(LINES) - 1, "unterminated", LINES[-1][:-1])


def test_zeroed_tails_lose_no_line_before_them():
    """Data that never reached the disk: what was whole stays, the rest is torn."""
    for zeros in range(1, len(LEDGER), 7):
        seqs, end = read(LEDGER[:-zeros] + bytes(zeros))
        assert len(seqs) == whole_lines(LEDGER[:-zeros])
        assert end.verdict in {"torn", "unterminated", "clean"}


@pytest.mark.parametrize("change", [lambda byte: byte ^ 1, lambda byte: byte ^ 64, lambda _: 10, lambda _: 0])
def test_every_changed_byte_is_refused_or_harmless(change):
    """One changed byte anywhere stops everything, unless not a single entry is lost by it."""
    harmless = []
    for place, byte in enumerate(LEDGER):
        if change(byte) == byte:
            continue
        seqs, end = read(LEDGER[:place] + bytes([change(byte)]) + LEDGER[place + 1 :])
        kept = len(seqs) + (end.verdict == "unterminated")
        if end.verdict != "damaged":
            harmless.append(place)
            assert kept == len(LINES)
    assert harmless in ([], [len(LEDGER) - 1])


@pytest.mark.parametrize("number", range(len(LINES)))
def test_missing_doubled_and_swapped_lines_are_refused(number):
    """An editor or a merge tool is found out, except for a missing last line, which no chain can see."""
    doubled = [*LINES[: number + 1], *LINES[number:]]
    assert read(b"".join(doubled))[1].verdict == "damaged"
    if number + 1 < len(LINES):
        missing = [*LINES[:number], *LINES[number + 1 :]]
        swapped = [*LINES[:number], LINES[number + 1], LINES[number], *LINES[number + 2 :]]
        assert read(b"".join(missing))[1].verdict == "damaged"
        assert read(b"".join(swapped))[1].verdict == "damaged"


def test_damage_names_the_entries_that_are_lost():
    """The gap is shown as a range of entries."""
    broken = [*LINES[:9], b"x" * len(LINES[9]) + b"\n", LINES[10].replace(b"slot", b"slob"), *LINES[11:]]
    _, end = read(b"".join(broken))
    assert end.problem == "entries 10 to 11 are changed or lost"


def test_a_doubled_line_is_named_as_such():
    """Nothing is lost when a line is there twice, and the message does not claim it."""
    _, end = read(b"".join([*LINES[:10], *LINES[9:]]))
    assert end.problem == "lines after entry 10 are changed, doubled or out of order"


def test_a_whole_last_line_with_a_wrong_checksum_is_damage():
    """A torn append has no newline: one flipped bit must not drop a payment."""
    _, end = read(LEDGER[:-20] + b"?" + LEDGER[-19:])
    assert (end.verdict, end.seq) == ("damaged", len(LINES) - 1)


@pytest.mark.parametrize("lead", [0, 1, 300, 511])
def test_a_sector_of_zeros_before_whole_lines_is_torn(lead):
    """Pages that the disk never wrote, wherever they begin: no later line checks, so nothing after was acknowledged."""
    start = (len(LEDGER) // 512 + 2) * 512 + lead
    hole = b"x" * (start - len(LEDGER)) + bytes(1024)
    tail = hole + b"\nno good line\n"
    seqs, end = read(LEDGER + tail)
    assert (len(seqs), end.verdict, end.tail) == (len(LINES), "torn", tail)


@pytest.mark.parametrize("zeros", [9, 7])
def test_a_few_zeros_at_the_end_of_the_file_prove_a_hole_only_from_eight(zeros):
    """The last piece may be short; fewer than eight zeros prove nothing."""
    bad = b"x" * (511 - len(LEDGER) % 512) + b"\n"
    _, end = read(LEDGER + bad + bytes(zeros))
    assert end.verdict == ("torn" if zeros >= 8 else "damaged")


def test_a_hole_before_good_lines_is_damage():
    """Good lines after a hole may be purchases: nobody guesses."""
    broken = LEDGER[:-2000] + bytes(1024) + LEDGER[-976:]
    assert read(broken)[1].verdict == "damaged"


def test_a_newer_format_says_so():
    """A ledger of a newer major version is not a damaged one, but nothing is sent all the same."""
    _, end = read(chained(b'{"v":2,"seq":1,"at":"","kind":"run_started","run":"a"'))
    assert (end.verdict, end.problem) == (
        "damaged",
        "entry 1 has format version 2; a newer batchgen wrote it",
    )


def test_a_changed_version_digit_is_damage_not_a_newer_format():
    """Only a line that checks is believed."""
    _, end = read(LEDGER.replace(b'{"v":1', b'{"v":9', 1))
    assert "newer" not in end.problem


def test_unknown_kinds_keep_their_place():
    """An entry of an unknown kind is handed on and the chain goes on."""
    found = []
    data = chained(b'{"v":1,"seq":1,"kind":"moon_rose"', b'{"v":1,"seq":2,"at":"","kind":"run_started","run":"a"')
    end = replay(io.BytesIO(data), found.append)
    assert (type(found[0]), type(found[1]), end.verdict) == (Unknown, RunStarted, "clean")


@pytest.mark.parametrize(
    ("body", "why"), [(b'{"v":1,"seq":7,"kind":"x"', "gap"), (b'{"v":1,"seq":1,"at":"","kind":"run_started"', "no run")]
)
def test_lines_with_a_right_checksum_must_also_make_sense(body, why):
    """A checksum proves that a line is as written, not that it belongs there."""
    assert read(chained(body))[1].verdict == "damaged", why


def repaired(first, last):
    """Three good lines, a repair that stands for the lost ones, and one more."""
    kept, crc = LINES[:3], int(LINES[2][-11:-3], 16)
    repair, crc = encode(decided("repair", first=first, last=last), seq=last, at="", crc=crc)
    after, _ = encode(started(50), seq=last + 1, at="", crc=crc)
    return b"".join([*kept, repair, after])


def test_a_repair_stands_for_the_lost_entries():
    """A repaired ledger keeps its old numbers and reads as sound."""
    seqs, end = read(repaired(4, 9))
    assert (seqs, end.verdict) == ([1, 2, 3, 9, 10], "clean")


@pytest.mark.parametrize("first", [3, 5])
def test_a_repair_of_other_entries_does_not_fit(first):
    """Only a repair that names exactly the gap closes it."""
    assert read(repaired(first, 9))[1].verdict == "damaged"


@given(cut=st.integers(0, len(LEDGER)), junk=st.binary(max_size=40).map(lambda junk: junk.replace(b"\n", b"")))
def test_any_unfinished_tail_replays_to_a_prefix(cut, junk):
    """Whatever follows the last newline, the entries before it are exactly those that were written."""
    kept = whole_lines(LEDGER[:cut])
    start = LEDGER[: next(offset for offset, number in BOUNDARIES.items() if number == kept)]
    seqs, end = read(start + junk)
    assert seqs == list(range(1, kept + 1))
    assert end.verdict == ("torn" if junk else "clean")


@given(st.binary(max_size=3000))
def test_garbage_is_judged_and_never_raises(data):
    """Any bytes at all get a verdict."""
    seqs, end = read(data)
    assert (seqs, end.offset) == ([], 0)


def test_find_asked_brings_only_what_was_wanted():
    """The text of a request is found by the seq of the entry that carries it."""
    data = b"".join(
        lines([started(1, asked=msgspec.Raw(b'{"n":1}')), started(2), started(3, asked=msgspec.Raw(b"{}"))])
    )
    assert find_asked(io.BytesIO(data), {1, 2, 99}) == {1: '{"n":1}'}


def test_the_last_batch_begins_where_its_time_begins():
    """Entries of one batch share their time; only the last batch may never have reached the disk."""
    early, late = lines(small_run()[:5]), []
    crc = written_crc(early[-1][:-1])
    for seq, entry in enumerate(small_run()[5:8], 6):
        line, crc = encode(entry, seq=seq, at="2026-11-20T12:00:01.000Z", crc=crc)
        late.append(line)
    assert replay(io.BytesIO(b"".join(early + late)), lambda _: None).batch_offset == len(b"".join(early))
    assert replay(io.BytesIO(b"".join(early + late) + b"torn"), lambda _: None).batch_offset == len(b"".join(early))


def test_only_the_end_of_a_run_closes_a_ledger():
    """After anything else, a torn tail too, the last run may have been killed."""
    whole = lines(small_run())
    assert replay(io.BytesIO(b"".join(whole)), lambda _: None).is_closed
    assert not replay(io.BytesIO(b"".join(whole[:-1])), lambda _: None).is_closed
    assert not replay(io.BytesIO(b"".join(whole) + b"torn"), lambda _: None).is_closed
