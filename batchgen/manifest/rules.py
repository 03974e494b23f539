"""What no single field can see: values that must differ from each other, and keys that a profile may not change.

Works on plain values of any shape, so that these findings come in the same pass as the schema's.
"""

from collections.abc import Iterator
from typing import Any

from batchgen.errors import Problem
from batchgen.manifest.marks import Keys, Marks

__all__ = ["FIXED_KEYS", "broken_rules", "cut_texts", "idle_keys"]

FIXED_KEYS = ("version", "name", "profiles")
"""What a profile cannot change."""

_IDLE = {
    "post": "is checked, but this release makes no exports yet",
    "review": "is checked, but this release makes no gallery and no contact sheets yet",
    "notify": "is checked, but this release tells nobody yet",
}
"""Keys that only a later release acts on."""


def broken_rules(values: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    """Problems of a whole manifest."""
    prompts = _items(values.get("prompts"))
    yield from _doubles(prompts, ("prompts",), marks)
    yield from _doubles(_items(values.get("post")), ("post",), marks)
    yield from _doubled_axis_values(values.get("matrix"), ("matrix",), marks)
    yield from _blank_parameters(values.get("request"), ("request",), marks)
    for index, prompt in enumerate(prompts):
        if isinstance(prompt, dict):
            yield from _blank_parameters(prompt.get("request"), ("prompts", index, "request"), marks)
            yield from _doubled_axis_values(prompt.get("matrix"), ("prompts", index, "matrix"), marks)
            if "${{" in str(prompt.get("id", "")):
                message = "a prompt's id names its slots (expected plain text); move the template to `path`"
                yield marks.problem(("prompts", index, "id"), message)


def cut_texts(values: dict[str, Any], marks: Marks, cut: frozenset[int]) -> Iterator[Problem]:
    """Warnings for prompts whose text ends at a `#`: YAML takes the rest for a comment, without a word."""
    for index, prompt in enumerate(_items(values.get("prompts"))):
        keys: Keys = ("prompts", index, "text") if isinstance(prompt, dict) else ("prompts", index)
        if marks.offset(*keys) in cut:
            text = prompt.get("text") if isinstance(prompt, dict) else prompt
            remedy = "put the text in quotes, or the comment on a line of its own"
            yield marks.problem(keys, f"the prompt ends at '{str(text)[-30:]}': ' #' begins a comment; {remedy}")


def idle_keys(values: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    """Warnings for keys that are checked and have no effect yet: nobody should wait for what they promise."""
    for key, message in _IDLE.items():
        if values.get(key):
            yield marks.problem((key,), message, at_key=True)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _blank_parameters(request: Any, keys: Keys, marks: Marks) -> Iterator[Problem]:
    """`null` takes a parameter away, but `size:` with nothing behind it is more likely forgotten."""
    for name, value in request.items() if isinstance(request, dict) else ():
        if value is None and marks.text(*keys, name) == "":
            yield marks.problem((*keys, name), "empty; give a value, or write null to send none")


def _doubled_axis_values(matrix: Any, keys: Keys, marks: Marks) -> Iterator[Problem]:
    if not isinstance(matrix, dict):
        return
    for axis, values in matrix.items():
        if axis not in {"exclude", "add", "extend"}:
            yield from _doubles(_items(values), (*keys, axis), marks)


def _doubles(items: list[Any], keys: Keys, marks: Marks) -> Iterator[Problem]:
    """Items with the id of an earlier one; an item that is no mapping is its own id, except for prompts."""
    first: dict[str, Keys] = {}
    for index, item in enumerate(items):
        place: Keys = (*keys, index, "id") if isinstance(item, dict) else (*keys, index)
        name = item.get("id") if isinstance(item, dict) else None if keys == ("prompts",) else item
        if name is None or isinstance(name, dict | list):
            continue
        text = marks.text(*place) or str(name)
        if text in first:
            line = marks.line(*first[text])
            where = f"first on line {line}" if line else f"first as {keys[-1]}.{first[text][len(keys)]}"
            yield marks.problem(place, f"'{text[:60]}' is given twice ({where}); give each its own id")
        first.setdefault(text, place)
