"""Selection: which of the plan's images a command means, by slot, axis, data column or state.

`hero/mug/*`, `locale=de-DE,ja-JP`, `row.sku=MU-*`, `state:failed`. A repeated option narrows, a comma widens.
"""

import difflib
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain, islice
from typing import Final, Protocol, TypeVar

from batchgen.errors import UsageError
from batchgen.request import Request

__all__ = ["STATES", "Selectable", "Selection", "parse_selection"]

STATES: Final = ("new", "changed", "done", "missing", "altered", "failed", "in_doubt", "orphan")

_SAMPLE_POOL: Final = 20_000
_NEAR_SCAN: Final = 100_000
_SHOWN: Final = 12
_STATE: Final = "state:"


class Selectable(Protocol):
    """One image of the plan and its state."""

    @property
    def request(self) -> Request:
        """The request that makes it."""
        ...

    @property
    def state(self) -> str:
        """One of `STATES`."""
        ...


Item = TypeVar("Item", bound=Selectable)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alternative:
    """One choice within a term: a pattern on the slot (`key` empty), on an axis or column, or on the state."""

    key: str
    pattern: str

    def matches(self, item: Selectable) -> bool:
        if self.key == _STATE:
            return item.state == self.pattern
        if not self.key:
            return _slot_matches(item.request, self.pattern)
        value = item.request.axes.get(self.key)
        return value is not None and fnmatchcase(value, self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    """One selector as written; an image matches by any of its alternatives."""

    text: str
    alternatives: tuple[_Alternative, ...]

    @property
    def is_state(self) -> bool:
        return all(one.key == _STATE for one in self.alternatives)

    def matches(self, item: Selectable) -> bool:
        return any(one.matches(item) for one in self.alternatives)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A parsed selection. `terms` all have to match, none of `excludes` may; `words` are in the slot or the prompt."""

    terms: tuple[_Term, ...] = ()
    excludes: tuple[_Term, ...] = ()
    words: tuple[str, ...] = ()
    limit: int | None = None
    sample: int | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing was asked for, so that every image is meant."""
        return self == Selection()

    def names_state(self, state: str) -> bool:
        """Whether the selection asks for images in this very state."""
        return any(term.is_state and term.text == f"state:{state}" for term in self.terms)

    def apply(self, statuses: Iterable[Item]) -> list[Item]:
        """The selected images in the order given; `sample` is taken first, then `limit`.

        Raises:
            UsageError: A selector that is not about states matches nothing; the message has near names.
        """
        items = list(statuses)
        chosen = self._chosen(items) if items else items
        if self.sample is not None:
            chosen = _sampled(chosen, self.sample)
        return chosen[: self.limit] if self.limit is not None else chosen

    def _chosen(self, items: list[Item]) -> list[Item]:
        named = [term for term in self.terms if not term.is_state]
        for term in (*named, *(term for term in self.excludes if not term.is_state)):
            if not any(map(term.matches, items)):
                raise UsageError(_nothing(term, items))
        chosen = [item for item in items if all(term.matches(item) for term in named) and self._says(item)]
        if not chosen:
            message = f"no image matches {self._told(named)}; each selector narrows what the ones before it leave"
            raise UsageError(message)
        return self._in_state([item for item in chosen if not any(term.matches(item) for term in self.excludes)])

    def _in_state(self, items: list[Item]) -> list[Item]:
        states = [term for term in self.terms if term.is_state]
        return [item for item in items if all(term.matches(item) for term in states)]

    def _says(self, item: Selectable) -> bool:
        if not self.words:
            return True
        text = f"{item.request.slot}\n{item.request.prompt}".casefold()
        return all(word in text for word in self.words)

    def _told(self, named: Sequence[_Term]) -> str:
        words = [f"the words '{' '.join(self.words)}'"] if self.words else []
        return " and ".join([*(f"'{term.text}'" for term in named), *words])


def parse_selection(
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    words: str | None = None,
    *,
    failed: bool = False,
    limit: int | None = None,
    sample: int | None = None,
) -> Selection:
    """The selection that command-line options ask for; `failed` is `state:failed`.

    Raises:
        UsageError: An empty selector, an unknown state, or a count below 1.
    """
    for name, count in (("--limit", limit), ("--sample", sample)):
        if count is not None and count < 1:
            message = f"{name} {count} selects nothing (expected 1 or more)"
            raise UsageError(message)
    return Selection(
        terms=tuple(map(_parsed, [*select, *([f"{_STATE}failed"] if failed else [])])),
        excludes=tuple(map(_parsed, exclude)),
        words=tuple((words or "").casefold().split()),
        limit=limit,
        sample=sample,
    )


def _parsed(text: str) -> _Term:
    alternatives: list[_Alternative] = []
    key = ""
    for part in map(str.strip, text.split(",")):
        if not part:
            message = f"'{text}' has an empty selector; write a slot pattern, axis=value or state:name"
            raise UsageError(message)
        # `locale=de-DE,ja-JP`: a part without a key of its own goes on with the one before.
        key, pattern = _split(part, key)
        alternatives.append(_Alternative(key=key, pattern=_state(pattern) if key == _STATE else pattern))
    return _Term(text=text, alternatives=tuple(alternatives))


def _split(part: str, key: str) -> tuple[str, str]:
    if part.startswith(_STATE):
        return _STATE, part.removeprefix(_STATE)
    name, equals, pattern = part.partition("=")
    if not equals:
        return key, part
    # Templates say product.id and prompt.id; an axis is selected by its id anyway.
    return name if name.startswith("row.") else name.removesuffix(".id"), pattern


def _state(name: str) -> str:
    state = name.replace("-", "_")
    if state not in STATES:
        near = _near(state, STATES)
        message = f"'{_STATE}{name}' is no state{near}; states: {', '.join(STATES)}"
        raise UsageError(message)
    return state


def _slot_matches(request: Request, pattern: str) -> bool:
    """By pattern, by name, or by a leading part; the bucket of a job with a period may be left out."""
    slot = request.slot
    if fnmatchcase(slot, pattern) or slot.startswith(f"{pattern}/"):
        return True
    bucket = request.axes.get("period")
    if bucket is None:
        return False
    inner = slot.removeprefix(f"{bucket}/")
    return fnmatchcase(inner, pattern) or inner.startswith(f"{pattern}/")


def _nothing(term: _Term, items: Sequence[Selectable]) -> str:
    one = next(one for one in term.alternatives if one.key != _STATE)
    scanned = list(islice(items, _NEAR_SCAN))
    if not one.key:
        return f"'{term.text}' matches no slot{_near(one.pattern, _slots(scanned))}"
    names = dict.fromkeys(name for item in scanned for name in item.request.axes)
    if one.key not in names:
        return f"'{one.key}' is nothing to select by{_near(one.key, names)}; there are: {', '.join(names)}"
    values = dict.fromkeys(item.request.axes.get(one.key, "") for item in scanned)
    shown = ", ".join(islice(values, _SHOWN)) + (", ..." if len(values) > _SHOWN else "")
    return f"'{term.text}' matches no image{_near(one.pattern, values)}; values: {shown}"


def _slots(items: Iterable[Selectable]) -> Iterable[str]:
    """Slots and what begins them: `hero`, `hero/mug`, `hero/mug/v1`."""
    prefixes: dict[str, None] = {}
    for item in items:
        parts = item.request.slot.split("/")
        prefixes.update(("/".join(parts[:length]), None) for length in range(1, len(parts) + 1))
    return prefixes


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(islice(known, 2_000)), n=3)
    return f" (did you mean {' or '.join(repr(name) for name in near)}?)" if near else ""


