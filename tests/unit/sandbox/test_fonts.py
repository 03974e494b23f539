"""Each character finds the font that has it."""

import pytest

from batchgen.sandbox.fonts import COMPOSED, FALLBACK, LATIN, MISSING, Run, face, font_of, length, runs_of


@pytest.mark.parametrize(
    ("character", "font"),
    [
        ("a", LATIN),
        ("é", LATIN),
        ("Ж", LATIN),
        ("ش", LATIN),
        ("א", LATIN),
        ("中", FALLBACK),
        ("か", FALLBACK),
        ("カ", FALLBACK),
        ("，", FALLBACK),
        ("한", COMPOSED),
        ("न", MISSING),
        ("\x07", MISSING),
        ("\U0001fad6", MISSING),
    ],
)
def test_character_finds_its_font(character: str, font: str):
    """Scripts go to the font that covers them; what no font has is missing."""
    assert font_of(character) == font


def test_coverage_agrees_with_the_drawn_glyphs():
    """What the table claims has ink of its own, different from the font's box for missing glyphs."""
    font = face(FALLBACK, 40)
    box = bytes(font.getmask("\U000effff"))
    assert all(bytes(font.getmask(character)) != box for character in "中文日本かカ、。")


def test_mixed_text_splits_into_runs():
    """Neighbours of one font stay together, spaces stay with the run before."""
    assert list(runs_of("AI 海报 한국 x")) == [
        Run("AI ", LATIN),
        Run("海报 ", FALLBACK),
        Run("한국", COMPOSED),
        Run(" x", LATIN),
    ]


def test_runs_keep_every_character():
    """Nothing is lost between the runs."""
    text = "a中한न\u0301 ب\t😀"
    assert "".join(run.text for run in runs_of(text)) == text


def test_length_grows_with_size_and_text():
    """Widths are in pixels of the size asked for."""
    assert length(Run("mm", LATIN), 40) > length(Run("m", LATIN), 40) > length(Run("m", LATIN), 20) > 0
    assert length(Run("नन", MISSING), 100) == pytest.approx(172)
