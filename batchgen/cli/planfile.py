"""A reviewed plan as a file: which ids a run may send, written by `plan -o`, read by `run --plan`."""

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

from batchgen.errors import FolderError, UsageError
from batchgen.run.survey import Survey

__all__ = ["PlanFile", "read_plan_file", "write_plan_file"]

_FORMAT_VERSION = 1
_LARGEST_BYTES = 256 << 20


class _Slot(msgspec.Struct, frozen=True):
    id: str
    slot: str


class _Written(msgspec.Struct, frozen=True):
    v: int
    batchgen_plan: str
    slots: list[_Slot]
    period: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """The job's name (with profile and sandbox), the period it was made for, and the ids to send."""

    job: str
    period: str | None
    ids: frozenset[str]


def write_plan_file(path: Path, survey: Survey) -> None:
    """Write what a run of this survey would send. Raises FolderError when the file cannot be written."""
    content = {
        "v": _FORMAT_VERSION,
        "batchgen_plan": survey.job.name,
        "manifest": survey.job.manifest.display,
        "manifest_sha256": survey.job.manifest.sha256,
        "period": survey.job.period,
        "slots": [{"id": status.request.id, "slot": status.request.slot} for status in survey.to_send],
    }
    try:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as problem:
        message = f"'{path}' cannot be written: {(problem.strerror or str(problem)).lower()}"
        raise FolderError(message) from problem


def read_plan_file(path: Path) -> PlanFile:
    """Read it back. Raises UsageError for what is no plan file."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise UsageError(_no_plan(path, "it is too large"))
        written = msgspec.json.decode(path.read_bytes(), type=_Written)
    except OSError as problem:
        message = f"--plan: '{path}' cannot be read: {(problem.strerror or str(problem)).lower()}"
        raise UsageError(message) from problem
    except msgspec.MsgspecError as problem:
        raise UsageError(_no_plan(path, str(problem))) from problem
    if written.v != _FORMAT_VERSION:
        raise UsageError(_no_plan(path, f"its format version is {written.v}"))
    ids = frozenset(slot.id for slot in written.slots)
    return PlanFile(job=written.batchgen_plan, period=written.period, ids=ids)


def _no_plan(path: Path, reason: str) -> str:
    return f"--plan: '{path}' is no plan of this version ({reason}); write one with `batchgen plan JOB -o FILE`"
