"""Which bytes are a text file."""

import pytest

from batchgen.errors import ManifestError
from batchgen.manifest.decode import LONGEST_FILE_BYTES, decode


def refusal(data: bytes):
    with pytest.raises(ManifestError) as caught:
        decode(data, "m.yaml")
    (problem,) = caught.value.problems
    return problem


def test_a_byte_order_mark_is_accepted():
    """A file from an editor that writes a mark reads like one without."""
    assert decode(b"\xef\xbb\xbfa: 1\n", "m.yaml") == "a: 1\n"


def test_binary_is_refused():
    """A NUL anywhere means that this is no text."""
    assert "not a text file" in refusal(b"a: 1\n" * 5000 + b"\0").message


@pytest.mark.parametrize("data", [b"a: 1\nb: \xff\n", "a: 1\nb: ü\n".encode("latin-1"), "a: 1\nb".encode("utf-16")])
def test_another_encoding_is_refused_with_its_byte(data):
    """The message names the byte and says what to save as."""
    assert str(refusal(data)).startswith("m.yaml:")
    assert "save the file as UTF-8" in refusal(data).message


def test_the_line_of_a_broken_byte_is_named():
    """A byte that is not UTF-8 is found by its line."""
    assert refusal(b"a: 1\nb: \xff\n").line == 2


@pytest.mark.parametrize("character", ["\x07", "\x1b", "\x7f", "\ufffe"])
def test_a_control_character_is_refused_at_its_place(character):
    """No escape sequence reaches a terminal by way of a message."""
    problem = refusal(f"a: 1\nb: x{character}\n".encode())
    assert (problem.line, problem.column) == (2, 5)
    assert character not in str(problem)


def test_size_is_capped():
    """More bytes than the limit are refused with a remedy."""
    assert "larger than 64 MiB; keep many rows in a csv" in refusal(b" " * (LONGEST_FILE_BYTES + 1)).message
