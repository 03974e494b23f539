"""SLOT arguments of verbs that decide about single images: exact names, because a decision may cost money."""

import difflib
from collections.abc import Sequence

import click

from batchgen.cli.screen import Screen, one_line
from batchgen.errors import UsageError
from batchgen.plan.compare import SlotStatus
from batchgen.run.survey import Survey

__all__ = ["chosen", "list_some", "no_slot", "slots_argument"]

_SUGGESTIONS = 3
_SEARCHED = 5_000  # comparing spellings is slow
_LISTED = 20

slots_argument = click.argument("slots", metavar="[SLOT]...", nargs=-1)
"""Slots as `batchgen ls` prints them, or request ids; none means the whole selection."""


def chosen(survey: Survey, slots: Sequence[str]) -> tuple[SlotStatus, ...]:
    """The selection, narrowed to `slots` where any are named, in plan order.

    Raises UsageError for a slot that does not exist or that the selection leaves out.
    """
    if not slots:
        return survey.selected
    known = {status.request.id: status for status in survey.selected}
    known |= {status.request.slot: status for status in survey.selected}
    for slot in slots:
        if slot not in known:
            raise no_slot(survey, slot)
    wanted = {known[slot].request.id for slot in slots}
    return tuple(status for status in survey.selected if status.request.id in wanted)


def no_slot(survey: Survey, wanted: str) -> UsageError:
    """The error for a slot that does not exist, with near names."""
    slots = [status.request.slot for status in survey.standing.slots]
    if wanted in slots:
        return UsageError(f"'{wanted}' is not in the selection; leave the selection out, or the slot")
    near = [slot for slot in slots if wanted in slot][:_SUGGESTIONS]
    near = near or difflib.get_close_matches(wanted, slots[:_SEARCHED], n=_SUGGESTIONS, cutoff=0.5)
    advice = f"did you mean {', '.join(near)}?" if near else "`batchgen ls` lists them"
    return UsageError(f"no slot '{wanted}' in {survey.job.name}; {advice}")


def list_some(screen: Screen, told: Sequence[tuple[str, str]]) -> None:
    """Slots with a remark each, aside; the first few of many."""
    for slot, remark in told[:_LISTED]:
        screen.note(f"  {one_line(slot)}  {one_line(remark)}")
    if len(told) > _LISTED:
        screen.note(f"  ... and {len(told) - _LISTED:,} more")
