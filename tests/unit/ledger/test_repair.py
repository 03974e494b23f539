import itertools
import random
import zlib

import pytest
from fakes.disk import FailingFolder
from fakes.ledgers import AT, lines, small_run
from hypothesis import given
from hypothesis import strategies as st

from batchgen.errors import LedgerDamagedError, StorageError
from batchgen.files import Folder
from batchgen.ledger.entry import Decision, RunStarted, decode, encode
from batchgen.ledger.journal import read_state
from batchgen.ledger.repair import Repair, find_gaps, repair
from batchgen.ledger.replay import replay

LINES = lines(small_run())
WHOLE = b"".join(LINES)


@pytest.fixture
def folder(tmp_path):
    with FailingFolder(tmp_path) as opened:
        yield opened


def ledger(folder):
    return (folder.path / "ledger.jsonl").read_bytes()


def mended(folder, data, **options):
    """The gaps (first, last) of a ledger of `data` and the entries after its repair."""
    (folder.path / "ledger.jsonl").write_bytes(data)
    done = repair(folder, at=AT, by="test", **options)
    return [(gap.first, gap.last) for gap in done.gaps], entries(folder)


def entries(folder):
    found = []
    with (folder.path / "ledger.jsonl").open("rb") as source:
        assert replay(source, found.append).verdict == "clean"
    return found


def changed(number, old=b"attempt", new=b"attEmpt"):
    """The ledger with one line changed; `number` counts from 1."""
    assert old in LINES[number - 1]
    return b"".join([*LINES[: number - 1], LINES[number - 1].replace(old, new, 1), *LINES[number:]])


def sealed(body, crc=0):
    """A line of any content, and its checksum."""
    own = zlib.crc32(body, crc)
    return body + b',"crc":"%08x"}\n' % own, own


def test_a_sound_ledger_is_left_alone(folder):
    """No copy, no new file."""
    (folder.path / "ledger.jsonl").write_bytes(WHOLE)
    assert repair(folder, at=AT, by="test") == Repair(aside="")
    assert [path.name for path in folder.path.iterdir()] == ["ledger.jsonl"]


def test_a_torn_tail_is_no_damage(folder):
    """Whoever appends next cuts it; there is nothing to decide."""
    (folder.path / "ledger.jsonl").write_bytes(WHOLE + b'{"v":1')
    assert repair(folder, at=AT, by="test").aside == ""


@pytest.mark.parametrize(
    ("data", "lost"),
    [
        pytest.param(changed(10), (10, 10), id="changed"),
        pytest.param(changed(10, LINES[9][-4:-3], b"~"), (10, 11), id="a changed checksum"),
        pytest.param(b"".join(LINES[:9] + LINES[10:]), (10, 11), id="lost"),
        pytest.param(b"".join(LINES[:9] + LINES[14:]), (10, 15), id="several lost"),
        pytest.param(b"".join(LINES[1:]), (1, 2), id="the first one lost"),
        pytest.param(changed(31, b"saved", b"sAved"), (31, 31), id="the last one changed"),
        pytest.param(b"".join([*LINES[:-2], LINES[-1]]), (30, 31), id="the last but one lost"),
        pytest.param(b"".join(LINES[:9]) + b"\0" * 4000 + b"".join(LINES[12:]), (10, 13), id="a hole of zeros"),
    ],
)
def test_a_gap_is_named_where_it_is(folder, data, lost):
    """Good lines stay in order with their numbers; one decision stands for the lost ones, one closes the repair."""
    gaps, kept = mended(folder, data)
    repairs = [entry for entry in kept if isinstance(entry, Decision) and entry.what == "repair"]
    assert gaps == [lost]
    assert [(entry.seq, entry.first, entry.last) for entry in repairs] == [(lost[1], *lost), (32, *lost)]
    assert [entry.seq for entry in kept] == [*range(1, lost[0]), *range(lost[1], 33)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"".join(LINES[:10] + LINES[9:]), id="doubled"),
        pytest.param(b"".join([*LINES, LINES[-1]]), id="the last one doubled"),
        pytest.param(b"".join(LINES[:10] + LINES[4:]), id="a block doubled"),
        pytest.param(b"".join([*LINES[:9], LINES[10], LINES[9], *LINES[11:]]), id="swapped"),
        pytest.param(b"".join(reversed(LINES)), id="all in reverse"),
        pytest.param(WHOLE.replace(b"\n", b"\r\n"), id="other line ends"),
        pytest.param(b"".join([*LINES[:5], b"\n", *LINES[5:]]), id="a blank line"),
        pytest.param(WHOLE[:-1] + b" ", id="the last newline changed"),
    ],
)
def test_what_is_only_out_of_place_is_put_back(folder, data):
    """Where the chain proves that nothing is missing, nothing is held."""
    assert mended(folder, data)[0] == []
    assert ledger(folder) == WHOLE


