"""The small envelope of an answer: foreign JSON that may be anything becomes harmless values, and never raises."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from batchgen.safetext import Scrubber

__all__ = ["echoed", "image_url", "parse", "revised_prompt", "usage"]

_LONGEST_INTEGER = 20
_LARGEST = 2**63
_USAGE_FIELDS = 32
_USAGE_DEPTH = 3
_USAGE_NAME_CHARACTERS = 64
_ECHOED = ("size", "quality", "output_format", "background", "model")
_PROMPT_CHARACTERS = 32_000
_URL = re.compile(r"https?://[^\x00-\x20\x7f\\\"<>^`{|}\ud800-\udfff]{1,8000}\Z", re.IGNORECASE)


def parse(text: bytes) -> dict[str, Any] | None:
    """The JSON object in `text`, or None if there is none that can be read.

    What Python's parser takes too literally is defused: integers longer than 20 digits become 0 (converting them is
    quadratic and capped by the interpreter), and NaN and infinities become None. Of duplicate keys the last wins.
    """
    try:
        found = json.loads(text.decode("utf-8", "replace"), strict=False, parse_int=_integer, parse_constant=_nothing)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def usage(body: Mapping[str, Any], scrub: Scrubber) -> Mapping[str, Any] | None:
    """`usage` with nothing in it but finite numbers and mappings of them, under short plain names, or None."""
    found = body.get("usage")
    return (_numbers(found, _USAGE_DEPTH, scrub) or None) if isinstance(found, Mapping) else None


def image_url(body: Mapping[str, Any]) -> str | None:
    """The first http or https address that the answer gives for its image. Empty strings count as absent."""
    for item in _items(body):
        url = item.get("url")
        if isinstance(url, str) and _URL.match(url.strip()):
            return url.strip()
    return None


def revised_prompt(body: Mapping[str, Any], scrub: Scrubber) -> str | None:
    """The prompt that the server really used, cleaned, or None."""
    for item in _items(body):
        found = item.get("revised_prompt")
        if isinstance(found, str) and found.strip():
            return scrub.text(found, limit=_PROMPT_CHARACTERS)
    return None


def echoed(body: Mapping[str, Any], scrub: Scrubber) -> dict[str, str]:
    """What the server says it made: the fields it repeats, cleaned."""
    found = {name: body.get(name) for name in _ECHOED}
    return {name: scrub.text(value, limit=64) for name, value in found.items() if isinstance(value, str) and value}


def _items(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield body
    for name in ("data", "images"):
        found = body.get(name)
        found = found.get("data", found) if isinstance(found, Mapping) else found
        yield from (item for item in (found if isinstance(found, list) else [found]) if isinstance(item, Mapping))


def _numbers(found: Mapping[str, Any], depth: int, scrub: Scrubber) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in list(found.items())[:_USAGE_FIELDS]:
        # A name goes into the ledger as it is, so one that holds a secret is none.
        if not (name.isidentifier() and name.isascii() and scrub.text(name, limit=_USAGE_NAME_CHARACTERS) == name):
            continue
        if isinstance(value, Mapping) and depth > 1:
            kept[name] = _numbers(value, depth - 1, scrub)
        elif (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and abs(value) < _LARGEST
        ):
            kept[name] = value
    return kept


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else 0


def _nothing(_: str) -> None:
    return None
