"""Validation errors in our own words: the value, what was expected there, and what to do.

What was expected is read from the published schema, so that messages and editors cannot disagree.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from batchgen.errors import Problem
from batchgen.manifest.fields import LABEL, NAME_PATTERN, URL_PATTERN, WORD_PATTERN
from batchgen.manifest.marks import Keys, Marks
from batchgen.manifest.publish import job_schema

__all__ = ["near", "nearest", "problems_of"]

_LONGEST_SHOWN = 60
_MOST_NAMES = 20
_KEY = "[key]"

_TEMPLATES = {r"\$\{\{": "a `${{ }}` template", r"\$\{": ""}
_FAULTS = {
    "int_type": "not a whole number",
    "int_from_float": "not a whole number",
    "float_type": "not a number",
    "finite_number": "not a finite number",
    "bool_type": "neither true nor false",
    "string_type": "not text",
    "dict_type": "not a mapping",
    "model_type": "not a mapping",
    "model_attributes_type": "not a mapping",
    "list_type": "not a list",
    "greater_than": "too small",
    "greater_than_equal": "too small",
    "less_than": "too large",
    "less_than_equal": "too large",
    "literal_error": "not known here",
}
_SAID = {"neither true nor false": "true or false"}
_ALPHABETS = {
    NAME_PATTERN: "letters, digits, dots, dashes and underscores, at most 64, the first a letter or digit",
    WORD_PATTERN: "letters, digits and underscores, at most 64, the first no digit",
    URL_PATTERN: "a URL that begins with https:// or http://",
}
_REQUEST_REMEDIES = {
    "n": "each take is its own request; write `repeat: 4` at the top or in the prompt",
    "prompt": "prompts go into `prompts` at the top",
    "image": "reference images go into `images` of a prompt",
    "images": "reference images go into `images` of a prompt",
    "mask": "the mask goes into `mask` of a prompt",
    "extra_body": "further parameters go under `extra`",
}
_PROMPT_REMEDIES = {
    "prompt": "the prompt itself goes into `text`",
    "model": "parameters go into `request`",
    "size": "parameters go into `request`",
    "quality": "parameters go into `request`",
    "n": "write `repeat: 4` for more takes",
}
_DEPTH_OF_PROMPT_KEYS = 3


def problems_of(error: ValidationError, marks: Marks) -> list[Problem]:
    """One problem for each finding, at its place in the manifest."""
    found = error.errors(include_url=False)
    misspelt = {_meant(details) for details in found if details["type"] == "extra_forbidden"}
    told = (details for details in found if details["type"] != "missing" or _keys(details) not in misspelt)
    return [_problem(details, marks) for details in told]


def _keys(details: ErrorDetails) -> Keys:
    return tuple(part for part in details["loc"] if not (isinstance(part, str) and part.startswith(LABEL)))


def _meant(details: ErrorDetails) -> Keys:
    """The known key that an unknown one is near to, where it stands; the unknown one when none is."""
    keys = _keys(details)
    return (*keys[:-1], *(near(str(keys[-1]), _known(keys[:-1])) or keys[-1:]))


def near(name: str, known: Iterable[str]) -> list[str]:
    """The known name that somebody may have meant, as a list of one, or nothing."""
    return get_close_matches(name.lower(), list(known), n=1)


def nearest(name: str, known: Iterable[str]) -> str:
    """`, did you mean 'quality'?`, or nothing when no name is near."""
    close = near(name, known)
    return f", did you mean '{close[0]}'?" if close else ""


def _problem(details: ErrorDetails, marks: Marks) -> Problem:
    keys = _keys(details)
    at_key = details["type"] in {"extra_forbidden", "reserved"} or keys[-1:] == (_KEY,) or _is_axis_name(details, keys)
    keys = keys[:-1] if keys[-1:] == (_KEY,) else keys
    value = keys[-1] if at_key and keys else details["input"]
    spelled = None if at_key else marks.text(*keys)
    shown = _shown(value, spelled)
    word = _WORDS.get(details["type"], _mismatch)
    return marks.problem(keys, word(details, keys, shown), at_key=at_key)


def _is_axis_name(details: ErrorDetails, keys: Keys) -> bool:
    """Whether an axis has a name that is none; for other mappings the location itself says "key"."""
    return details["type"] == "string_pattern_mismatch" and keys[-2:-1] == ("matrix",)


def _shown(value: Any, spelled: str | None) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = " ".join((spelled or (value if isinstance(value, str) else json.dumps(value))).split())
    return f"'{text}'" if len(text) <= _LONGEST_SHOWN else f"'{text[:_LONGEST_SHOWN]}...'"


def _mismatch(details: ErrorDetails, keys: Keys, shown: str) -> str:
    """The common sentence: value, fault, expectation, remedy."""
    fault, expected = _FAULTS.get(details["type"]), _expectations(keys)
    if details["input"] is None:
        return f"empty{_bracketed(expected)}; give a value, or remove it"
    if fault is None:
        message = details["msg"].rstrip(".")
        return f"{shown}: {message[:1].lower()}{message[1:]}"
    if len(expected) == 1:
        expected = [expected[0].removeprefix(_SAID.get(fault, fault.removeprefix("not "))).strip()]
    return f"{shown} is {fault}{_bracketed(expected)}{_remedy(details, keys)}"


def _bracketed(expected: list[str]) -> str:
    return f" (expected {', or '.join(expected)})" if any(expected) else ""


def _remedy(details: ErrorDetails, keys: Keys) -> str:
    value, kind = details["input"], details["type"]
    scalar = not isinstance(value, dict | list)
    if keys == ("version",):
        return "; a newer version needs a newer batchgen" if isinstance(value, int) and value > 1 else "; write 1"
    if kind == "literal_error" and isinstance(value, str):
        return nearest({"jpg": "jpeg"}.get(value, value), _allowed(keys))
    if kind == "string_type" and scalar:
        return "; put it in quotes"
    if kind == "list_type" and scalar:
        return "; put it in brackets: [...]"
    return ""


def _pattern(details: ErrorDetails, _keys: Keys, shown: str) -> str:
    pattern = details.get("ctx", {}).get("pattern", "")
    value = str(details["input"])
    tried = re.sub(r"[^A-Za-z0-9._-]+", "-", value).strip("-._")[:64]
    remedy = f"; try '{tried}'" if pattern == NAME_PATTERN and tried and tried != value else ""
    return f"{shown} does not fit (expected {_ALPHABETS.get(pattern, pattern)}){remedy}"


def _missing(details: ErrorDetails, keys: Keys, _shown: str) -> str:
    expected, name = _expectations(keys), details["loc"][-1]
    if keys == ("version",):
        return f"missing; add `version: {expected[0]}`"
    return f"missing{_bracketed(expected)}; add `{name}:`"


def _unknown(_details: ErrorDetails, keys: Keys, shown: str) -> str:
    name = str(keys[-1])
    if "request" in keys[-2:-1] and name in _REQUEST_REMEDIES:
        return f"unknown key {shown}; {_REQUEST_REMEDIES[name]}"
    known = _known(keys[:-1])
    if hint := nearest(name, known):
        return f"unknown key {shown}{hint}"
    if keys[:1] == ("prompts",) and len(keys) == _DEPTH_OF_PROMPT_KEYS:
        # YAML makes a key of the plain prompt `A mug: blue`.
        if name in _PROMPT_REMEDIES:
            return f"unknown key {shown}; {_PROMPT_REMEDIES[name]}"
        if " " in name:
            return f"unknown key {shown}; put the prompt in quotes: it contains a colon"
        return f"unknown key {shown} (expected {', '.join(known)}); put a prompt that contains a colon in quotes"
    listed = f" (expected {', '.join(known[:_MOST_NAMES])})" if known else ""
    return f"unknown key {shown}{listed}" + ("; put it under `extra` to send it" if "request" in keys[-2:-1] else "")


def _known(keys: Keys) -> list[str]:
    """The keys that the schema knows in a mapping."""
    return [key for schema in _leaves_at(keys) for key in schema.get("properties", ())]


def _empty(_details: ErrorDetails, keys: Keys, _shown: str) -> str:
    return f"empty (expected at least one entry); add one, or remove '{keys[-1]}'"


def _own(details: ErrorDetails, _keys: Keys, shown: str) -> str:
    message: str = details.get("ctx", {}).get("message", "")
    return message if details["input"] is None or message.startswith("empty") else f"{shown} is {message}"


def _choice(details: ErrorDetails, _keys: Keys, _shown: str) -> str:
    return details["msg"]


_WORDS: dict[str, Callable[[ErrorDetails, Keys, str], str]] = {
    "string_pattern_mismatch": _pattern,
    "missing": _missing,
    "extra_forbidden": _unknown,
    "too_short": _empty,
    "refused": _own,
    "reserved": _own,
    "choice": _choice,
}


def _expectations(keys: Keys) -> list[str]:
    """What the schema takes at a place, in words, without repeats."""
    return list(dict.fromkeys(phrase for schema in _leaves_at(keys) if (phrase := _phrase(schema))))


def _allowed(keys: Keys) -> list[str]:
    return [str(value) for schema in _leaves_at(keys) for value in schema.get("enum", ())]


def _phrase(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if schema.get("examples"):
        return f"a duration such as {schema['examples'][1]}"
    if schema.get("pattern") in _TEMPLATES:
        return _TEMPLATES[schema["pattern"]]
    words = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
    words |= {"string": "text", "array": "a list", "object": "a mapping"}
    kind = schema.get("type", "")
    return (words.get(kind, "") if isinstance(kind, str) else "text or a number") + _range(schema)


def _range(schema: dict[str, Any]) -> str:
    low, high, above = schema.get("minimum"), schema.get("maximum"), schema.get("exclusiveMinimum")
    if above is not None:
        return f" above {above:g}"
    if low is None:
        return ""
    return f" of at least {low:g}" if high is None else f" from {low} to {high}"


def _leaves_at(keys: Keys) -> list[dict[str, Any]]:
    """The alternatives that the schema has at a place, references followed."""
    found = [job_schema()]
    for key in keys:
        found = [inner for schema in found for inner in _inside(schema, key)]
    return [leaf for schema in found for leaf in _leaves(schema)]


def _inside(schema: dict[str, Any], key: str | int) -> Iterator[dict[str, Any]]:
    for leaf in _leaves(schema):
        inner = leaf.get("items") if isinstance(key, int) else _property(leaf, key)
        if isinstance(inner, dict):
            yield inner


def _property(schema: dict[str, Any], name: str) -> Any:
    if name in schema.get("properties", ()):
        return schema["properties"][name]
    patterns = schema.get("patternProperties", {})
    return next(
        (inner for pattern, inner in patterns.items() if re.search(pattern, name)), schema.get("additionalProperties")
    )


def _leaves(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in schema:
        yield from _leaves(job_schema()["definitions"][schema["$ref"].rpartition("/")[2]])
        return
    choices = [choice for kind in ("anyOf", "oneOf", "allOf") for choice in schema.get(kind, ())]
    if not choices or "properties" in schema:
        yield schema
    for choice in choices:
        yield from _leaves(choice)
