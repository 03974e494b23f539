"""What an answer may come to, found without any of the decoder's code: by looking for the bytes in what was served."""

import base64
import hashlib
import itertools
import re
import zlib
from collections.abc import Iterator
from typing import Any

from faults.case import ACTIVE, KEPT_BYTES, PART

from batchgen.provider.failure import MESSAGE_CHARACTERS, Failure

KINDS = {"throttled", "server_error", "in_doubt", "bad_answer", "refused", "bad_request", "stopped"}
STATUS = re.compile(rb"HTTP/\d\.\d (\d{3})")
ERROR_WORDS = re.compile(rb"error|message|msg|err|detail|title|reason|code|type", re.IGNORECASE)
ESCAPE = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
NOT_LETTERS = re.compile(rb"[^A-Za-z0-9+/]")
HEADS = 3
CHUNK = re.compile(rb"([0-9a-fA-F]{1,16})[^\r\n]*\r?\n")


def misjudged(wire: bytes, outcome: Any, files: dict[str, bytes], *, was_asked: bool = True) -> list[str]:
    """What is wrong about the outcome of an answer, in words."""
    if isinstance(outcome, Failure) and outcome.kind == "not_sent" and not was_asked:
        return []
    if isinstance(outcome, Failure):
        return list(_failure(wire, outcome, files))
    return list(_image(wire, outcome[0], files))


def _image(wire: bytes, arrived: Any, files: dict[str, bytes]) -> Iterator[str]:
    kept = files.get(PART)
    if kept is None or hashlib.sha256(kept).hexdigest() != arrived.sha256 or len(kept) != arrived.bytes:
        yield "the temp file is not what was reported"
    elif not any(_serves(body, kept) for body in _bodies(wire)):
        yield f"{len(kept)} bytes that were never served"


def _failure(wire: bytes, failure: Failure, files: dict[str, bytes]) -> Iterator[str]:
    if failure.kind not in KINDS:
        yield f"{failure.kind}, although a request went out"
    if failure.kind in {"in_doubt", "bad_answer"} and failure.billed != "maybe":
        yield f"{failure.kind} is called unbilled"
    if failure.billed == "no" and not _says_unbilled(wire):
        yield f"called unbilled without a reason: {failure}"
    if len(failure.message) > MESSAGE_CHARACTERS or ACTIVE.search(failure.message):
        yield f"a message that is not fit for a line: {failure.message!r}"
    kept = [name for name in files if name.startswith("images/.rejected/")]
    left = [name for name in files if name not in kept and not name.startswith("images/.previews/")]
    if left:
        yield f"left behind: {left}"
    if any(len(files[name]) > max(KEPT_BYTES, 1 << 20) for name in kept):
        yield "too much was kept"


def _says_unbilled(wire: bytes) -> bool:
    """Only an error status or an error's words can prove that nothing was bought."""
    statuses = {int(status) for status in STATUS.findall(wire)}
    return bool(statuses - set(range(100, 300))) or any(ERROR_WORDS.search(body) for body in _bodies(wire))


def _bodies(wire: bytes) -> Iterator[bytes]:
    """Everything that may be a body in these bytes: after any head, with and without chunks and compression."""
    for head in itertools.islice(re.finditer(rb"\r?\n\r?\n", wire), HEADS):
        rest = wire[head.end() :]
        for body in (rest, _without_chunks(rest)):
            yield body
            yield from _unpacked(body)


def _without_chunks(rest: bytes) -> bytes:
    body, at = b"", 0
    while match := CHUNK.match(rest, at):
        size = int(match[1], 16)
        if not size:
            break
        body += rest[match.end() : match.end() + size]
        at = match.end() + size
        at += len(re.match(rb"\r?\n?", rest[at : at + 2])[0])  # type: ignore[index]
    return body


def _unpacked(body: bytes) -> Iterator[bytes]:
    for how in (31, 15, -15):
        packer = zlib.decompressobj(how)
        try:
            yield packer.decompress(body, 8 << 20)
        except zlib.error:
            # Damage after the image: what came out before it counts.
            packer = zlib.decompressobj(how)
            found = b""
            for number in range(len(body)):
                try:
                    found += packer.decompress(body[number : number + 1], 1 << 20)
                except zlib.error:
                    break
            yield found


def _serves(body: bytes, image: bytes) -> bool:
    """Whether these bytes stand in the body raw, or as one whole text of base64."""
    if image in body:
        return True
    plain = ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), body).replace(b"\\/", b"/")
    letters = base64.b64encode(image).rstrip(b"=")
    # The last letter of an incomplete group may hold bits that mean nothing.
    sure = letters if len(image) % 3 == 0 else letters[:-1]
    for text in (plain, plain.translate(bytes.maketrans(b"-_", b"+/"))):
        at = text.find(sure)
        while at >= 0:
            before, after = text[at - 1 : at], text[at + len(letters) : at + len(letters) + 1]
            if NOT_LETTERS.match(before) and NOT_LETTERS.match(after):
                return True
            at = text.find(sure, at + 1)
    return False
