import base64
import random

import pytest

from batchgen.provider.base64text import Base64Text


def decode(text: bytes, step: int = 0) -> tuple[bytes, bool, str]:
    found = bytearray()
    decoder = Base64Text(found.extend)
    for start in range(0, len(text), step or len(text) or 1):
        decoder.feed(text, start, min(len(text), start + (step or len(text))))
    whole = decoder.finish()
    return bytes(found), whole, decoder.problem


@pytest.mark.parametrize("size", range(12))
@pytest.mark.parametrize("step", [0, 1, 2, 3, 4, 5])
def test_every_length_round_trips(size, step):
    """Any number of bytes comes back, padded or not, whatever the pieces."""
    data = bytes(range(250, 256)) + bytes(range(size))
    text = base64.b64encode(data)
    for form in (text, text.rstrip(b"="), text.replace(b"+", b"-").replace(b"/", b"_"), text.replace(b"/", b"\\/")):
        assert decode(form, step) == (data, True, "")


def test_damaged_text_never_passes_as_another():
    """Text with one foreign byte is refused; what was decoded before it is the true beginning."""
    rng = random.Random(4)  # noqa: S311  a seeded fuzz
    data = rng.randbytes(300)
    text = base64.b64encode(data)
    for at in range(len(text)):
        damaged = text[:at] + rng.choice(b'!"\n .,:*\x00\xff\\').to_bytes(1, "big") + text[at + 1 :]
        found, whole, problem = decode(damaged, rng.choice([1, 3, 50, 400]))
        assert not whole, at
        assert problem
        assert data.startswith(found)


def test_padding_inside_is_refused_at_any_border():
    """Two encoded texts in a row are not one, even when the border falls between two pieces."""
    for step in (0, 1, 2, 4, 8):
        assert not decode(b"YQ==YQ==", step)[1]


def test_padding_without_end_is_refused_while_it_comes():
    """It decodes to nothing, so no cap on the picture would ever stop it; letters after it are no longer counted."""
    text = Base64Text(lambda _: None)
    for _ in range(3):
        text.feed(b"=" * 1000, 0, 1000)
    assert (text.problem, text.letters) == ("too much padding", 1000)


def test_empty_text_is_no_image():
    """Nothing decodes to nothing, without a problem."""
    assert decode(b"") == (b"", False, "")


def test_prefix_without_data_is_no_image():
    """A data URL with nothing in it is no image."""
    assert decode(b"data:image/png;base64,")[:2] == (b"", False)


def test_letters_that_look_like_a_prefix_are_letters():
    """Base64 may begin with the letters of the word data."""
    assert decode(b"dataABCD", 3) == (base64.b64decode(b"dataABCD"), True, "")


def test_short_text_that_looks_like_a_prefix_is_decoded():
    """Text that ends before it is clear whether it has a prefix has none."""
    assert decode(b"data")[0] == base64.b64decode(b"data")
