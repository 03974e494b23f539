"""The shipped fonts: which of them has a glyph, and text as runs of one font each.

DejaVu Sans covers Latin, Greek, Cyrillic, Arabic, Hebrew and symbols; Droid Sans Fallback covers Chinese, Japanese
and Korean. Coverage is read from the fonts' own `cmap` tables (OpenType 1.9, `cmap` format 12).
"""

import struct
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from itertools import groupby

from PIL import ImageFont

from batchgen.sandbox.hangul import is_block

__all__ = ["COMPOSED", "FALLBACK", "LATIN", "MISSING", "Run", "face", "font_of", "length", "runs_of"]

LATIN = "DejaVuSans.ttf"
FALLBACK = "DroidSansFallbackFull.ttf"
_FORMAT = 12
COMPOSED = "hangul"
"""The font name of Korean syllables, which are put together from letters of `FALLBACK`."""
MISSING = ""
"""The font name of a character that no shipped font has."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text in one font."""

    text: str
    font: str


@lru_cache(maxsize=2)
def _bytes(name: str) -> bytes:
    return files("batchgen").joinpath("data", "fonts", name).read_bytes()


@lru_cache(maxsize=2)
def _coverage(name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """First and last code points of the ranges that a font covers, sorted."""
    data = _bytes(name)
    table = _cmap_format_12(data)
    count = struct.unpack_from(">I", data, table + 12)[0]
    groups = sorted(struct.unpack_from(">II", data, table + 16 + 12 * i) for i in range(count))
    return tuple(first for first, _ in groups), tuple(last for _, last in groups)


def _cmap_format_12(data: bytes) -> int:
    """Where the subtable with 32-bit code points starts."""
    tables = struct.unpack_from(">H", data, 4)[0]
    records = (struct.unpack_from(">4sIII", data, 12 + 16 * i) for i in range(tables))
    cmap: int = next(offset for tag, _, offset, _ in records if tag == b"cmap")
    subtables = struct.unpack_from(">H", data, cmap + 2)[0]
    places = [cmap + int(struct.unpack_from(">HHI", data, cmap + 4 + 8 * i)[2]) for i in range(subtables)]
    return next(place for place in places if struct.unpack_from(">H", data, place)[0] == _FORMAT)


def _covers(name: str, code: int) -> bool:
    firsts, lasts = _coverage(name)
    place = bisect_right(firsts, code) - 1
    return place >= 0 and code <= lasts[place]


@lru_cache(maxsize=16_384)
def font_of(character: str) -> str:
    """The font that draws a character: `LATIN`, `FALLBACK`, `COMPOSED` or `MISSING`."""
    code = ord(character)
    if unicodedata.category(character) == "Cc":
        return MISSING
    if is_block(character):
        return COMPOSED
    return next((name for name in (LATIN, FALLBACK) if _covers(name, code)), MISSING)


@lru_cache(maxsize=256)
def face(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font at a size in pixels. Basic layout: the same glyphs on every machine (see `batchgen.sandbox.bidi`)."""
    return ImageFont.truetype(BytesIO(_bytes(name)), size, layout_engine=ImageFont.Layout.BASIC)


def runs_of(text: str) -> Iterator[Run]:
    """Split a line into runs of one font, in reading order."""
    for name, group in groupby(_inherited(text), key=lambda pair: pair[1]):
        yield Run("".join(character for character, _ in group), name)


def _inherited(text: str) -> Iterator[tuple[str, str]]:
    """Each character with its font; spaces and marks keep the font before them, so that runs stay long."""
    name = LATIN
    for character in text:
        own = font_of(character)
        rides = character == " " or unicodedata.combining(character)
        keeps = rides and name in {LATIN, FALLBACK} and _covers(name, ord(character))
        name = name if keeps else own
        yield character, name


def length(run: Run, size: int) -> float:
    """Advance of a run in pixels; a missing glyph is a box of 0.86 em, a Korean syllable takes 0.96 em."""
    if run.font in {MISSING, COMPOSED}:
        return len(run.text) * size * (0.86 if run.font == MISSING else 0.96)
    return face(run.font, size).getlength(run.text)
