"""Why a slot is called changed: the request as it was bought, held against the request as it is asked for now."""

from batchgen.files import Folder
from batchgen.ledger.journal import read_asked
from batchgen.ledger.state import State
from batchgen.plan.expand import Plan
from batchgen.plan.identity import canonical, changed_fields
from batchgen.request import Request

__all__ = ["Because", "asked_of"]


def asked_of(plan: Plan, request: Request) -> str:
    """The canonical JSON that a request's id is the hash of."""
    return canonical(
        job=plan.job,
        operation=request.operation,
        prompt=request.prompt,
        params=request.params,
        image_hashes=[image.sha256 for image in request.images],
        mask_hash=None if request.mask is None else request.mask.sha256,
        take=request.take,
        redo=request.redo,
        period=plan.period,
    )


class Because:
    """Explains a changed slot. The ledger is read again for the old request, once, and only if anything changed."""

    def __init__(self, plan: Plan, state: State, folder: Folder | None) -> None:
        self._plan = plan
        self._state = state
        self._folder = folder
        self._asked: dict[int, str] | None = None

    def __call__(self, old: str, request: Request) -> str:
        """The fields that differ between the request `old` and this one, as a sentence."""
        seq = self._state.records[old].asked_at_seq
        if self._asked is None:
            self._asked = self._read()
        before = self._asked.get(seq) if seq is not None else None
        if before is None:
            return "changed"
        fields = changed_fields(before, asked_of(self._plan, request))
        return f"{', '.join(fields)} changed" if fields else "changed"

    def _read(self) -> dict[int, str]:
        planned = {request.id for request in self._plan.requests}
        seqs = {
            record.asked_at_seq
            for request_id, record in self._state.records.items()
            if request_id not in planned and record.asked_at_seq is not None
        }
        return read_asked(self._folder, seqs) if self._folder is not None else {}
