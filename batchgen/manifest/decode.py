"""Bytes to text: UTF-8 with or without a byte order mark, nothing that a text file does not hold."""

import re

from batchgen.errors import ManifestError, Problem
from batchgen.manifest.marks import Marks

__all__ = ["LONGEST_FILE_BYTES", "decode", "too_large"]

LONGEST_FILE_BYTES = 64 * 1024 * 1024
"""Room for some hundred thousand prompts. What is larger is refused before it is read."""

# YAML's printable characters: https://yaml.org/spec/1.2.2/ section 5.1.
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def decode(data: bytes, file: str) -> str:
    """The text of a manifest; `file` is how messages call it.

    Raises ManifestError for what is too large, binary, not UTF-8 or holds control characters.
    """
    if len(data) > LONGEST_FILE_BYTES:
        raise ManifestError(problems=[too_large(file)])
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ManifestError(problems=[Problem(file=file, message="not a text file (expected YAML in UTF-8)")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8 (byte 0x{data[error.start]:02x}); save the file as UTF-8"
        raise ManifestError(problems=[Problem(file=file, line=line, message=message)]) from None
    if odd := _UNPRINTABLE.search(text):
        marks = Marks(file=file, text=text, root=0, spelled={})
        message = f"the control character U+{ord(odd[0]):04X}; remove it"
        raise ManifestError(problems=[marks.problem_at(odd.start(), message)])
    return text


def too_large(file: str) -> Problem:
    """What is said about a manifest beyond the limit."""
    limit = LONGEST_FILE_BYTES >> 20
    return Problem(file=file, message=f"larger than {limit} MiB; keep many rows in a csv or jsonl file")
