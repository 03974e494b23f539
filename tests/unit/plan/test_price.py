"""Tokens, dollars and seconds against the published tables, and the rule that unknown is never 0."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.plan.price import (
    Price,
    cost,
    estimate,
    expected_seconds,
    input_image_tokens,
    output_tokens,
    price_date,
)
from batchgen.request import InputFile

MODEL = "gpt-image-2"
FIXED = {"size": "1024x1024", "quality": "medium"}
USAGE = {
    "input_tokens": 8,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 8},
    "output_tokens": 196,
    "total_tokens": 204,
}


def file(width=1024, height=1024):
    return InputFile(
        path="/x.png", name="x.png", sha256="0" * 64, bytes=1, format="png", width=width, height=height, has_alpha=True
    )


def estimated(params=FIXED, *, model=MODEL, prompt="", prices="list", **more):
    return estimate(model=model, params=params, prompt=prompt, prices=prices, **more)


@pytest.mark.parametrize(
    ("size", "low", "medium", "high"),
    [
        ((1024, 1024), 196, 1756, 7024),
        ((1536, 1024), 158, 1372, 5488),
        ((1536, 1152), 181, 1629, 6514),
        ((1920, 1088), 148, 1325, 5300),
        ((2048, 1152), 157, 1413, 5650),
        ((2560, 1440), 205, 1843, 7370),
        ((2048, 2048), 397, 3568, 14272),
        ((3840, 2160), 371, 3336, 13342),
        ((2880, 2880), 659, 5930, 23719),
    ],
)
def test_output_tokens_follow_the_calculator(size, low, medium, high):
    """The formula gives the published table, in both orientations."""
    for width, height in (size, size[::-1]):
        counted = [output_tokens(MODEL, width, height, quality) for quality in ("low", "medium", "high")]
        assert counted == [low, medium, high]


@pytest.mark.parametrize(
    ("size", "quality", "dollars"),
    [
        ("1024x1024", "low", 0.006),
        ("1024x1024", "medium", 0.053),
        ("1024x1024", "high", 0.211),
        ("1536x1024", "low", 0.005),
        ("1024x1536", "medium", 0.041),
        ("1536x1024", "high", 0.165),
    ],
)
def test_estimate_agrees_with_the_guide(size, quality, dollars):
    """The guide's prices per picture come out to a tenth of a cent."""
    assert round(estimated({"size": size, "quality": quality}).low_usd, 3) == dollars


def test_dated_snapshot_costs_the_same():
    """The snapshot of a model is that model."""
    assert estimated(model="gpt-image-2-2026-04-21") == estimated()


@pytest.mark.parametrize(
    "wish",
    [
        {"prices": None},
        {"model": "gpt-image-9"},
        {"model": None},
        {"model": ""},
        {"params": {"size": "1024x1024", "quality": "xhigh"}},
        {"params": {"size": "16:9", "quality": "low"}},
        {"params": {"size": 1024, "quality": "low"}},
        {"params": {**FIXED, "stream": True, "partial_images": "2"}},
        {"model": "gpt-image-9", "images": (file(),)},
        {"model": "gpt-image-9", "prices": {"per_million_tokens": {"text_in": 5, "image_in": 8, "image_out": 30}}},
        {"prices": {"per_image": {"low": 0.1}}},
        {"prices": {"per_image": {"1536x1024": 0.1}}},
    ],
    ids=str,
)
def test_unknown_price_is_none_and_never_zero(wish):
    """A price nobody knows stays unknown: model, quality, size or table without an answer."""
    assert estimated(**wish) is None


def test_free_is_a_known_price():
    """The sandbox costs 0, which is something else than unknown."""
    assert estimated(prices=0) == Price(low_usd=0.0, high_usd=0.0)
    assert cost(None, 0) == 0.0


def test_open_quality_and_size_give_a_range():
    """`auto` and nothing at all span every quality and every size that may come."""
    fixed, open_ = estimated(), estimated({})
    assert estimated({"size": "auto", "quality": "auto"}) == open_
    assert open_.low_usd < 0.01 < fixed.low_usd < open_.high_usd
    assert open_.high_usd > 0.42
    assert estimated({"size": "1024x1024"}).high_usd == pytest.approx(0.2107, abs=0.001)


def test_preset_is_priced_by_what_the_gateway_makes_of_it():
    """`1:1` costs what its target size costs."""
    assert estimated({"size": "1:1", "quality": "medium"}, target=(1024, 1024)) == estimated()


@given(st.text(max_size=200))
def test_high_estimate_bounds_the_prompt(prompt):
    """No tokeniser over bytes makes more tokens than the high estimate reserves."""
    high, bare = estimated(prompt=prompt).high_usd, estimated().high_usd
    assert high >= round(bare + len(prompt.encode("utf-8", "replace")) * 5e-6, 6) - 2e-6


def test_lone_surrogate_in_a_prompt_is_no_crash():
    """Estimating never fails on text that sending refuses."""
    assert estimated(prompt="\ud83d") is not None


def test_partial_images_raise_only_the_high_estimate():
    """Each partial adds 100 tokens when it comes, and fewer than asked may come."""
    plain = estimated()
    streamed = estimated({**FIXED, "stream": True, "partial_images": 3})
    assert streamed.low_usd == plain.low_usd
    assert streamed.high_usd - plain.high_usd == pytest.approx(300 * 30e-6)
    assert estimated({**FIXED, "partial_images": 3}) == plain


