"""What a ledger alone can prove: the rules that every run keeps, checked entry by entry. Pure.

The rules: at most one open attempt per request; attempt numbers only grow; a further attempt cites an entry that allows
it; an image belongs to an attempt that was sent; what is spent, reserved and in doubt never exceeds the budget.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from batchgen.ledger.entry import AttemptStarted, Entry, ImageSaved, RunStarted, Unknown
from batchgen.ledger.state import State

__all__ = ["Audit"]

_CENT_DUST = 1e-6


@dataclass(slots=True)
class Audit:
    """Folds entries as a run does and notes every broken rule. `take` each entry in order, then read `findings`."""

    state: State = field(default_factory=State)
    entries: int = 0
    findings: list[str] = field(default_factory=list)

    def take(self, entry: Entry | Unknown) -> None:
        """Judge one entry against everything before it, then let it count."""
        self.entries += 1
        if isinstance(entry, AttemptStarted):
            self._note(entry.seq, self._attempt_problems(entry))
        elif isinstance(entry, ImageSaved):
            self._note(entry.seq, self._image_problems(entry))
        self.state.apply(entry)
        if isinstance(entry, AttemptStarted):
            self._note(entry.seq, self._budget_problems(entry))

    def _note(self, seq: int, problems: Iterator[str]) -> None:
        self.findings += (f"entry {seq}: {problem}" for problem in problems)

    def _attempt_problems(self, entry: AttemptStarted) -> Iterator[str]:
        record = self.state.records.get(entry.request)
        attempts = 0 if record is None else record.attempts
        if record is not None and record.open is not None:
            yield f"attempt {entry.attempt} of {entry.request} starts while attempt {record.open.attempt} is open"
        if entry.attempt <= attempts:
            yield f"attempt {entry.attempt} of {entry.request} comes after attempt {attempts}"
        if entry.because is None and attempts:
            yield f"attempt {entry.attempt} of {entry.request} cites nothing that allows it"
        allowing = {redo.seq for redo in self.state.redos.values()} if not attempts else set()
        if record is not None and record.last_seq is not None:
            allowing = {record.last_seq}
        if entry.because is not None and entry.because not in allowing:
            yield f"attempt {entry.attempt} of {entry.request} cites entry {entry.because}, which does not allow it"

    def _image_problems(self, entry: ImageSaved) -> Iterator[str]:
        record = self.state.records.get(entry.request)
        if record is None or record.open is None or record.open.attempt != entry.attempt:
            yield f"the image of {entry.request} belongs to attempt {entry.attempt}, which is not open"

    def _budget_problems(self, entry: AttemptStarted) -> Iterator[str]:
        run = self.state.runs[-1] if self.state.runs else RunStarted(run="")
        if run.budget_usd is None:
            return
        by_run = run.budget_per == "run"
        committed = self.state.committed_usd(
            window="job" if by_run else entry.window, run=len(self.state.runs) - 1 if by_run else None
        )
        if committed > run.budget_usd + _CENT_DUST:
            yield f"{committed:.6f} USD are committed in window {entry.window}, the budget is {run.budget_usd:.6f}"
