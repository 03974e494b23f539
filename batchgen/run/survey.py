"""Survey: how a job stands. Plan, ledger and folder held together; nothing is sent and nothing is changed."""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from batchgen.errors import Problem, UsageError
from batchgen.files import FileFact, Folder
from batchgen.images.picture import MAX_PIXELS
from batchgen.images.store import Expected, Verdict, find_astray, find_parts, inspect, picture_files
from batchgen.ledger.journal import read_state
from batchgen.ledger.record import SavedImage
from batchgen.ledger.state import State
from batchgen.plan.compare import Facts, SlotStatus, Standing, compare, stem
from batchgen.plan.expand import Plan, Redo, expand
from batchgen.plan.identity import bucket, is_bucket
from batchgen.plan.price import Price
from batchgen.request import Request
from batchgen.run.acceptance import image_seconds, warnings
from batchgen.run.because import Because
from batchgen.run.events import PlanEvent
from batchgen.run.job import Job
from batchgen.run.money import price_of
from batchgen.run.refusals import Refusals

__all__ = ["Survey", "finished_files", "look", "make_plan", "may_be_lost", "survey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """How a job stands. `selected` are the statuses of the selection in plan order; `state` is what the ledger says.

    `price` is the range for what `run` would send, None when any part of it is unknown. `left_seconds` is a guess at
    the wall time of that. `astray` says where finished images lie that are not under their own names.
    """

    job: Job
    plan: Plan
    standing: Standing
    selected: tuple[SlotStatus, ...]
    state: State
    price: Price | None
    left_seconds: float | None
    astray: Mapping[str, str]
    warnings: tuple[Problem, ...] = ()

    @property
    def to_send(self) -> tuple[SlotStatus, ...]:
        """What `run` would send, in plan order."""
        return tuple(status for status in self.selected if status.would_send)

    @property
    def event(self) -> PlanEvent:
        """The counts, over the selection."""
        counts = Counter(status.state for status in self.selected)
        return PlanEvent(
            job=self.job.name,
            folder=str(self.job.folder),
            requests=len(self.selected),
            new=counts["new"],
            changed=counts["changed"],
            done=counts["done"],
            missing=counts["missing"],
            altered=counts["altered"],
            failed=counts["failed"],
            in_doubt=counts["in_doubt"],
            orphan=len(self.standing.orphans),
            cost_low_usd=None if self.price is None else self.price.low_usd,
            cost_high_usd=None if self.price is None else self.price.high_usd,
            warnings=tuple(map(str, self.plan.warnings)),
        )


def look(job: Job) -> Survey:
    """How a job stands now, read without a lock. Raises PlanError, UsageError and LedgerDamagedError."""
    if not job.folder.is_dir():
        return survey(job, make_plan(job, State()), State(), None, {})
    with Folder(job.folder) as folder:
        state, _ = read_state(folder)
        return survey(job, make_plan(job, state), state, folder, folder.scan("images"))


def make_plan(job: Job, state: State) -> Plan:
    """The plan of a job with the redo decisions of its ledger, checked against its providers. Raises PlanError."""
    redos = {base: _redo(redo.count, redo.overrides) for base, redo in state.redos.items()}
    return expand(job.manifest, period=job.period, redos=redos, judge=Refusals(job.manifest, job.providers))


def survey(
    job: Job, plan: Plan, state: State, folder: Folder | None, seen: Mapping[str, FileFact], *, hash_all: bool = False
) -> Survey:
    """Hold a plan against what the ledger knows and what the folder holds (`seen` is a scan of `images`)."""
    verdicts: dict[str, Verdict] = {}
    astray: dict[str, str] = {}
    if folder is not None:
        verdicts, astray = _verdicts(folder, state, seen, hash_all=hash_all)
    standing = compare(
        plan.requests,
        _facts(job, state, because=Because(plan, state, folder), seen=seen, verdicts=verdicts),
    )
    selected = _selected(job, standing)
    to_send = [status.request for status in selected if status.would_send]
    return Survey(
        job=job,
        plan=plan,
        standing=standing,
        selected=selected,
        state=state,
        astray=astray,
        price=_total(_price(request, job, state) for request in to_send),
        left_seconds=_seconds(job, to_send),
        warnings=(*job.manifest.warnings, *warnings(job, plan.requests)),
    )


def _redo(count: int, overrides: Mapping[str, object]) -> Redo:
    sets = overrides.get("set")
    return Redo(
        count=count,
        prompt_suffix=str(overrides.get("prompt_suffix") or ""),
        sets=dict(sets) if isinstance(sets, Mapping) else {},
    )


def _verdicts(
    folder: Folder, state: State, seen: Mapping[str, FileFact], *, hash_all: bool
) -> tuple[dict[str, Verdict], dict[str, str]]:
    """What is wrong with finished files, and where those are that lie under another's name."""
    there = finished_files(state, seen)
    verdicts = inspect(folder, there, seen, max_pixels=MAX_PIXELS, hash_all=hash_all)
    astray = find_astray(folder, there, verdicts)
    for file in there:
        if file.path in astray.values():
            verdicts[file.request] = "gone"
    for request_id in astray:
        del verdicts[request_id]
    found = {file.request for file in there}
    for request_id, record in state.records.items():
        if record.saved is not None and request_id not in found:
            verdicts[request_id] = "gone"
    return verdicts, astray


def finished_files(state: State, seen: Mapping[str, FileFact]) -> Sequence[Expected]:
    """The finished images of a ledger where they are now (`seen` is a scan of `images`), one request per file."""
    parts = {(part.request, part.attempt): part.path for part in find_parts(seen)}
    return _latest(
        state,
        [
            _expected(state, request_id, record.saved, parts, seen)
            for request_id, record in state.records.items()
            if record.saved is not None
        ],
    )


def _latest(state: State, expected: Sequence[Expected]) -> Sequence[Expected]:
    """Of several records that point at one file, the one that came there last: the file of the others is gone.

    It was gone before another image got the name. Judged as retouched, that image would be moved as if it were theirs.
    """
    latest: dict[str, Expected] = {}
    for file in expected:
        other = latest.setdefault(file.path, file)
        if _placed_at_seq(state, file) > _placed_at_seq(state, other):
            latest[file.path] = file
    return expected if len(latest) == len(expected) else list(latest.values())


def _placed_at_seq(state: State, file: Expected) -> int:
    saved = state.records[file.request].saved
    return saved.placed_at_seq if saved is not None else 0


def _expected(
    state: State,
    request_id: str,
    saved: SavedImage,
    parts: Mapping[tuple[str, int], str],
    seen: Mapping[str, FileFact],
) -> Expected:
    path = saved.whereabouts(parts.get((request_id, saved.attempt)), seen)
    return Expected(
        request=request_id,
        path=path,
        bytes=saved.bytes,
        sha256=saved.sha256,
        saved_at=saved.at,
        is_trusted=state.is_run_finished(saved.run) and path == saved.path and saved.is_intact,
    )


def _facts(
    job: Job,
    state: State,
    *,
    because: Callable[[str, Request], str],
    seen: Mapping[str, FileFact],
    verdicts: Mapping[str, Verdict],
) -> Facts:
    saved = [record.saved for record in state.records.values() if record.saved is not None]
    owned = {image.path for image in saved} | {image.moved_from for image in saved if image.path not in seen}
    period = job.manifest.document.period
    options = job.options
    return Facts(
        records=state.records,
        by_slot=state.by_slot,
        verdicts=verdicts,
        strangers={stem(path): path for path in picture_files(seen) if path not in owned},
        is_past=functools.partial(_is_past, period, job.period),
        because=because,
        resends=job.policy.resends,
        may_resend=job.policy.in_doubt == "resend",
        keep_changed=options.keep_changed,
        remake_altered=options.remake_altered,
        send_refused=options.send_refused,
        remake=state.remake,
        lost_lines=may_be_lost(job, state),
    )


def may_be_lost(job: Job, state: State) -> bool:
    """Whether lines that the ledger lost, and nobody has settled yet, may tell of this plan's purchases.

    Nothing of a period that began after the repair can be among them.
    """
    kind = job.manifest.document.period
    if not state.lost_until or kind is None or job.period is None:
        return bool(state.lost_until)
    return job.period <= bucket(kind, datetime.fromisoformat(state.lost_until))


def _is_past(period: str | None, current: str | None, slot: str) -> bool:
    head = slot.partition("/")[0]
    return period is not None and head != current and is_bucket(period, head)


def _selected(job: Job, standing: Standing) -> tuple[SlotStatus, ...]:
    only = job.options.only_ids
    slots: Sequence[SlotStatus] = standing.slots
    if only is not None:
        unknown = only - {status.request.id for status in slots}
        if unknown:
            msg = f"--plan: {len(unknown)} of its images are no longer in the manifest; make the plan again"
            raise UsageError(msg)
        slots = [status for status in slots if status.request.id in only]
    return tuple(job.options.selection.apply(slots))


def _price(request: Request, job: Job, state: State) -> Price | None:
    """What sending a request costs; an image that only waits to be fetched is paid already."""
    record = state.records.get(request.id)
    if record is not None and record.is_fetchable:
        return Price(low_usd=0.0, high_usd=0.0)
    return price_of(request, job.providers[0])


def _total(prices: Iterable[Price | None]) -> Price | None:
    low = high = 0.0
    for price in prices:
        if price is None:
            return None
        low += price.low_usd
        high += price.high_usd
    return Price(low_usd=round(low, 6), high_usd=round(high, 6))


def _seconds(job: Job, requests: Sequence[Request]) -> float | None:
    """Wall time: the expected time of each image over how many go at once, or what the rate allows if that is more."""
    if not requests or job.providers[0].embedded:
        return None
    each = [image_seconds(request, job.providers[0]) for request in requests]
    rpm = job.limits.rpm or job.providers[0].rpm
    by_rate = 60.0 * len(requests) / rpm if rpm else 0.0
    return max(sum(each) / job.limits.concurrency, *each, by_rate)
