"""Which sizes a provider makes: a list, presets, or a rule over width and height. Pure.

Sizes are `WIDTHxHEIGHT` in pixels, `auto`, or a preset such as `16:9` that the gateway maps itself.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from batchgen.request import Operation

__all__ = ["SizePolicy", "SizeRule", "listed", "nearest", "size_problem", "target"]

_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)
_RATIO = re.compile(r"([1-9]\d{0,3}):([1-9]\d{0,3})", re.ASCII)
_SLOPPY = re.compile(r"\s*0*(\d{1,5})\s*[xX×✕*,]\s*0*(\d{1,5})\s*", re.ASCII)
_TYPICAL_PIXELS = 1536 * 1024
_SUGGESTIONS = 3
_HARDLY_OTHER = 0.05
_WIDEST = 4.0
"""Long edge over short edge of the most extreme picture that somebody may mean where no rule bounds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRule:
    """Bounds on free sizes. Edges and pixels are in pixels; `max_ratio` is long edge over short edge."""

    multiple_of: int = 1
    min_edge: int = 1
    max_edge: int = 3840
    max_ratio: float = math.inf
    min_pixels: int = 1
    max_pixels: int = 3840 * 3840

    def broken(self, width: int, height: int) -> str:
        """What the size breaks, in words; empty when it breaks nothing."""
        long, short, pixels = max(width, height), min(width, height), width * height
        if short < self.min_edge:
            return f"the shortest edge must be {self.min_edge}"
        if width % self.multiple_of or height % self.multiple_of:
            return f"both edges must be multiples of {self.multiple_of}"
        if long > self.max_edge:
            return f"the longest edge may be {self.max_edge}"
        if long > short * self.max_ratio:
            return f"the long edge may be at most {self.max_ratio:g} times the short one"
        if pixels < self.min_pixels:
            return f"{pixels:,} pixels are too few, the least is {self.min_pixels:,}"
        return f"{pixels:,} pixels are too many, the most is {self.max_pixels:,}" if pixels > self.max_pixels else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizePolicy:
    """What `size` may be.

    `named` are the sizes the provider's document lists, `presets` map a name to the `WIDTHxHEIGHT` the gateway makes of
    it. `rule` admits every size within it as well. `free` admits anything.
    """

    named: tuple[str, ...] = ()
    presets: Mapping[str, str] = field(default_factory=dict)
    rule: SizeRule | None = None
    free: bool = False

    def admits(self, size: str) -> bool:
        """Whether the provider takes this size as written."""
        if self.free or size in self.named or size in self.presets:
            return True
        match = _SIZE.fullmatch(size)
        return bool(self.rule and match and not self.rule.broken(int(match[1]), int(match[2])))


class HasSizes(Protocol):
    """What `listed` needs of a provider."""

    @property
    def sizes(self) -> Mapping[Operation, SizePolicy]:
        """The policy per operation."""
        ...


def listed(provider: HasSizes, operation: Operation) -> tuple[str, ...]:
    """Exactly the sizes and presets of the provider's document, in its order."""
    policy = provider.sizes[operation]
    return (*policy.named, *policy.presets)


def target(policy: SizePolicy, size: str) -> tuple[int, int] | None:
    """Width and height in pixels that the size stands for; None for `auto` and for names nobody documented."""
    match = _SIZE.fullmatch(policy.presets.get(size, size))
    return (int(match[1]), int(match[2])) if match else None


def size_problem(policy: SizePolicy, size: str) -> str:
    """What is wrong with the size and which ones are near; empty when it is fine."""
    if policy.admits(size):
        return ""
    match = _SIZE.fullmatch(size)
    broken = policy.rule.broken(int(match[1]), int(match[2])) if policy.rule and match else ""
    reason = f" is not a size here: {broken}" if broken else " is not a size here"
    return f"'{size}'{reason} ({_expected(policy)}){_advice(policy, size)}"


def _expected(policy: SizePolicy) -> str:
    sizes = ", ".join((*policy.named, *policy.presets))
    if not policy.rule:
        return f"expected {sizes}"
    return f"expected {sizes}, or any size within the rule" if sizes else "expected WIDTHxHEIGHT within the rule"


def _advice(policy: SizePolicy, size: str) -> str:
    near = nearest(policy, size)
    return f"; near it: {', '.join(near)}" if near else "; write it as WIDTHxHEIGHT, for instance 1024x1024"


