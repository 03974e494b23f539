"""What to run next, out of what a run left."""

from collections.abc import Iterator, Sequence

from batchgen.cli.leftover import Aftermath, Leftover
from batchgen.run.events import SummaryEvent

__all__ = ["next_commands"]


def next_commands(event: SummaryEvent, after: Aftermath, job: str, *, is_retry: bool = False) -> list[tuple[str, str]]:
    """Commands with a remark on each (or none), the most useful first; nothing when all is there.

    What never started, what waits to be fetched and the doubts that the policy sends again need `run`, what failed
    `retry`, what is held a decision, and a refusal somebody's eye. A `retry` also says what it does not touch.
    """
    steps = list(_steps(event, after.left, job))
    if not steps and event.failed:
        steps.append((f"batchgen ls {job} -s state:failed", ""))
    return [*steps, *(_beside(after.beside, job) if is_retry else ())]


def _steps(event: SummaryEvent, left: Sequence[Leftover], job: str) -> Iterator[tuple[str, str]]:
    sent = [one for one in left if one.is_sent_next]
    doubts = sum(one.is_doubt for one in sent)
    if event.not_started or any(one.state == "in_doubt" for one in sent):
        yield f"batchgen run {job}", _billed_again(doubts)
    elif sent:
        yield f"batchgen retry {job}", ""
    held = sum(one.is_doubt and not one.is_sent_next for one in left)
    if held:
        yield f"batchgen resolve {job}", f"{held:,} in doubt and held"
    if any(one.kind == "stranger" for one in left):
        yield f"batchgen adopt {job}", ""


def _billed_again(doubts: int) -> str:
    if not doubts:
        return ""
    return f"sends {doubts:,} in doubt again; {'it' if doubts == 1 else 'each'} may be billed once more"


def _beside(beside: Sequence[Leftover], job: str) -> Iterator[tuple[str, str]]:
    """Doubts that were not chosen: `retry` runs what failed, and whoever asks for that must hear of these."""
    held = sum(not one.is_sent_next for one in beside)
    if held:
        yield f"batchgen resolve {job}", f"{held:,} not chosen here: in doubt and held"
    if len(beside) > held:
        yield f"batchgen run {job}", f"{len(beside) - held:,} not chosen here: in doubt, and may be billed once more"