def _sampled(items: list[Item], count: int) -> list[Item]:
    """`count` of the images so that every axis value and every row comes up about equally often. Always the same ones.

    Each value may come up as often as an even spread needs. Where values do not combine freely that leaves gaps;
    another round with twice the share fills them.
    """
    if count >= len(items):
        return items
    shuffled = sorted(range(len(items)), key=lambda place: (items[place].request.take, _shuffled(items[place])))
    left = {place: _dimensions(items[place].request) for place in shuffled[: max(_SAMPLE_POOL, 4 * count)]}
    kinds = Counter(name for name, _ in set(chain.from_iterable(left.values())))
    seen: Counter[tuple[str, str]] = Counter()
    taken: list[int] = []
    share = 1
    while len(taken) < count:
        for place, values in list(left.items()):
            if len(taken) < count and all(seen[value] < share * -(-count // kinds[value[0]]) for value in values):
                taken.append(place)
                seen.update(left.pop(place))
        share *= 2
    return [items[place] for place in sorted(taken)]


def _dimensions(request: Request) -> list[tuple[str, str]]:
    axes = [(name, value) for name, value in request.axes.items() if name != "take" and not name.startswith("row.")]
    return [*axes, ("row", request.source)]


def _shuffled(item: Selectable) -> bytes:
    return hashlib.blake2b(item.request.slot.encode("utf-8", "surrogatepass"), digest_size=8).digest()
