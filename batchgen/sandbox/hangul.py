"""Korean syllables put together from letters, because the shipped font has the letters and not the 11,172 blocks.

A block's letters follow from its code point by arithmetic (Unicode 16, section 3.12); where each goes depends on the
shape of the vowel: beside, below, or around the first letter, with a last letter under all of it.
"""

from functools import lru_cache

from PIL import Image, ImageFont

__all__ = ["block_mask", "is_block", "letters_of"]

_FIRST = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_LAST = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_BELOW = frozenset("ㅗㅛㅜㅠㅡ")
_AROUND = frozenset("ㅘㅙㅚㅝㅞㅟㅢ")
_BASE = 0xAC00
_COUNT = 11_172

_Cell = tuple[float, float, float, float]
"""Left, top, right, bottom in em."""

_CELLS: dict[str, tuple[_Cell, _Cell]] = {
    "beside": ((0.04, 0.10, 0.56, 0.88), (0.54, 0.02, 0.98, 0.98)),
    "below": ((0.16, 0.04, 0.78, 0.52), (0.04, 0.58, 0.90, 0.94)),
    "around": ((0.08, 0.06, 0.54, 0.48), (0.04, 0.04, 0.92, 0.96)),
}
_LAST_CELL: _Cell = (0.20, 0.68, 0.86, 0.98)
_UPPER = 0.64


def is_block(character: str) -> bool:
    """Whether a character is a composed Korean syllable."""
    return _BASE <= ord(character) < _BASE + _COUNT


def letters_of(block: str) -> tuple[str, str, str]:
    """First consonant, vowel and last consonant (or empty) of a syllable."""
    first, rest = divmod(ord(block) - _BASE, len(_VOWELS) * (len(_LAST) + 1))
    vowel, last = divmod(rest, len(_LAST) + 1)
    return _FIRST[first], _VOWELS[vowel], _LAST[last - 1] if last else ""


@lru_cache(maxsize=512)
def block_mask(block: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """A syllable as a mask of one em in height and width at the font's size."""
    first, vowel, last = letters_of(block)
    kind = "below" if vowel in _BELOW else "around" if vowel in _AROUND else "beside"
    size = int(font.size)
    mask = Image.new("L", (size, size))
    height = _UPPER if last else 1.0
    for letter, (left, top, right, bottom) in zip((first, vowel), _CELLS[kind], strict=True):
        _place(mask, letter, font, (left, top * height, right, bottom * height))
    if last:
        _place(mask, last, font, _LAST_CELL)
    return mask


def _firmer(value: int) -> int:
    """Strokes get thinner when a letter is reduced; more contrast makes up for it."""
    return min(255, value * 8 // 5)


def _place(mask: Image.Image, letter: str, font: ImageFont.FreeTypeFont, cell: _Cell) -> None:
    """Draw a letter in the middle of its cell: reduced where it is too large, never enlarged, so strokes stay even."""
    core = font.getmask(letter)
    glyph = Image.frombytes("L", core.size, bytes(core))
    left, top, right, bottom = (edge * mask.width for edge in cell)
    width = max(1, round(min(glyph.width, right - left)))
    height = max(1, round(min(glyph.height, bottom - top)))
    shown = glyph.resize((width, height), Image.Resampling.BOX).point(_firmer)
    place = (round((left + right - width) / 2), round((top + bottom - height) / 2))
    mask.paste(255, place, shown)
