"""YAML 1.2 core schema: what an unquoted scalar means (https://yaml.org/spec/1.2.2/ section 10.3.2).

Two deliberate differences. Digits with a leading zero (`0123`) stay text, as in the JSON schema of the same document,
because article numbers are written so. A number that a float cannot hold is refused, because JSON has no infinity.
"""

import math
import re

__all__ = ["Scalar", "resolve_scalar"]

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST_NUMBER = 400
_NUMBER_STARTS = frozenset("+-.0123456789")


def resolve_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar.

    Raises ValueError for a number that is not finite (`.inf`, `1e999`).
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS or len(text) > _LONGEST_NUMBER:
        return text
    return _number(text)


def _number(text: str) -> str | int | float:
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, base=0)
    if not _FLOAT.fullmatch(text):
        if _NOT_FINITE.fullmatch(text):
            raise ValueError(text)
        return text
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
