"""The program's own recovery, run on a state that a disk may hold: what must be true afterwards, and the second time.

Recovery is recorded like any run, so that power losses and kills in the middle of it can be drawn too.
"""

import random
from collections.abc import Iterator
from typing import Any

from fakes.virtual import VirtualClock

from batchgen.errors import LedgerDamagedError
from batchgen.images.store import find_parts
from batchgen.run.desk import open_desk, take_stock
from batchgen.run.mend import mend
from batchgen.run.survey import Survey

from .check import JOB, Promises, ledger_of, read, sha256_of, violations
from .disk import State
from .folder import Fault, KilledError
from .rules import broken_rules
from .scenes import FINE, Story
from .site import START, Site, run_direct


def recover(site: Site) -> Survey | BaseException:
    """What every run begins with: open the ledger, recover, look. Returns how the job stands, or the error."""
    site.recorder.mark("begin", "recovery")
    job = site.job()

    async def main() -> Survey:
        with site.recorder.folder().make(site.folder) as folder:
            async with open_desk(folder, clock=VirtualClock(START)) as desk:
                return await take_stock(job, desk, boot=f"boot-{site.boot}")

    try:
        return run_direct(main, site.rng, site.recorder.time_passes)
    except (Exception, KilledError) as problem:  # noqa: BLE001  whatever it is, it is judged
        return problem
    finally:
        site.recorder.fault, site.recorder.is_dead = None, False


def check_recovery(story: Story, rng: random.Random) -> Iterator[str]:
    """Recover a story whose machine just came up, sometimes with kills in between, and judge what is there then."""
    site = story.site
    for _ in range(rng.choice((0, 0, 1, 2))):
        site.recorder.fault = Fault(kind="any", at=rng.randint(1, 25), kill=True)
        recover(site)
    found = recover(site)
    if isinstance(found, BaseException):
        yield f"recovery ends with {type(found).__name__}: {found}"
        return
    once = _seen(story)
    promises = story.promises()
    yield from violations(once, promises)
    yield from broken_rules(story.log, story.before, holds=site.manifest.policy == "hold")
    yield from _loose_ends(once, promises)
    yield from _standing(found, promises)
    again = recover(site)
    if isinstance(again, BaseException) or _seen(story).files != once.files:
        yield "a second recovery changes something"


def check_rerun(story: Story) -> Iterator[str]:
    """Run a recovered job to its end at a gateway that always answers: every image is there, bought as allowed."""
    site = story.site
    summary: Any = site.run(outcomes=FINE)
    if isinstance(summary, BaseException):
        yield f"the next run ends with {type(summary).__name__}: {summary}"
        return
    yield from violations(_seen(story), story.promises())
    yield from broken_rules(story.log, story.before, holds=site.manifest.policy == "hold")
    if summary.not_started or summary.saved + summary.skipped + summary.failed + summary.in_doubt != summary.requests:
        yield f"the next run does not settle everything: {summary}"
    sent = len(story.promises().paid)
    second: Any = site.run(outcomes=FINE)
    if isinstance(second, BaseException) or len(story.promises().paid) != sent:
        yield "a run after a settled one sends something"


def check_mending(story: Story, rng: random.Random) -> Iterator[str]:
    """A ledger that is refused: nothing is sent, no picture is lost, and what may have been bought waits for a word."""
    site = story.site
    before, sent = _seen(story), set(story.promises().paid)
    if not isinstance(recover(site), LedgerDamagedError):
        yield "a damaged ledger is not refused"
    begin = len(story.log)
    run_direct(lambda: _mend(site), site.rng)
    yield from _half_mended(story, begin, ledger_of(before), rng)
    known = {request for request, _ in read(ledger_of(_seen(story))).images}
    for _ in range(2):
        summary: Any = site.run(outcomes=FINE)
        if isinstance(summary, BaseException):
            yield f"the run after a repair ends with {type(summary).__name__}: {summary}"
    # An image that is recorded, and whose file somebody removed, is made again.
    if {request for request, _ in set(story.promises().paid) - sent} - known:
        yield "something is sent after a repair, without a decision"
    missing = _images(before) - _images(_seen(story))
    if missing:
        yield f"{len(missing)} pictures are gone after a repair"


async def _mend(site: Site) -> None:
    with site.recorder.folder().make(site.folder) as folder:
        mend(folder, clock=VirtualClock(START), by="somebody")


def _half_mended(story: Story, begin: int, damaged: bytes, rng: random.Random) -> Iterator[str]:
    """The old ledger counts until the new one, whole, takes its name."""
    for cut, disk in story.log.disks():
        ledger = ledger_of(disk.draw(rng))
        if cut >= begin and ledger != damaged and read(ledger).end.verdict == "damaged":
            yield f"cut {cut}: the repaired ledger is damaged"


def _images(state: State) -> set[str]:
    """The hashes of every picture that is whole, whatever it is called."""
    names = {path: data for path, data in state.files.items() if data is not None and "/images/" in path}
    return {
        sha256_of(data) for data in names.values() if data.startswith(b"\x89PNG") and data.endswith(b"IEND\xaeB`\x82")
    }


def _seen(story: Story) -> State:
    disk = story.log.start.copy()
    for op in story.log:
        disk.apply(op)
    return disk.seen()


def _loose_ends(state: State, promises: Promises) -> Iterator[str]:
    reading = read(ledger_of(state))
    files = {path.removeprefix(f"{JOB}/"): data for path, data in state.files.items() if data is not None}
    for request, record in reading.audit.state.records.items():
        if record.open is not None and record.url is None:
            yield f"{request[:6]} has an open attempt after recovery"
        saved = record.saved
        if saved is not None and saved.sha256 not in promises.spoiled and not _holds(files, saved.path, saved.sha256):
            yield f"{request[:6]} is saved and not under its name {saved.path} after recovery"
    settled = {request for request, record in reading.audit.state.records.items() if record.open is None}
    yield from (f"{part.path} is left over after recovery" for part in find_parts(files) if part.request in settled)
    for one in promises.paid:
        if one not in promises.free and one not in reading.images and reading.failed.get(one) == "no":
            yield f"{one[0][:6]}-{one[1]} may have been billed, and is recorded as free"


def _holds(files: dict[str, bytes], path: str, sha256: str) -> bool:
    return path in files and sha256_of(files[path]) == sha256


def _standing(found: Survey, promises: Promises) -> Iterator[str]:
    safe = {request for (request, _), sha256 in promises.saved.items() if sha256 not in promises.spoiled}
    doubtful = {
        request
        for request, attempt in promises.paid
        if (request, attempt) not in promises.free and (request, attempt) not in promises.saved
    }
    for status in found.standing.slots:
        request = status.request.id
        if request in safe and status.would_send:
            yield f"{request[:6]} is saved and would be bought again"
        if request in doubtful - safe and status.state == "new":
            yield f"{request[:6]} may have been billed and is called new"
