"""Small readers that turn the plain values of a YAML file into typed ones, and say all that is wrong with them.

A reader takes a value and returns what it means, or raises WrongValueError. Readers of containers gather what their
members say, so that a file with five mistakes gives five messages.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

__all__ = [
    "Finding",
    "Keys",
    "Reader",
    "WrongValueError",
    "as_list",
    "choice",
    "flag",
    "items_of",
    "mapping_of",
    "mapping_value",
    "misfit",
    "number",
    "pattern",
    "read_each",
    "refuse_unknown",
    "text",
    "whole",
]

Keys = tuple[str | int, ...]
"""The way to a value: `("sizes", "edit", 0)`."""

Finding = tuple[Keys, str]
"""Where something is wrong, and the message."""

T = TypeVar("T")
Reader = Callable[[Any], T]


class WrongValueError(ValueError):
    """Something in a value is wrong. `findings` holds all of it, each with its keys below the value."""

    def __init__(self, findings: str | Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = (((), findings),) if isinstance(findings, str) else tuple(findings)
        super().__init__("; ".join(message for _, message in self.findings))


def read_each(members: Iterable[tuple[str | int, Any, Reader[Any]]]) -> dict[str | int, Any]:
    """Read every member; raises one WrongValueError with the findings of all."""
    values: dict[str | int, Any] = {}
    findings: list[Finding] = []
    for key, value, reader in members:
        try:
            values[key] = reader(value)
        except WrongValueError as error:
            findings += (((key, *keys), message) for keys, message in error.findings)
    if findings:
        raise WrongValueError(findings)
    return values


def misfit(value: Any, expected: str) -> WrongValueError:
    """The error for a value of the wrong kind."""
    return WrongValueError(f"{value!r} does not fit (expected {expected})")


def text(value: Any) -> str:
    """Non-empty text without control characters."""
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value
    raise misfit(value, "text")


def pattern(expression: str, expected: str) -> Reader[str]:
    """Text that matches the whole expression."""
    compiled = re.compile(expression, re.ASCII)

    def read(value: Any) -> str:
        if isinstance(value, str) and compiled.fullmatch(value):
            return value
        raise misfit(value, expected)

    return read


def choice(*allowed: str) -> Reader[str]:
    """One of a few words."""

    def read(value: Any) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise misfit(value, " or ".join(allowed))

    return read


def flag(value: Any) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    raise misfit(value, "true or false")


def whole(least: int) -> Reader[int]:
    """A whole number from `least` on."""

    def read(value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        raise misfit(value, f"a whole number from {least} on")

    return read


def number(*, above: float | None = None) -> Reader[float]:
    """A finite number: above `above`, or from 0 on."""

    def read(value: Any) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if fits and (value >= 0 if above is None else value > above):
            return float(value)
        raise misfit(value, "a number from 0 on" if above is None else f"a number above {above:g}")

    return read


def items_of(reader: Reader[T], expected: str = "a list") -> Reader[tuple[T, ...]]:
    """A list of what `reader` reads."""

    def read(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise misfit(value, expected)
        return tuple(read_each((index, item, reader) for index, item in enumerate(value)).values())

    return read


def as_list(reader: Reader[T], expected: str = "a list") -> Reader[tuple[T, ...]]:
    """A list of what `reader` reads, or one of it alone."""
    several = items_of(reader, expected)

    def read(value: Any) -> tuple[T, ...]:
        return several(value) if isinstance(value, list | tuple) else (reader(value),)

    return read


def mapping_value(value: Any) -> dict[str, Any]:
    """A mapping with text keys and any values."""
    if not isinstance(value, Mapping):
        raise misfit(value, "a mapping")
    foreign = [key for key in value if not isinstance(key, str)]
    if foreign:
        message = f"the key {foreign[0]!r} is not text; put it in quotes"
        raise WrongValueError(message)
    return dict(value)


def mapping_of(reader: Reader[T], *, key: Reader[str] = text) -> Reader[dict[str, T]]:
    """A mapping whose values `reader` reads and whose keys `key` accepts."""

    def read(value: Any) -> dict[str, T]:
        def member(name: str) -> T:
            key(name)
            return reader(members[name])

        members = mapping_value(value)
        return {str(name): item for name, item in read_each((name, name, member) for name in members).items()}

    return read


def refuse_unknown(value: Mapping[str, Any], known: Iterable[str], suggest: Callable[[str], str]) -> list[Finding]:
    """A finding for each key that is not known; `suggest` gives the end of its message."""
    names = frozenset(known)
    return [((key,), f"unknown key '{key}'{suggest(key)}") for key in value if key not in names]
