"""Profiles and `--set`: laying values over a manifest, each keeping the mark of where it was written.

Mappings merge, lists and scalars replace, `null` takes a key away so that its default holds again. Nothing is changed
in place, because aliases share their values.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from batchgen.errors import ManifestError, Problem
from batchgen.manifest.marks import Branch, Keys, Node, Option, dotted, one_line
from batchgen.manifest.scalars import resolve_scalar
from batchgen.manifest.schema import ROW_SOURCES
from batchgen.manifest.source import parse

__all__ = ["Tree", "apply_set", "merge"]

_LONGEST_OPTION = 120
_DEEPEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A value together with its marks."""

    value: Any
    node: Node


def merge(base: Tree, over: Tree, keys: Keys = ()) -> Tree:
    """`over` laid over `base`; both are mappings. `keys` is where they stand in the manifest."""
    layer = _Layer(base)
    layer.make_room(keys, over.value)
    for name, item in over.value.items():
        node = _member(over.node, name)
        offset = over.node.keys.get(name) if isinstance(over.node, Branch) else None
        if item is None:
            layer.remove(name)
        elif isinstance(item, dict):
            below = layer.member(name, node)
            below = below if isinstance(below.value, dict) else Tree(value={}, node=node)
            layer.put(name, merge(below, Tree(value=item, node=node), (*keys, name)), offset)
        else:
            layer.put(name, Tree(value=item, node=node), offset)
    return layer.tree(over.node)


def apply_set(tree: Tree, option: str) -> Tree:
    """The tree with one `--set PATH=VALUE` applied; list items are named by their index, from 0.

    VALUE is a YAML scalar, or a flow value when it begins with a bracket, brace or quote. `null` resets. Raises
    ManifestError that names the option.
    """
    mark = Option(text=one_line(f"--set {option[:_LONGEST_OPTION]}"))
    path, sign, text = option.partition("=")
    keys = tuple(path.strip().split("."))
    if not sign or not all(keys) or len(keys) > _DEEPEST:
        raise _fault(mark, (), "not a setting (expected path.to.key=value)")
    if not text.strip():
        raise _fault(mark, keys, "no value after '='; write null to go back to the default")
    return _assigned(tree, keys, Tree(value=_value(text.strip(), mark, keys), node=mark), ())


def _value(text: str, mark: Option, keys: Keys) -> Any:
    if text[0] not in "[{\"'":
        try:
            return resolve_scalar(text)
        except ValueError:
            raise _fault(mark, keys, f"'{text[:60]}' is no finite number") from None
    try:
        source = parse(f"value: {text}".encode(), file=mark.text)
    except ManifestError as error:
        raise _fault(mark, keys, error.problems[0].message) from None
    if source.problems or len(source.values) != 1:
        message = source.problems[0].message if source.problems else "more than one value"
        raise _fault(mark, keys, message)
    return source.values["value"]


def _assigned(tree: Tree, keys: tuple[str, ...], item: Tree, above: Keys) -> Tree:
    if not keys:
        return item
    name, rest = keys[0], keys[1:]
    if isinstance(tree.value, list):
        return _assigned_in_list(tree, _index(tree.value, name, item.node, above), rest, item, above)
    if not isinstance(tree.value, dict):
        raise _fault(item.node, (*above, *keys), f"'{dotted(above)}' is not a mapping; set it as a whole")
    layer = _Layer(tree)
    if not rest and item.value is None:
        layer.remove(name)
        return layer.tree(tree.node)
    layer.make_room(above, {name: item.value})
    layer.put(name, _assigned(layer.member(name, item.node), rest, item, (*above, name)), None)
    return layer.tree(tree.node)


def _assigned_in_list(tree: Tree, index: int, rest: tuple[str, ...], item: Tree, above: Keys) -> Tree:
    if not rest and item.value is None:
        raise _fault(item.node, (*above, index), "a list item cannot be null; set the whole list")
    below = Tree(value=tree.value[index], node=_member(tree.node, index))
    made = _assigned(below, rest, item, (*above, index))
    values, nodes = list(tree.value), [_member(tree.node, place) for place in range(len(tree.value))]
    values[index], nodes[index] = made.value, made.node
    return Tree(value=values, node=Branch(start=_start(tree.node), children=nodes))


def _index(items: list[Any], name: str, mark: Node, above: Keys) -> int:
    if name.isascii() and name.isdigit() and len(name) < len(str(len(items))) + 1 and int(name) < len(items):
        return int(name)
    last = len(items) - 1
    message = f"'{dotted(above)}' is a list of {len(items)} (expected an index from 0 to {last}, not '{name[:60]}')"
    raise _fault(mark, (*above, name), message)


def _alternatives(keys: Keys) -> tuple[str, ...]:
    """The keys of this block of which only one can be given."""
    match keys:
        case ("rows",) | ("prompts", _, "rows"):
            return ROW_SOURCES
        case ("prompts", _):
            return ("text", "file")
        case _:
            return ()


def _fault(mark: Node, keys: Iterable[str | int], message: str) -> ManifestError:
    file = mark.text if isinstance(mark, Option) else ""
    return ManifestError(problems=[Problem(file=file, key=one_line(dotted(tuple(keys))), message=one_line(message))])


def _member(node: Node, key: str | int) -> Node:
    """The mark of a member; inside a value from the command line that is the option."""
    if not isinstance(node, Branch):
        return node
    return node.children[key]  # type: ignore[index]  # the value beside it has this member


def _start(node: Node) -> int | Option:
    return node.start if isinstance(node, Branch) else node


class _Layer:
    """A mapping under change: copies of its values, member marks and key marks."""

    def __init__(self, base: Tree) -> None:
        self._values = dict(base.value)
        self._node = base.node
        self._nodes = {name: _member(base.node, name) for name in base.value}
        self._keys = dict(base.node.keys) if isinstance(base.node, Branch) else {}

    def member(self, name: str, mark: Node) -> Tree:
        """What is there, or an empty mapping."""
        return Tree(value=self._values.get(name, {}), node=self._nodes.get(name, mark))

    def put(self, name: str, tree: Tree, key_offset: int | None) -> None:
        self._values[name], self._nodes[name] = tree.value, tree.node
        if key_offset is not None:
            self._keys[name] = key_offset

    def remove(self, name: str) -> None:
        for part in (self._values, self._nodes, self._keys):
            part.pop(name, None)

    def make_room(self, keys: Keys, over: Mapping[str, Any]) -> None:
        """Take away what cannot stand beside the new values: other sources of rows, settings of another provider.

        A base_url or a key that was written for one provider must never move on to another.
        """
        alternatives = _alternatives(keys)
        if any(over.get(name) is not None for name in alternatives):
            for name in alternatives:
                self.remove(name)
        if keys == ("provider",) and over.get("use", self._values.get("use")) != self._values.get("use"):
            for name in list(self._values):
                self.remove(name)

    def tree(self, node: Node) -> Tree:
        base = self._node if isinstance(self._node, Branch) else node
        return Tree(value=self._values, node=Branch(start=_start(base), children=self._nodes, keys=self._keys))
