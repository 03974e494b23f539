"""Broken batchgens, each with one rule dropped, and the classes that the checker must find it out by.

A mutant is applied in the forked child only, right before it runs. What it patches must exist: when the code is turned
round, the mutant has to follow, or the test that expects it to be caught fails.
"""

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from batchgen.files import Folder
from batchgen.images.arrival import Arrival, part_path
from batchgen.images.picture import Picture
from batchgen.ledger.entry import AttemptFailed, AttemptStarted, Decision, ImageMoved, ImageSaved
from batchgen.ledger.journal import Journal
from batchgen.ledger.record import Account, RequestRecord
from batchgen.provider.failure import Failure
from batchgen.provider.session import Session
from batchgen.run import runner, settle, survey
from batchgen.run.crew import Crew
from batchgen.run.limits import Budget, Gate
from batchgen.run.money import Money
from batchgen.run.publish import Publisher
from batchgen.run.recover import Recovery
from batchgen.run.runner import Run

from .mutation import MUTANTS, around, changed, entries, mutant

__all__ = ["MUTANTS"]

A_WHILE = 0.004


async def _nothing(*_: Any) -> None:
    return None


@mutant("lost", "early")
def _sends_before_the_record_is_durable() -> None:
    """The journal does not wait for the disk, and the disk is slow."""
    under_way: set[Any] = set()

    async def hurried(append: Any, _journal: Journal, entry: Any) -> int:
        if not isinstance(entry, AttemptStarted):
            return int(await append(entry))
        await asyncio.sleep(0)
        later = asyncio.ensure_future(append(entry))
        under_way.add(later)
        return 0

    def slow(original: Any, *arguments: Any) -> None:
        time.sleep(A_WHILE)
        original(*arguments)

    entries(hurried)
    around(Folder, "write", slow)


@mutant("lost", "early")
def _records_the_attempt_with_its_outcome() -> None:
    """An attempt is written down when it is over."""
    waiting: dict[str, AttemptStarted] = {}

    async def late(append: Any, _journal: Journal, entry: Any) -> int:
        if isinstance(entry, AttemptStarted):
            waiting[entry.request] = entry
            return 0
        if isinstance(entry, AttemptFailed | ImageSaved) and entry.request in waiting:
            await append(waiting.pop(entry.request))
        return int(await append(entry))

    entries(late)


@mutant("uncited")
def _forgets_because() -> None:
    """A further attempt does not say what allows it."""
    changed(AttemptStarted, lambda _: {"because": None})


@mutant("lost")
def _calls_open_attempts_free() -> None:
    """What a crash left open is taken for not sent."""

    def free(entry: AttemptFailed) -> dict[str, Any]:
        return {"billed": "no"} if "run ended" in entry.message else {}

    changed(AttemptFailed, free)


@mutant("broken")
def _leaves_attempts_open() -> None:
    """Recovery does not close what a crash left open."""
    around(Recovery, "_close", _nothing)


@mutant("unexpected")
def _renames_before_the_record() -> None:
    """The file gets its final name first."""

    async def eager(append: Any, journal: Journal, entry: Any) -> int:
        if isinstance(entry, ImageSaved):
            part = part_path(entry.path, entry.request, entry.attempt)
            journal._folder.rename(part, entry.path)
            await asyncio.sleep(A_WHILE)
            journal._folder.rename(entry.path, part)
        return int(await append(entry))

    entries(eager)


@mutant("unconsented", "double", "wrong")
def _records_before_the_bytes() -> None:
    """The image is called saved while its bytes are on their way."""

    async def eager(append: Any, journal: Journal, entry: Any) -> int:
        if not isinstance(entry, ImageSaved):
            return int(await append(entry))
        part = journal._folder.path / part_path(entry.path, entry.request, entry.attempt)
        data = part.read_bytes()
        part.unlink()
        seq = int(await append(entry))
        await asyncio.sleep(A_WHILE)
        part.write_bytes(data)
        return seq

    entries(eager)


@mutant("unconsented", "double", "wrong", styles={"flight": 1})
def _never_finishes_a_rename() -> None:
    """Recovery takes a recorded temp file for rubbish."""

    async def slow(original: Any, *arguments: Any) -> None:
        await asyncio.sleep(A_WHILE)
        await original(*arguments)

    around(Recovery, "_finish_renames", _nothing)
    around(Publisher, "_rename", slow)


def _policy(**fields: Any) -> None:
    """Doubts are judged by another policy than the manifest's."""
    around(settle, "decide", lambda decide, policy, *rest, **kwargs: decide(replace(policy, **fields), *rest, **kwargs))
    facts = {"resends": fields["resends"]} if "resends" in fields else {"may_resend": True}
    around(survey, "_facts", lambda original, *args, **kwargs: replace(original(*args, **kwargs), **facts))


@mutant("unconsented", "double", resends=0)
def _resends_without_end() -> None:
    """The bound on resends is not kept."""
    _policy(resends=99)


@mutant("unconsented", "double", in_doubt="hold")
def _ignores_hold() -> None:
    """What is held is sent again."""
    _policy(in_doubt="resend")


@mutant("over", budget_usd=0.25, resends=5)
def _forgets_doubts_in_the_budget() -> None:
    """Maybe billed counts as not billed."""
    Account.committed_usd = property(lambda self: self.spent_usd + self.reserved_usd)  # type: ignore[method-assign,assignment]


@mutant("over", budget_usd=0.25)
def _forgets_other_runs_in_the_budget() -> None:
    """Each run has the whole budget to itself."""
    around(
        Money,
        "committed_usd",
        lambda _, money: money.state.committed_usd(window="job", run=money.run_index),
    )


