"""Colours from a prompt: deterministic, harmonious, and legible."""

import colorsys
import hashlib
from dataclasses import dataclass

__all__ = ["Colour", "Dice", "Palette", "palette_of"]

Colour = tuple[int, int, int]

_SCHEMES = (
    (0.0, 0.07, -0.08, 0.5),  # analogous, the accent opposite
    (0.0, 0.09, 0.16, 0.55),  # a warm or cool sweep
    (0.0, -0.06, 0.11, 0.58),  # split complementary
    (0.0, 0.05, -0.14, 0.36),  # a softened triad
)


_DUSK = 0.4
"""Share of dark palettes."""


class Dice:
    """Numbers from a text: the same text rolls the same numbers on every machine and Python version."""

    def __init__(self, text: str) -> None:
        self._stream = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(1024)
        self._place = 0

    def roll(self, low: float = 0.0, high: float = 1.0) -> float:
        """The next number in [low, high)."""
        start = self._place % (len(self._stream) - 4)
        self._place += 4
        return low + (high - low) * int.from_bytes(self._stream[start : start + 4], "big") / 2**32

    def pick(self, count: int) -> int:
        """The next whole number in [0, count)."""
        return int(self.roll(0, count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of one picture. `sky` and `shapes` run from light to deep; `ink` on `paper` is at least 7:1."""

    sky: tuple[Colour, Colour, Colour]
    shapes: tuple[Colour, Colour, Colour]
    accent: Colour
    paper: Colour
    ink: Colour
    quiet: Colour
    dark: bool


def palette_of(prompt: str) -> Palette:
    """Choose a palette by the prompt's hash: one hue, a harmonious scheme around it, day or dusk."""
    dice = Dice(f"palette|{prompt}")
    hue, scheme, dark = dice.roll(), _SCHEMES[dice.pick(len(_SCHEMES))], dice.roll() < _DUSK
    saturation = dice.roll(0.36, 0.58)
    hues = [(hue + turn) % 1.0 for turn in scheme]
    sky_light = (0.30, 0.22, 0.15) if dark else (0.90, 0.82, 0.72)
    shape_light = (0.46, 0.34, 0.24) if dark else (0.70, 0.58, 0.46)
    return Palette(
        sky=_three(hues, saturation * 0.9, sky_light),
        shapes=_three([hues[1], hues[2], hues[0]], saturation, shape_light),
        accent=_colour(hues[3], 0.64, 0.64 if dark else 0.46),
        paper=_colour(hue, 0.22, 0.11) if dark else _colour(hue, 0.40, 0.975),
        ink=_colour(hue, 0.25, 0.95) if dark else _colour(hue, 0.35, 0.13),
        quiet=_colour(hue, 0.18, 0.70) if dark else _colour(hue, 0.20, 0.38),
        dark=dark,
    )


def _three(hues: list[float], saturation: float, lights: tuple[float, float, float]) -> tuple[Colour, Colour, Colour]:
    first, second, third = (_colour(hues[i], saturation, lights[i]) for i in range(3))
    return first, second, third


def _colour(hue: float, saturation: float, light: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue, light, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)
