"""Tokens and prices agree with the published tables."""

import pytest

from batchgen.sandbox.usage import output_tokens, seconds_for, usage_of


@pytest.mark.parametrize(
    ("size", "low", "medium", "high"),
    [
        ((1024, 1024), 196, 1756, 7024),
        ((1536, 1024), 158, 1372, 5488),
        ((1024, 1536), 158, 1372, 5488),
        ((1152, 1536), 181, 1629, 6514),
        ((1920, 1088), 148, 1325, 5300),
        ((2048, 1152), 157, 1413, 5650),
        ((2560, 1440), 205, 1843, 7370),
        ((2048, 2048), 397, 3568, 14272),
        ((3840, 2160), 371, 3336, 13342),
        ((2880, 2880), 659, 5930, 23719),
    ],
)
def test_output_tokens_are_those_of_the_price_table(size: tuple[int, int], low: int, medium: int, high: int):
    """The formula gives the published tokens at every quality."""
    assert tuple(output_tokens(*size, quality) for quality in ("low", "medium", "high")) == (low, medium, high)


def _usage(**change: object):
    same = {"prompt": "a cat", "width": 1024, "height": 1024, "quality": "low", "count": 1, "partial_images": 0}
    return usage_of(**{**same, "references": [], **change})


def test_documented_sample_is_reproduced():
    """A cat at low quality is 8 tokens in, 196 out, 204 in all."""
    shown = _usage().as_json(details=True)
    assert (shown["input_tokens"], shown["output_tokens"], shown["total_tokens"]) == (8, 196, 204)


@pytest.mark.parametrize(
    ("references", "tokens"),
    [([(1024, 1024)], 1024), ([(1024, 1024)] * 2, 2048), ([(4096, 1024)], 256), ([(256, 256)], 256)],
)
def test_references_cost_their_patches(references: list[tuple[int, int]], tokens: int):
    """Patches of 32 pixels after fitting to 1024, enlarged at most twice."""
    assert _usage(references=references).images_in == tokens


def test_partial_images_and_counts_add_up():
    """Each partial adds 100 tokens, each image the whole."""
    assert _usage(count=3, partial_images=2).images_out == 3 * (196 + 200)


def test_price_is_the_list_price():
    """1024x1024 at high quality costs about 21 cents."""
    assert _usage(quality="high").price_usd == pytest.approx(0.2107, abs=1e-4)


def test_real_latency_grows_with_size_and_quality():
    """High takes longer than low, 4K longer than 1K, and the spread is a quarter either way."""
    same = {"width": 1024, "height": 1024, "quality": "medium", "spread": 0.5}
    plain = seconds_for(**same)
    assert seconds_for(**{**same, "quality": "low"}) < plain < seconds_for(**{**same, "quality": "high"})
    assert seconds_for(**{**same, "width": 3840, "height": 2160}) > 2 * plain
    assert seconds_for(**{**same, "spread": 0.0}) == pytest.approx(0.75 * plain)
