"""Real images in memory, and what damage makes of them."""

import io
import random
import struct
import zlib
from typing import Any

from PIL import Image


def picture(kind: str = "PNG", size: tuple[int, int] = (16, 16), color: str = "red", **options: Any) -> bytes:
    """A plain image."""
    target = io.BytesIO()
    Image.new("RGB", size, color).save(target, kind, **options)
    return target.getvalue()


def noise(kind: str = "PNG", size: tuple[int, int] = (64, 64), seed: int = 7) -> bytes:
    """An image that does not compress, so that damage hits pixels."""
    target = io.BytesIO()
    image = Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3))  # noqa: S311  no secret
    options = {"lossless": True} if kind == "WEBP" else {}
    image.save(target, kind, **options)
    return target.getvalue()


def animated(kind: str) -> bytes:
    """Three frames."""
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "green", "blue")]
    target = io.BytesIO()
    frames[0].save(target, kind, save_all=True, append_images=frames[1:], duration=100)
    return target.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be of any size."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(b"\0")),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
