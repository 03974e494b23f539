"""What is left of a manifest with mistakes, to look for more of them. Never for sending.

A key that is left out must not make mistakes of others: without `vars` every template is wrong, and without
`output_format` its compression is. So only what nothing else hangs on is left out.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from batchgen.manifest.fields import LABEL
from batchgen.manifest.marks import Keys
from batchgen.manifest.schema import Document, RequestBlock
from batchgen.manifest.wording import near

__all__ = ["salvaged"]

_STAND_INS: Mapping[str, Any] = {"version": 1, "name": "job"}
_ALONE = frozenset(
    {"version", "name", "description", "limits", "retry", "output", "repeat", "post", "review", "notify"}
)
"""Top-level keys on which no other one hangs."""
_DECISIVE = frozenset({"model", "output_format", "stream"})
"""Parameters that decide what others may be."""


def salvaged(values: Mapping[str, Any], error: ValidationError) -> Document | None:
    """The document without what `error` is about; None when something else hangs on that. Changes no value in place."""
    left = dict(values)
    for details in error.errors(include_url=False):
        keys = tuple(part for part in details["loc"] if not (isinstance(part, str) and part.startswith(LABEL)))
        if not keys or not _take_out(left, keys):
            return None
    try:
        return Document.model_validate({**_STAND_INS, **left})
    except ValidationError:
        return None


def _take_out(left: dict[str, Any], keys: Keys) -> bool:
    top = keys[0]
    if top in Document.model_fields and top not in {"request", "prompts"}:
        left.pop(str(top), None)
        return top in _ALONE
    if len(keys) == 1 and top not in Document.model_fields:
        left.pop(str(top), None)
        return bool(_ALONE.intersection(near(str(top), Document.model_fields)))
    way, name = _parameter(keys)
    if name is None or _DECISIVE.intersection((name, *near(name, RequestBlock.model_fields))):
        return False
    _remove(left, (*way, name))
    return True


def _parameter(keys: Keys) -> tuple[Keys, str | None]:
    """The way to the request block that the keys lead into, and the parameter there."""
    way = keys[: 1 if keys[0] == "request" else 3]
    name = keys[len(way)] if way[-1] == "request" and len(keys) > len(way) else None
    return way, name if isinstance(name, str) else None


def _remove(left: dict[str, Any], keys: Keys) -> None:
    """Remove a member deep inside; what is on the way is copied, for aliases share their values."""
    holder: Any = left
    for key in keys[:-1]:
        holder[key] = holder[key].copy()
        holder = holder[key]
    holder.pop(keys[-1], None)
