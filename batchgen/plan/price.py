"""Tokens, dollars and seconds, before the request from dated tables and after it from the answer's `usage`.

An unknown price is None and never 0. Dollars are USD, rounded to 6 decimals. Sources of every number: data/models.yaml.
"""

import functools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from batchgen.request import InputFile

__all__ = [
    "Price",
    "cost",
    "estimate",
    "expected_seconds",
    "input_image_tokens",
    "output_tokens",
    "price_date",
]

_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)
_LIKE_A_SIZE = re.compile(r"\d+[x:]\d+", re.ASCII)
_PROMPT_OVERHEAD_TOKENS = 16
_CHEAPEST_BYTES_PER_TOKEN = 8
_FEWEST_OUTPUT_TOKENS = 50
_MOST_TOKENS = 10_000_000
_MILLION = 1_000_000
_DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one image costs, in USD: between `low_usd` and `high_usd`. Budgets reserve the high one."""

    low_usd: float
    high_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """What data/models.yaml says of one model. Rates are USD per million tokens."""

    rates: Mapping[str, float]
    factors: Mapping[str, int]
    partial_tokens: int
    patch_pixels: int
    long_edge: int
    most_input_tokens: int
    auto_sizes: tuple[tuple[int, int], ...]
    seconds: Mapping[str, float]
    seconds_per_megapixel: float
    seconds_per_reference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    dated: str
    models: Mapping[str, _Model]
    other_seconds: float


@functools.cache
def _tables() -> _Tables:
    text = resources.files("batchgen").joinpath("data", "models.yaml").read_bytes()
    data = yaml.load(text, Loader=yaml.CSafeLoader)
    models = {
        name: _model(fields) for main, fields in data["models"].items() for name in (main, *fields.get("also", ()))
    }
    return _Tables(dated=str(data["dated"]), models=models, other_seconds=float(data["other_models_seconds"]))


def _model(fields: Mapping[str, Any]) -> _Model:
    return _Model(
        rates=fields["usd_per_million_tokens"],
        factors=fields["output_factor"],
        partial_tokens=fields["partial_tokens"],
        patch_pixels=fields["input_patch_pixels"],
        long_edge=fields["input_long_edge"],
        most_input_tokens=fields["input_most_tokens"],
        auto_sizes=tuple(edges for size in fields["auto_sizes"] if (edges := _edges(size))),
        seconds=fields["seconds"],
        seconds_per_megapixel=fields["seconds_per_further_megapixel"],
        seconds_per_reference=fields["seconds_per_reference"],
    )


def price_date() -> str:
    """The day the shipped prices were true: `2026-11-20`."""
    return _tables().dated


def _edges(size: object) -> tuple[int, int] | None:
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    return (int(match[1]), int(match[2])) if match else None


def output_tokens(model: str, width: int, height: int, quality: str) -> int | None:
    """Output tokens of one picture of `width` x `height` pixels; None for an unknown model or quality.

    The short edge is cut into as many steps as the quality has, in proportion to the long one, rounded half up; the
    product grows with the pixels. Source: the calculator on OpenAI's pricing page, as replicated in public code.
    """
    known = _tables().models.get(model)
    factor = known.factors.get(quality) if known else None
    if factor is None:
        return None
    long, short = max(width, height), min(width, height)
    steps = (2 * factor * short + long) // (2 * long)
    return -(-factor * steps * (2_000_000 + width * height) // 4_000_000)


def input_image_tokens(model: str, width: int, height: int) -> tuple[int, int] | None:
    """The least and the most input tokens of one reference image; None for an unknown model."""
    known = _tables().models.get(model)
    if known is None:
        return None
    scale = min(2.0, known.long_edge / max(width, height))
    columns, rows = (max(1, math.ceil(edge * scale / known.patch_pixels)) for edge in (width, height))
    return min(columns * rows, known.most_input_tokens), known.most_input_tokens


def estimate(
    *,
    model: str | None,
    params: Mapping[str, Any],
    prompt: str,
    images: Sequence[InputFile] = (),
    mask: InputFile | None = None,
    prices: Any,
    target: tuple[int, int] | None = None,
) -> Price | None:
    """What one request may cost, from the parameters as they are sent; None when nobody knows.

    `prices` is the provider's: None (unknown), `list` (the table of data/models.yaml), USD per image, or a mapping
    with `per_image` or `per_million_tokens`. `target` is what a preset such as `16:9` stands for, in pixels. Size or
    quality left open (`auto`, or absent) give a range, and so do the tokens of the prompt.
    """
    if not isinstance(prices, Mapping):
        prices = {"per_image": prices} if _is_number(prices) else prices
    if isinstance(prices, Mapping) and "per_image" in prices:
        return _spanning(_amounts(prices["per_image"], params.get("quality"), params.get("size")))
    rates = _rates(model, prices)
    if rates is None or model is None:
        return None
    tokens = _output_range(model, params, target)
    inputs = _input_range(model, images, mask, rates)
    if tokens is None or inputs is None:
        return None
    text_low, text_high = _text_range(prompt)
    return Price(
        low_usd=_dollars(text_low * rates["text_in"] + inputs[0] + tokens[0] * rates["image_out"]),
        high_usd=_dollars(text_high * rates["text_in"] + inputs[1] + tokens[1] * rates["image_out"]),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _dollars(millionths: float) -> float:
    return round(millionths / _MILLION, 6)


def _rates(model: str | None, prices: Any) -> Mapping[str, float] | None:
    """USD per million tokens; None when the price, or the model that the list price is for, is unknown."""
    if isinstance(prices, Mapping):
        rates: Mapping[str, float] | None = prices.get("per_million_tokens")
        return rates
    known = _tables().models.get(model or "")
    return known.rates if known and prices == "list" else None


def _spanning(amounts: Iterable[float]) -> Price | None:
    found = tuple(amounts)
    return Price(low_usd=round(min(found), 6), high_usd=round(max(found), 6)) if found else None


def _amounts(table: Any, quality: Any, size: Any) -> list[float]:
    """Every price of the table that may be meant: one when quality and size are fixed, several when they are open."""
    if not isinstance(table, Mapping):
        return [float(table)]
    by_size = any(_LIKE_A_SIZE.fullmatch(str(name)) for name in table)
    wished = size if by_size else quality
    if wished in table:
        return _amounts(table[wished], quality, size)
    if wished in {None, "auto"}:
        return [amount for inner in table.values() for amount in _amounts(inner, quality, size)]
    return _amounts(table[_DEFAULT], quality, size) if _DEFAULT in table else []


def _output_range(model: str, params: Mapping[str, Any], target: tuple[int, int] | None) -> tuple[int, int] | None:
    """The least and the most output tokens, partial images included: fewer than asked for may come, and each counts."""
    size, quality, partials = params.get("size"), params.get("quality"), params.get("partial_images") or 0
    if not isinstance(quality, str | None) or not isinstance(size, str | None) or not _is_number(partials):
        return None
    span = _picture_tokens(model, size or "auto", quality or "auto", target)
    if span is None:
        return None
    per_partial = _tables().models[model].partial_tokens if params.get("stream") is True else 0
    return span[0], span[1] + int(partials) * per_partial


@functools.lru_cache(maxsize=1024)
def _picture_tokens(model: str, size: str, quality: str, target: tuple[int, int] | None) -> tuple[int, int] | None:
    known = _tables().models.get(model)
    if known is None:
        return None
    fixed = target or _edges(size)
    sizes = (fixed,) if fixed else known.auto_sizes if size == "auto" else ()
    qualities = known.factors if quality == "auto" else (quality,)
    counts = [output_tokens(model, *edges, one) for edges in sizes for one in qualities]
    tokens = [count for count in counts if count is not None]
    return (min(tokens), max(tokens)) if tokens and len(tokens) == len(counts) else None


def _input_range(
    model: str, images: Sequence[InputFile], mask: InputFile | None, rates: Mapping[str, float]
) -> tuple[float, float] | None:
    """The least and the most the inputs cost, in millionths of a dollar. Nobody says whether a mask counts: it may."""
    spans = [input_image_tokens(model, image.width, image.height) for image in (*images, *([mask] if mask else ()))]
    known = [span for span in spans if span is not None]
    if len(known) != len(spans):
        return None
    least = sum(low for low, _ in known[: len(images)])
    return least * rates["image_in"], sum(high for _, high in known) * rates["image_in"]


def _text_range(prompt: str) -> tuple[int, int]:
    """The least and the most tokens of a prompt.

    A byte-level tokeniser never makes more tokens than bytes, so the high one is a bound and not a guess; the overhead
    is what an answer counts beyond the prompt's own words.
    """
    length = len(prompt) if prompt.isascii() else len(prompt.encode("utf-8", "replace"))
    return -(-length // _CHEAPEST_BYTES_PER_TOKEN), length + _PROMPT_OVERHEAD_TOKENS


def cost(
    usage: Mapping[str, Any] | None, prices: Any, *, model: str | None = None, params: Mapping[str, Any] | None = None
) -> float | None:
    """What an answer cost, in USD, from its `usage` and the provider's prices; None when that cannot be told.

    Per-image prices need no usage, but `params` that fix the price. Fewer output tokens than the smallest picture has
    are a gateway's placeholder (some report 1), not a count. Input tokens without a split count at the dearer rate.
    """
    sent = params or {}
    if _is_number(prices) or (isinstance(prices, Mapping) and "per_image" in prices):
        price = estimate(model=model, params=sent, prompt="", prices=prices)
        return price.high_usd if price and price.low_usd == price.high_usd else None
    rates = _rates(model, prices)
    if rates is None or not isinstance(usage, Mapping):
        return None
    output = _count(usage.get("output_tokens"))
    if output is None or output < _FEWEST_OUTPUT_TOKENS:
        return None
    spent = _input_cost(usage, rates)
    return None if spent is None else _dollars(spent + output * rates["image_out"])


def _count(value: Any) -> int | None:
    """A token count that can be one; None for anything else a server may have put there."""
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
    return value if fits else None


def _input_cost(usage: Mapping[str, Any], rates: Mapping[str, float]) -> float | None:
    details = usage.get("input_tokens_details")
    split = details if isinstance(details, Mapping) else {}
    text, image = _count(split.get("text_tokens")), _count(split.get("image_tokens"))
    if text is not None and image is not None:
        return text * rates["text_in"] + image * rates["image_in"]
    total = _count(usage.get("input_tokens"))
    return None if total is None else total * max(rates["text_in"], rates["image_in"])


def expected_seconds(model: str | None, params: Mapping[str, Any], *, images: int = 0) -> float:
    """About how long one picture takes, in seconds, with `images` references; for the time estimate only."""
    known = _tables().models.get(model or "")
    if known is None:
        return _tables().other_seconds
    width, height = _edges(params.get("size")) or (1024, 1024)
    base = known.seconds.get(str(params.get("quality")), known.seconds["auto"])
    further = max(0.0, width * height / _MILLION - 1)
    return base * (1 + known.seconds_per_megapixel * further) + known.seconds_per_reference * images
