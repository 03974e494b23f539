"""Power losses: what a disk may hold afterwards, read and recovered by the real program; and mutants, all found."""

import itertools

import pytest
from crash.power_loss.check import ledger_of
from crash.power_loss.command import examine_many
from crash.power_loss.disk import Disk, Log, State, chance, states
from crash.power_loss.hunt import caught, failure
from crash.power_loss.mutants import MUTANTS, DriftError, Edit, Mutant, applied
from crash.power_loss.protocol import CHECKS
from crash.power_loss.scenes import SCENES, staged
from crash.power_loss.stories import examine, place, told

from batchgen.ledger.entry import Entry
from batchgen.ledger.journal import Journal

SEED = "1"
FILE_OPS = {"create", "write", "fsync", "truncate"}
NAME_OPS = {"mkdir", "rename", "unlink", "syncdir"}
CLOSINGS = {"resend", "not_billed", "give_up"}
KINDS = {str(kind.__struct_config__.tag) for kind in Entry.__subclasses__()}
WHOLE = b"a" * 2000


def drawn(*ops, start=None, count=400):
    """What a disk may hold after these operations."""
    found = states(Log(ops, start), len(ops), chance(1))
    return [state.files for state in itertools.islice(found, count)]


def file(*rest):
    """A file that is there for good, and what is done with it."""
    return drawn(("create", "x", 1), ("syncdir", "."), *rest)


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_no_power_loss_breaks_a_promise():
    """300,000 states: nothing paid is unknown, nothing saved is gone, no name lies, recovery says the same twice."""
    report = examine_many(300_000, SEED)
    assert not report.findings, f"seed {SEED}: {report}\n" + "\n".join(text for _, text in report.findings[:10])
    assert report.refused < report.states / 1000
    assert report.distinct > report.states / 10


@pytest.mark.torture
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_caught(name, tmp_path):
    """A line of the order of writing that is dropped, swapped or weakened is found where the mutant says."""
    assert caught(MUTANTS[name], tmp_path)


@pytest.mark.parametrize("check", CHECKS)
def test_protocol(check, tmp_path):
    """The rules that no drawn state can show hold in the program as it is."""
    assert not failure(check, tmp_path)


def test_there_are_mutants_enough():
    """Every sync, rename, record and order has one."""
    assert len(MUTANTS) >= 60


def test_a_mutant_without_its_line_is_an_error():
    """When the program changes under a mutant, the mutant must be looked at again."""
    gone = Mutant("gone", "states", ("fresh",), (Edit("batchgen.ledger.journal", "no such line\n", ""),))
    with pytest.raises(DriftError, match="not exactly one place"), applied(gone):
        pass


def test_a_mutant_leaves_no_trace():
    """Once it was looked at, the program is what it was."""
    before = Journal.append.__code__
    with applied(MUTANTS["entries acknowledged before they are written"]):
        assert Journal.append.__code__ is not before
    assert Journal.append.__code__ is before


def test_a_story_can_be_had_again():
    """The same seed and number give the same log and the same findings."""
    assert list(told("again", 4)) == list(told("again", 4))
    assert examine("again", 4) == examine("again", 4)


def test_what_is_synced_stays():
    """A file whose bytes and name are synced is there, whole, in every state."""
    assert all(files == {"x": WHOLE} for files in file(("write", 1, 0, WHOLE), ("fsync", 1)))


def test_what_is_not_synced_may_be_anything():
    """Unsynced bytes are there, lost, cut short, zeros, or zeros in front of what is there."""
    found = [files["x"] for files in file(("write", 1, 0, WHOLE))]
    assert {b"", WHOLE, bytes(2000), bytes(512) + WHOLE[512:]} <= set(found)
    assert any(WHOLE.startswith(data) and 0 < len(data) < 2000 for data in found)


def test_a_name_that_is_not_synced_may_be_lost():
    """Neither a new file nor a rename is there for sure, and never both names of one."""
    made = drawn(("create", "x", 1), ("fsync", 1))
    assert {tuple(files) for files in made} == {(), ("x",)}
    renamed = file(("rename", "x", "y", 1))
    assert {tuple(files) for files in renamed} == {("x",), ("y",)}


def test_later_names_may_survive_earlier_ones():
    """Of two renames the second alone may survive: what lay there before has no name then."""
    one, two = ("create", "one", 1), ("create", "two", 2)
    found = drawn(one, two, ("syncdir", "."), ("rename", "one", "old", 1), ("rename", "two", "one", 2))
    assert {"one"} in [set(files) for files in found]


def test_a_folder_takes_its_files_along():
    """A file that is synced in a folder that is not may be gone with it."""
    found = drawn(("mkdir", "f"), ("create", "f/x", 1), ("fsync", 1), ("syncdir", "f"))
    assert {frozenset(files) for files in found} == {frozenset(), frozenset({"f", "f/x"})}


def test_a_failed_sync_is_no_sync():
    """After it the bytes are not on disk, whatever is synced later; only writing them again helps."""
    failed = (("write", 1, 0, WHOLE), ("failed", 1), ("fsync", 1))
    assert WHOLE not in [files["x"] for files in file(*failed)]
    assert all(files["x"] == WHOLE for files in file(*failed, ("write", 1, 0, WHOLE), ("fsync", 1)))


def test_what_the_program_sees_is_all_of_it():
    """While the machine is up everything is there, synced or not."""
    disk = Disk.holding(State({"x": b"old"}))
    for op in (("write", 0, 3, b"er"), ("rename", "x", "y", 0), ("mkdir", "f")):
        disk.apply(op)
    assert disk.seen().files == {"y": b"older", "f": None}


@pytest.mark.torture
def test_the_stories_leave_nothing_out():
    """Every kind of entry, of decision and of operation on the disk comes up, and no run breaks."""
    ops, entries = set(), b""
    for number, scene in enumerate([*SCENES] * 8 + ["decided"] * 30):
        with place() as root, staged(scene, f"{SEED}/{number}", root) as story:
            ops |= {op[0] for op in story.log}
            *_, (_, disk) = story.log.disks()
            entries += ledger_of(disk.seen())
    assert ops >= FILE_OPS | NAME_OPS | {"failed", "known", "decide", "spoil"}
    assert "bug" not in ops
    assert all(f'"kind":"{kind}"'.encode() in entries for kind in KINDS)
    said = [what for what in CLOSINGS | {"redo", "adopt"} if f'"what":"{what}"'.encode() in entries]
    assert len(said) >= 4
