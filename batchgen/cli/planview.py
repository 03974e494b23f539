"""What a survey looks like: as a head and a table for people, as events for programs."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from batchgen.cli.events import plan_event, slot_event
from batchgen.cli.figures import money
from batchgen.cli.plantext import PlanHead, head_lines, slot_lines, warning_lines
from batchgen.cli.screen import Screen
from batchgen.cli.underway import in_flight
from batchgen.plan.compare import Orphan
from batchgen.plan.price import price_date
from batchgen.provider.encode import sent_params
from batchgen.run.events import PlanEvent
from batchgen.run.job import Job
from batchgen.run.money import price_of
from batchgen.run.survey import Survey

__all__ = [
    "budget_left_usd",
    "event_of",
    "head_of",
    "models",
    "orphans_of",
    "show_head",
    "show_plan",
    "slot_events",
    "warnings_of",
]

_SLOTS_SHOWN = 10


def show_plan(
    screen: Screen, survey: Survey, *, now: datetime, as_json: bool = False, everything: bool = False
) -> None:
    """Print a plan to stdout; `now` (UTC) decides which budget window is open."""
    if as_json:
        screen.raw(plan_event(event_of(survey)))
        for line in slot_events(survey):
            screen.raw(line)
    else:
        flying = in_flight(survey.job.folder, survey.state)
        limit = None if everything else _SLOTS_SHOWN
        screen.lines(*head_lines(event_of(survey), head_of(survey, now, flying), screen.width))
        for row in slot_lines(survey.selected, orphans_of(survey), width=screen.width, limit=limit, in_flight=flying):
            screen.line(*row)
    for warning in warning_lines([*survey.event.warnings, *warnings_of(survey, now)]):
        screen.note(*warning)


def show_head(screen: Screen, survey: Survey, *, now: datetime) -> None:
    """Print the head alone, aside: what a run is about to do. The plan's own warnings were said with its event."""
    for line in head_lines(event_of(survey), head_of(survey, now), screen.width):
        screen.note(*line)
    for line in warning_lines(warnings_of(survey, now)):
        screen.note(*line)


def orphans_of(survey: Survey) -> Sequence[Orphan]:
    """The images that nobody names any more; a selection is about the plan, unless it asks for these."""
    options = survey.job.options
    is_asked = options.selection.is_everything or options.selection.names_state("orphan")
    return survey.standing.orphans if is_asked and options.only_ids is None else ()


def event_of(survey: Survey) -> PlanEvent:
    """The counts that go with the slots shown."""
    return replace(survey.event, orphan=len(orphans_of(survey)))


def head_of(survey: Survey, now: datetime, flying: Collection[str] = ()) -> PlanHead:
    """What the head of a plan says beyond the counts; `flying` are the ids that another run is waiting for."""
    job = survey.job
    return PlanHead(
        providers=tuple(provider.name for provider in job.providers),
        model=models(survey),
        product=survey.plan.explanation,
        total=len(survey.plan.requests),
        to_send=len(survey.to_send),
        to_move=sum(status.move_from is not None for status in survey.standing.slots),
        in_flight=sum(status.request.id in flying for status in survey.selected),
        prices_dated="" if job.providers[0].prices != "list" else str(price_date()),
        budget_usd=budget_left_usd(survey, now),
        expected_seconds=survey.left_seconds,
        is_sandbox=job.providers[0].sandbox,
    )


def models(survey: Survey) -> str:
    """The model that the selection asks for, or how many there are."""
    provider = survey.job.providers[0]
    # Requests that render alike share one mapping, so a million requests have few of them.
    shared = {id(status.request.params): status.request.params for status in survey.selected}
    found = {str(sent_params(provider, params).get("model") or "") for params in shared.values()} - {""}
    return next(iter(found)) if len(found) == 1 else f"{len(found)} models" if found else ""


def budget_left_usd(survey: Survey, now: datetime) -> float | None:
    """Dollars that the budget's open window still allows; None without a budget."""
    limits = survey.job.limits
    if limits.budget_usd is None:
        return None
    windows = {"job": "job", "day": f"{now:%Y-%m-%d}", "month": f"{now:%Y-%m}"}
    window = windows.get(limits.budget_per)
    committed = 0.0 if window is None else survey.state.committed_usd(window=window)
    return max(0.0, limits.budget_usd - committed)


def warnings_of(survey: Survey, now: datetime) -> list[str]:
    """The manifest's warnings, and limits that the plan does not fit into."""
    return [*(str(problem) for problem in survey.warnings), *_limit_warnings(survey.job, survey, now)]


def _limit_warnings(job: Job, survey: Survey, now: datetime) -> Iterator[str]:
    left, price, sends = budget_left_usd(survey, now), survey.price, len(survey.to_send)
    if left is not None and price is not None and price.high_usd > left:
        yield f"the budget allows {money(left)} more, the plan may cost {money(price.high_usd)}; a run stops there"
    if left is not None and price is None and sends:
        yield "limits.budget_usd is set, but no price is known; a run refuses; give `prices` to the provider"
    if job.limits.max_images is not None and sends > job.limits.max_images:
        yield f"limits.max_images is {job.limits.max_images:,}, the plan sends {sends:,}; a run refuses"


def slot_events(survey: Survey) -> Iterator[str]:
    """One event per selected slot and per orphan. `cost_usd` is what making it once costs at most."""
    provider = survey.job.providers[0]
    for status in survey.selected:
        price = price_of(status.request, provider)
        yield slot_event(
            slot=status.request.slot,
            request_id=status.request.id,
            state=status.state,
            reason=status.reason,
            path=status.path,
            cost_usd=None if price is None else price.high_usd,
        )
    for orphan in orphans_of(survey):
        yield slot_event(
            slot=orphan.slot,
            request_id=orphan.id,
            state="orphan",
            reason=orphan.reason,
            path=orphan.path,
            cost_usd=None,
        )