def test_the_damaged_file_is_kept(folder):
    """Every repair keeps its own copy, byte for byte."""
    for number in (1, 2):
        mended(folder, changed(10 + number))
        assert (folder.path / f"ledger.jsonl.damaged-{number}").read_bytes() == changed(10 + number)


def test_whatever_has_no_image_is_held(folder):
    """Requests that were known before the gap, and those that the lines after it began."""
    gap_and_later = changed(2)
    mended(folder, gap_and_later)
    state, _ = read_state(folder)
    unfinished = {key for key, record in state.records.items() if record.saved is None}
    assert unfinished
    assert {key for key, record in state.records.items() if record.is_held} == unfinished
    assert (state.lost, state.lost_until) == ([(2, 2)], AT)


def test_several_gaps_are_named_one_by_one(folder):
    """The closing decision spans them all."""
    data = changed(5).replace(LINES[19], LINES[19].replace(b"seq", b"sEq"))
    gaps, kept = mended(folder, data)
    assert gaps == [(5, 5), (20, 20)]
    assert (kept[-1].first, kept[-1].last) == (5, 20)


def test_an_earlier_repair_stays_as_it_is(folder):
    """Its decision stands for the lines that were lost then."""
    once = mended(folder, b"".join(LINES[:9] + LINES[14:]))[1]
    lines_now = ledger(folder).splitlines(keepends=True)
    lines_now[3] = lines_now[3].replace(b"attempt", b"attEmpt")
    gaps, kept = mended(folder, b"".join(lines_now))
    assert gaps == [(4, 4)]
    assert [entry.seq for entry in kept[:-1]] == [entry.seq for entry in once]


def test_lines_lost_at_the_end_are_named_on_request(folder):
    """Something else proves them; the chain cannot."""
    gaps, kept = mended(folder, WHOLE, lost_at_end=True)
    assert gaps == []
    assert [(entry.seq, entry.first, entry.last) for entry in kept[31:]] == [(32, 32, 32), (33, 32, 32)]


def test_entries_of_unknown_kinds_are_kept(folder):
    """A newer writer of the same format may have said something of worth."""
    moon, crc = sealed(b'{"v":1,"seq":1,"kind":"moon_landed"')
    line, _ = encode(RunStarted(run="y"), seq=2, at=AT, crc=crc)
    _, kept = mended(folder, moon + b"?\n" + line + line)
    assert [getattr(entry, "kind", "run_started") for entry in kept] == ["moon_landed", "run_started"]


def test_a_newer_format_is_not_taken_for_damage(folder):
    """Its lines are good; this version must not throw them away."""
    newer = WHOLE + sealed(b'{"v":2,"seq":32,"kind":"decision","what":"x"', int(LINES[-1][-11:-3], 16))[0]
    (folder.path / "ledger.jsonl").write_bytes(newer)
    with pytest.raises(LedgerDamagedError, match="a newer batchgen wrote it"):
        repair(folder, at=AT, by="test")
    assert ledger(folder) == newer


