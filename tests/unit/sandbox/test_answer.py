"""Answers are whole when put together, in pieces of bounded size."""

import base64
import binascii
import json

import pytest

from batchgen.sandbox.answer import Base64, chunks, envelope, event, size_of
from batchgen.sandbox.ask import Ask
from batchgen.sandbox.usage import Usage

_USAGE = Usage(text=8, images_in=0, images_out=196)


def _ask(operation: str = "generate") -> Ask:
    plain = {"model": "m", "prompt": "p", "size": "16x16", "width": 16, "height": 16, "quality": "low", "format": "png"}
    more = {"compression": 100, "background": "opaque", "count": 1, "stream": False, "partial_images": 0}
    rest = {"wants_url": False, "images": (), "image_sizes": (), "mask": None, "digest": "00"}
    return Ask(operation=operation, **plain, **more, **rest)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 196_607, 196_608, 196_609, 1_000_000])
def test_envelope_carries_the_bytes_whatever_their_length(length: int):
    """Slices join to valid base64, and the announced size is the size sent."""
    data = bytes(range(256)) * (length // 256) + bytes(length % 256)
    pieces = envelope(_ask(), [Base64(data)], [], created=1, usage=_USAGE)
    body = b"".join(chunks(pieces))
    assert base64.b64decode(json.loads(body)["data"][0]["b64_json"], validate=True) == data
    assert size_of(pieces) == len(body)


def test_no_piece_is_big():
    """A big picture goes out in slices of at most 256 KiB."""
    pieces = envelope(_ask(), [Base64(bytes(5_000_000))], [], created=1, usage=_USAGE)
    assert max(map(len, chunks(pieces))) <= 256 * 1024


def test_several_images_keep_their_order():
    """Each image has its place in `data`."""
    body = b"".join(chunks(envelope(_ask(), [Base64(b"one"), Base64(b"two")], [], created=1, usage=_USAGE)))
    assert [base64.b64decode(entry["b64_json"]) for entry in json.loads(body)["data"]] == [b"one", b"two"]


@pytest.mark.parametrize("length", [300, 700_000])
def test_broken_base64_is_of_the_right_size_and_does_not_decode(length: int):
    """One character in the middle is none of the alphabet's."""
    pieces = envelope(_ask(), [Base64(b"x" * length, broken=True)], [], created=1, usage=_USAGE)
    body = b"".join(chunks(pieces))
    assert size_of(pieces) == len(body)
    with pytest.raises(binascii.Error):
        base64.b64decode(json.loads(body)["data"][0]["b64_json"], validate=True)


@pytest.mark.parametrize(("operation", "noun"), [("generate", "image_generation"), ("edit", "image_edit")])
def test_events_are_named_after_the_operation(operation: str, noun: str):
    """The event line equals the type in the data; only the completed one has a usage."""
    partial = b"".join(chunks(event(_ask(operation), Base64(b"x"), created=1, index=0))).decode()
    completed = b"".join(chunks(event(_ask(operation), Base64(b"x"), created=1, usage=_USAGE))).decode()
    assert partial.startswith(f"event: {noun}.partial_image\ndata: ")
    assert completed.startswith(f"event: {noun}.completed\ndata: ")
    fields = [json.loads(text.split("data: ")[1]) for text in (partial, completed)]
    assert fields[0]["partial_image_index"] == 0
    assert "usage" not in fields[0]
    assert fields[1]["usage"]["total_tokens"] == 204
