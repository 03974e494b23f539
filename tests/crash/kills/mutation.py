"""How a batchgen is broken: what a mutant is, and the ways to get between its parts."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from typing import Any

import msgspec

from batchgen.ledger.entry import Entry
from batchgen.ledger.journal import Journal

from .scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """`mutate` breaks batchgen in the process that calls it; `caught_as` are the classes that count as caught."""

    mutate: Callable[[], None]
    caught_as: frozenset[str]
    rule: str
    settings: dict[str, Any] = field(default_factory=dict)

    def scenario(self, seed: str) -> Scenario:
        """A batch in which the broken rule matters."""
        concurrency = random.Random(seed).choice((2, 8))  # noqa: S311  must be repeatable
        plain = Scenario(seed=seed, concurrency=concurrency, requests=12, styles={"start": 1, "flight": 3})
        return replace(plain, **self.settings)


MUTANTS: dict[str, Mutant] = {}


def mutant(*caught_as: str, **settings: Any) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a mutant under the name of its function; the docstring says which rule it drops."""

    def register(mutate: Callable[[], None]) -> Callable[[], None]:
        name = mutate.__name__.strip("_").replace("_", "-")
        rule = (mutate.__doc__ or "").strip()
        MUTANTS[name] = Mutant(mutate=mutate, caught_as=frozenset(caught_as), rule=rule, settings=settings)
        return mutate

    return register


def around(owner: Any, name: str, change: Callable[..., Any]) -> None:
    """Replace a function or method by `change(original, *arguments)`."""
    original = getattr(owner, name)
    setattr(owner, name, wraps(original)(lambda *args, **kwargs: change(original, *args, **kwargs)))


def entries(change: Callable[..., Any]) -> None:
    """Every entry passes through `change(append, journal, entry)`."""

    async def append(original: Any, journal: Journal, entry: Any) -> int:
        seq: int = await change(partial(original, journal), journal, entry)
        return seq

    around(Journal, "append", append)


def changed(kind: type[Entry], change: Callable[[Any], dict[str, Any]]) -> None:
    """Entries of one kind are written with other fields."""

    async def altered(append: Any, _journal: Journal, entry: Any) -> int:
        if isinstance(entry, kind):
            entry = msgspec.structs.replace(entry, **change(entry))
        seq: int = await append(entry)
        return seq

    entries(altered)
