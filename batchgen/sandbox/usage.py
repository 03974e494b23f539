"""Tokens and list price of a picture, by the public formulas, independent of `batchgen.plan.price`.

Output: the calculator on OpenAI's price page. Input images: 32 pixel patches after fitting to 1024, at most 1536 each.
Text: four bytes a token and an overhead of six, which gives the 8 tokens of the documented sample.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Usage", "seconds_for", "usage_of"]

_FACTOR = {"low": 16, "medium": 48, "high": 96}
_TEXT_USD, _IMAGE_IN_USD, _IMAGE_OUT_USD = 5e-6, 8e-6, 30e-6
_PARTIAL_TOKENS = 100
_MOST_PATCHES = 1536
_SECONDS = {"low": 12.0, "medium": 45.0, "high": 140.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one request: text in, images in, images out."""

    text: int
    images_in: int
    images_out: int

    @property
    def price_usd(self) -> float:
        """List price in dollars."""
        return self.text * _TEXT_USD + self.images_in * _IMAGE_IN_USD + self.images_out * _IMAGE_OUT_USD

    def as_json(self, *, details: bool) -> dict[str, object]:
        """The `usage` object of an answer; stream events have no `output_tokens_details`."""
        shown: dict[str, object] = {
            "input_tokens": self.text + self.images_in,
            "input_tokens_details": {"text_tokens": self.text, "image_tokens": self.images_in},
            "output_tokens": self.images_out,
            "total_tokens": self.text + self.images_in + self.images_out,
        }
        if details:
            shown["output_tokens_details"] = {"image_tokens": self.images_out, "text_tokens": 0}
        return shown


def usage_of(
    *,
    prompt: str,
    width: int,
    height: int,
    quality: str,
    count: int,
    partial_images: int,
    references: Iterable[tuple[int, int]],
) -> Usage:
    """Tokens of a request for `count` pictures of `width` x `height` pixels with references of the given pixels."""
    each = output_tokens(width, height, quality) + partial_images * _PARTIAL_TOKENS
    return Usage(
        text=6 + math.ceil(len(prompt.encode("utf-8", "surrogatepass")) / 4),
        images_in=sum(_patches(w, h) for w, h in references),
        images_out=each * count,
    )


def output_tokens(width: int, height: int, quality: str) -> int:
    """Output tokens of one picture; integers only, so that halves round up as on the price page."""
    factor, short, long = _FACTOR[quality], min(width, height), max(width, height)
    shorter = (2 * factor * short + long) // (2 * long)
    return -(-factor * shorter * (2_000_000 + width * height) // 4_000_000)


def _patches(width: int, height: int) -> int:
    scale = min(2.0, 1024 / max(width, height))
    return min(_MOST_PATCHES, math.ceil(width * scale / 32) * math.ceil(height * scale / 32))


def seconds_for(*, width: int, height: int, quality: str, spread: float) -> float:
    """A plausible wait in seconds, as measured for the real model; `spread` from 0 to 1 moves it by a quarter."""
    return _SECONDS[quality] * math.sqrt(width * height / 2**20) * (0.75 + 0.5 * spread)
