"""Is this file a whole image, and what is it really? Answers lie about format and size; the bytes do not."""

import os
import struct
import warnings
from dataclasses import dataclass
from typing import BinaryIO, Literal

from PIL import Image

__all__ = ["EXTENSIONS", "MAX_PIXELS", "BadImageError", "Picture", "PictureFormat", "examine"]

PictureFormat = Literal["png", "jpeg", "webp"]

EXTENSIONS: dict[PictureFormat, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}
MAX_PIXELS = 4096 * 4096
"""Twice the pixels of the largest size any listed provider makes; more is a bomb, not a picture."""
_FORMATS: dict[str | None, PictureFormat] = {"PNG": "png", "JPEG": "jpeg", "MPO": "jpeg", "WEBP": "webp"}
"""MPO is how Pillow calls a JPEG that carries a second picture, such as a preview or a gain map."""
_PNG_END = b"\0\0\0\0IEND\xaeB\x60\x82"
_JPEG_END = b"\xff\xd9"


class BadImageError(Exception):
    """The bytes are not a whole PNG, JPEG or WebP image, or claim to be a monstrous one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What the bytes really are. Pixels; `warning` names a doubtful end of the file, or is empty."""

    format: PictureFormat
    width: int
    height: int
    warning: str = ""


def examine(source: BinaryIO, *, max_pixels: int) -> Picture:
    """Check the image in `source` (seekable, from its start). Raises BadImageError.

    PNG and WebP are verified, JPEG is loaded: Pillow's JPEG verify finds nothing, and loading a small WebP can take
    gigabytes. The pixel cap is applied to the header, before anything is decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _examine(source, max_pixels)
    except BadImageError:
        raise
    except Exception as problem:
        # Pillow raises what its decoders raise: OSError, SyntaxError, ValueError, struct.error and more.
        msg = f"not a whole image ({str(problem)[:120] or type(problem).__name__})"
        raise BadImageError(msg) from problem


def _examine(source: BinaryIO, max_pixels: int) -> Picture:
    source.seek(0)
    with Image.open(source, formats=("PNG", "JPEG", "WEBP")) as image:
        width, height = image.size
        found = _FORMATS[image.format]
        if width * height > max_pixels:
            msg = f"claims {width}x{height} pixels (expected at most {max_pixels})"
            raise BadImageError(msg)
        if found == "jpeg":
            # An eighth of each edge reads every byte and finds the same damage, without the whole picture in memory.
            image.draft(image.mode, (max(width // 8, 1), max(height // 8, 1)))
            image.load()
        else:
            image.verify()
    return Picture(format=found, width=width, height=height, warning=_end_warning(source, found))


def _end_warning(source: BinaryIO, found: PictureFormat) -> str:
    """What the last bytes say that Pillow does not look at: missing or appended bytes."""
    size = source.seek(0, os.SEEK_END)
    if found == "webp":
        source.seek(4)
        (riff,) = struct.unpack("<I", source.read(4))
        is_whole = riff + 8 == size
    else:
        end = _PNG_END if found == "png" else _JPEG_END
        source.seek(-len(end), os.SEEK_END)
        is_whole = source.read() == end
    return "" if is_whole else f"the {found} file does not end where it should"