@pytest.mark.parametrize(
    ("width", "height", "least"),
    [(1024, 1024, 1024), (2048, 2048, 1024), (256, 256, 256), (512, 1024, 512), (3000, 30, 32)],
)
def test_input_images_count_patches_up_to_the_bound(width, height, least):
    """Patches of 32 after fitting the long edge to 1024, upscaled at most twice; 1536 at most."""
    assert input_image_tokens(MODEL, width, height) == (least, 1536)


def test_references_and_mask_cost_input_tokens():
    """Two references are twice one; a mask counts only in the high estimate."""
    plain, one, two = estimated(), estimated(images=[file()]), estimated(images=[file(), file()])
    masked = estimated(images=[file()], mask=file())
    assert one.low_usd - plain.low_usd == pytest.approx(1024 * 8e-6)
    assert two.high_usd - plain.high_usd == pytest.approx(2 * 1536 * 8e-6)
    assert masked.low_usd == one.low_usd
    assert masked.high_usd == two.high_usd


@pytest.mark.parametrize(
    ("table", "params", "span"),
    [
        (0.04, {}, (0.04, 0.04)),
        ({"low": 0.01, "high": 0.2}, {"quality": "high"}, (0.2, 0.2)),
        ({"low": 0.01, "high": 0.2}, {}, (0.01, 0.2)),
        ({"low": 0.01, "default": 0.05}, {"quality": "medium"}, (0.05, 0.05)),
        ({"1024x1024": 0.1, "default": 0.3}, {"size": "2048x2048"}, (0.3, 0.3)),
        ({"1024x1024": 0.1, "2048x2048": 0.3}, {"size": "auto"}, (0.1, 0.3)),
        ({"16:9": 0.1, "1:1": 0.3}, {"size": "1:1"}, (0.3, 0.3)),
        ({"high": {"1024x1024": 0.2, "default": 0.4}}, {"quality": "high", "size": "1x1"}, (0.4, 0.4)),
        ({"1024x1024": {"low": 0.1, "high": 0.2}}, {"size": "1024x1024"}, (0.1, 0.2)),
    ],
)
def test_price_tables_per_image_answer_by_quality_and_size(table, params, span):
    """A gateway's own table decides, whatever the model."""
    found = estimated(params, model="anything", prices={"per_image": table})
    assert (found.low_usd, found.high_usd) == span


def test_own_token_prices_replace_the_list():
    """A gateway that charges half costs half."""
    half = {"per_million_tokens": {"text_in": 2.5, "image_in": 4, "image_out": 15}}
    assert estimated(prices=half).low_usd == pytest.approx(estimated().low_usd / 2, abs=1e-6)


def test_cost_is_counted_from_usage():
    """The sample answer of 196 tokens costs what its tokens cost."""
    assert cost(USAGE, "list", model=MODEL) == round(8 * 5e-6 + 196 * 30e-6, 6)


def test_cost_without_a_split_counts_the_dearer_rate():
    """Input tokens of unknown kind are never underpriced."""
    usage = {"input_tokens": 100, "output_tokens": 196}
    assert cost(usage, "list", model=MODEL) == round(100 * 8e-6 + 196 * 30e-6, 6)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        {"output_tokens": 196},
        {**USAGE, "output_tokens": 0},
        {**USAGE, "output_tokens": 1},
        {**USAGE, "output_tokens": -5},
        {**USAGE, "output_tokens": True},
        {**USAGE, "output_tokens": "196"},
        {**USAGE, "output_tokens": 196.5},
        {**USAGE, "output_tokens": 10**12},
        {"output_tokens": 196, "input_tokens": None},
        {"output_tokens": 196, "input_tokens_details": "none"},
    ],
    ids=str,
)
def test_usage_that_cannot_be_true_is_no_cost(usage):
    """Absent, placeholder and absurd counts give None, so that the reservation stands."""
    assert cost(usage, "list", model=MODEL) is None


def test_cost_needs_a_known_price():
    """Tokens of an unknown model or gateway have no price."""
    assert cost(USAGE, None, model=MODEL) is None
    assert cost(USAGE, "list", model="gpt-image-9") is None
    assert cost(USAGE, "list") is None


def test_cost_per_image_needs_only_what_was_asked():
    """A table answers without usage when it is unambiguous, and not when it is open."""
    table = {"per_image": {"low": 0.01, "high": 0.2}}
    assert cost(None, table, params={"quality": "low"}) == 0.01
    assert cost(None, table) is None


@pytest.mark.parametrize("prices", [{"per_image": 0.05}, 0.05])
def test_flat_price_is_the_cost(prices):
    """One price per image, with or without usage."""
    assert cost(USAGE, prices) == 0.05


def test_expected_seconds_grow_with_quality_size_and_references():
    """The estimate keeps the order of the measurements, and is never 0."""
    low, high = ({"size": "1024x1024", "quality": quality} for quality in ("low", "high"))
    assert expected_seconds(MODEL, low) < expected_seconds(MODEL, FIXED) < expected_seconds(MODEL, high)
    assert expected_seconds(MODEL, {**high, "size": "3840x2160"}) > 200
    assert expected_seconds(MODEL, FIXED, images=2) > expected_seconds(MODEL, FIXED)
    assert expected_seconds("unknown", {}) >= 100
    assert expected_seconds(None, {"size": "16:9", "quality": 7}) > 0


def test_price_table_is_dated():
    """People can see how old the prices are."""
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", price_date())
