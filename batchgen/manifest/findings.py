"""Many problems as few: what a million requests have in common is said once, with a count."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Final

from batchgen.errors import Problem

__all__ = ["SHOWN_LIMIT", "Findings"]

SHOWN_LIMIT: Final = 50
"""Problems that are told apart; those after them are only counted."""


class Findings:
    """Collects problems in the order found; memory does not grow with their number."""

    def __init__(self) -> None:
        self._first: dict[Hashable, Problem] = {}
        self._times: dict[Hashable, int] = {}
        self._omitted = 0

    def __bool__(self) -> bool:
        return bool(self._first)

    def __contains__(self, group: Hashable) -> bool:
        return group in self._first

    def add(self, group: Hashable, make: Callable[[], Problem]) -> None:
        """Count a problem. `make` is called for the first one of its group only."""
        if group in self._first:
            self._times[group] += 1
        elif len(self._first) < SHOWN_LIMIT:
            self._first[group] = make()
            self._times[group] = 1
        else:
            self._omitted += 1

    def problems(self) -> tuple[Problem, ...]:
        """The first of each group, those that stand for more with a count, and how many were left out."""
        shown = [_with_count(problem, self._times[group]) for group, problem in self._first.items()]
        if self._omitted:
            shown.append(Problem(message=f"and {self._omitted:,} more problems"))
        return tuple(shown)


def _with_count(problem: Problem, times: int) -> Problem:
    return problem if times == 1 else replace(problem, message=f"{problem.message} (and {times - 1:,} more like it)")
