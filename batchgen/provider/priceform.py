"""How prices are written in provider data. `plan.price` makes dollars of them; here only the form is held."""

from collections.abc import Mapping
from typing import Any

from batchgen.provider import readers
from batchgen.provider.readers import Reader

__all__ = ["Prices", "read_prices"]

Prices = float | str | Mapping[str, Any] | None
"""None: unknown. `list`: what the model's maker charges. A number: USD per image. A mapping: `per_image` (a table by
quality, by size or by both, with `default`) or `per_million_tokens` (USD for text_in, image_in and image_out)."""

_dollars = readers.number()
_TOKEN_PRICES: dict[str, Reader[Any]] = {"text_in": _dollars, "image_in": _dollars, "image_out": _dollars}


def read_prices(value: Any) -> Prices:
    """Prices in one of the forms above. Raises WrongValueError."""
    if value == "list":
        return "list"
    if not isinstance(value, Mapping):
        return _dollars(value)
    forms: dict[str, Reader[Any]] = {"per_image": _table, "per_million_tokens": _tokens}
    return _members(value, forms, "exactly one of per_image, per_million_tokens", least=1)


def _table(value: Any) -> Any:
    """USD, or a table of USD by quality and then size, or by size and then quality."""
    return readers.mapping_of(_column)(value) if isinstance(value, Mapping) else _dollars(value)


def _column(value: Any) -> Any:
    return readers.mapping_of(_dollars)(value) if isinstance(value, Mapping) else _dollars(value)


def _tokens(value: Any) -> dict[str, Any]:
    expected = "exactly text_in, image_in and image_out, in USD per million tokens"
    return _members(value, _TOKEN_PRICES, expected, least=len(_TOKEN_PRICES))


def _members(value: Any, known: Mapping[str, Reader[Any]], expected: str, *, least: int) -> dict[str, Any]:
    members = readers.mapping_value(value)
    if not members.keys() <= known.keys() or len(members) != least:
        raise readers.misfit(value, expected)
    read = readers.read_each((name, item, known[name]) for name, item in members.items())
    return {str(name): item for name, item in read.items()}