@mutant("over")
def _reserves_too_little() -> None:
    """The reservation is below what is billed."""
    changed(AttemptStarted, lambda entry: {"reserved_usd": (entry.reserved_usd or 0.0) / 2})


@mutant("broken")
def _makes_a_new_key_for_each_attempt() -> None:
    """The idempotency key changes from attempt to attempt."""

    def keyed(encode: Any, *arguments: Any, **fields: Any) -> Any:
        outgoing = encode(*arguments, **fields)
        key = {"Idempotency-Key": outgoing.headers["X-Client-Request-Id"]}
        return replace(outgoing, headers={**outgoing.headers, **key})

    around(settle, "encode", keyed)


@mutant("double", faults={"gateway": 0.3})
def _retries_inside_the_client() -> None:
    """The transport sends again by itself."""

    async def again(post: Any, *arguments: Any, **fields: Any) -> Any:
        answer = await post(*arguments, **fields)
        is_doubt = isinstance(answer, Failure) and answer.billed == "maybe"
        return await post(*arguments, **fields) if is_doubt else answer

    around(Session, "post", again)


@mutant("double", "unexpected", concurrency=1)
def _sends_the_wrong_request() -> None:
    """Now and then the previous request goes out once more in the place of the next one."""
    last: list[Any] = []

    async def confused(post: Any, session: Session, outgoing: Any, *rest: Any, **fields: Any) -> Any:
        last.append(outgoing)
        return await post(session, last[-2] if len(last) % 3 == 0 else outgoing, *rest, **fields)

    around(Session, "post", confused)


@mutant("wrong", "unconsented", is_big=True, requests=4)
def _adopts_anything() -> None:
    """Half a picture in a temp file is taken for a whole one."""
    around(Recovery, "_examine", lambda *_: Picture(format="png", width=8, height=8))


@mutant("wrong", "unexpected", "unconsented", rounds=((), ("rename",), ("swap",)))
def _moves_without_a_record() -> None:
    """A file gets another name, and the ledger hears nothing of it."""

    async def silent(append: Any, journal: Journal, entry: Any) -> int:
        if isinstance(entry, ImageMoved):
            journal.state.apply(entry)
            return 0
        return int(await append(entry))

    entries(silent)


@mutant("undrained", styles={"stop": 1})
def _aborts_at_the_first_signal() -> None:
    """SIGTERM cuts paid requests in half."""

    def abort(interrupt: Any, run: Run, code: int) -> None:
        interrupt(run, code)
        run._crew.abort()

    around(Run, "interrupt", abort)


@mutant("stuck", rounds=((), ("remove",), ("damage",)), styles={"start": 1})
def _believes_the_ledger() -> None:
    """Whoever is recorded is done; nobody looks at the files, except for who asks in the end."""
    around(survey, "inspect", lambda *_args, **_fields: {})


@mutant("died", "broken")
def _breaks_the_chain() -> None:
    """A run starts its checksums anew."""

    def forget(original: Any, journal: Journal) -> None:
        original(journal)
        journal._crc = 0

    around(Journal, "open", forget)


@mutant("stuck", in_doubt="hold", styles={"flight": 1})
def _calls_everything_fine() -> None:
    """The exit code says nothing of doubts."""
    around(runner, "summarise", lambda original, *args, **kwargs: replace(original(*args, **kwargs), exit_code=0))


@mutant("unpriced", faults={"gateway": 0.3}, styles={"start": 1})
def _hushes_up_doubts() -> None:
    """The summary says nothing of what may have been billed."""
    around(
        runner, "summarise", lambda original, *args, **kwargs: replace(original(*args, **kwargs), maybe_billed_usd=0.0)
    )


@mutant("stuck", budget_usd=0.45)
def _stops_far_below_the_budget() -> None:
    """Half of the budget is never used."""

    def halved(original: Any, budget: Budget, usd: float) -> bool:
        half = SimpleNamespace(
            limit_usd=(budget.limit_usd or 0.0) / 2, _committed=budget._committed, _open=budget._open
        )
        return bool(original(half, usd))

    around(Budget, "_fits", halved)


@mutant("broken", faults={"cut": 0.3}, is_big=True, requests=4)
def _litters() -> None:
    """Temp files of settled attempts are left behind."""
    around(Arrival, "discard", _nothing)
    around(Recovery, "_remove_settled", _nothing)


@mutant("broken", "unconsented", "double", faults={"url": 0.6})
def _buys_what_it_could_fetch() -> None:
    """An address in the ledger is not used."""
    RequestRecord.is_fetchable = property(lambda _: False)  # type: ignore[method-assign,assignment]


@mutant("broken", concurrency=2)
def _sends_more_at_once_than_allowed() -> None:
    """Neither the gate nor the number of workers is kept."""

    def wide(original: Any, gate: Gate, *, at_once: int, **fields: Any) -> None:
        original(gate, at_once=at_once * 3, **fields)

    async def many(original: Any, crew: Crew, *arguments: Any, at_once: int) -> None:
        await original(crew, *arguments, at_once=at_once * 3)

    around(Gate, "__init__", wide)
    around(Crew, "work", many)


@mutant("unconsented", in_doubt="hold")
def _decides_by_itself() -> None:
    """A run consents in the name of its user."""

    async def consenting(append: Any, _journal: Journal, entry: Any) -> int:
        seq = int(await append(entry))
        if isinstance(entry, AttemptFailed) and entry.billed == "maybe":
            await append(Decision(what="resend", requests=[entry.request], by="somebody"))
        return seq

    entries(consenting)
