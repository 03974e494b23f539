"""What a run leaves without an image: every such slot with its reason, whether this run sent it or an earlier one."""

from dataclasses import dataclass
from typing import Literal

from batchgen.files import Folder
from batchgen.ledger.record import RequestRecord
from batchgen.plan.compare import SlotStatus
from batchgen.run.job import Job
from batchgen.run.survey import Survey, look, survey

__all__ = ["Aftermath", "Leftover", "Lookback"]

_HELD_FILE, _GIVEN_UP, _UNFETCHED = "stranger", "given_up", "unfetched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """One slot without its image.

    `kind` is the kind of its last failure, or `stranger` (a file that the ledger does not know is in its place),
    `given_up` (by decision) or `unfetched` (paid, and waiting at the provider). `attempts` counts all runs.
    `is_sent_next`: a plain `batchgen run` sends it.
    """

    slot: str
    state: Literal["failed", "in_doubt"]
    kind: str
    message: str = ""
    attempts: int = 0
    is_sent_next: bool = False

    @property
    def is_doubt(self) -> bool:
        """Whether it may have been billed, and sending it again may be billed once more."""
        return self.state == "in_doubt" and self.kind not in {_HELD_FILE, _UNFETCHED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What is left of the selection, and what is in doubt beside it."""

    left: tuple[Leftover, ...] = ()
    beside: tuple[Leftover, ...] = ()


class Lookback:
    """How a job stands after a run, held against how it stood before. `began` says the latter, if anything is sent."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._before: Survey | None = None

    def began(self, before: Survey) -> None:
        """The run is about to send."""
        self._before = before

    def __call__(self) -> Aftermath:
        """What is left now. Raises what `look` raises, and OSError."""
        now = look(self.job) if self._before is None else self._again(self._before)
        chosen = {status.request.id for status in (self._before or now).selected}
        left: list[Leftover] = []
        beside: list[Leftover] = []
        for status in now.standing.slots:
            found = _leftover(status, now.state.records.get(status.request.id))
            if found is not None:
                (left if status.request.id in chosen else beside).append(found)
        return Aftermath(left=tuple(left), beside=tuple(one for one in beside if one.state == "in_doubt"))

    def _again(self, before: Survey) -> Survey:
        """The plan is the same and the state has grown with the run, so only the folder has to be read again."""
        with Folder(self.job.folder) as folder:
            return survey(self.job, before.plan, before.state, folder, folder.scan("images"))


def _leftover(status: SlotStatus, record: RequestRecord | None) -> Leftover | None:
    record = record or RequestRecord()
    is_final = record.is_refused or record.is_given_up
    if status.state not in {"failed", "in_doubt"} and not (is_final and status.state in {"changed", "missing"}):
        return None
    return Leftover(
        slot=status.request.slot,
        state="in_doubt" if status.state == "in_doubt" else "failed",
        kind=_kind(status, record),
        message=record.message,
        attempts=record.attempts,
        is_sent_next=status.would_send,
    )


def _kind(status: SlotStatus, record: RequestRecord) -> str:
    if record.is_given_up:
        return _GIVEN_UP
    if record.is_fetchable:
        return _UNFETCHED
    if status.stranger is not None and not record.is_in_doubt:
        return _HELD_FILE
    return record.failure or "in_doubt"
