"""Text is wrapped, fitted and cut as careful typography would."""

import pytest

from batchgen.sandbox.typeset import Line, atoms_of, clean, fit, line_width, wrap


def _texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def _by_count(text: str, width: int) -> list[str]:
    return _texts(wrap(text, width, len))


def test_latin_text_breaks_at_spaces():
    """A line takes the words that fit; no space hangs at an end."""
    assert _by_count("one two three", 7) == ["one two", "three"]


def test_chinese_breaks_between_characters():
    """A text without spaces fills its lines."""
    assert _by_count("一张未来感海报", 3) == ["一张未", "来感海", "报"]


def test_closing_marks_never_start_a_line():
    """A comma moves down together with the character before it."""
    assert list(atoms_of("海报，浅色")) == ["海", "报，", "浅", "色"]
    assert _by_count("海报，浅色", 2) == ["海", "报，", "浅色"]


def test_opening_marks_never_end_a_line():
    """A bracket stays with what it opens."""
    assert list(atoms_of("猫「おは」と")) == ["猫", "「お", "は」", "と"]


def test_word_inside_chinese_stays_whole():
    """Latin letters between Chinese ones are one piece."""
    assert list(atoms_of("未来AI产品")) == ["未", "来", "AI", "产", "品"]


def test_long_word_breaks_where_it_must():
    """A web address wider than the line is split and loses nothing."""
    lines = _by_count("see https://example.com now", 8)
    assert max(map(len, lines)) <= 8
    assert "".join(lines).replace(" ", "") == "seehttps://example.comnow"


def test_paragraphs_and_one_blank_line_are_kept():
    """Line ends of any kind separate paragraphs; more than one blank line becomes one."""
    assert _texts(wrap(clean("a\r\n\r\n\r\n\nb\rc"), 9, len)) == ["a", "", "b", "c"]


def test_direction_is_that_of_the_paragraph():
    """A line that begins with a Latin word is right-to-left inside an Arabic paragraph."""
    lines = wrap("שלום 50mm", 4, len)
    assert lines == [Line("שלום", rtl=True), Line("50mm", rtl=True)]


def test_invisible_characters_are_dropped():
    """Zero-width spaces, variation selectors and byte order marks draw nothing."""
    assert clean("\ufeffa\u200b b\ufe0f\t c") == "a b c"


def test_very_long_prompt_says_how_much_is_not_shown():
    """The shown part is bounded and the rest is counted."""
    assert clean("x" * 32_000).endswith("… (+26,000 characters)")


def test_short_text_gets_the_largest_size():
    """Two words do not shrink."""
    assert fit("a mug", width=900, height=300, largest=68, smallest=19).size == 68


@pytest.mark.parametrize(
    "text", ["word " * 400, "一张未来感海报" * 120, "x" * 900, "한국어 텍스트 " * 90, "ضوء الصباح " * 120]
)
@pytest.mark.parametrize(("width", "height"), [(900, 800), (220, 180), (1700, 300)])
def test_fitted_text_stays_in_its_box(text: str, width: int, height: int):
    """No line is wider and no block higher than the box, with the real widths of the chosen size."""
    block = fit(clean(text), width=width, height=height, largest=68, smallest=9)
    assert all(line_width(line.text, block.size) <= width for line in block.lines)
    assert block.height <= height


def test_text_beyond_the_smallest_size_is_cut_with_an_ellipsis():
    """What does not fit ends in an ellipsis, and the box still holds."""
    block = fit("word " * 900, width=200, height=60, largest=40, smallest=12)
    assert block.size == 12
    assert block.lines[-1].text.endswith("…")
    assert block.height <= 60
