import asyncio
import base64
import hashlib
import json
from email.parser import BytesParser

import pytest

from batchgen.provider.body import PIECE_BYTES, Body, ChangedFileError, measure
from batchgen.provider.encode import FilePart, Outgoing


def part(path, data: bytes, field: str = "image", filename: str = "a.png") -> FilePart:
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return FilePart(field=field, path=str(path), sha256=digest, filename=filename, content_type="image/png")


async def text_of(body: Body) -> bytes:
    return b"".join([piece async for piece in body.stream()])


def outgoing(**body) -> Outgoing:
    return Outgoing(url_path="/images/edits", headers={}, **body)


async def sent(request: Outgoing) -> bytes:
    body = await measure(request)
    text = await text_of(body)
    assert body.length == len(text)
    return text


def parts_of(body: Body, text: bytes) -> list:
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    return BytesParser().parsebytes(head + text).get_payload()


def test_json_body_is_the_document():
    """A request without files is its JSON document."""
    assert json.loads(asyncio.run(sent(outgoing(json={"prompt": "猫 \ud83d", "n": 1})))) == {
        "prompt": "猫 \ud83d",
        "n": 1,
    }


@pytest.mark.parametrize("size", [0, 1, 2, 3, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 2])
def test_inline_image_is_base64_text(tmp_path, size):
    """One inline image becomes a base64 string, whatever its length is modulo three and the piece."""
    data = bytes(range(256)) * (size // 256 + 1)
    file = part(tmp_path / "a", data[:size])
    found = json.loads(asyncio.run(sent(outgoing(json={"n": 1}, inline_images=(file,), inline_field="image"))))
    assert base64.b64decode(found["image"], validate=True) == data[:size]
    assert found["n"] == 1


def test_several_inline_images_are_a_list(tmp_path):
    """Several inline images become an array in their order, also in an otherwise empty document."""
    files = (part(tmp_path / "a", b"one"), part(tmp_path / "b", b"two"))
    found = json.loads(asyncio.run(sent(outgoing(json={}, inline_images=files, inline_field="image"))))
    assert found == {"image": [base64.b64encode(b"one").decode(), base64.b64encode(b"two").decode()]}


def test_form_carries_fields_and_files_in_order(tmp_path):
    """A multipart body parses back to the fields and files, in their order and byte for byte."""
    files = (part(tmp_path / "a", b"\r\n--x\x00"), part(tmp_path / "b", b"", "mask", 'b".png'))
    body = asyncio.run(measure(outgoing(fields=(("prompt", "a\nb 猫"), ("n", "1")), files=files)))
    text = asyncio.run(text_of(body))
    found = parts_of(body, text)
    assert [item.get_param("name", header="content-disposition") for item in found] == ["prompt", "n", "image", "mask"]
    assert found[0].get_payload(decode=True) == "a\nb 猫".encode()
    assert b"\r\n\r\n\r\n--x\x00\r\n" in text
    assert b'filename="b%22.png"' in text
    assert len(text) == body.length


def test_changed_file_is_not_sent(tmp_path):
    """A file that changed since the plan stops the request before a byte is laid out."""
    file = part(tmp_path / "a", b"one")
    (tmp_path / "a").write_bytes(b"two")
    with pytest.raises(ChangedFileError, match="'a' changed since the plan"):
        asyncio.run(measure(outgoing(files=(file,))))


def test_missing_file_is_named(tmp_path):
    """A file that is gone is named, with what to do."""
    file = part(tmp_path / "a", b"one")
    (tmp_path / "a").unlink()
    with pytest.raises(ChangedFileError, match=r"'a' cannot be read .*; restore the file"):
        asyncio.run(measure(outgoing(files=(file,))))


@pytest.mark.parametrize("after", [b"x" * 10, b"", b"y" * (2 * PIECE_BYTES)])
def test_file_that_changes_while_it_is_sent_breaks_the_body_off(tmp_path, after):
    """A file that changes under the upload never completes the announced length."""
    file = part(tmp_path / "a", b"x" * (2 * PIECE_BYTES))
    body = asyncio.run(measure(outgoing(files=(file,))))
    (tmp_path / "a").write_bytes(after)
    length = 0

    async def send() -> None:
        nonlocal length
        async for piece in body.stream():
            length += len(piece)

    with pytest.raises(ChangedFileError, match="changed while it was sent"):
        asyncio.run(send())
    assert length < body.length


def test_pieces_are_bounded(tmp_path):
    """A large file is never held: it goes out in pieces."""
    body = asyncio.run(measure(outgoing(files=(part(tmp_path / "a", bytes(5 * PIECE_BYTES)),))))

    async def longest() -> int:
        return max([len(piece) async for piece in body.stream()])

    assert asyncio.run(longest()) == PIECE_BYTES
