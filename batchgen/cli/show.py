"""`batchgen show`: everything about one slot: what is asked for, what would be sent, what happened."""

import json
import os
import textwrap
from collections.abc import Iterator
from typing import Any

import click

from batchgen.cli.choosing import no_slot
from batchgen.cli.figures import money, size
from batchgen.cli.opening import options_for
from batchgen.cli.options import JobOptions, job_options, screen_options
from batchgen.cli.plantext import TINTS
from batchgen.cli.screen import Ink, Line, inert, one_line
from batchgen.cli.shell import Shell
from batchgen.clock import SystemClock
from batchgen.files import Folder
from batchgen.ledger.entry import (
    AttemptFailed,
    AttemptStarted,
    Decision,
    Entry,
    ImageLocated,
    ImageMoved,
    ImageSaved,
    RequestFailed,
    Unknown,
)
from batchgen.ledger.journal import LEDGER
from batchgen.ledger.replay import replay
from batchgen.plan.compare import SIGNS, Orphan, SlotStatus
from batchgen.provider.definition import Provider
from batchgen.provider.encode import encode
from batchgen.run.job import Job, open_job
from batchgen.run.survey import Survey, look

__all__ = ["command"]

_LABEL_WIDTH = 10


@click.command("show")
@job_options
@click.argument("slot", metavar="SLOT")
@screen_options
def command(shell: Shell, job: JobOptions, slot: str) -> int:
    """Show one slot of JOB: its state, file, prompt, the exact request, and every attempt.

    SLOT is a slot as `batchgen ls` prints it, or a request id.
    """
    survey = look(open_job(options_for(shell, job), now=SystemClock().now()))
    found = _found(survey, slot)
    width = shell.screen.width
    request_id = found.id if isinstance(found, Orphan) else found.request.id
    shell.screen.lines(*(_orphan(found) if isinstance(found, Orphan) else _status(found)))
    shell.screen.lines(*_file(survey, request_id, width))
    if not isinstance(found, Orphan):
        shell.screen.lines(*_asked(found, survey.job.providers[0], width))
    shell.screen.lines(*_history(survey.job, request_id, width))
    return 0


def _found(survey: Survey, wanted: str) -> SlotStatus | Orphan:
    """By slot first, then by id; orphans too, because their image is still there. Raises UsageError with near names."""
    known: dict[str, SlotStatus | Orphan] = {orphan.id: orphan for orphan in survey.standing.orphans}
    known |= {orphan.slot: orphan for orphan in survey.standing.orphans}
    known |= {status.request.id: status for status in survey.standing.slots}
    known |= {status.request.slot: status for status in survey.standing.slots}
    if wanted in known:
        return known[wanted]
    raise no_slot(survey, wanted)


def _status(status: SlotStatus) -> Iterator[Line]:
    reason = f": {one_line(status.reason)}" if status.reason else ""
    sign = Ink(f"{SIGNS[status.state]} {status.state.replace('_', ' ')}", TINTS[status.state])
    yield (Ink(one_line(status.request.slot), "bold"), "   ", sign, reason)


def _orphan(orphan: Orphan) -> Iterator[Line]:
    yield (Ink(one_line(orphan.slot), "bold"), "   ", Ink(f"{SIGNS['orphan']} orphan", "dim"), f": {orphan.reason}")


def _file(survey: Survey, request_id: str, width: int) -> Iterator[Line]:
    yield from _entry("id", request_id, width)
    record = survey.state.records.get(request_id)
    if record is None or record.saved is None:
        return
    saved = record.saved
    yield from _entry("file", str(survey.job.folder / saved.path), width)
    yield from _entry(
        "", f"{saved.width}x{saved.height} {saved.format}, {size(saved.bytes)}, {money(saved.cost_usd)}", width
    )
    yield from _entry("sha256", saved.sha256, width)


def _asked(status: SlotStatus, provider: Provider, width: int) -> Iterator[Line]:
    request = status.request
    for paragraph in request.prompt.split("\n"):
        yield from _entry("prompt" if paragraph is request.prompt.split("\n")[0] else "", paragraph, width)
    for image in (*request.images, *filter(None, [request.mask])):
        label = "mask" if image is request.mask else "image"
        yield from _entry(label, f"{image.name}  {image.width}x{image.height}, sha256 {image.sha256}", width)
    if request.source:
        yield from _entry("row", request.source, width)
    outgoing = encode(request, provider, attempt=1)
    yield from _entry("request", f"POST {provider.base_url}{outgoing.url_path}", width)
    body: dict[str, Any] = dict(outgoing.json) if outgoing.json is not None else dict(outgoing.fields)
    for part in outgoing.inline_images:
        body.setdefault(outgoing.inline_field, []).append(f"<base64 of {part.filename}>")
    yield from _entry("", json.dumps(body, ensure_ascii=False), width)
    for part in outgoing.files:
        yield from _entry("", f"{part.field}: {part.filename} ({part.content_type})", width)


def _history(job: Job, request_id: str, width: int) -> Iterator[Line]:
    """What the ledger says of the request, oldest first."""
    told: list[str] = []

    def take(entry: Entry | Unknown) -> None:
        said = _told(entry) if _concerns(entry, request_id) else ""
        if said:
            told.append(f"{entry.at[:19].replace('T', ' ')} UTC  {said}")

    if (job.folder / LEDGER).is_file():
        with Folder(job.folder) as folder, os.fdopen(folder.open_read(LEDGER), "rb", buffering=1 << 20) as source:
            replay(source, take)
    for number, text in enumerate(told):
        yield from _entry("history" if number == 0 else "", text, width)


def _concerns(entry: Entry | Unknown, request_id: str) -> bool:
    if isinstance(entry, Decision):
        return request_id in entry.requests
    return getattr(entry, "request", None) == request_id


def _told(entry: Entry | Unknown) -> str:  # noqa: PLR0911  one return per kind of entry
    match entry:
        case AttemptStarted():
            return f"attempt {entry.attempt} sent to {entry.provider}"
        case AttemptFailed():
            billed = ", may have been billed" if entry.billed == "maybe" else ""
            held = ", held" if entry.hold else ""
            return f"attempt {entry.attempt} {entry.failure}{billed}{held}: {entry.message}{_support(entry)}"
        case ImageLocated():
            return f"attempt {entry.attempt} answered with an address"
        case ImageSaved():
            return f"attempt {entry.attempt} saved, {entry.seconds:.1f} s, {money(entry.cost_usd)}{_support(entry)}"
        case ImageMoved():
            return f"moved from {entry.source} to {entry.target}"
        case RequestFailed():
            return "no further attempt in that run"
        case Decision():
            return f"decided: {entry.what}" + (f" by {entry.by}" if entry.by else "")
    return ""


def _support(entry: AttemptFailed | ImageSaved) -> str:
    """The id that the provider's support asks for."""
    return f" [{entry.provider_request_id}]" if entry.provider_request_id else ""


def _entry(label: str, text: str, width: int) -> Iterator[Line]:
    """A labelled paragraph; a hash or a path is never broken, because people copy it."""
    folded = textwrap.wrap(
        inert(text), max(40, width - _LABEL_WIDTH - 2), break_long_words=False, break_on_hyphens=False
    )
    for number, line in enumerate(folded or [""]):
        yield (f"  {label if number == 0 else '':<{_LABEL_WIDTH}}{line}",)
