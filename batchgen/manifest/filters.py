"""What an expression may do with a value: an allow-list of filters and tests, none of which can grow without bound.

`replace` and `join` multiply when they are chained, and `round` raises ten to the power that it is given; these are
written here and measure first. The result of every filter is measured as well.
"""

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from jinja2 import filters, tests

from batchgen.manifest.naming import clean_path, slug

__all__ = ["FILTERS", "RESULT_LIMIT", "TESTS", "TooLongError", "add", "concat"]

RESULT_LIMIT: Final = 32_000
"""Characters in a rendered text: the prompt limit in OpenAI's API schema."""

_PLACES_LIMIT: Final = 15
"""Digits that a float can hold after the point."""


class TooLongError(ValueError):
    """A step of an expression gives more than `RESULT_LIMIT` characters or items."""

    def __init__(self, length: int) -> None:
        super().__init__(f"gives {length:,} characters (at most {RESULT_LIMIT:,})")


def within(length: int) -> None:
    """Raise TooLongError when `length` is above the limit."""
    if length > RESULT_LIMIT:
        raise TooLongError(length)


def concat(parts: Iterable[Any]) -> str:
    """The operator `~`."""
    texts = [_text(part) for part in parts]
    within(sum(map(len, texts)))
    return "".join(texts)


def add(left: Any, right: Any) -> Any:
    """The operator `+`, on numbers, texts and lists."""
    if isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
        within(len(left) + len(right))
    return left + right


def _text(value: Any) -> str:
    # str() of an undefined value raises, with its name in the message: exactly what is wanted here.
    return value if type(value) is str else str(value)


def _join(value: Iterable[Any], d: str = "", attribute: str | None = None) -> str:
    items = list(value)
    if attribute is not None:
        items = [item[attribute] for item in items]
    texts = [_text(item) for item in items]
    within(sum(map(len, texts)) + len(d) * max(0, len(texts) - 1))
    return d.join(texts)


def _replace(value: Any, old: str, new: str, count: int = -1) -> str:
    text = _text(value)
    times = text.count(old) if count < 0 else min(count, text.count(old))
    within(len(text) + times * (len(new) - len(old)))
    return text.replace(old, new, count)


def _round(value: float | str, precision: int = 0) -> float:
    if abs(precision) > _PLACES_LIMIT:
        message = f"round takes at most {_PLACES_LIMIT} places, not {precision}"
        raise ValueError(message)
    return round(float(value), precision)


def _slug(value: Any, limit: int = 40) -> str:
    return slug(_text(value), limit)


def _path(value: Any) -> str:
    return clean_path(_text(value))


def _tojson(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _measured(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def measured(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if isinstance(result, str | list | tuple):
            within(len(result))
        return result

    return measured


_PLAIN: Final[dict[str, Callable[..., Any]]] = {
    "capitalize": filters.do_capitalize,
    "d": filters.do_default,
    "default": filters.do_default,
    "first": filters.do_first,
    "float": filters.do_float,
    "int": filters.do_int,
    "join": _join,
    "last": filters.do_last,
    "length": len,
    "list": filters.do_list,
    "lower": filters.do_lower,
    "path": _path,
    "replace": _replace,
    "round": _round,
    "slug": _slug,
    "title": filters.do_title,
    "tojson": _tojson,
    "trim": filters.do_trim,
    "truncate": filters.do_truncate,
    "upper": filters.do_upper,
}

FILTERS: Final[Mapping[str, Callable[..., Any]]] = dict(zip(_PLAIN, map(_measured, _PLAIN.values()), strict=True))
"""The filters by name."""

TESTS: Final[Mapping[str, Callable[..., Any]]] = {
    name: cast("Callable[..., Any]", tests.TESTS[name])
    for name in (
        *("defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false"),
        *("mapping", "sequence", "lower", "upper", "in", "odd", "even"),
        *("eq", "ne", "lt", "le", "gt", "ge", "==", "!=", "<", "<=", ">", ">="),
    )
}
"""The tests (`x is defined`) by name."""
