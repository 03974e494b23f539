"""The references of an edit, shown inside the picture, with the masked area marked on the first."""

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from batchgen.sandbox.palette import Colour, Palette
from batchgen.sandbox.panel import Box

__all__ = ["draw_references", "grid"]


_MARKED = 256


def draw_references(
    picture: Image.Image,
    area: Box,
    references: Sequence[bytes | Path],
    mask: bytes | Path | None,
    palette: Palette,
) -> None:
    """Draw each reference fitted into its cell with a thin frame; hatch where `mask` is transparent on the first."""
    gap = max(1, round(min(picture.size) * 0.02))
    for index, (cell, reference) in enumerate(zip(grid(area, len(references), gap), references, strict=True)):
        shown = _fitted(reference, cell, frame=gap // 4)
        if shown is None:
            continue
        if mask is not None and index == 0:
            _mark(shown, mask, palette.accent)
        _frame(picture, shown, cell, palette, width=max(1, gap // 4))


def grid(area: Box, count: int, gap: int) -> list[Box]:
    """`count` equal cells in `area`, in as many columns as makes them nearest to square."""
    columns = min(range(1, count + 1), key=lambda number: _stretch(area, count, number))
    rows = math.ceil(count / columns)
    width, height = (area.width - gap * (columns - 1)) // columns, (area.height - gap * (rows - 1)) // rows
    return [
        Box(
            x=area.x + index % columns * (width + gap),
            y=area.y + index // columns * (height + gap),
            width=width,
            height=height,
        )
        for index in range(count)
    ]


def _stretch(area: Box, count: int, columns: int) -> float:
    rows = math.ceil(count / columns)
    return -min(area.width / columns, area.height / rows)


def _fitted(source: bytes | Path, cell: Box, *, frame: int) -> Image.Image | None:
    """The image reduced or enlarged to fit a cell inside its frame; None where there is no room."""
    room = (cell.width - 2 * frame, cell.height - 2 * frame)
    if min(room) < 4:  # noqa: PLR2004  fewer pixels show nothing
        return None
    with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as opened:
        opened.draft("RGB", room)
        scale = min(room[0] / opened.width, room[1] / opened.height)
        size = (max(1, round(opened.width * scale)), max(1, round(opened.height * scale)))
        return opened.convert("RGBA").resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _mark(shown: Image.Image, mask: bytes | Path, accent: Colour) -> None:
    """Hatch and outline the transparent area; found at 256 pixels, because filters cost by area and by reach."""
    scale = min(1.0, _MARKED / max(shown.size))
    small = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
    with Image.open(BytesIO(mask) if isinstance(mask, bytes) else mask) as opened:
        kept = opened.convert("RGBA").getchannel("A").resize(small, Image.Resampling.BOX)
    area = ImageChops.invert(kept)
    outline = ImageChops.subtract(area.filter(ImageFilter.MaxFilter(3)), area)
    inside = ImageChops.multiply(area.resize(shown.size, Image.Resampling.BICUBIC), _hatch(shown.size))
    shown.paste((*accent, 255), (0, 0), inside)
    shown.paste((*accent, 255), (0, 0), outline.resize(shown.size, Image.Resampling.BICUBIC))


def _hatch(size: tuple[int, int]) -> Image.Image:
    width, height = size
    step = max(4, min(size) // 24)
    hatch = Image.new("L", size, 60)
    draw = ImageDraw.Draw(hatch)
    for start in range(-height, width, step):
        draw.line((start, height, start + height, 0), fill=190, width=max(1, step // 4))
    return hatch


def _frame(picture: Image.Image, shown: Image.Image, cell: Box, palette: Palette, *, width: int) -> None:
    x = cell.x + (cell.width - shown.width) // 2
    y = cell.y + (cell.height - shown.height) // 2
    outer = (x - width, y - width, x + shown.width + width - 1, y + shown.height + width - 1)
    ImageDraw.Draw(picture).rectangle(outer, fill=palette.ink if palette.dark else palette.paper)
    picture.paste(shown, (x, y), shown)
