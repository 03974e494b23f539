"""The request id: a hash of what the API receives, and nothing else.

The id decides what is bought. It therefore holds everything that changes the picture (job, operation, model,
prompt, parameters, bytes of the inputs, take, redo count, period) and nothing cosmetic (slot, path, order,
provider, limits), so that no renaming and no change of gateway ever buys an image again. The text that is hashed
carries its scheme version and may never change: a file of golden ids in the tests holds it.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from operator import itemgetter
from typing import Any

__all__ = ["NOT_IN_ID", "SCHEME", "bucket", "canonical", "changed_fields", "is_bucket", "request_id"]

SCHEME = 1
"""Version of the canonical text. A new one is a new id, and so a new purchase, for everything."""

NOT_IN_ID = frozenset({"response_format", "stream", "partial_images", "user"})
"""Parameters that say how the answer travels or who asks; the picture is the same with and without them."""

_ID_LENGTH = 32
_EXACT_INTEGERS = 2**53
_FIRST_FIELDS = ("prompt", "model", "size", "quality")
_LAST_FIELDS = ("mask", "take", "redo", "period", "operation", "job", "id scheme")
_SURROGATE = re.compile("[\ud800-\udfff]")

_quote = json.encoder.encode_basestring
_name = itemgetter(0)
_WRITERS: Mapping[type, Callable[[Any], str]] = {
    str: _quote,
    int: int.__repr__,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
}
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def request_id(
    *,
    job: str,
    operation: str,
    prompt: str,
    params: Mapping[str, Any],
    image_hashes: Sequence[str] = (),
    mask_hash: str | None = None,
    take: int = 1,
    redo: int = 0,
    period: str | None = None,
) -> str:
    """The first 32 hex digits of the SHA-256 of `canonical` of the same arguments.

    Raises ValueError as `canonical` does.
    """
    text = canonical(
        job=job,
        operation=operation,
        prompt=prompt,
        params=params,
        image_hashes=image_hashes,
        mask_hash=mask_hash,
        take=take,
        redo=redo,
        period=period,
    )
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]


def canonical(
    *,
    job: str,
    operation: str,
    prompt: str,
    params: Mapping[str, Any],
    image_hashes: Sequence[str] = (),
    mask_hash: str | None = None,
    take: int = 1,
    redo: int = 0,
    period: str | None = None,
) -> str:
    """The canonical JSON of a request: keys sorted, no spaces, nothing escaped that need not be.

    `params` are the parameters the manifest asks for, model included, before a provider adds, renames or drops
    anything; those of `NOT_IN_ID` are left out. Keys sort by code point. A whole float is written as an integer
    (as RFC 8785 does), so `1.0` and `1` are one request. Raises ValueError for what JSON cannot say or no server
    can receive: NaN, infinity, a key that is not text, a lone surrogate, a value of a foreign type.
    """
    text = (
        f'{{"images":{_hashes(image_hashes)},"job":{_quote(job)},"mask":{_optional(mask_hash)},'
        f'"operation":{_quote(operation)},"params":{_params(params)},"period":{_optional(period)},'
        f'"prompt":{_quote(prompt)},"redo":{redo:d},"take":{take:d},"v":{SCHEME}}}'
    )
    # A surrogate would fail only at the hash, far from whoever wrote it. `isascii` is the cheap way round.
    if not text.isascii() and _SURROGATE.search(text):
        message = "the request holds a lone surrogate, which UTF-8 cannot carry"
        raise ValueError(message)
    return text


def _hashes(hashes: Sequence[str]) -> str:
    return f"[{','.join(map(_quote, hashes))}]" if hashes else "[]"


def _optional(text: str | None) -> str:
    return "null" if text is None else _quote(text)


def _params(params: Mapping[str, Any]) -> str:
    """Text and whole numbers, which is nearly all there is, are written here: a million requests wait for it."""
    kept = [(name, value) for name, value in params.items() if name not in NOT_IN_ID]
    if any(type(name) is not str or type(value) not in _WRITERS for name, value in kept):
        return _encode(_normal(dict(kept)))
    kept.sort(key=_name)
    return f"{{{','.join([f'{_quote(name)}:{_WRITERS[type(value)](value)}' for name, value in kept])}}}"


def _normal(value: Any) -> Any:
    """The value with whole floats as integers; subclasses of the JSON types become the plain types."""
    if isinstance(value, Mapping):
        return {_text_key(key): _normal(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(inner) for inner in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT_INTEGERS else float(value)
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int):
        return value
    message = f"a request cannot hold a value of type {type(value).__name__}"
    raise ValueError(message)


def _text_key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    message = f"{key!r} is not text and cannot name a parameter"
    raise ValueError(message)


def changed_fields(old_asked: str, new_asked: str) -> tuple[str, ...]:
    """What differs between two canonical texts, in words people know: `prompt`, `size`, `image 2`, `mask`, `take`.

    Empty when the texts are equal. A text that cannot be read any more gives `("request",)`: still a change.
    """
    if old_asked == new_asked:
        return ()
    old, new = _fields(old_asked), _fields(new_asked)
    changed = [name for name in {**new, **old} if old.get(name) != new.get(name)]
    return tuple(sorted(changed, key=_reading_order)) if old and new and changed else ("request",)


def _fields(asked: str) -> dict[str, str]:
    """The text's fields by readable name; values stay JSON, so that `true` and `1` differ. Empty if unreadable."""
    try:
        body = json.loads(asked)
        params, images = body.pop("params").items(), enumerate(body.pop("images"), start=1)
        named = {f"request.{name}" if name in body else name: value for name, value in params}
        named |= {f"image {number}": digest for number, digest in images}
        named |= {"id scheme" if name == "v" else name: value for name, value in body.items()}
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return {}
    return {name: json.dumps(value, sort_keys=True) for name, value in named.items()}


def _reading_order(name: str) -> tuple[int, str]:
    """What people change most comes first; the bookkeeping comes last."""
    if name in _FIRST_FIELDS:
        return _FIRST_FIELDS.index(name), ""
    if name in _LAST_FIELDS:
        return 100 + _LAST_FIELDS.index(name), ""
    number = name.removeprefix("image ")
    return (51, f"{number:>9}") if number != name else (50, name)


def bucket(period: str, moment: datetime) -> str:
    """The UTC bucket of a moment: `2026-11-20` (daily), `2026-W47` (weekly, ISO 8601) or `2026-11` (monthly).

    `moment` must know its time zone: a naive one would mean another day on another machine. Raises ValueError for
    a naive moment or an unknown period.
    """
    if moment.tzinfo is None:
        message = "a bucket needs a moment with a time zone"
        raise ValueError(message)
    return _bucket_of_day(period, moment.astimezone(UTC).date())


def _bucket_of_day(period: str, day: date) -> str:
    if period == "daily":
        return day.isoformat()
    if period == "weekly":
        week = day.isocalendar()
        return f"{week.year:04d}-W{week.week:02d}"
    if period == "monthly":
        return f"{day.year:04d}-{day.month:02d}"
    message = f"{period!r} is no period (expected daily, weekly or monthly)"
    raise ValueError(message)


def is_bucket(period: str, text: str) -> bool:
    """Whether `text` is a bucket that this period can have: `2026-W53` is one, `2025-W53` is not.

    Raises ValueError for an unknown period.
    """
    spelled = {"daily": text, "weekly": f"{text}-1", "monthly": f"{text}-01"}.get(period, "")
    try:
        day = date.fromisoformat(spelled)
    except ValueError:
        return _bucket_of_day(period, date.min) == text
    return _bucket_of_day(period, day) == text
