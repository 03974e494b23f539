import os
from pathlib import Path

import pytest
from PIL import Image

from batchgen.cli.verify import Subset

RED = Path("output/hello@sandbox/images/mug/red-v1.png")


@pytest.fixture
def finished(batchgen):
    """A finished job; returns the command line."""
    assert batchgen("run", "hello").code == 0
    return batchgen


def test_a_sound_job_is_exit_0(finished):
    """Everything there, everything as paid for."""
    said = finished("verify", "hello")
    assert (said.code, said.out) == (0, "hello@sandbox: 2 finished images, all sound\n")


def test_a_missing_image_is_exit_3(finished):
    """Slot, file and remedy are named."""
    RED.unlink()
    said = finished("verify", "hello")
    assert said.code == 3
    assert "mug/red/v1  images/mug/red-v1.png is gone" in said.out
    assert "`batchgen run` makes them again" in said.out


def test_a_cut_image_is_exit_3(finished):
    """A file that lost its tail is damaged."""
    RED.write_bytes(RED.read_bytes()[:-20])
    said = finished("verify", "hello")
    assert said.code == 3
    assert "is no longer a whole image" in said.out


def test_a_retouched_image_is_sound_and_listed(finished):
    """Somebody's work on a picture is no damage."""
    Image.new("RGB", (64, 64), "red").save(RED)
    said = finished("verify", "hello")
    assert said.code == 0
    assert "altered" in said.out


def test_only_a_full_check_finds_a_flipped_byte_with_size_and_time_unchanged(finished):
    """--full reads every byte, the quick check looks at size and time."""
    before, data = RED.stat(), bytearray(RED.read_bytes())
    data[len(data) // 2] ^= 1
    RED.write_bytes(data)
    os.utime(RED, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert finished("verify", "hello").code == 0
    said = finished("verify", "hello", "--full")
    assert said.code == 3
    assert "2 read in full" in said.out


def test_the_parts_of_a_subset_cover_every_file_once():
    """After T runs of N/T every file was read exactly once."""
    ids = [f"{number * 2654435761 % 2**32:08x}{'0' * 24}" for number in range(200)]
    assert all(sum(Subset(part=part, parts=7).holds(each) for part in range(1, 8)) == 1 for each in ids)


@pytest.mark.parametrize("text", ["8/7", "0/7", "7", "a/b", "1/0", "-1/7", "1/7/9"])
def test_a_part_that_is_none_is_exit_2(finished, text):
    """The form is said."""
    said = finished("verify", "hello", "--subset", text)
    assert said.code == 2
    assert "expected N/T" in said.err


def test_a_sound_ledger_is_exit_0(finished):
    """Entries and rules are counted."""
    said = finished("verify", "hello", "--ledger")
    assert (said.code, said.out) == (
        0,
        "ledger.jsonl: 6 entries, every checksum is right, every rule is kept\n",
    )


@pytest.mark.parametrize("option", [[], ["--ledger"]])
def test_a_damaged_ledger_is_exit_7(finished, option):
    """One changed byte inside is found, by any verify."""
    ledger = Path("output/hello@sandbox/ledger.jsonl")
    ledger.write_bytes(ledger.read_bytes().replace(b'"attempt":1', b'"attempt":2', 1))
    assert finished("verify", "hello", *option).code == 7


def test_a_torn_tail_is_no_damage(finished):
    """An unfinished last line was never acknowledged; verify says so and leaves it."""
    ledger = Path("output/hello@sandbox/ledger.jsonl")
    ledger.write_bytes(ledger.read_bytes() + b'{"v":1,"se')
    before = ledger.read_bytes()
    said = finished("verify", "hello", "--ledger")
    assert said.code == 0
    assert "10 bytes of an unfinished line" in said.out
    assert ledger.read_bytes() == before


def test_doubts_are_listed_and_sound(batchgen, manifest):
    """A doubt is not damage, but nobody overlooks it."""
    held = "provider: {use: sandbox, faults: [{kind: lost, match: blue}]}\nretry: {in_doubt: hold}\n"
    manifest("hello", Path("jobs/hello.yaml").read_text() + held)
    batchgen("run", "hello")
    said = batchgen("verify", "hello")
    assert said.code == 0
    assert "in doubt   mug/blue/v1" in said.out


def test_a_job_without_a_folder_is_exit_2(batchgen):
    """A mistyped option must not verify nothing and call it sound."""
    said = batchgen("verify", "hello")
    assert said.code == 2
    assert "nothing was made yet" in said.err
