"""Setting text: clean, break into atoms, wrap by measured width, find the largest size that fits.

Chinese, Japanese and Korean break between characters, with closing marks kept off the start of a line and opening ones
off its end; other scripts break at spaces; a word wider than the line breaks where it must.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from batchgen.sandbox.bidi import is_rtl, shape
from batchgen.sandbox.fonts import length, runs_of

__all__ = ["LEADING", "Block", "Line", "atoms_of", "clean", "fit", "line_width", "wrap"]

LEADING = 1.38
"""Distance of two baselines in em."""

_MOST_CHARACTERS = 6_000
_REFERENCE_SIZE = 64
_CLOSING = frozenset(
    "、。，．：；！？）］｝〕〉》」』】…‥ー々ゝゞぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ・”’%‰,.!?;:)]}"
)
_OPENING = frozenset("（［｛〔〈《「『【“‘([{")
_ATOM = re.compile(r" |[^ ]+")


@dataclass(frozen=True, slots=True)
class Line:
    """One line in reading order; `rtl` is the direction of its paragraph, not of its first letter."""

    text: str
    rtl: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Text set at a size in pixels: its lines and its height in pixels."""

    lines: tuple[Line, ...]
    size: int

    @property
    def height(self) -> int:
        """Pixels from the top of the first line to the bottom of the last."""
        return round(len(self.lines) * self.size * LEADING)


def clean(text: str) -> str:
    """Text as it is shown: one kind of line end, no invisible format characters, single spaces, a bounded length."""
    shown = text[:_MOST_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    kept = "".join(character for character in shown if not _is_invisible(character))
    lines = (" ".join(line.split(" ")).strip() for line in re.sub(r" +", " ", kept).split("\n"))
    rest = len(text) - _MOST_CHARACTERS
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    return shape(f"{body} … (+{rest:,} characters)" if rest > 0 else body)


def _is_invisible(character: str) -> bool:
    # Joiners shape Arabic and Persian; all other format characters and variation selectors draw nothing here.
    if character in "\u200c\u200d":
        return False
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


def atoms_of(paragraph: str) -> Iterator[str]:
    """The unbreakable pieces of a paragraph; a single space is a piece of its own."""
    for match in _ATOM.finditer(paragraph):
        yield from _split_wide(match.group())


def _split_wide(word: str) -> Iterator[str]:
    atom = ""
    for character in word:
        breaks = atom and (_is_wide(character) or _is_wide(atom[-1]))
        if breaks and character not in _CLOSING and atom[-1] not in _OPENING:
            yield atom
            atom = ""
        atom += character
    yield atom


@lru_cache(maxsize=16_384)
def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in {"W", "F"}


@lru_cache(maxsize=8_192)
def line_width(text: str, size: int) -> float:
    """Width of a line in pixels."""
    return sum(length(run, size) for run in runs_of(text))


def wrap(text: str, width: float, measure: Callable[[str], float]) -> list[Line]:
    """Break text into lines no wider than `width` by `measure`, greedily; a blank line stays one."""
    lines: list[Line] = []
    for paragraph in text.split("\n"):
        rtl = is_rtl(paragraph)
        lines.extend(Line(line, rtl) for line in _wrap_paragraph(paragraph, width, measure))
    return lines


def _wrap_paragraph(paragraph: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    line, used = "", 0.0
    for atom in atoms_of(paragraph):
        needed = measure(atom)
        if line and used + needed > width:
            yield line.rstrip(" ")
            line, used = "", 0.0
        if needed > width:
            *whole, line = _split_long(atom, width, measure)
            yield from whole
            used = measure(line)
        elif line or atom != " ":
            line, used = line + atom, used + needed
    yield line.rstrip(" ")


def _split_long(atom: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    piece, used = "", 0.0
    for character in atom:
        needed = measure(character)
        if piece and used + needed > width:
            yield piece
            piece, used = "", 0.0
        piece, used = piece + character, used + needed
    yield piece


def fit(text: str, *, width: int, height: int, largest: int, smallest: int) -> Block:
    """The largest setting of text in a box of pixels; at `smallest` it is cut with an ellipsis instead.

    The search scales widths measured once; the size it finds is then checked with real widths, because hinted advances
    at small sizes are whole pixels and up to 5 % wider.
    """
    low, high = smallest, max(smallest, largest)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _fits(text, middle, width, height, scaled=True) else (low, middle - 1)
    while low > smallest and not _fits(text, low, width, height, scaled=False):
        low -= max(1, low // 24)
    size = max(low, smallest)
    lines = wrap(text, width, lambda piece: line_width(piece, size))
    return Block(lines=_cut(lines, size, width, height), size=size)


def _fits(text: str, size: int, width: int, height: int, *, scaled: bool) -> bool:
    if scaled:
        factor = size / _REFERENCE_SIZE
        lines = wrap(text, width, lambda piece: line_width(piece, _REFERENCE_SIZE) * factor)
    else:
        lines = wrap(text, width, lambda piece: line_width(piece, size))
    return len(lines) * size * LEADING <= height


def _cut(lines: list[Line], size: int, width: int, height: int) -> tuple[Line, ...]:
    room = max(1, int(height / (size * LEADING)))
    if len(lines) <= room:
        return tuple(lines)
    last = lines[room - 1].text
    while last and line_width(f"{last}…", size) > width:
        last = last[:-1]
    return (*lines[: room - 1], Line(f"{last.rstrip()}…", lines[room - 1].rtl))
