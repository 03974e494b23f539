"""Colours are deterministic and legible."""

from batchgen.sandbox.palette import Colour, Dice, palette_of


def _luminance(colour: Colour) -> float:
    parts = [value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _contrast(first: Colour, second: Colour) -> float:
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_ink_on_paper_is_legible_for_any_prompt():
    """The contrast of text is at least WCAG's 7:1, of the small print 4.5:1."""
    palettes = [palette_of(f"prompt {number}") for number in range(400)]
    assert min(_contrast(palette.ink, palette.paper) for palette in palettes) >= 7
    assert min(_contrast(palette.quiet, palette.paper) for palette in palettes) >= 4.5


def test_same_prompt_gives_the_same_palette():
    """A palette follows from the prompt alone."""
    assert palette_of("a mug") == palette_of("a mug")
    assert palette_of("a mug") != palette_of("a jug")


def test_prompts_give_day_and_dusk():
    """Both kinds of palettes occur."""
    assert {palette_of(str(number)).dark for number in range(40)} == {True, False}


def test_dice_stay_in_their_bounds_however_often_they_roll():
    """The stream of numbers does not end and never leaves [low, high)."""
    dice = Dice("x")
    assert all(2 <= dice.roll(2, 3) < 3 for _ in range(2_000))
    assert {dice.pick(4) for _ in range(200)} == {0, 1, 2, 3}
