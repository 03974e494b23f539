"""Adopting: a file that is there already becomes the image of a slot, because a person vouches for it."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from batchgen.files import Folder
from batchgen.images.picture import MAX_PIXELS, BadImageError
from batchgen.images.store import digest, examine_file
from batchgen.ledger.entry import Decision
from batchgen.plan.compare import SlotStatus
from batchgen.run.decide import record
from batchgen.run.desk import Desk
from batchgen.run.survey import Survey

__all__ = ["Adopted", "adopt", "adoptable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """One slot and its file. `problem` says why the file is not taken; empty when it is."""

    slot: str
    path: str
    problem: str = ""


def adoptable(survey: Survey, status: SlotStatus) -> str | None:
    """The file that a slot could adopt: one that the ledger does not know, a retouched one, or that of its old request.

    None when there is none.
    """
    if status.stranger is not None:
        return status.stranger
    holder = {"altered": status.request.id, "changed": status.replaces}.get(status.state)
    known = survey.state.records.get(holder) if holder is not None else None
    return known.saved.path if known is not None and known.saved is not None else None


async def adopt(desk: Desk, survey: Survey, chosen: Iterable[SlotStatus], *, by: str) -> Sequence[Adopted]:
    """Record the files of `chosen` as their images, those that are whole. Raises StorageError."""
    results: list[Adopted] = []
    decisions: list[Decision] = []
    for status in chosen:
        path = adoptable(survey, status)
        if path is None:
            continue
        vouched = await asyncio.to_thread(_vouched, desk.folder, status, path, by)
        if isinstance(vouched, Decision):
            decisions.append(vouched)
        results.append(
            Adopted(slot=status.request.slot, path=path, problem=vouched if isinstance(vouched, str) else "")
        )
    await record(desk, decisions)
    return results


def _vouched(folder: Folder, status: SlotStatus, path: str, by: str) -> Decision | str:
    """The decision for a file that is a whole image, made durable first; else what is wrong with it."""
    try:
        picture = examine_file(folder, path, max_pixels=MAX_PIXELS)
        if picture.warning:
            return picture.warning
        size = _make_durable(folder, path)
        sha256 = digest(folder, path)
    except BadImageError as problem:
        return str(problem)
    except OSError as problem:
        return (problem.strerror or str(problem)).lower()
    return Decision(
        what="adopt",
        requests=[status.request.id],
        by=by,
        slot=status.request.slot,
        path=path,
        bytes=size,
        sha256=sha256,
    )


def _make_durable(folder: Folder, path: str) -> int:
    """Whoever put the file there may not have synced it, and a record must not outlive its image."""
    descriptor = folder.open_read(path)
    try:
        folder.sync(descriptor)
    finally:
        folder.release(descriptor)
    folder.sync_folder(path.rpartition("/")[0])
    there = folder.stat(path)
    return 0 if there is None else there.st_size
