"""What is wrong with a plan, or odd about it: every finding with its place in the manifest, said once."""

from dataclasses import replace
from functools import partial

from batchgen.errors import ManifestError, PlanError, Problem
from batchgen.manifest.findings import Findings
from batchgen.manifest.load import Manifest

__all__ = ["Keys", "PlanReport", "RenderError"]

Keys = tuple[str | int, ...]
"""A place in the manifest: `("prompts", 0, "text")`."""


class RenderError(ValueError):
    """One request cannot be made: what is wrong, and the place in the manifest."""

    def __init__(self, keys: Keys, message: str) -> None:
        super().__init__(message)
        self.keys = keys
        self.message = message


class PlanReport:
    """Collects the problems of one expansion. `warnings` are findings that leave a plan to carry out."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._findings = Findings()
        self.warnings: list[Problem] = []

    def add(self, keys: Keys, message: str, source: str = "") -> None:
        """A problem of a request. `source` names its data row or slot; what many requests share is shown once."""
        shown = f"{source}: {message}" if source else message
        self._findings.add((keys, message), lambda: self._manifest.problem(keys, shown))

    def add_once(self, keys: Keys, message: str) -> None:
        """A problem of the manifest itself, which several prompts may meet."""
        if (keys, message) not in self._findings:
            self.add(keys, message)

    def add_data(self, error: ManifestError, keys: Keys) -> None:
        """The problems of a data file that the block at `keys` names."""
        for problem in error.problems:
            place = (*keys, *problem.key.split(".")[1:])
            if problem.file:
                self._findings.add((problem.file, problem.line, problem.message), partial(replace, problem))
            else:
                self._findings.add((place, problem.message), partial(self._manifest.problem, place, problem.message))

    def warn(self, keys: Keys, message: str) -> None:
        """Something that is allowed and may still be a mistake."""
        self.warnings.append(self._manifest.problem(keys, message))

    def raise_any(self) -> None:
        """Raise PlanError if anything was reported: the manifest's problems by line, then those of data files."""
        if self._findings:
            raise PlanError(problems=sorted(self._findings.problems(), key=self._order))

    def _order(self, problem: Problem) -> tuple[int, int, int]:
        rank = 2 if not problem.place else int(problem.file != self._manifest.display)
        return rank, problem.line or 0, problem.column or 0
