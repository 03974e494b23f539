"""Where each value of a manifest stands: its line, column and source text."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from batchgen.errors import Problem

__all__ = ["Branch", "Keys", "Marks", "Node", "Option", "dotted", "one_line"]

Keys = tuple[str | int, ...]
"""A path into a manifest, such as `("prompts", 0, "text")`."""

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_LONGEST_EXCERPT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """The marks of a mapping or a list: where it begins, its members' nodes, and the offsets of a mapping's keys."""

    start: "int | Option"
    children: Mapping[str, "Node"] | Sequence["Node"]
    keys: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """The mark of a value that came from the command line. `text` is the option as written."""

    text: str


Node = int | Branch | Option
"""The mark of one value; a plain number is the offset of a scalar in the file's text."""


def dotted(keys: Keys) -> str:
    """`prompts.0.text`."""
    return ".".join(str(key) for key in keys)


class Marks:
    """The marks of one manifest. `spelled` holds the source text of scalars that are not strings, by their offset."""

    def __init__(self, *, file: str, text: str, root: Node, spelled: Mapping[int, str]) -> None:
        self._file = file
        self._source = text
        self._spelled = spelled
        self.root = root

    def grafted(self, root: Node) -> "Marks":
        """The same file with another tree, as merging a profile makes one."""
        return Marks(file=self._file, text=self._source, root=root, spelled=self._spelled)

    def text(self, *keys: str | int) -> str | None:
        """The source text of a scalar that is not a string: `1.10` where the value is 1.1. None for all else."""
        node, found = self._find(keys)
        return self._spelled.get(node) if isinstance(node, int) and found == len(keys) else None

    def offset(self, *keys: str | int) -> int | None:
        """The character offset of a scalar in the file; None for all else."""
        node, found = self._find(keys)
        return node if isinstance(node, int) and found == len(keys) else None

    def at(self, *keys: str | int) -> Node:
        """The node of a value that is there, or of its nearest ancestor."""
        return self._find(keys)[0]

    def line(self, *keys: str | int) -> int | None:
        """The line of a value, or of its nearest ancestor, counted from 1. None when it is not in the file."""
        return self.problem(keys, "").line

    def problem(self, keys: Keys, message: str, *, at_key: bool = False) -> Problem:
        """A problem at the value that `keys` lead to, or at its key; else at its nearest ancestor's key."""
        spot = self._spot(keys, at_key=at_key)
        if isinstance(spot, Option):
            return Problem(file=spot.text, key=one_line(dotted(keys)), message=one_line(message))
        return self.problem_at(spot, message, keys=keys)

    def problem_at(self, offset: int, message: str, *, keys: Keys = ()) -> Problem:
        """A problem at a character offset of the file."""
        line = bisect_right(self._line_starts, offset)
        start = self._line_starts[line - 1]
        end = self._line_starts[line] if line < len(self._line_starts) else len(self._source)
        column = offset - start + 1
        excerpt = one_line(self._source[start : min(end, start + _LONGEST_EXCERPT)]).rstrip()
        return Problem(
            file=self._file,
            line=line,
            column=column,
            key=one_line(dotted(keys)),
            message=one_line(message),
            excerpt=excerpt if column <= _LONGEST_EXCERPT else "",
        )

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_BREAK.finditer(self._source))]

    def _find(self, keys: Keys) -> tuple[Node, int]:
        """The node of the longest known part of the path, and that part's length."""
        node = self.root
        for depth, key in enumerate(keys):
            child = _child(node, key)
            if child is None:
                return node, depth
            node = child
        return node, len(keys)

    def _spot(self, keys: Keys, *, at_key: bool) -> int | Option:
        node, depth = self._find(keys)
        if isinstance(node, Option):
            return node
        if at_key or depth < len(keys):
            parent, _ = self._find(keys[: depth - 1]) if depth else (node, 0)
            if depth and isinstance(parent, Branch) and keys[depth - 1] in parent.keys:
                return parent.keys[str(keys[depth - 1])]
        return node.start if isinstance(node, Branch) else node


def _child(node: Node, key: str | int) -> Node | None:
    if not isinstance(node, Branch):
        return None
    if isinstance(node.children, Mapping):
        return node.children.get(key) if isinstance(key, str) else None
    return node.children[key] if isinstance(key, int) and 0 <= key < len(node.children) else None


def one_line(text: str) -> str:
    """The text with a space for each character that would break the line or command the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
