"""The matrix: the product of the axes, minus `exclude`, plus `add`, with the `vars` that `extend` attaches."""

import difflib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from batchgen.manifest.schema import MatrixBlock
from batchgen.plan.slots import slot_part

__all__ = ["Combination", "Keys", "Matrix", "Option", "Report", "build_matrix"]

Keys = tuple[str | int, ...]
Report = Callable[[Keys, str], None]
TextOf = Callable[[Keys], str | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Option:
    """One value of an axis: its `id` as written, that id as a slot `part`, and the `value` that templates see."""

    id: str
    part: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """One option per axis, and the indices of the `extend` rules that match."""

    options: tuple[Option, ...]
    extends: tuple[int, ...] = ()


_Rule = Mapping[int, frozenset[Option]]
_NEVER: Final[_Rule] = {0: frozenset()}
_SHOWN: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The axes in the order written, and the rules in terms of their options."""

    names: tuple[str, ...] = ()
    axes: tuple[tuple[Option, ...], ...] = ()
    excludes: tuple[_Rule, ...] = ()
    added: tuple[tuple[Option, ...], ...] = ()
    extends: tuple[_Rule, ...] = ()

    @property
    def factors(self) -> tuple[int, ...]:
        """The number of options of each axis."""
        return tuple(map(len, self.axes))

    @property
    def product(self) -> int:
        """Combinations before any rule. Without axes there is one, the empty one, unless `add` lists them all."""
        return 0 if self.added and not self.axes else math.prod(self.factors)

    @property
    def size(self) -> int:
        """An upper bound of the number of combinations, known without making them."""
        return self.product + len(self.added)

    def combinations(self) -> Iterator[Combination]:
        """The combinations in manifest order: the last axis changes fastest."""
        product = itertools.product(*self.axes) if self.product else iter(())
        kept = (options for options in product if not any(_matches(rule, options) for rule in self.excludes))
        for options in itertools.chain(kept, self.added):
            extends = tuple(index for index, rule in enumerate(self.extends) if _matches(rule, options))
            yield Combination(options=options, extends=extends)


def _matches(rule: _Rule, options: Sequence[Option]) -> bool:
    return all(options[axis] in chosen for axis, chosen in rule.items())


def build_matrix(block: MatrixBlock, text_of: TextOf, report: Report) -> Matrix:
    """The matrix of a block. A rule that names no axis, or a value no axis has, is reported: it would be silent money.

    `text_of` gives the source text of a number by its keys within the block (`1.10` is another slot than `1.1`).
    """
    builder = _Builder(block, text_of, report)
    excludes = builder.excludes()
    added = builder.added(excludes)
    return Matrix(
        names=tuple(builder.known),
        axes=builder.axes,
        excludes=excludes,
        added=added,
        extends=builder.extends(),
    )


def _option(value: Any, text_of: TextOf, keys: Keys) -> Option:
    identifier, keys = (value.get("id"), (*keys, "id")) if isinstance(value, Mapping) else (value, keys)
    text = identifier if isinstance(identifier, str) else text_of(keys) or _text(identifier)
    return Option(id=text, part=slot_part(text), value=value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _is(option: Option, wanted: Any) -> bool:
    """A condition compares the value, or its id."""
    if isinstance(wanted, Mapping):
        return bool(wanted == option.value)
    return _text(wanted) == option.id or (type(wanted) is type(option.value) and bool(wanted == option.value))


class _Builder:
    """Turns conditions into sets of options. `known` grows by the values that `add` brings in."""

    def __init__(self, block: MatrixBlock, text_of: TextOf, report: Report) -> None:
        self._block = block
        self._text_of = text_of
        self._report = report
        self.axes = tuple(
            tuple(_option(value, text_of, (name, index)) for index, value in enumerate(values))
            for name, values in block.axes.items()
        )
        # A matrix may consist of `add` alone; its first combination then names the axes.
        names = tuple(block.axes) or tuple(block.add[0] if block.add else ())
        self.known = {name: list(self.axes[index]) if self.axes else [] for index, name in enumerate(names)}
        self._index = {name: index for index, name in enumerate(names)}

    def excludes(self) -> tuple[_Rule, ...]:
        rules = [self._rule(when, ("exclude", index)) for index, when in enumerate(self._block.exclude)]
        return tuple(rule for rule in rules if rule is not None)

    def extends(self) -> tuple[_Rule, ...]:
        rules = [self._rule(rule.when, ("extend", index, "when")) for index, rule in enumerate(self._block.extend)]
        return tuple(rule or _NEVER for rule in rules)

    def added(self, excludes: Sequence[_Rule]) -> tuple[tuple[Option, ...], ...]:
        entries = [self._whole(entry, ("add", index)) for index, entry in enumerate(self._block.add)]
        seen: set[tuple[Option, ...]] = set()
        for index, options in enumerate(entries):
            if options is not None and (options in seen or self._is_made(options, excludes)):
                self._report(("add", index), "is a combination that is there already; remove it")
            seen.add(options or ())
        return tuple(options for options in entries if options is not None)

    def _is_made(self, options: tuple[Option, ...], excludes: Sequence[_Rule]) -> bool:
        is_product = bool(self.axes) and all(option in axis for option, axis in zip(options, self.axes, strict=True))
        return is_product and not any(_matches(rule, options) for rule in excludes)

    def _rule(self, when: Mapping[str, Any], keys: Keys) -> _Rule | None:
        rule = {self._index[axis]: self._found(axis, when[axis], (*keys, axis)) for axis in self._axes_in(when, keys)}
        return rule if len(rule) == len(when) and all(rule.values()) else None

    def _axes_in(self, entry: Mapping[str, Any], keys: Keys) -> list[str]:
        for axis in entry.keys() - self.known.keys():
            axes = ", ".join(self.known) or "none"
            self._report((*keys, axis), f"'{axis}' is no axis{_meant(axis, self.known)}; axes: {axes}")
        return [axis for axis in entry if axis in self.known]

    def _found(self, axis: str, wanted: Any, keys: Keys) -> frozenset[Option]:
        """The options that a value, or one of a list of values, stands for."""
        found: set[Option] = set()
        for one in wanted if isinstance(wanted, list) else [wanted]:
            matching = [option for option in self.known[axis] if _is(option, one)]
            if not matching:
                self._report(keys, self._unmatched(axis, one))
            found.update(matching)
        return frozenset(found)

    def _unmatched(self, axis: str, wanted: Any) -> str:
        ids = [option.id for option in self.known[axis]]
        shown = ", ".join(ids[:_SHOWN]) + (", ..." if len(ids) > _SHOWN else "")
        return f"'{_text(wanted)}' matches nothing in '{axis}'{_meant(_text(wanted), ids)}; values: {shown}"

    def _whole(self, entry: Mapping[str, Any], keys: Keys) -> tuple[Option, ...] | None:
        """The combination that an entry of `add` spells out, in the order of the axes."""
        axes = self._axes_in(entry, keys)
        for axis in self.known.keys() - entry.keys():
            self._report(keys, f"has no '{axis}' (a combination names every axis); add it")
        if len(axes) < max(len(entry), len(self.known)):
            return None
        options = [self._member(axis, entry[axis], (*keys, axis)) for axis in self.known]
        return tuple(option for option in options if option) if all(options) else None

    def _member(self, axis: str, value: Any, keys: Keys) -> Option | None:
        option = next((option for option in self.known[axis] if _is(option, value)), None)
        if option is not None:
            return option
        is_bare = not isinstance(value, Mapping)
        if is_bare and any(isinstance(other.value, Mapping) for other in self.known[axis]):
            # A bare word beside objects has none of the fields that templates use: most likely a misspelt id.
            self._report(keys, self._unmatched(axis, value))
            return None
        option = _option(value, self._text_of, keys)
        self.known[axis].append(option)
        return option


def _meant(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
