"""Bodies that servers send: documents, streams, errors and pictures, whole and good unless a case says otherwise."""

import base64
import io
import json
import zlib
from typing import Any

from fakes.pictures import animated, noise, picture
from fakes.raw_server import Step, http
from faults.case import Case
from PIL import Image

PNG, JPEG, WEBP = noise("PNG", (40, 40)), noise("JPEG", (40, 40)), noise("WEBP", (40, 40))
OTHER = noise("PNG", (24, 24), seed=8)
USAGE = {"total_tokens": 9, "input_tokens": 4, "output_tokens": 5}
ANIMATIONS = {kind: animated(kind) for kind in ("PNG", "WEBP")}


def text(data: bytes = PNG) -> str:
    """The base64 of an image."""
    return base64.b64encode(data).decode()


def document(data: bytes = PNG, **around: Any) -> bytes:
    """The documented answer with one image."""
    return json.dumps({"created": 1, "data": [{"b64_json": text(data)}], "usage": USAGE, **around}).encode()


def items(*found: dict[str, Any], **around: Any) -> bytes:
    """An answer with these entries in `data`."""
    return json.dumps({"created": 1, "data": list(found), **around}).encode()


def event(kind: str = "image_generation.completed", data: bytes = PNG, **more: Any) -> bytes:
    """One event of a stream, as OpenAI writes it."""
    body = json.dumps({"type": kind, "b64_json": text(data), **more})
    return f"event: {kind}\ndata: {body}\n\n".encode()


def complaint(message: str = "no", **more: Any) -> bytes:
    """An error in the documented shape."""
    return json.dumps({"error": {"message": message, **more}}).encode()


def page(title: str) -> bytes:
    """An HTML page of a proxy."""
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()


def drawn(kind: str, mode: str = "RGB", size: tuple[int, int] = (32, 32), **options: Any) -> bytes:
    """A plain picture in any colour mode."""
    target = io.BytesIO()
    Image.new(mode, size).save(target, kind, **options)
    return target.getvalue()


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    """A good PNG with further chunks right after its header."""
    whole = picture("PNG")
    end = 8 + 25
    return whole[:end] + b"".join(_chunk(name, data) for name, data in chunks) + whole[end:]


def _chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def chunked(body: bytes, *, piece: int, extension: bytes = b"", trailer: bytes = b"", form: bytes = b"%x") -> bytes:
    """A chunked answer in pieces of one size."""
    pieces = [body[start : start + piece] for start in range(0, len(body), piece)]
    parts = b"".join(form % len(part) + extension + b"\r\n" + part + b"\r\n" for part in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n" + trailer + b"\r\n"


def compressed(body: bytes, how: int = 31) -> bytes:
    """`body` as gzip (31), zlib (15) or bare deflate (-15)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, how)
    return packer.compress(body) + packer.flush()


def packed(body: bytes, name: str = "gzip", how: int = 31) -> bytes:
    """An answer with a compressed body."""
    return http(200, compressed(body, how), {"Content-Encoding": name})


def image(*steps: Step, data: bytes = PNG, **more: Any) -> Case:
    """The case of an image."""
    return Case(kind="image", image=data, steps=steps, **more)


def said(body: bytes, data: bytes = PNG, **more: Any) -> Case:
    """The case of a 200 with this body that is an image."""
    return image(http(200, body), data=data, **more)


def doubt(*steps: Step, **more: Any) -> Case:
    """The case of an answer that does not say whether it was billed."""
    return Case(kind="in_doubt", billed="maybe", steps=steps, **more)


def bad(body: bytes, words: str = "", **more: Any) -> Case:
    """The case of a 200 that brings no usable image."""
    return Case(kind="bad_answer", billed="maybe", steps=(http(200, body),), words=words, **more)


def free(kind: str, status: int, body: bytes, headers: dict[str, str] | None = None, **more: Any) -> Case:
    """The case of an answer that was certainly not billed."""
    return Case(kind=kind, steps=(http(status, body, headers),), **more)
