"""What the server refuses, over real HTTP, in the OpenAI error shape."""

import base64
from io import BytesIO
from typing import Any

import pytest
from PIL import Image


def _png(size: tuple[int, int] = (32, 32), mode: str = "RGB") -> bytes:
    out = BytesIO()
    Image.new(mode, size).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": "  "}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"size": "1536×1024"}, "size"),
        ({"size": "8x8"}, "size"),
        ({"size": "4000x16"}, "size"),
        ({"size": ["64x64"]}, "size"),
        ({"n": 11}, "n"),
        ({"n": "many"}, "n"),
        ({"n": True}, "n"),
        ({"n": 2, "stream": True}, "n"),
        ({"stream": "perhaps"}, "stream"),
        ({"partial_images": 4}, "partial_images"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_format": ["png"]}, "output_format"),
        ({"output_compression": 101}, "output_compression"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
        ({"image": "no base64!"}, "images[0]"),
        ({"image": "https://example.com/x.png"}, "images[0]"),
        ({"image": [7]}, "images[0]"),
        ({"image": base64.b64encode(b"no image").decode()}, "image"),
        ({"image": base64.b64encode(_png()[:-20]).decode()}, "image"),
        ({"image": [base64.b64encode(_png()).decode()] * 17}, "image"),
        ({"mask": base64.b64encode(b"x").decode(), "image": base64.b64encode(_png()).decode()}, "mask"),
    ],
)
def test_bad_field_is_named_in_an_openai_error(serve, fields: dict[str, Any], param: str):
    """Each refusal is a 400 that names the parameter, and nothing is billed."""

    async def claim(client) -> None:
        reply = await client.generate(**fields)
        assert (reply.status, reply.json["error"]["param"]) == (400, param)
        assert client.sandbox.images_billed == 0

    serve(claim)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_body_that_is_no_json_object_is_400(serve, body: bytes):
    """Broken, empty, deeply nested or foreign JSON is answered, not crashed on."""

    async def claim(client) -> None:
        reply = await client.send(data=body, headers={"Content-Type": "application/json"})
        assert (reply.status, reply.code) == (400, "invalid_json")

    serve(claim)


@pytest.mark.parametrize(
    ("files", "param"),
    [
        ([], "image"),
        ([("image", b"no image")], "image"),
        ([("image", _png()), ("mask", _png((16, 16), "RGBA"))], "mask"),
        ([("image", _png()), ("mask", _png(mode="RGB"))], "mask"),
    ],
)
def test_edit_with_bad_files_is_400(serve, files: list[tuple[str, bytes]], param: str):
    """No reference, no image, a mask of another size, a mask without alpha."""

    async def claim(client) -> None:
        reply = await client.edit(*files)
        assert (reply.status, reply.json["error"]["param"]) == (400, param)

    serve(claim)


def test_form_without_boundary_is_400(serve):
    """A multipart header without a form behind it is answered."""

    async def claim(client) -> None:
        reply = await client.send("/images/edits", data=b"x", headers={"Content-Type": "multipart/form-data"})
        assert (reply.status, reply.code) == (400, "invalid_form")

    serve(claim)


def test_unknown_path_is_a_json_404(serve):
    """A base URL without /v1 is told where the API is."""

    async def claim(client) -> None:
        reply = await client.get(f"{client.sandbox.root}/images/generations")
        assert reply.status == 404
        assert "/v1" in reply.json["error"]["message"]

    serve(claim)
