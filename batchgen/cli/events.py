"""Events as NDJSON, one object per line: names and order of the fields are a contract that scripts depend on."""

import json
from collections.abc import Iterable
from typing import Any

from batchgen.errors import Problem
from batchgen.run.events import FailureEvent, ImageEvent, PlanEvent, SummaryEvent

__all__ = ["error_event", "failure_event", "image_event", "plan_event", "slot_event", "summary_event"]


def _line(event: str, **fields: Any) -> str:
    """ASCII only: valid in any locale, and nothing in it moves a terminal's cursor or turns its direction."""
    return json.dumps({"v": 1, "event": event, **fields}, separators=(",", ":"))


def plan_event(event: PlanEvent) -> str:
    """The counts by state; `cost_usd` is null when no price is known."""
    return _line(
        "plan",
        job=event.job,
        folder=event.folder,
        requests=event.requests,
        new=event.new,
        changed=event.changed,
        done=event.done,
        missing=event.missing,
        altered=event.altered,
        failed=event.failed,
        in_doubt=event.in_doubt,
        orphan=event.orphan,
        cost_usd=_range(event.cost_low_usd, event.cost_high_usd),
    )


def _range(low: float | None, high: float | None) -> dict[str, float] | None:
    return None if low is None or high is None else {"low": low, "high": high}


def slot_event(
    *, slot: str, request_id: str | None, state: str, reason: str, path: str | None, cost_usd: float | None
) -> str:
    """One slot of a plan; an orphan has neither a price nor, once forgotten, an id."""
    return _line("slot", slot=slot, id=request_id, state=state, reason=reason, path=path, cost_usd=cost_usd)


def image_event(event: ImageEvent) -> str:
    """An image that is paid, safe and published."""
    return _line(
        "image",
        slot=event.slot,
        id=event.id,
        path=event.path,
        bytes=event.bytes,
        sha256=event.sha256,
        format=event.format,
        width=event.width,
        height=event.height,
        attempts=event.attempts,
        seconds=round(event.seconds, 3),
        cost_usd=event.cost_usd,
    )


def failure_event(event: FailureEvent) -> str:
    """One attempt's failure; `retry_in` is seconds, or null when this run does not try again."""
    retry_in = None if event.final or event.retry_in_seconds is None else round(event.retry_in_seconds, 3)
    return _line(
        "failure",
        slot=event.slot,
        id=event.id,
        attempt=event.attempt,
        kind=event.kind,
        billed=event.billed,
        final=event.final,
        message=event.message,
        retry_in=retry_in,
    )


def summary_event(event: SummaryEvent) -> str:
    """The end of a run."""
    return _line(
        "summary",
        job=event.job,
        requests=event.requests,
        saved=event.saved,
        skipped=event.skipped,
        failed=event.failed,
        in_doubt=event.in_doubt,
        not_started=event.not_started,
        attempts=event.attempts,
        cost_usd=event.cost_usd,
        maybe_billed_usd=event.maybe_billed_usd,
        seconds=round(event.seconds, 3),
        exit_code=event.exit_code,
    )


def error_event(exit_code: int, problems: Iterable[Problem]) -> str:
    """Why there is no plan. Unknown places are null."""
    return _line("error", exit_code=exit_code, problems=[_problem(problem) for problem in problems])


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file or None,
        "line": problem.line,
        "column": problem.column,
        "key": problem.key or None,
        "message": problem.message,
    }
