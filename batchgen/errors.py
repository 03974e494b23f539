"""The exception tree. Each branch owns one exit code; the command line is the only place that exits.

BatchgenError                 1   internal, or not yet classified
|-- InputError                2   bad command line, manifest or selection; nothing was sent
|   |-- UsageError            2   the command line
|   |-- ManifestError         2   the manifest, or data that it names
|   |-- PlanError             2   the plan that follows from it
|   `-- FolderError           2   a job folder that cannot be used
|-- DecisionNeededError       3   a person has to decide before anything is sent
|-- ProviderError             4   key missing or refused, or nothing ever answered
|-- LimitError                5   a limit was reached: budget, deadline, failures, disk
|   `-- StorageError          5   the disk failed under a running job
|-- LedgerLockedError         6   another run holds the lock
`-- LedgerDamagedError        7   the ledger cannot be trusted; nothing was sent
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "BatchgenError",
    "DecisionNeededError",
    "FolderError",
    "InputError",
    "LedgerDamagedError",
    "LedgerLockedError",
    "LimitError",
    "ManifestError",
    "PlanError",
    "Problem",
    "ProviderError",
    "StorageError",
    "UsageError",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with the input: place, value and remedy.

    `message` reads "'value' problem (expected ...); what to do". `line` and `column` count from 1. `excerpt` is the
    source line, shown with a caret under `column`.
    """

    message: str
    file: str = ""
    line: int | None = None
    column: int | None = None
    key: str = ""
    excerpt: str = ""

    @property
    def place(self) -> str:
        """`file:line:column`, as far as known."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part not in {"", None})

    def __str__(self) -> str:
        head = "  ".join(
            part for part in (self.place, f"{self.key}: {self.message}" if self.key else self.message) if part
        )
        if not self.excerpt or self.line is None:
            return head
        margin = f"{self.line:>5} | "
        shown = f"{head}\n{margin}{self.excerpt}"
        return shown if self.column is None else f"{shown}\n{'| ':>{len(margin)}}{' ' * (self.column - 1)}^"


class BatchgenError(Exception):
    """Anything that batchgen says on purpose. `problems` holds every finding of the pass that raised it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "", *, problems: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        self.message = message or "\n".join(str(problem) for problem in self.problems)
        super().__init__(self.message)


class InputError(BatchgenError):
    """The input is wrong; nothing was sent and nothing was written."""

    exit_code = 2


class UsageError(InputError):
    """The command line asks for something that does not exist or does not fit together."""


class ManifestError(InputError):
    """The manifest, or a file that it names, is wrong."""


class PlanError(InputError):
    """The manifest is well-formed, but the plan that follows from it cannot be carried out."""


class FolderError(InputError):
    """The job folder cannot be used: read-only, another user's, not a folder."""


class DecisionNeededError(BatchgenError):
    """Something only a person can decide, such as a job whose finished files are all gone."""

    exit_code = 3


class ProviderError(BatchgenError):
    """The provider cannot be used: key missing or refused, or unreachable from the start."""

    exit_code = 4


class LimitError(BatchgenError):
    """A limit stopped the run: budget, deadline, failures, disk."""

    exit_code = 5


class StorageError(LimitError):
    """A durable write failed. Nothing more is written to that file and nothing more is sent."""


class LedgerLockedError(BatchgenError):
    """Another run holds the lock of this job folder."""

    exit_code = 6


class LedgerDamagedError(BatchgenError):
    """The ledger has damage inside, or a newer format. Nothing is sent until `batchgen verify --repair`."""

    exit_code = 7
