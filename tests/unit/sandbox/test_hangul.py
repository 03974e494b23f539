"""Korean syllables are taken apart and put together."""

import unicodedata

import pytest

from batchgen.sandbox.fonts import FALLBACK, face
from batchgen.sandbox.hangul import block_mask, is_block, letters_of


@pytest.mark.parametrize(
    ("block", "letters"),
    [("가", ("ㄱ", "ㅏ", "")), ("한", ("ㅎ", "ㅏ", "ㄴ")), ("흙", ("ㅎ", "ㅡ", "ㄺ")), ("힣", ("ㅎ", "ㅣ", "ㅎ"))],
)
def test_block_is_taken_apart(block: str, letters: tuple[str, str, str]):
    """A syllable gives its letters."""
    assert letters_of(block) == letters


def test_every_block_agrees_with_unicode_decomposition():
    """The number of letters is that of the canonical decomposition, for all 11,172."""
    blocks = [chr(code) for code in range(0xAC00, 0xAC00 + 11_172)]
    assert all(is_block(block) for block in blocks)
    assert all(sum(map(bool, letters_of(b))) == len(unicodedata.normalize("NFD", b)) for b in blocks)


def test_neighbours_of_the_range_are_no_blocks():
    """The range ends where Unicode's does."""
    assert not is_block(chr(0xABFF))
    assert not is_block(chr(0xAC00 + 11_172))


def test_drawn_blocks_differ_and_fill_their_square():
    """Blocks with other letters look different, and ink reaches both halves of the square."""
    font = face(FALLBACK, 48)
    masks = [block_mask(block, font) for block in "가각고왜흙"]
    assert len({mask.tobytes() for mask in masks}) == 5
    for mask in masks:
        left, top, right, bottom = mask.getbbox()
        assert left < 16
        assert right > 32
        assert top < 16
        assert bottom > 32
