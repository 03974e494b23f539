import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from batchgen.manifest.naming import clean_part, fingerprint, slug


def test_slug_is_cut_at_a_word_end():
    """A slug has at most 40 characters and ends with a whole word."""
    assert slug("A stoneware mug on an oak table, morning light") == "a-stoneware-mug-on-an-oak-table-morning"


def test_slug_of_one_long_word_is_cut_hard():
    """A word longer than the limit is cut in the middle."""
    assert slug("x" * 50) == "x" * 40


def test_slug_keeps_letters_of_any_script():
    """Chinese and accented letters stay."""
    assert slug("一只猫, Käse!") == "一只猫-käse"


def test_slug_of_punctuation_is_empty():
    """Nothing readable gives an empty slug; the caller has a word for it."""
    assert not slug("... !!")


def test_clean_part_keeps_letters_digits_dot_underscore_dash():
    """What is allowed in a slot passes unchanged."""
    assert clean_part("MU-001_b.2é") == "MU-001_b.2é"


def test_clean_part_replaces_everything_else():
    """Separators, spaces and control characters become dashes, one each."""
    assert clean_part("a/b\\c d\n:e") == "a-b-c-d--e"


def test_clean_part_replaces_leading_and_trailing_dots():
    """Neither `..` nor a hidden name nor a trailing dot survives."""
    assert [clean_part(text) for text in ("..", ".git", "a.", "...a..")] == ["--", "-git", "a-", "---a--"]


def test_clean_part_composes():
    """Decomposed and composed spellings are one part."""
    assert clean_part(unicodedata.normalize("NFD", "Käse")) == unicodedata.normalize("NFC", "Käse")


@given(st.text())
def test_clean_part_is_never_a_way_out(text):
    """Whatever a value holds, its part is one file-system name without separators or outer dots."""
    part = clean_part(text)
    assert not set(part) & set('/\\:*?"<>|\0 ~')
    assert part == part.strip(".")
    assert clean_part(part) == part


def test_fingerprint_ignores_composition_and_takes_surrogates():
    """Equal texts have equal fingerprints; a lone surrogate is no crash."""
    assert fingerprint("é", 4) == fingerprint("e\u0301", 4)
    assert len(fingerprint("\ud800", 8)) == 8