@pytest.mark.parametrize("method", ["write", "sync", "rename"])
def test_a_crash_leaves_the_old_ledger_or_the_new_one(tmp_path, method):
    """Killed before any write, sync or rename, and repaired again: always whole, always the same end."""
    for number in itertools.count(1):
        place = tmp_path / str(number)
        place.mkdir()
        with FailingFolder(place) as opened:
            (place / "ledger.jsonl").write_bytes(changed(10))
            opened.before = _killer(method, number)
            killed = _is_killed(opened)
            assert ledger(opened) in {changed(10), _repaired(tmp_path)}
            opened.before = lambda _: None
            repair(opened, at=AT, by="test")
            assert ledger(opened) == _repaired(tmp_path)
            copies = {path.read_bytes() for path in place.glob("ledger.jsonl.damaged-?")}
            assert copies == {changed(10)}
        if not killed:
            break
    assert number > 2


class _KilledError(BaseException):
    pass


def _killer(method, number):
    left = itertools.count(1)

    def before(name):
        if name == method and next(left) == number:
            raise _KilledError

    return before


def _is_killed(folder):
    try:
        repair(folder, at=AT, by="test")
    except _KilledError:
        return True
    return False


def _repaired(tmp_path):
    place = tmp_path / "whole"
    place.mkdir(exist_ok=True)
    with Folder(place) as opened:
        mended(opened, changed(10))
        return ledger(opened)


def test_a_full_disk_leaves_the_ledger_alone(folder):
    """The old file counts until the new one is whole."""
    (folder.path / "ledger.jsonl").write_bytes(changed(10))
    folder.faults["write"] = OSError(28, "No space left on device")
    with pytest.raises(StorageError):
        repair(folder, at=AT, by="test")
    assert ledger(folder) == changed(10)


@given(seed=st.integers(0, 2**32))
def test_no_good_line_is_invented_and_no_gap_is_hidden(tmp_path_factory, seed):
    """Under any edits every kept line is an original one, and every original one is kept or lies in a named gap."""
    rng = random.Random(seed)  # noqa: S311  the seed replays it
    with Folder(tmp_path_factory.mktemp("job")) as opened:
        (opened.path / "ledger.jsonl").write_bytes(_edited(rng))
        if repair(opened, at=AT, by="test").aside == "":
            return
        repairs = [entry for entry in entries(opened) if getattr(entry, "what", "") == "repair"]
        lost = {seq for entry in repairs for seq in range(entry.first, entry.last + 1)}
        original = [decode(line[:-1]) for line in LINES]
        kept = [entry for entry in entries(opened) if getattr(entry, "what", "") != "repair"]
        assert all(entry in original for entry in kept)
        last = max(entry.seq for entry in entries(opened))
        seen = {entry.seq for entry in kept} | lost
        assert all(entry.seq in seen for entry in original if entry.seq <= last)
        assert find_gaps(opened) == []


def _edited(rng):
    """One to three edits such as editors, merges and disks make; the end of the file stays."""
    text = list(LINES)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(text) - 3)
        match rng.randrange(5):
            case 0:
                del text[place]
            case 1:
                text.insert(place, text[place])
            case 2:
                text[place], text[place + 1] = text[place + 1], text[place]
            case 3:
                data = bytearray(text[place])
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
                text[place] = bytes(data)
            case _:
                text[place : place + 2] = []
    return b"".join(text)


def test_a_decision_after_the_repair_is_not_held(folder):
    """The person has spoken; the hold is for what nobody has looked at."""
    mended(folder, changed(10))
    state, _ = read_state(folder)
    held = [key for key, record in state.records.items() if record.is_held]
    state.apply(Decision(what="resend", requests=held, seq=40, at=AT))
    assert not any(record.is_held for record in state.records.values())
