"""Redo: new takes for images that somebody rejected. The redo count makes a new request; the old image is kept."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from batchgen.files import Folder
from batchgen.ledger.entry import Decision
from batchgen.ledger.state import State
from batchgen.plan.compare import SlotStatus
from batchgen.plan.select import Selection
from batchgen.run.job import Job
from batchgen.run.survey import Survey, make_plan, survey

__all__ = ["Retakes", "preview", "redos", "sort_out", "undos"]


_MADE = {"done", "altered"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retakes:
    """What becomes of chosen slots: `again` get a new count, `pending` have one that was never made, `left` get none.

    `left` has the reason with each slot.
    """

    again: tuple[SlotStatus, ...]
    pending: tuple[SlotStatus, ...]
    left: tuple[tuple[SlotStatus, str], ...]


def sort_out(chosen: Iterable[SlotStatus]) -> Retakes:
    """Only an image that is there can be rejected. A doubt is settled first: a new request would hide it."""
    again, pending, left = [], [], []
    for status in chosen:
        if status.state in _MADE:
            again.append(status)
        elif status.state == "in_doubt":
            left.append((status, "in doubt; close that with `batchgen resolve` first"))
        elif status.request.redo:
            pending.append(status)
        else:
            left.append((status, f"{status.state}: there is no image to reject; `batchgen run` makes it"))
    return Retakes(again=tuple(again), pending=tuple(pending), left=tuple(left))


def redos(
    state: State, statuses: Iterable[SlotStatus], *, prompt_suffix: str | None, sets: Mapping[str, Any], by: str
) -> list[Decision]:
    """The decisions that raise the redo count of each slot by one. Earlier overrides stay unless given anew."""
    wanted: list[tuple[str, int, dict[str, Any]]] = []
    for status in statuses:
        standing = state.redos.get(status.request.base_id)
        overrides = dict(standing.overrides) if standing is not None else {}
        if prompt_suffix is not None:
            overrides["prompt_suffix"] = prompt_suffix
        if sets:
            earlier = overrides.get("set")
            overrides["set"] = {**(earlier if isinstance(earlier, Mapping) else {}), **sets}
        # One that was never made keeps its count: it only gets other overrides.
        is_made = status.state in _MADE
        wanted.append((status.request.base_id, status.request.redo + is_made, overrides))
    return _grouped(wanted, by)


def undos(state: State, statuses: Iterable[SlotStatus], *, by: str) -> tuple[list[Decision], list[SlotStatus]]:
    """The decisions that take redos back, and the slots of which none can be: there is none, or it was sent."""
    wanted: list[tuple[str, int, dict[str, Any]]] = []
    left = []
    for status in statuses:
        request = status.request
        known, standing = state.records.get(request.id), state.redos.get(request.base_id)
        if not request.redo or standing is None or (known is not None and (known.attempts or known.saved)):
            left.append(status)
            continue
        before = standing.before
        wanted.append((request.base_id, before.count if before else 0, dict(before.overrides) if before else {}))
    return _grouped(wanted, by), left


def _grouped(wanted: Sequence[tuple[str, int, dict[str, Any]]], by: str) -> list[Decision]:
    """One decision for all that get the same count and overrides."""
    decisions: dict[str, Decision] = {}
    for base_id, count, overrides in wanted:
        key = json.dumps([count, overrides], sort_keys=True)
        decision = decisions.setdefault(
            key, Decision(what="redo", requests=[], count=count, overrides=overrides or None, by=by)
        )
        decision.requests.append(base_id)
    return list(decisions.values())


def preview(folder: Folder, job: Job, state: State, decisions: Iterable[Decision], slots: Iterable[str]) -> Survey:
    """How `slots` would stand with `decisions` in force; nothing is written. Raises PlanError for bad overrides."""
    ahead = replace(state, redos=dict(state.redos))
    for decision in decisions:
        ahead.apply(decision)
    plan = make_plan(job, ahead)
    wanted = set(slots)
    ids = frozenset(request.id for request in plan.requests if request.slot in wanted)
    narrowed = replace(job, options=replace(job.options, only_ids=ids, selection=Selection()))
    return survey(narrowed, plan, ahead, folder, folder.scan("images"))
