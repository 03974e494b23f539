"""Where things go in a picture, and the panel that carries the prompt."""

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter

from batchgen.sandbox.letters import draw_block, draw_line, draw_spaced
from batchgen.sandbox.palette import Palette
from batchgen.sandbox.typeset import LEADING, Block, clean, fit, line_width

__all__ = ["Box", "draw_panel", "panel_area", "reference_area"]

_WIDE = 1.6
_LEGIBLE = 8
"""Smallest text in pixels; where it does not fit, the picture stays without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in pixels."""

    x: int
    y: int
    width: int
    height: int


def _margin(width: int, height: int) -> int:
    return max(2, round(min(width, height) * 0.05))


def panel_area(width: int, height: int, *, edit: bool) -> Box:
    """The space that the panel may take; it hugs the lower edge of it. An edit leaves room for its references."""
    margin = _margin(width, height)
    full_width, full_height = width - 2 * margin, height - 2 * margin
    if width > _WIDE * height:
        part = 0.46 if edit else 0.56
        return Box(x=margin, y=margin, width=round(full_width * part), height=full_height)
    if edit:
        tall = round(full_height * 0.40)
        return Box(x=margin, y=margin + full_height - tall, width=full_width, height=tall)
    return Box(x=margin, y=margin, width=full_width, height=full_height)


def reference_area(width: int, height: int, panel: Box) -> Box:
    """The space for the references of an edit: what a drawn panel leaves, beside it or above it."""
    margin = _margin(width, height)
    if width > _WIDE * height:
        x = panel.x + panel.width + margin
        return Box(x=x, y=margin, width=width - margin - x, height=height - 2 * margin)
    return Box(x=margin, y=margin, width=panel.width, height=panel.y - 2 * margin)


def draw_panel(picture: Image.Image, area: Box, *, prompt: str, footer: tuple[str, ...], palette: Palette) -> Box:
    """Draw the panel with SANDBOX, the prompt and the footer at the foot of `area`; return the space it took."""
    short = min(picture.size)
    padding = max(3, round(short * 0.045))
    small = max(_LEGIBLE, round(short * 0.0185))
    inner = area.width - 2 * padding
    chrome = round(small * 5.2)
    room = area.height - 2 * padding - chrome
    if inner < small * 6 or room < small * LEADING:
        return _draw_bare(picture, area, palette)
    block = fit(clean(prompt), width=inner, height=room, largest=max(small, round(short * 0.066)), smallest=small)
    height = block.height + 2 * padding + chrome
    box = Box(x=area.x, y=area.y + area.height - height, width=area.width, height=height)
    _draw_ground(picture, box, palette, radius=max(2, round(short * 0.022)))
    _draw_contents(picture, box, block, footer, palette, padding=padding, small=small)
    return box


def _draw_bare(picture: Image.Image, area: Box, palette: Palette) -> Box:
    """A picture too small for a panel: the one word that must be there, if it can be read at all."""
    word = "SANDBOX"
    size = min(round(area.height * 0.6), int(area.width / (len(word) * 0.75)), 24)
    if size < _LEGIBLE - 2:
        return Box(x=area.x, y=area.y + area.height, width=area.width, height=0)
    draw = ImageDraw.Draw(picture)
    ground = Box(x=area.x, y=area.y + area.height - round(size * 1.5), width=area.width, height=round(size * 1.5))
    _draw_ground(picture, ground, palette, radius=2)
    x = area.x + (area.width - line_width(word, size)) / 2
    draw_line(draw, word, (x, ground.y + size * 1.1), size=size, fill=palette.ink)
    return ground


def _draw_ground(picture: Image.Image, box: Box, palette: Palette, *, radius: int) -> None:
    """Frosted glass: the background behind the panel, blurred and washed with paper."""
    place = (box.x, box.y, box.x + box.width, box.y + box.height)
    small = picture.crop(place).resize((24, 24), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(2))
    glass = Image.blend(small, Image.new("RGB", small.size, palette.paper), 0.90)
    picture.paste(glass.resize((box.width, box.height), Image.Resampling.BICUBIC), place, _rounded(box, radius))


def _rounded(box: Box, radius: int) -> Image.Image:
    """A mask with round corners, drawn at twice the size for smooth edges."""
    mask = Image.new("L", (box.width * 2, box.height * 2))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, box.width * 2 - 1, box.height * 2 - 1), radius * 2, fill=255)
    return mask.reduce(2)


def _draw_contents(
    picture: Image.Image,
    box: Box,
    block: Block,
    footer: tuple[str, ...],
    palette: Palette,
    *,
    padding: int,
    small: int,
) -> None:
    draw = ImageDraw.Draw(picture)
    left, inner = box.x + padding, box.width - 2 * padding
    head = box.y + padding + small
    dot = round(small * 0.78)
    draw.rounded_rectangle((left, head - dot, left + dot, head), dot // 4, fill=palette.accent)
    draw_spaced(draw, "SANDBOX", (left + dot * 1.8, head), size=small, fill=palette.quiet)
    draw_block(draw, block, x=left, y=round(head + small * 0.9), width=inner, fill=palette.ink)
    foot = box.y + box.height - padding
    rule = round(foot - small * 1.7)
    draw.line(
        (left, rule, left + inner, rule),
        fill=palette.sky[1] if not palette.dark else palette.shapes[1],
        width=max(1, small // 14),
    )
    draw_line(draw, _fitting(footer, inner, small), (left, foot), size=small, fill=palette.quiet)


def _fitting(parts: tuple[str, ...], width: int, size: int) -> str:
    shown = list(parts)
    while len(shown) > 1 and line_width("  ·  ".join(shown), size) > width:
        shown.pop()
    return "  ·  ".join(shown)
