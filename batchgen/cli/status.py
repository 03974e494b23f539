"""`batchgen status`: where jobs stand, in a few lines each."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from batchgen.cli.figures import amount, money
from batchgen.cli.opening import options_for
from batchgen.cli.options import JobOptions, job_changes, json_option, screen_options
from batchgen.cli.plantext import state_counts
from batchgen.cli.screen import Ink, Line
from batchgen.cli.shell import Shell
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
            shell.screen.raw(json.dumps(_as_json(survey)))
        else:
            shell.screen.lines(*_lines(survey))
    return 0


def _lines(survey: Survey) -> list[Line]:
    lines: list[Line] = [
        (Ink(survey.job.name, "bold"), f"   {survey.job.folder}"),
        ("  ", *state_counts(survey.event)),
    ]
    if survey.state.runs:
        lines += [(f"  {_spent(survey.state)}",), (f"  {_last_run(survey.state)}",)]
    failures = ", ".join(f"{count:,} {kind}" for kind, count in _failures(survey).most_common(_FAILURES_SHOWN))
    if failures:
        lines.append((f"  failures: {failures}",))
    return lines


def _dollars(state: State) -> tuple[float, float]:
    """Spent, and maybe billed without an image."""
    accounts = state.days.values()
    return sum(day.spent_usd for day in accounts), sum(day.in_doubt_usd + day.reserved_usd for day in accounts)


def _doubts(state: State) -> int:
    return sum(len(record.doubtful) for record in state.records.values())


def _spent(state: State) -> str:
    spent, in_doubt = _dollars(state)
    unpriced = any(record.saved is not None and record.saved.cost_usd is None for record in state.records.values())
    said = f"spent {money(spent)}" + (" and some at unknown prices" if unpriced else "")
    doubts = _doubts(state)
    return f"{said}, maybe billed without an image: {amount(doubts, 'request')}, {money(in_doubt)}" if doubts else said


def _last_run(state: State) -> str:
    last = state.runs[-1]
    finished = state.finished.get(last.run)
    how = f"exit {finished.exit_code}" if finished is not None else "still on, or it was cut off"
    return f"last run {last.at[:16].replace('T', ' ')} UTC, {how}; {amount(len(state.runs), 'run')} in all"


def _failures(survey: Survey) -> Counter[str]:
    records = survey.state.records
    found = (records.get(status.request.id) for status in survey.selected if status.state in {"failed", "in_doubt"})
    return Counter(record.failure or "in_doubt" for record in found if record is not None)


def _as_json(survey: Survey) -> dict[str, Any]:
    event, state = survey.event, survey.state
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
        "spent_usd": round(spent, 6),
        "maybe_billed_usd": round(in_doubt, 6),
        "last_run_at": None if last is None else last.at,
        "last_exit_code": None if finished is None else finished.exit_code,
        "failures": dict(_failures(survey).most_common(_FAILURES_SHOWN)),
    }
