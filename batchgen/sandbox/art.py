"""The background: a mesh gradient, soft light, and one layered motif. Drawn small and smooth, then enlarged."""

import math

from PIL import Image, ImageDraw, ImageFilter

from batchgen.sandbox.palette import Colour, Dice, Palette

__all__ = ["art"]

_FEWEST, _MOST, _SHARE = 480, 960, 0.5
_OVERSAMPLING = 2


def art(width: int, height: int, palette: Palette, dice: Dice) -> Image.Image:
    """A picture of the given pixels in RGB. Its edges are soft by intent, so it is drawn at 480 to 960 and enlarged."""
    longest = min(_MOST, max(_FEWEST, _SHARE * max(width, height)))
    scale = min(1.0, longest / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = _gradient(size, palette, dice)
    motif = (_hills, _discs, _arcs, _petals)[dice.pick(4)]
    motif(picture, palette, dice)
    return picture if size == (width, height) else picture.resize((width, height), Image.Resampling.BICUBIC)


def _gradient(size: tuple[int, int], palette: Palette, dice: Dice) -> Image.Image:
    """Nine colours on a 3x3 mesh, enlarged smoothly, with two soft lights on it."""
    mesh = Image.new("RGB", (3, 3))
    for place in range(9):
        depth = min(1.99, max(0.0, place // 3 * 0.85 + dice.roll(-0.25, 0.35)))
        lower = int(depth)
        mesh.putpixel((place % 3, place // 3), _mix(palette.sky[lower], palette.sky[lower + 1], depth - lower))
    small = mesh.resize((96, 96), Image.Resampling.BICUBIC)
    for _ in range(2):
        _light(small, palette, dice)
    return small.resize(size, Image.Resampling.BICUBIC)


def _light(small: Image.Image, palette: Palette, dice: Dice) -> None:
    glow = Image.new("L", small.size)
    x, y, radius = dice.roll(10, 86), dice.roll(5, 60), dice.roll(14, 30)
    ImageDraw.Draw(glow).ellipse((x - radius, y - radius, x + radius, y + radius), fill=130)
    colour = palette.accent if palette.dark else _mix(palette.paper, palette.sky[0], 0.3)
    small.paste(colour, (0, 0), glow.filter(ImageFilter.GaussianBlur(12)))


def _mix(first: Colour, second: Colour, part: float) -> Colour:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, second, strict=True))
    return red, green, blue


class _Layer:
    """A mask drawn at twice the size and reduced, so that edges are smooth."""

    def __init__(self, picture: Image.Image) -> None:
        self.picture = picture
        self.width, self.height = (edge * _OVERSAMPLING for edge in picture.size)
        self.mask = Image.new("L", (self.width, self.height))
        self.draw = ImageDraw.Draw(self.mask)

    def paste(self, colour: Colour) -> None:
        """Put the layer on the picture in one colour."""
        self.picture.paste(colour, (0, 0), self.mask.reduce(_OVERSAMPLING))


def _hills(picture: Image.Image, palette: Palette, dice: Dice) -> None:
    """A disc low in the sky behind three ridges."""
    sun = _Layer(picture)
    short = min(sun.width, sun.height)
    x, y, radius = dice.roll(0.2, 0.8) * sun.width, dice.roll(0.18, 0.42) * sun.height, short * dice.roll(0.09, 0.16)
    sun.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=230)
    sun.paste(palette.accent)
    for index in range(3):
        layer = _Layer(picture)
        base, swing = layer.height * (0.46 + 0.17 * index), short * dice.roll(0.03, 0.085)
        waves = [
            (dice.roll(0.5, 1.6) * layer.width / short, dice.roll(0, 6.3), 1.0),
            (dice.roll(2, 3.4), dice.roll(0, 6.3), 0.4),
        ]
        ridge = [(x, base + swing * _height(x / layer.width, waves)) for x in _steps(layer.width)]
        layer.draw.polygon([*ridge, (layer.width, layer.height), (0, layer.height)], fill=(150, 185, 220)[index])
        layer.paste(palette.shapes[index])


def _height(x: float, waves: list[tuple[float, float, float]]) -> float:
    return sum(part * math.sin(2 * math.pi * count * x + start) for count, start, part in waves)


def _steps(width: int) -> list[float]:
    return [width * step / 96 for step in range(97)]


def _discs(picture: Image.Image, palette: Palette, dice: Dice) -> None:
    """Translucent discs that overlap."""
    for colour in (*palette.shapes, palette.accent):
        layer = _Layer(picture)
        short = min(layer.width, layer.height)
        radius = short * dice.roll(0.16, 0.42) * (0.5 if colour == palette.accent else 1.0)
        x, y = dice.roll(0.05, 0.95) * layer.width, dice.roll(0.05, 0.95) * layer.height
        layer.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=135)
        layer.paste(colour)


def _arcs(picture: Image.Image, palette: Palette, dice: Dice) -> None:
    """Rings around one centre near an edge, like a record or a sunrise."""
    x, y = dice.roll(0.1, 0.9), dice.pick(2) * 0.5 + dice.roll(0.2, 0.4)
    for index in range(6, 0, -1):
        layer = _Layer(picture)
        radius = math.hypot(layer.width, layer.height) * 0.095 * index
        left, top = x * layer.width - radius, y * layer.height - radius
        layer.draw.ellipse((left, top, left + 2 * radius, top + 2 * radius), fill=96)
        layer.paste(palette.accent if index == 1 else palette.shapes[index % 3])


def _petals(picture: Image.Image, palette: Palette, dice: Dice) -> None:
    """Broad leaves from one corner."""
    corner, start = dice.pick(2), dice.roll(0, 0.25)
    for index in range(5):
        layer = _Layer(picture)
        reach = math.hypot(layer.width, layer.height) * (0.78 - 0.06 * index)
        angle = (start + index * 0.27) * (1 if corner == 0 else -1) + (0 if corner == 0 else math.pi)
        root = (0 if corner == 0 else layer.width, layer.height)
        layer.draw.polygon(_petal(root, reach, -angle if corner == 0 else angle), fill=130)
        layer.paste(palette.accent if index == 4 else palette.shapes[index % 3])  # noqa: PLR2004  the last one


def _petal(root: tuple[float, float], reach: float, angle: float) -> list[tuple[float, float]]:
    points = []
    for step in range(145):
        turn = math.pi * step / 72
        along, across = (1 - math.cos(turn)) / 2 * reach, math.sin(turn) * reach * 0.13
        points.append(
            (
                root[0] + along * math.cos(angle) - across * math.sin(angle),
                root[1] + along * math.sin(angle) + across * math.cos(angle),
            )
        )
    return points
