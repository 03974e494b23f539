"""`batchgen verify`: hold every finished file, or the ledger itself, against what was recorded.

Changes nothing, except that `--repair` mends a damaged ledger.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass

import click

from batchgen.cli.audit import Audit
from batchgen.cli.figures import amount
from batchgen.cli.opening import existing, options_for
from batchgen.cli.options import JobOptions, job_options, screen_options
from batchgen.cli.screen import Ink, Screen, one_line
from batchgen.cli.shell import Shell
from batchgen.cli.underway import in_flight
from batchgen.clock import SystemClock
from batchgen.errors import FolderError, LedgerDamagedError, UsageError
from batchgen.files import Folder
from batchgen.images.picture import MAX_PIXELS
from batchgen.images.store import find_parts, inspect
from batchgen.ledger.journal import LEDGER, read_state
from batchgen.ledger.repair import find_gaps
from batchgen.ledger.replay import replay
from batchgen.ledger.state import State
from batchgen.run.job import Job, open_job
from batchgen.run.mend import mend
from batchgen.run.recover import unknown_parts
from batchgen.run.survey import finished_files

__all__ = ["command"]

_WORDS = {
    "gone": "is gone",
    "broken": "is no longer a whole image",
    "unreadable": "cannot be read",
    "altered": "was changed after it was made; kept",
}
_DAMAGED_IMAGES, _DAMAGED_LEDGER = 3, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """The `part`-th of `parts` about equal parts, counted from 1; a nightly job may take another one each day."""

    part: int
    parts: int

    def holds(self, request_id: str) -> bool:
        """Whether a request's file belongs to this part. Ids are hashes, so any part is as good as another."""
        return int(request_id[:8], 16) % self.parts == self.part - 1


@click.command("verify")
@job_options
@click.option("--full", is_flag=True, help="Read and hash every file, not only those whose size or time is off.")
@click.option("--subset", metavar="N/T", help="Read and hash the N-th of T parts: 1/7 on Monday, 2/7 on Tuesday.")
@click.option("--ledger", is_flag=True, help="Check the ledger instead: its checksums, and the rules it has to keep.")
@click.option("--repair", is_flag=True, help="Mend a damaged ledger; what it may have lost is held until you decide.")
@screen_options
def command(shell: Shell, job: JobOptions, *, full: bool, subset: str | None, ledger: bool, repair: bool) -> int:
    """Check that every finished image is there and as it was paid for.

    Exit 0 when all is sound, 3 for missing or damaged images, 7 for a damaged ledger. Retouched images are listed
    and count as sound. --repair keeps a copy of the damaged ledger, and sends nothing.
    """
    chosen = Subset(part=1, parts=1) if full else _subset(subset)
    opened = existing(open_job(options_for(shell, job), now=SystemClock().now()))
    with Folder(opened.folder) as folder:
        if repair:
            _repair(shell.screen, folder, job)
            return _check_ledger(shell.screen, folder)
        return _check_ledger(shell.screen, folder) if ledger else _check_files(shell.screen, opened, folder, chosen)


def _subset(text: str | None) -> Subset | None:
    if text is None:
        return None
    part, _, parts = text.partition("/")
    if part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts):
        return Subset(part=int(part), parts=int(parts))
    message = f"--subset: '{text}' is no part (expected N/T with N from 1 to T, such as 1/7)"
    raise UsageError(message)


def _check_files(screen: Screen, job: Job, folder: Folder, chosen: Subset | None) -> int:
    state, _ = read_state(folder)
    seen = folder.scan("images")
    saved = {request_id: record.saved for request_id, record in state.records.items() if record.saved is not None}
    expected = [file for file in finished_files(state, seen) if not saved[file.request].is_aside]
    to_hash = [file for file in expected if chosen is not None and chosen.holds(file.request)]
    hashed = {file.request for file in to_hash}
    others = [file for file in expected if file.request not in hashed]
    verdicts = inspect(folder, to_hash, seen, max_pixels=MAX_PIXELS, hash_all=True)
    verdicts |= inspect(folder, others, seen, max_pixels=MAX_PIXELS)
    for file in expected:
        verdict = verdicts.get(file.request)
        if verdict is not None:
            tint: Ink = Ink(f"{verdict:<11}", "cyan" if verdict == "altered" else "red")
            screen.line(tint, f"{one_line(state.records[file.request].slot)}  {file.path} {_WORDS[verdict]}")
    flying = in_flight(folder.path, state)
    for slot in _doubts(state, flying):
        screen.line(Ink(f"{'in doubt':<11}", "yellow"), f"{one_line(slot)}  may have been billed; no image came")
    if flying:
        screen.line(Ink(f"{'in flight':<11}", "cyan"), f"{amount(len(flying), 'request')}; a run of this job is on")
    bad = sum(verdict != "altered" for verdict in verdicts.values())
    read = f", {len(to_hash):,} read in full" if chosen is not None else ""
    told = f"{amount(bad, 'file')} missing or damaged; `batchgen run` makes them again" if bad else "all sound"
    screen.line(f"{job.name}: {amount(len(expected), 'finished image')}{read}, {told}")
    return _DAMAGED_IMAGES if bad else 0


def _doubts(state: State, flying: Collection[str]) -> list[str]:
    return [record.slot for key, record in state.records.items() if record.is_in_doubt and key not in flying]


def _check_ledger(screen: Screen, folder: Folder) -> int:
    """Replay every line and judge it. Raises LedgerDamagedError for damage inside, after naming all of it."""
    # Before the ledger: a run that is on records an attempt before its temp file appears.
    parts = find_parts(folder.scan("images"))
    try:
        state, end = read_state(folder)
    except LedgerDamagedError:
        for gap in find_gaps(folder):
            screen.line(Ink("damaged  ", "red"), f"{LEDGER}, {gap}")
        raise
    for part in unknown_parts(parts, state):
        message = (
            f"'{part.path}' belongs to an attempt that the ledger does not know, so it lost lines at its end; "
            "put the newer ledger back, or use `batchgen verify --repair`"
        )
        raise LedgerDamagedError(message)
    audit = Audit()
    try:
        descriptor = folder.open_read(LEDGER)
    except FileNotFoundError as problem:
        message = f"'{folder.path / LEDGER}' is not there: nothing was sent yet"
        raise FolderError(message) from problem
    with os.fdopen(descriptor, "rb", buffering=1 << 20) as source:
        replay(source, audit.take)
    for finding in audit.findings:
        screen.line(Ink("broken rule  ", "red"), finding)
    tail = f"; {len(end.tail)} bytes of an unfinished line follow, never acknowledged" if end.verdict == "torn" else ""
    rules = f"{amount(len(audit.findings), 'rule')} broken" if audit.findings else "every rule is kept"
    screen.line(f"{LEDGER}: {audit.entries:,} entries, every checksum is right, {rules}{tail}")
    return _DAMAGED_LEDGER if audit.findings else 0


def _repair(screen: Screen, folder: Folder, job: JobOptions) -> None:
    mended = mend(folder, clock=SystemClock(), by="verify --repair")
    for gap in mended.gaps:
        screen.line(Ink("lost     ", "red"), f"{LEDGER}, {gap}")
    for path in mended.kept:
        screen.line(Ink("kept     ", "yellow"), f"{path}, the answer to an attempt whose record is lost")
    if not mended.asides:
        screen.line(f"{LEDGER}: nothing to repair")
        return
    screen.line(f"{LEDGER}: repaired; the file as it was is kept as {', '.join(mended.asides)}")
    if mended.gaps or mended.kept:
        screen.line(f"what the lost lines may have bought is held; see `batchgen resolve {job.arguments}`")
