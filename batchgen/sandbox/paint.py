"""A placeholder picture worth looking at: the prompt, set legibly on a palette of its own.

Deterministic: the same arguments give the same bytes with the same Pillow. 1024x1024 takes some 40 ms on one core.
"""

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL import Image, ImageDraw, PngImagePlugin

from batchgen.sandbox.art import art
from batchgen.sandbox.frames import draw_references
from batchgen.sandbox.palette import Dice, palette_of
from batchgen.sandbox.panel import draw_panel, panel_area, reference_area

__all__ = ["CHUNK", "Format", "paint"]

Format = Literal["png", "jpeg", "webp"]
CHUNK = "batchgen:sandbox"
"""Keyword of the PNG text chunk that marks every picture; jpeg and webp carry it as comment and XMP."""


def paint(
    *,
    prompt: str,
    width: int,
    height: int,
    model: str = "gpt-image-2",
    quality: str = "medium",
    format: Format = "png",  # noqa: A002  the API's own word
    compression: int = 100,
    transparent: bool = False,
    references: Sequence[bytes | Path] = (),
    mask: bytes | Path | None = None,
    variant: str = "",
    progress: float = 1.0,
) -> bytes:
    """Paint one picture of `width` x `height` pixels and return its encoded bytes.

    `compression` is the API's 0 to 100, for jpeg and webp. `variant` (an idempotency key, a take) changes the
    composition and not the palette. `references` are shown inside, with the transparent area of `mask` marked on the
    first. `progress` below 1 gives the coarse picture of a partial image. Raises `OSError` for a reference that is no
    image.
    """
    palette = palette_of(prompt)
    picture = art(width, height, palette, Dice(f"art|{prompt}|{variant}"))
    area = panel_area(width, height, edit=bool(references))
    footer = _footer(width, height, quality, model, variant)
    panel = draw_panel(picture, area, prompt=prompt, footer=footer, palette=palette)
    if references:
        draw_references(picture, reference_area(width, height, panel), references, mask, palette)
    if progress < 1:
        picture = _coarse(picture, progress)
    if transparent and format != "jpeg":
        picture.putalpha(_vignette(picture.size))
    facts = {"prompt": prompt, "size": f"{width}x{height}", "model": model, "quality": quality, "variant": variant}
    return _encode(picture, format, compression, _facts(facts))


def _facts(facts: dict[str, str]) -> str:
    """JSON for the chunk; half a surrogate pair, legal in JSON and not in UTF-8, becomes a question mark."""
    return json.dumps(facts, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")


def _footer(width: int, height: int, quality: str, model: str, variant: str) -> tuple[str, ...]:
    """What the picture says of itself, most important first; the panel shows as much as fits."""
    return tuple(part for part in (f"{width} × {height}", quality, model, variant[:8]) if part)


def _coarse(picture: Image.Image, progress: float) -> Image.Image:
    edge = max(6, round(16 + 80 * progress))
    small = picture.resize((edge, max(1, edge * picture.height // picture.width)), Image.Resampling.BOX)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def _vignette(size: tuple[int, int]) -> Image.Image:
    """Opaque inside a rounded frame, transparent at the border."""
    width, height = size
    inset, radius = min(size) // 24, min(size) // 8
    alpha = Image.new("L", (width, height))
    ImageDraw.Draw(alpha).rounded_rectangle((inset, inset, width - 1 - inset, height - 1 - inset), radius, fill=255)
    return alpha


def _encode(picture: Image.Image, format: Format, compression: int, facts: str) -> bytes:  # noqa: A002  as above
    options: dict[str, Any]
    if format == "png":
        chunk = PngImagePlugin.PngInfo()
        chunk.add_itxt(CHUNK, facts)
        options = {"compress_level": 1, "pnginfo": chunk}
    elif format == "jpeg":
        options = {"quality": max(1, min(95, compression)), "comment": f"{CHUNK} {facts}".encode()[:65_000]}
    else:
        options = {"quality": compression, "method": 0, "xmp": f"{CHUNK} {facts}".encode()}
    out = BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()
