"""Right-to-left text is joined and ordered as it is read."""

import pytest

from batchgen.sandbox.bidi import is_rtl, shape, visual


def test_arabic_letters_take_their_forms():
    """Beh in the three places of a word becomes its initial, medial and final form."""
    assert shape("ببب") == "\ufe91\ufe92\ufe90"


def test_letter_that_joins_only_back_breaks_the_word():
    """After dal the next letter starts anew."""
    assert shape("دب") == "\ufea9\ufe8f"


def test_lam_and_alef_become_one_sign():
    """The obligatory ligature is made, alone and joined to a letter before."""
    assert shape("لا") == "\ufefb"
    assert shape("بلا") == "\ufe91\ufefc"


def test_zero_width_non_joiner_separates_and_vanishes():
    """Persian's half space stops joining and draws nothing."""
    assert shape("ب\u200cب") == "\ufe8f\ufe8f"


def test_marks_do_not_stop_joining():
    """A vowel mark between two letters leaves them joined."""
    assert shape("ب\u064eب") == "\ufe91\u064e\ufe90"


@pytest.mark.parametrize("text", ["plain", "日本語", "שלום", ""])
def test_other_scripts_are_not_touched(text: str):
    """Only Arabic letters change."""
    assert shape(text) == text


@pytest.mark.parametrize(
    ("line", "rtl", "drawn"),
    [
        ("abc", False, "abc"),
        ("אבג", True, "גבא"),
        ("abc אבג def", False, "abc גבא def"),
        ("אב 12 גד", True, "דג 12 בא"),
        ("(אב)", True, "(בא)"),
        ("50mm) אב", True, "בא (50mm"),
        ("א\u05b0ב", True, "בא\u05b0"),
    ],
)
def test_lines_are_put_in_visual_order(line: str, rtl, drawn: str):
    """Runs are reversed, numbers are not, brackets mirror, marks stay on their letters."""
    assert visual(line, rtl=rtl) == drawn


def test_direction_follows_the_first_strong_letter():
    """Digits and punctuation do not decide the direction."""
    assert is_rtl("12, שלום abc")
    assert not is_rtl("12, abc שלום")
    assert not is_rtl("123 …")
