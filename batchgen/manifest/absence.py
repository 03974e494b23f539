"""Names, columns and keys that an expression asks for and nobody gives: all those of a text at once."""

import builtins
import difflib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.utils import missing

from batchgen.manifest.environment import AbsentError, hardened, listed

__all__ = ["absent"]

_Reference = tuple[str, str | None]
"""A name, or a name and a key of what it stands for."""

_GUARDS = frozenset({"defined", "undefined", "default", "d"})
"""Tests and filters for what may be missing."""


def absent(error: AbsentError, text: str, names: Mapping[str, Any]) -> str:
    """What a text asks for and is not there.

    Rendering stops at the first miss, which `error` tells. The others are looked up in the text, `${{ }}` and all, but
    for those that it asks for with care (`is defined`, `default`).
    """
    first = _missed(error, names)
    misses = dict([first])
    for name, key in _references(text):
        if name not in names:
            misses.setdefault(*_no_name(name, names))
        elif key is not None and isinstance(names[name], Mapping) and key not in names[name]:
            misses.setdefault(*_no_key(key, names[name], names))
    lists = dict.fromkeys(misses.values())
    return "; ".join(
        f"{', '.join(miss for miss, told in misses.items() if told == one)}{f'; {one}' if one else ''}" for one in lists
    )


def _missed(error: AbsentError, names: Mapping[str, Any]) -> tuple[str, str]:
    """The miss, and the list of what there is."""
    owner = error.owner
    if owner is missing:
        return _no_name(error.name, names)
    if not isinstance(owner, Mapping):
        return f"a {_kind(owner)} has no element '{error.name}'", ""
    return _no_key(error.name, owner, names)


def _no_name(name: str, names: Mapping[str, Any]) -> tuple[str, str]:
    return f"no name '{name}'{_meant(name, names)}", f"names: {listed(names)}"


def _no_key(key: Any, owner: Mapping[str, Any], names: Mapping[str, Any]) -> tuple[str, str]:
    noun, where = "column", ""
    if owner is not names.get("row"):
        noun, where = "key", next((f" in '{name}'" for name, value in names.items() if value is owner), "")
    return f"no {noun} '{key}'{where}{_meant(key, owner)}", f"{noun}s: {listed(owner)}"


@lru_cache(maxsize=512)
def _references(text: str) -> tuple[_Reference, ...]:
    """What the expressions of a text refer to without a guard, in order, each once."""
    try:
        tree = hardened(None).parse(text)
    except TemplateSyntaxError:  # a condition may hold `}}`, which ends an expression in a text
        return ()
    guarded = {_reference(node.node) for node in tree.find_all((nodes.Test, nodes.Filter)) if node.name in _GUARDS}
    found = dict.fromkeys(_walked(tree))
    return tuple(one for one in found if one not in guarded and (one[0], None) not in guarded)


def _walked(node: nodes.Node) -> Iterator[_Reference]:
    reference = _reference(node)
    if reference is not None:
        yield reference
        return
    for child in node.iter_child_nodes():
        yield from _walked(child)


def _reference(node: nodes.Node | None) -> _Reference | None:
    if isinstance(node, nodes.Name):
        return node.name, None
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        return node.node.name, node.attr
    return None


def _kind(value: Any) -> str:
    kinds: dict[builtins.type, str] = {str: "text", bool: "boolean", int: "number", float: "number", list: "list"}
    return kinds.get(type(value), "value")


def _meant(name: Any, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(str(name), [str(key) for key in known], n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
