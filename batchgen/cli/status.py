"""`batchgen status`: where jobs stand, in a few lines each."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import click

from batchgen.cli.figures import amount, money
from batchgen.cli.opening import options_for
from batchgen.cli.options import JobOptions, job_changes, json_option, screen_options
from batchgen.cli.plantext import state_counts
from batchgen.cli.screen import Ink, Line
from batchgen.cli.shell import Shell
from batchgen.cli.underway import in_flight
from batchgen.clock import SystemClock
from batchgen.ledger.state import State
from batchgen.run.job import open_job
from batchgen.run.survey import Survey, look

__all__ = ["command"]

_FAILURES_SHOWN = 3


@click.command("status")
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True)
@job_changes
@json_option
@screen_options
def command(shell: Shell, jobs: Sequence[str], job: JobOptions, *, as_json: bool) -> int:
    """Show how far jobs are: states, dollars, the last run, the most frequent failures."""
    now = SystemClock().now()
    for name in jobs:
        survey = look(open_job(options_for(shell, replace(job, job=name)), now=now))
        if as_json:
            shell.screen.raw(json.dumps(_as_json(survey), separators=(",", ":")))
        else:
            shell.screen.lines(*_lines(survey))
    return 0


def _lines(survey: Survey) -> list[Line]:
    flying = in_flight(survey.job.folder, survey.state)
    count = sum(status.request.id in flying for status in survey.selected)
    lines: list[Line] = [
        (Ink(survey.job.name, "bold"), f"   {survey.job.folder}"),
        ("  ", *state_counts(survey.event, count)),
    ]
    if survey.state.runs:
        lines += [(f"  {_spent(survey.state, flying)}",), (f"  {_last_run(survey.state, is_on=bool(flying))}",)]
    failures = ", ".join(f"{count:,} {kind}" for kind, count in _failures(survey, flying).most_common(_FAILURES_SHOWN))
    if failures:
        lines.append((f"  failures: {failures}",))
    return lines


def _dollars(state: State) -> tuple[float, float]:
    """Spent, and maybe billed without an image."""
    accounts = state.days.values()
    return sum(day.spent_usd for day in accounts), sum(day.in_doubt_usd + day.reserved_usd for day in accounts)


def _doubts(state: State) -> int:
    return sum(len(record.doubtful) for record in state.records.values())


def _spent(state: State, flying: Collection[str]) -> str:
    spent, in_doubt = _dollars(state)
    reserved = sum(record.open.reserved_usd for key in flying if (record := state.records[key]).open is not None)
    unpriced = any(record.saved is not None and record.saved.cost_usd is None for record in state.records.values())
    said = f"spent {money(spent)}" + (" and some at unknown prices" if unpriced else "")
    doubts = _doubts(state)
    said += f", {money(reserved)} reserved for what is in flight" if reserved else ""
    without = f"maybe billed without an image: {amount(doubts, 'request')}, {money(max(0.0, in_doubt - reserved))}"
    return f"{said}, {without}" if doubts else said


def _last_run(state: State, *, is_on: bool) -> str:
    last = state.runs[-1]
    finished = state.finished.get(last.run)
    unfinished = "still on" if is_on else "still on, or it was cut off"
    how = f"exit {finished.exit_code}" if finished is not None else unfinished
    return f"last run {last.at[:16].replace('T', ' ')} UTC, {how}; {amount(len(state.runs), 'run')} in all"


def _failures(survey: Survey, flying: Collection[str]) -> Counter[str]:
    records = survey.state.records
    left = (status for status in survey.selected if status.state in {"failed", "in_doubt"})
    found = (records.get(status.request.id) for status in left if status.request.id not in flying)
    return Counter(record.failure or "in_doubt" for record in found if record is not None)


def _as_json(survey: Survey) -> dict[str, Any]:
    event, state = survey.event, survey.state
    flying = in_flight(survey.job.folder, state)
    spent, in_doubt = _dollars(state)
    last = state.runs[-1] if state.runs else None
    finished = None if last is None else state.finished.get(last.run)
    counts = ("requests", "new", "changed", "done", "missing", "altered", "failed", "in_doubt", "orphan")
    return {
        "v": 1,
        "event": "status",
        "job": event.job,
        "folder": event.folder,
        **{name: getattr(event, name) for name in counts},
        "in_flight": sum(status.request.id in flying for status in survey.selected),
        "spent_usd": round(spent, 6),
        "maybe_billed_usd": round(in_doubt, 6),
        "last_run_at": None if last is None else last.at,
        "last_exit_code": None if finished is None else finished.exit_code,
        "failures": dict(_failures(survey, flying).most_common(_FAILURES_SHOWN)),
    }
