"""Parser events to values and marks, without recursion.

PyYAML's own composer recurses in C, follows aliases before anybody can count them and never sees that a key comes
twice. Here nesting cannot exhaust the stack, aliases are counted before they are followed, and every key is looked at.
Values that aliases share are shared objects; nothing may change them in place.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from batchgen.errors import ManifestError, Problem
from batchgen.manifest.marks import Branch, Marks, Node
from batchgen.manifest.scalars import resolve_scalar

__all__ = ["Composer"]

_MOST_NODES = 3_000_000
_MOST_THROUGH_ALIASES = 100_000
_DEEPEST = 50
_MOST_FAULTS = 200
_LONGEST_SHOWN = 60
_COMMENT_AFTER = re.compile(r"[ \t]+#")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_STANDARD_TAG = "tag:yaml.org,2002:"

_LOST_TEXT = "'{key}' looks like the rest of the text before the comma. Put the whole text in quotes"
_NO_VALUE = "'{key}' has no value (expected `key: value` inside `{{ }}`); add one, or put the text in quotes"
_MERGE = "'<<' merges nothing in YAML 1.2; write the keys out, or use `vars` or `profiles`"
_TAG = "'{tag}' is a tag, which manifests do not have; remove it, or put text that begins with `!` in quotes"
_EMPTY_KEY = "a key that is empty or null; give it a name"
_ODD_KEY = "a key that is a list or a mapping; give it a name, or put text with brackets in quotes"
_BARE_TEMPLATE = "`{{ }}` is not a template here; write `${{ ... }}`"
_NOT_FINITE = "'{text}' is no finite number (expected a number or text); put text in quotes"
_UNKNOWN_ALIAS = "'*{name}' refers to an anchor that is not above; put text that begins with `*` in quotes"


@dataclass(slots=True, kw_only=True)
class _Frame:
    """A mapping or a list that is not closed yet; `faults_before` is how many problems were known when it opened."""

    offset: int
    is_mapping: bool
    is_flow: bool
    anchor: str | None
    values: Any
    marks: Any
    faults_before: int
    keys: dict[str, int] = field(default_factory=dict)
    size: int = 1
    awaits_key: bool = True
    key: str | None = None
    key_start: int = 0
    key_end: int = 0


class Composer:
    """Takes the events of one document in order; then `root` is its value and its marks' tree.

    `problems` are findings that leave something to go on with. `cut` holds the offsets of plain texts that a comment
    follows on the same line.
    """

    def __init__(self, *, file: str, text: str) -> None:
        self._text = text
        self._spelled: dict[int, str] = {}
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, Node, int]] = {}
        self._nodes = 0
        self._through_aliases = 0
        self._documents = 0
        self.root: tuple[Any, Node] = (None, 0)
        self.marks = Marks(file=file, text=text, root=0, spelled=self._spelled)
        self.problems: list[Problem] = []
        self.cut: set[int] = set()

    def take(self, event: yaml.Event) -> None:
        """Take one event.

        Raises ManifestError where a limit ends the reading: nesting, number of values, aliases, a second document.
        """
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.CollectionStartEvent():
                self._open(event)
            case yaml.CollectionEndEvent():
                self._close()
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._document(event)
            case _:
                pass

    def fatal(self, offset: int, message: str) -> ManifestError:
        """The error to raise where nothing can follow; it carries what was found before."""
        return ManifestError(problems=[*self.problems, self.marks.problem_at(offset, message)])

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self.fatal(_start(event), "a second document begins here; keep one manifest per file")

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        offset = _start(event)
        self._count(offset)
        if len(self._frames) >= _DEEPEST:
            raise self.fatal(offset, f"nested more than {_DEEPEST} levels deep; make it flatter")
        faults_before = len(self.problems)
        self._refuse_tag(event)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._frames.append(
            _Frame(
                offset=offset,
                is_mapping=is_mapping,
                is_flow=bool(event.flow_style),
                anchor=event.anchor,
                values={} if is_mapping else [],
                marks={} if is_mapping else [],
                faults_before=faults_before,
            )
        )

    def _close(self) -> None:
        frame = self._frames.pop()
        if self._key_is_due():
            self._refuse_collection_as_key(frame)
            return
        node = Branch(start=frame.offset, children=frame.marks, keys=frame.keys)
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.values, node, frame.size)
        self._deliver(frame.values, node, frame.size)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        offset = _start(event)
        self._count(offset)
        self._refuse_tag(event)
        if self._key_is_due():
            self._take_key(event)
            return
        value = event.value if event.style else self._plain(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, offset, 1)
        self._deliver(value, offset, 1, end=_end(event))

    def _plain(self, event: yaml.ScalarEvent) -> Any:
        """The value of an unquoted scalar, with what its marks need to know of it."""
        offset, text = _start(event), event.value
        try:
            value = resolve_scalar(text)
        except ValueError:
            self._find_fault(offset, _NOT_FINITE.format(text=text[:_LONGEST_SHOWN]))
            return text
        if not isinstance(value, str):
            self._spelled[offset] = text
        elif _COMMENT_AFTER.match(self._text, _end(event)):
            self.cut.add(offset)
        return value

    def _alias(self, event: yaml.AliasEvent) -> None:
        offset = _start(event)
        self._count(offset)
        if self._key_is_due():
            self._skip_pair(offset, _ODD_KEY)
            return
        if event.anchor not in self._anchors:
            self._find_fault(offset, _UNKNOWN_ALIAS.format(name=event.anchor))
            self._deliver(f"*{event.anchor}", offset, 1)
            return
        value, node, size = self._anchors[event.anchor]
        # Counted before it is followed: nine levels of nine aliases each are a few hundred bytes and 400 million nodes.
        self._through_aliases += size
        if self._through_aliases > _MOST_THROUGH_ALIASES:
            raise self.fatal(offset, f"aliases repeat more than {_MOST_THROUGH_ALIASES} values; write them out")
        self._deliver(value, node, size)

    def _key_is_due(self) -> bool:
        return bool(self._frames) and self._frames[-1].is_mapping and self._frames[-1].awaits_key

    def _take_key(self, event: yaml.ScalarEvent) -> None:
        frame, offset, key = self._frames[-1], _start(event), event.value
        is_plain = not event.style
        if is_plain and key == "<<":
            self._skip_pair(offset, _MERGE)
        elif (is_plain and key in _NULLS) or not key.strip():
            self._skip_pair(offset, _EMPTY_KEY)
        elif key in frame.values:
            first = self.marks.problem_at(frame.keys[key], "").line
            self._skip_pair(offset, f"'{key}' is given twice (first on line {first}); keep one", name=key)
        else:
            frame.awaits_key, frame.key = False, key
            frame.key_start, frame.key_end = offset, _end(event)

    def _refuse_collection_as_key(self, frame: _Frame) -> None:
        """`{{ name }}` without a dollar is a mapping whose key is a mapping: one finding, not one per level."""
        is_template = frame.is_flow and self._text.startswith("{{", frame.offset - 1)
        del self.problems[frame.faults_before :]
        self._skip_pair(frame.offset, _BARE_TEMPLATE if is_template else _ODD_KEY)

    def _skip_pair(self, offset: int, message: str, *, name: str = "") -> None:
        """Report a key; its value is read and left out."""
        frame = self._frames[-1]
        frame.awaits_key, frame.key = False, None
        self._find_fault(offset, message, name=name)

    def _deliver(self, value: Any, node: Node, size: int, *, end: int | None = None) -> None:
        """Hand a finished value to what it is in. `end` is where a scalar ends."""
        if not self._frames:
            self.root = (value, node)
            return
        frame = self._frames[-1]
        frame.size += size
        if not frame.is_mapping:
            frame.values.append(value)
            frame.marks.append(node)
            return
        frame.awaits_key = True
        if frame.key is None:
            return
        if value is None and end is not None and self._has_no_colon(frame, end):
            message = _LOST_TEXT if frame.values else _NO_VALUE
            self._find_fault(frame.key_start, message.format(key=frame.key[:_LONGEST_SHOWN]))
            return
        frame.values[frame.key] = value
        frame.marks[frame.key] = node
        frame.keys[frame.key] = frame.key_start

    def _has_no_colon(self, frame: _Frame, end: int) -> bool:
        """Inside `{ }` a comma in plain text starts a new key: `{ id: winter, props: pine, candle light }`."""
        return frame.is_flow and ":" not in self._text[frame.key_end : end]

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None:
            tag = event.tag[:_LONGEST_SHOWN].replace(_STANDARD_TAG, "!!")
            self._find_fault(_start(event), _TAG.format(tag=tag))

    def _count(self, offset: int) -> None:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise self.fatal(offset, f"more than {_MOST_NODES} values; keep many rows in a csv or jsonl file")

    def _find_fault(self, offset: int, message: str, *, name: str = "") -> None:
        if len(self.problems) >= _MOST_FAULTS:
            raise self.fatal(offset, f"more than {_MOST_FAULTS} problems; mend those above first")
        above = [frame.key or "" if frame.is_mapping else len(frame.values) for frame in self._frames[:-1]]
        self.problems.append(self.marks.problem_at(offset, message, keys=(*above, name) if name else ()))


def _start(event: yaml.Event) -> int:
    return event.start_mark.index if event.start_mark else 0


def _end(event: yaml.Event) -> int:
    return event.end_mark.index if event.end_mark else 0