def nearest(policy: SizePolicy, size: str) -> tuple[str, ...]:
    """Up to three admitted sizes: one that hardly differs, then those of the same shape, then the closest others.

    A shape beyond what the rule bounds gets one size of the rule at most, and popular ones. Empty for what is no size
    at all. `1024×1024`, `1024X1024` and ratios are understood.
    """
    wished = _wished(size)
    if wished is None:
        return ()
    spelled = f"{wished[0]}x{wished[1]}"
    if size != spelled and policy.admits(spelled) and not _RATIO.fullmatch(size):
        return (spelled,)
    free = set(_within(policy.rule, *wished)) if policy.rule else set()
    named = {name for name in (*policy.named, *policy.presets) if target(policy, name)}
    pixels = {name: target(policy, name) or wished for name in free | named}
    ranked = sorted(pixels, key=lambda name: (_distance(pixels[name], wished), name in policy.presets, name))
    if policy.rule and _is_extreme(policy.rule, wished) and named:
        bounded = [name for name in ranked if name in free][: 1 if policy.rule.max_ratio < math.inf else 0]
        return _unlike((*bounded, *(name for name in ranked if name in named)), pixels)
    # Neighbours on the grid are all alike: one of them is enough when there are sizes of the very shape.
    same_shape = [name for name in ranked if pixels[name][0] * wished[1] == pixels[name][1] * wished[0]]
    hardly_other = [name for name in ranked if _edge_difference(pixels[name], wished) < _HARDLY_OTHER]
    first = sorted(hardly_other, key=lambda name: _edge_difference(pixels[name], wished))[:1]
    if _RATIO.fullmatch(size):
        first = [name for name in same_shape if name in policy.named]
    return _unlike((*first, *same_shape, *ranked), pixels)


def _unlike(names: Iterable[str], pixels: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    """The first few names that stand for different sizes."""
    unlike: dict[tuple[int, int], str] = {}
    for name in names:
        unlike.setdefault(pixels[name], name)
    return tuple(unlike.values())[:_SUGGESTIONS]


def _is_extreme(rule: SizeRule, size: tuple[int, int]) -> bool:
    return max(size) > min(size) * min(rule.max_ratio, _WIDEST)


def _edge_difference(size: tuple[int, int], wished: tuple[int, int]) -> float:
    return sum(abs(edge - wish) / wish for edge, wish in zip(size, wished, strict=True))


def _wished(size: str) -> tuple[int, int] | None:
    """The width and height that somebody meant; a ratio means a picture of about 1.5 megapixels."""
    if match := _SLOPPY.fullmatch(size):
        width, height = int(match[1]), int(match[2])
        return (width, height) if width and height else None
    if match := _RATIO.fullmatch(size):
        ratio = Fraction(int(match[1]), int(match[2]))
        times = max(1, round(math.sqrt(_TYPICAL_PIXELS / (ratio.numerator * ratio.denominator))))
        return ratio.numerator * times, ratio.denominator * times
    return None


def _distance(size: tuple[int, int], wished: tuple[int, int]) -> float:
    """Shape counts more than area: a banner cut to a square is the worse surprise."""
    shape = abs(math.log(size[0] / size[1]) - math.log(wished[0] / wished[1]))
    area = abs(math.log(size[0] * size[1]) - math.log(wished[0] * wished[1]))
    return 4 * shape + area


def _within(rule: SizeRule, width: int, height: int) -> Iterator[str]:
    """Sizes of the rule around a wished one: the grid points next to it, and those of exactly its ratio."""
    fitted_width, fitted_height = _fitted(rule, width, height)
    step = rule.multiple_of
    for column in _steps(fitted_width, step):
        for row in _steps(fitted_height, step):
            if not rule.broken(column, row):
                yield f"{column}x{row}"
    ratio = Fraction(width, height)
    unit_width, unit_height = ratio.numerator * step, ratio.denominator * step
    for times in _steps(math.sqrt(fitted_width * fitted_height / (unit_width * unit_height)), 1):
        if not rule.broken(unit_width * times, unit_height * times):
            yield f"{unit_width * times}x{unit_height * times}"


def _fitted(rule: SizeRule, width: int, height: int) -> tuple[float, float]:
    """The size scaled, in its shape as far as the rule has it, to where edge and pixel bounds hold."""
    ratio = min(max(width / height, 1 / rule.max_ratio), rule.max_ratio)
    pixels = min(max(width * height, rule.min_pixels), rule.max_pixels)
    fitted_width, fitted_height = math.sqrt(pixels * ratio), math.sqrt(pixels / ratio)
    shrink = min(1.0, rule.max_edge / max(fitted_width, fitted_height))
    return fitted_width * shrink, fitted_height * shrink


def _steps(length: float, step: int) -> tuple[int, ...]:
    """The multiples of `step` around a length, from 1 step on."""
    below = int(length // step)
    return tuple(step * count for count in range(max(1, below - 1), below + 3))
