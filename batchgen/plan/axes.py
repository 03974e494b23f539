"""What selectors see of a request: axis ids, columns of its row, prompt, take and bucket."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from batchgen.manifest.rows import Row
from batchgen.plan.combine import Option

__all__ = ["Axes", "PromptAxes"]

_ROW: Final = "row."


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptAxes:
    """What all requests of a prompt share: its id, the names of its axes, and the bucket of a job with a period."""

    prompt: str
    names: tuple[str, ...]
    period: str | None


class Axes(Mapping[str, str]):
    """A view of what a request is made of: a million requests would not fit in memory as a million dicts.

    Keys in order: `prompt`, the axes as written, `row.<column>` for plain values, `take`, and `period` if there is one.
    """

    __slots__ = ("_options", "_prompt", "_row", "_take")

    def __init__(self, prompt: PromptAxes, options: tuple[Option, ...], row: Row | None, take: int) -> None:
        self._prompt = prompt
        self._options = options
        self._row = row
        self._take = take

    def __getitem__(self, name: str) -> str:
        if name in self._prompt.names:
            return self._options[self._prompt.names.index(name)].id
        if name == "prompt":
            return self._prompt.prompt
        if name == "take":
            return str(self._take)
        if name == "period" and self._prompt.period is not None:
            return self._prompt.period
        if self._row is not None and name.startswith(_ROW):
            return _text(self._row.values[name[len(_ROW) :]], name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield "prompt"
        yield from self._prompt.names
        if self._row is not None:
            yield from (f"{_ROW}{column}" for column, value in self._row.values.items() if _is_plain(value))
        yield "take"
        if self._prompt.period is not None:
            yield "period"

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Axes({dict(self)})"


def _is_plain(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _text(value: Any, name: str) -> str:
    if not _is_plain(value):
        raise KeyError(name)
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
