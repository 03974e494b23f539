"""Drawing lines of text: runs of one font each, composed Korean syllables, boxes for what no font has."""

from PIL import ImageDraw

from batchgen.sandbox.bidi import visual
from batchgen.sandbox.fonts import COMPOSED, FALLBACK, LATIN, MISSING, Run, face, length, runs_of
from batchgen.sandbox.hangul import block_mask
from batchgen.sandbox.palette import Colour
from batchgen.sandbox.typeset import LEADING, Block, line_width

__all__ = ["draw_block", "draw_line", "draw_spaced"]

_Point = tuple[float, float]
_TWO_ROWS = 2


def draw_block(draw: ImageDraw.ImageDraw, block: Block, *, x: int, y: int, width: int, fill: Colour) -> None:
    """Draw a block with its top left at (x, y) in pixels; right-to-left paragraphs are set flush right."""
    baseline = y + block.size * (LEADING - 1) / 2 + block.size * 0.88
    for line in block.lines:
        left = x + width - line_width(line.text, block.size) if line.rtl else x
        draw_line(draw, line.text, (left, baseline), size=block.size, fill=fill, rtl=line.rtl)
        baseline += block.size * LEADING


def draw_line(
    draw: ImageDraw.ImageDraw, text: str, start: _Point, *, size: int, fill: Colour, rtl: bool = False
) -> None:
    """Draw one line whose baseline begins at `start`; `rtl` is the direction of its paragraph."""
    x, baseline = start
    for run in runs_of(visual(text, rtl=rtl)):
        _draw_run(draw, run, (x, baseline), size, fill)
        x += length(run, size)


def draw_spaced(draw: ImageDraw.ImageDraw, word: str, start: _Point, *, size: int, fill: Colour) -> None:
    """Draw a word in capitals with open spacing, as small capitals are set."""
    x, baseline = start
    for letter in word:
        draw_line(draw, letter, (x, baseline), size=size, fill=fill)
        x += line_width(letter, size) + size * 0.22


def _draw_run(draw: ImageDraw.ImageDraw, run: Run, start: _Point, size: int, fill: Colour) -> None:
    if run.font == MISSING:
        for index, character in enumerate(run.text):
            _draw_missing(draw, character, (start[0] + index * size * 0.86, start[1]), size, fill)
    elif run.font == COMPOSED:
        for index, block in enumerate(run.text):
            place = (round(start[0] + index * size * 0.96), round(start[1] - size * 0.86))
            draw.bitmap(place, block_mask(block, face(FALLBACK, size)), fill=fill)
    else:
        draw.text(start, run.text, font=face(run.font, size), fill=fill, anchor="ls")


def _draw_missing(draw: ImageDraw.ImageDraw, character: str, start: _Point, size: int, fill: Colour) -> None:
    """A box with the code point in two rows of hex digits, as browsers draw what no font has."""
    x, baseline = start
    top, bottom, left, right = baseline - size * 0.80, baseline + size * 0.14, x + size * 0.04, x + size * 0.80
    draw.rectangle((left, top, right, bottom), outline=fill, width=max(1, size // 24))
    digits = f"{ord(character):04X}"
    half = (len(digits) + 1) // 2
    font = face(LATIN, max(4, round(size * (0.42 if half == _TWO_ROWS else 0.32))))
    for row, part in ((0.28, digits[:half]), (0.72, digits[half:])):
        draw.text(((left + right) / 2, top + (bottom - top) * row), part, font=font, fill=fill, anchor="mm")
