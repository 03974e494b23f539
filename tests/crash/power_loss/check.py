"""What must hold in every durable state: nothing paid is unknown, nothing said to be safe is gone, no name lies."""

import functools
import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from batchgen.cli.audit import Audit
from batchgen.images.store import find_parts, picture_files
from batchgen.ledger.entry import (
    AttemptFailed,
    AttemptStarted,
    Decision,
    Entry,
    ImageLocated,
    ImageMoved,
    ImageSaved,
    RunFinished,
    Unknown,
    decode,
)
from batchgen.ledger.replay import End, replay

from .disk import Op, State
from .site import JOB, LEDGER

Try = tuple[str, int]
"""Request and attempt."""


@dataclass(slots=True)
class Promises:
    """What the run did and said so far, by the marks of its log."""

    paid: dict[Try, None] = field(default_factory=dict)
    free: set[Try] = field(default_factory=set)
    delivered: dict[Try, str] = field(default_factory=dict)
    saved: dict[Try, str] = field(default_factory=dict)
    failed: dict[Try, str] = field(default_factory=dict)
    forgiven: set[Try] = field(default_factory=set)
    spoiled: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    kept_aside: list[bytes] = field(default_factory=list)

    def copy(self) -> "Promises":
        return Promises(
            paid=dict(self.paid),
            free=set(self.free),
            delivered=dict(self.delivered),
            saved=dict(self.saved),
            failed=dict(self.failed),
            forgiven=set(self.forgiven),
            spoiled=set(self.spoiled),
            foreign=set(self.foreign),
            kept_aside=list(self.kept_aside),
        )

    def take(self, op: Op) -> None:
        """One operation of a log; what is no mark does nothing."""
        match op:
            case ("pay", request, attempt):
                self.paid[request, attempt] = None
            case ("free", request, attempt):
                self.free.add((request, attempt))
            case ("deliver", request, attempt, sha256):
                self.delivered[request, attempt] = sha256
            case ("saved", request, attempt, sha256):
                self.saved[request, attempt] = sha256
            case ("failure", request, attempt, billed):
                self.failed[request, attempt] = billed
            case _:
                self._hear(op)

    def _hear(self, op: Op) -> None:
        """What people did."""
        match op:
            case ("decide", what, requests):
                self._decide(what, requests)
            case ("spoil", sha256):
                self.spoiled.add(sha256)
            case ("foreign", sha256):
                self.foreign.add(sha256)

    def _decide(self, what: str, requests: list[str]) -> None:
        """A person's word: doubts are no hindrance any more, and cost nothing if they were not billed."""
        doubts = {one for one in self.paid if one[0] in requests and one not in self.saved}
        self.forgiven |= doubts
        self.free |= doubts if what == "not_billed" else set()


@dataclass(slots=True)
class Reading:
    """What the program's own reader makes of a ledger's bytes."""

    end: End = field(default_factory=lambda: End(offset=0, crc=0, seq=0))
    audit: Audit = field(default_factory=Audit)
    started: dict[Try, float] = field(default_factory=dict)
    failed: dict[Try, str] = field(default_factory=dict)
    located: set[Try] = field(default_factory=set)
    images: dict[Try, ImageSaved] = field(default_factory=dict)
    moves: list[ImageMoved] = field(default_factory=list)
    claims: dict[str, set[str]] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)

    def take(self, entry: Entry | Unknown) -> None:
        self.audit.take(entry)
        match entry:
            case AttemptStarted():
                self.started[entry.request, entry.attempt] = entry.reserved_usd or 0.0
            case AttemptFailed():
                self.failed[entry.request, entry.attempt] = entry.billed
            case ImageLocated():
                self.located.add((entry.request, entry.attempt))
            case ImageSaved():
                self.images[entry.request, entry.attempt] = entry
                self.claims.setdefault(entry.path, set()).add(entry.sha256)
            case ImageMoved():
                self.moves.append(entry)
                self.claims.setdefault(entry.target, set()).add(entry.sha256)
            case Decision() if entry.path is not None:
                self.claims.setdefault(entry.path, set()).add(entry.sha256 or "")
            case RunFinished():
                self.finished.add(entry.run)

    def places(self, image: ImageSaved) -> Iterator[str]:
        """Where the bytes of an image may be by its record: the final name, and wherever it was moved."""
        yield image.path
        for move in self.moves:
            if move.sha256 == image.sha256:
                yield move.source
                yield move.target


