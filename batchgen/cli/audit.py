"""What a ledger alone can prove: the rules that every run keeps, checked entry by entry. Pure.

The rules: at most one open attempt per request; attempt numbers only grow; a further attempt cites an entry that allows
it (never a doubt that the policy, the bound on resends or a person holds), with the same key; an image belongs to an
attempt that was sent; what is spent, reserved and in doubt never exceeds the budget.

Where a repair named lost lines, what they may have said is not held against the entries after them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from batchgen.ledger.entry import AttemptFailed, AttemptStarted, Decision, Entry, ImageSaved, RunStarted, Unknown
from batchgen.ledger.record import RequestRecord
from batchgen.ledger.state import State

__all__ = ["Audit"]

_CENT_DUST = 1e-6


@dataclass(slots=True)
class Audit:
    """Folds entries as a run does and notes every broken rule. `take` each entry in order, then read `findings`.

    `told` are the requests whose standing is known again since the last gap; None while no line is missing.
    """

    state: State = field(default_factory=State)
    entries: int = 0
    findings: list[str] = field(default_factory=list)
    told: set[str] | None = None

    def take(self, entry: Entry | Unknown) -> None:
        """Judge one entry against everything before it, then let it count."""
        self.entries += 1
        if isinstance(entry, AttemptStarted) and self._is_known(entry.request):
            self._note(entry.seq, self._attempt_problems(entry))
        elif isinstance(entry, ImageSaved) and self._is_known(entry.request):
            self._note(entry.seq, self._image_problems(entry))
        self.state.apply(entry)
        self._learn(entry)
        if isinstance(entry, AttemptStarted) and self.told is None:
            self._note(entry.seq, self._budget_problems(entry))

    def _is_known(self, request: str) -> bool:
        return self.told is None or request in self.told

    def _learn(self, entry: Entry | Unknown) -> None:
        if isinstance(entry, Decision) and entry.what == "repair":
            # After the one that closes the repair, runs knew no more than what stands here.
            self.told = set() if entry.last is not None and entry.last >= entry.seq else None
        elif self.told is None:
            return
        elif isinstance(entry, Decision):
            self.told.update(entry.requests)
        elif isinstance(entry, AttemptStarted | AttemptFailed | ImageSaved):
            self.told.add(entry.request)

    def _note(self, seq: int, problems: Iterator[str]) -> None:
        self.findings += (f"entry {seq}: {problem}" for problem in problems)

    def _attempt_problems(self, entry: AttemptStarted) -> Iterator[str]:
        record = self.state.records.get(entry.request) or RequestRecord()
        this = f"attempt {entry.attempt} of {entry.request}"
        if record.open is not None:
            yield f"{this} starts while attempt {record.open.attempt} is open"
        if entry.attempt <= record.attempts:
            yield f"{this} comes after attempt {record.attempts}"
        if entry.key not in {"", entry.request}:
            yield f"{this} has the key {entry.key}, not the request's own"
        yield from (f"{this} {problem}" for problem in self._citation_problems(entry, record))
        yield from (f"{this} {problem}" for problem in self._doubt_problems(record))

    def _citation_problems(self, entry: AttemptStarted, record: RequestRecord) -> Iterator[str]:
        if entry.because is None and record.attempts:
            yield "cites nothing that allows it"
        if entry.because is None:
            return
        allowing = {redo.seq for redo in self.state.redos.values()} if not record.attempts else set()
        if record.last_seq is not None:
            allowing = {record.last_seq}
        if entry.because not in allowing:
            yield f"cites entry {entry.because}, which does not allow it"

    def _doubt_problems(self, record: RequestRecord) -> Iterator[str]:
        run = self.state.runs[-1] if self.state.runs else RunStarted(run="")
        # Between a gap and the decision that closes the repair, lines go on that were written before anything was held.
        if record.is_held and self.told is None:
            yield "is sent although it is held until a decision"
        elif record.is_given_up:
            yield "is sent although it was given up"
        elif record.doubts and run.policy == "hold":
            yield "is sent again in doubt, under the policy hold"
        elif run.resends is not None and record.doubts > run.resends:
            yield f"is sent again after {record.doubts} doubts (at most {run.resends} resends)"

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
