"""The end of a run in numbers: every selected request falls into exactly one count. Pure."""

from batchgen.ledger.state import State
from batchgen.plan.compare import SlotStatus
from batchgen.run.events import SummaryEvent
from batchgen.run.stop import Stop
from batchgen.run.survey import Survey
from batchgen.run.tally import Tally

__all__ = ["summarise"]

_LIMIT = 5


def summarise(found: Survey, tally: Tally, stop: Stop, *, run_index: int | None, seconds: float) -> SummaryEvent:
    """The summary of a run. `found` is the survey from before it, whose state has grown since.

    `run_index` is the run's place in `State.runs`, None when nothing was sent. Where several exit codes fit, the stop's
    weighs more than 3 (some failed or are held) and 3 more than 0.
    """
    state = found.state
    unsent = [status for status in found.selected if not status.would_send]
    doubtful = sum(_is_in_doubt(state, status.request.id) for status in found.to_send)
    failed = tally.failed_count + sum(_is_failed(state, status) for status in unsent)
    in_doubt = doubtful + sum(status.state == "in_doubt" for status in unsent)
    not_started = len(found.to_send) - tally.saved_count - tally.failed_count - doubtful
    account = state.run_accounts[run_index] if run_index is not None else None
    # What is still reserved at the end is an attempt left open: paid, and waiting to be fetched or adopted.
    maybe = max(0.0, round(account.in_doubt_usd + account.reserved_usd, 6)) if account is not None else 0.0
    code = 3 if failed or in_doubt else 0
    # A limit that was reached with the last image stopped nothing.
    is_all_there = code == 0 and not not_started and not tally.unpublished_count
    stopped = stop.is_set and not (stop.exit_code == _LIMIT and is_all_there)
    return SummaryEvent(
        job=found.job.name,
        folder=str(found.job.folder),
        requests=len(found.selected),
        saved=tally.saved_count,
        skipped=len(found.selected) - tally.saved_count - failed - in_doubt - not_started,
        failed=failed,
        in_doubt=in_doubt,
        not_started=not_started,
        attempts=tally.attempts,
        cost_usd=_dollars(tally, found),
        maybe_billed_usd=None if tally.has_unpriced_doubts else maybe,
        maybe_billed=tally.maybe_billed,
        seconds=round(seconds, 3),
        exit_code=stop.exit_code if stopped else code,
        stop_reason=stop.reason if stopped else "",
    )


def _is_in_doubt(state: State, request_id: str) -> bool:
    record = state.records.get(request_id)
    return record is not None and record.is_in_doubt


def _is_failed(state: State, status: SlotStatus) -> bool:
    """A slot that is not sent and has no image of its own: refused, or given up."""
    record = state.records.get(status.request.id)
    refused = record is not None and (record.is_refused or record.is_given_up)
    return status.state == "failed" or (refused and status.state in {"changed", "missing"})


def _dollars(tally: Tally, found: Survey) -> float | None:
    """Nothing sent costs nothing; an unknown price stays unknown, also that of a fallback."""
    if tally.has_unpriced_images:
        return None
    if tally.cost_usd is not None:
        return round(tally.cost_usd, 6)
    return 0.0 if not found.to_send or found.price is not None else None