@functools.lru_cache(maxsize=4096)
def read(data: bytes) -> Reading:
    """Read a ledger as the program does: a torn tail is left out, a whole last line counts without its newline."""
    reading = Reading()
    reading.end = replay(io.BytesIO(data), reading.take)
    if reading.end.verdict == "unterminated":
        reading.take(decode(reading.end.tail))
    return reading


@functools.lru_cache(maxsize=4096)
def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def ledger_of(state: State) -> bytes:
    return state.files.get(LEDGER) or b""


def is_refused(state: State) -> bool:
    """Whether the program refuses to go on: the power took sectors in front of good lines."""
    return read(ledger_of(state)).end.verdict == "damaged" and LEDGER in state.holes


def violations(state: State, promises: Promises) -> Iterator[str]:
    """Every promise that a state breaks, as a sentence."""
    reading = read(ledger_of(state))
    if reading.end.verdict == "damaged":
        if LEDGER not in state.holes:
            yield f"the ledger is called damaged, but no sector is lost: {reading.end.problem}"
        return
    files = {path.removeprefix(f"{JOB}/"): data for path, data in state.files.items() if data is not None}
    yield from _records(reading, promises)
    yield from _pictures(reading, promises, files)
    yield from _names(reading, promises, files)
    yield from _money(reading, promises)
    yield from _kept_aside(promises, files)
    yield from reading.audit.findings


def _records(reading: Reading, promises: Promises) -> Iterator[str]:
    for one in promises.paid:
        if one not in reading.started:
            yield f"{_name(one)} was sent, and the ledger has no attempt_started"
    for one in promises.saved:
        if one not in reading.images:
            yield f"{_name(one)} was called saved, and the ledger has no image_saved"
    for one, billed in promises.failed.items():
        # An attempt whose image waits at a known address stays open.
        if reading.failed.get(one) != billed and one not in reading.located:
            yield f"{_name(one)} was said to have failed (billed: {billed}), and the ledger has no such attempt_failed"


def _pictures(reading: Reading, promises: Promises, files: dict[str, bytes]) -> Iterator[str]:
    parts = {(part.request, part.attempt): part.path for part in find_parts(files)}
    for one, image in reading.images.items():
        if promises.delivered.get(one) != image.sha256:
            yield f"{_name(one)} is recorded with other bytes than were delivered"
        places = [parts[one]] if one in parts else []
        places += reading.places(image)
        if image.sha256 not in promises.spoiled and not _hold(files, places, image.sha256):
            yield f"{_name(one)} is saved, and its bytes are neither at {places}"
    for one, path in parts.items():
        if one not in reading.started:
            yield f"{path} belongs to no attempt that the ledger knows"


def _names(reading: Reading, promises: Promises, files: dict[str, bytes]) -> Iterator[str]:
    for path, data in files.items():
        if not _is_picture(path):
            continue
        found = sha256_of(data)
        if found not in promises.foreign and found not in reading.claims.get(path, ()):
            yield f"{path} has no record of these bytes"


@functools.lru_cache(maxsize=4096)
def _is_picture(path: str) -> bool:
    """Whether a path in the job folder is a final name."""
    return path.startswith("images/") and bool(picture_files([path]))


def _hold(files: dict[str, bytes], places: Iterable[str], sha256: str) -> bool:
    return any(place in files and sha256_of(files[place]) == sha256 for place in places)


def _money(reading: Reading, promises: Promises) -> Iterator[str]:
    due = sum(reading.started.get(one, 0.0) for one in promises.paid if one not in promises.free)
    counted = reading.audit.state.committed_usd(window="job")
    if counted < due - 1e-6:
        yield f"{due:.4f} USD may have been billed, and the ledger counts {counted:.4f}"


def _kept_aside(promises: Promises, files: dict[str, bytes]) -> Iterator[str]:
    for tail in promises.kept_aside:
        held = tail in files.get("ledger.jsonl", b"") or any(
            data == tail for path, data in files.items() if path.startswith("ledger.jsonl.torn-")
        )
        if not held:
            yield f"{len(tail)} bytes of a torn tail are neither in the ledger nor kept aside"


def _name(one: Try) -> str:
    return f"{one[0][:6]}-{one[1]}"
