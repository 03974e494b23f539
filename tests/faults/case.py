"""One hostile answer and what it must come to, played over real sockets into a real job folder.

A case goes the way of a paid request: `Session` sends it, `perform` receives it, an `Arrival` writes it. Afterwards its
bytes are put away as the settler does. `misfits` says in words what is not as the case demands; every case is also held
to what no answer may ever bring about: a file that was not paid for, a temp file left behind, a key in what is kept.
"""

import asyncio
import hashlib
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes.raw_server import RawServer, Step

from batchgen.clock import SystemClock
from batchgen.files import Folder
from batchgen.images.arrival import Arrival, Arrived, part_path
from batchgen.images.picture import MAX_PIXELS
from batchgen.provider.definition import Provider
from batchgen.provider.encode import Outgoing
from batchgen.provider.failure import MESSAGE_CHARACTERS, Failure
from batchgen.provider.session import Session
from batchgen.run.attempt import Call, perform

KEY = "sk-canary-0123456789abcdef"
ID = f"{1:032x}"
PATH = "images/hero/mug-v1.png"
PART = part_path(PATH, ID, 1)
GENERATE = Outgoing(
    url_path="/images/generations",
    headers={"Idempotency-Key": ID, "X-Client-Request-Id": f"{ID}-1"},
    json={"model": "m", "prompt": "a cat", "n": 1},
)
HANG_SECONDS = 150.0
KEPT_BYTES = 64 << 10

# Controls, line and paragraph separators, lone surrogates, and what turns or hides text.
ACTIVE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")

Steps = Sequence[Step]


SOON = 2.5
"""The deadline of answers that never end. A whole group plays at once, so it must outlast the slowest connect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An answer and its class. `kind` is a failure kind, or `image`; then `image` are the bytes that must be on disk.

    `steps` answer the POST; `{URL}` in them is the server's own address. `downloads` answer the GETs, one each, the
    last one again and again. `rejected` says whether bytes must be kept in `images/.rejected/` (None: a failure keeps
    some exactly if it is a `bad_answer` with a body). `warns` is a word that some warning must hold.
    """

    kind: str
    steps: Steps
    downloads: tuple[Steps, ...] = ()
    billed: str = "no"
    hold: bool = False
    image: bytes = b""
    words: str = ""
    wait_seconds: float | None = None
    rejected: bool | None = None
    warns: str = ""
    connections: int = 1
    deadline_seconds: float = 50.0
    max_bytes: int = 1 << 20
    provider: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of a case: the outcome, and every file below the job folder with its mode."""

    outcome: Any
    files: dict[str, tuple[int, bytes]]
    folders: dict[str, int]
    connections: int
    located: tuple[str, ...]


class ImpatientClock(SystemClock):
    """Back-off takes no time."""

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002  that is the point
        await asyncio.sleep(0)


async def play(case: Case, place: Path) -> Seen:
    """Carry out one attempt against a server that answers as the case says. Raises TimeoutError for a hang."""
    async with RawServer(scripts=lambda number: _script(case, number, server.url)) as server:
        provider = Provider(**{"name": "raw", "base_url": server.url, **case.provider})
        with Folder.make(place) as folder:
            located: list[str] = []
            async with Session(provider, key=KEY) as session:
                call = Call(outgoing=GENERATE, deadline_seconds=case.deadline_seconds, max_bytes=case.max_bytes)
                async with asyncio.timeout(HANG_SECONDS):
                    outcome = await received(call, session, folder, located.append)
    files, folders = contents(place)
    return Seen(outcome=outcome, files=files, folders=folders, connections=server.connections, located=tuple(located))


async def received(call: Call, session: Session, folder: Folder, located: Callable[[str], object]) -> Any:
    """One attempt, and its bytes put away."""

    async def locate(url: str) -> None:
        located(url)

    async with Arrival(folder, path=PATH, request_id=ID, attempt=1, max_pixels=MAX_PIXELS) as arrival:
        outcome = await perform(call, session, arrival, locate=locate, landing=lambda: None, clock=ImpatientClock())
        if isinstance(outcome, Failure):
            await put_away(arrival, outcome)
        return outcome


async def put_away(arrival: Arrival, failure: Failure) -> None:
    """What the settler does with the bytes of an attempt that failed."""
    if failure.kind == "bad_answer" or arrival.is_whole:
        await arrival.reject(failure.evidence)
    else:
        await arrival.discard()


def _script(case: Case, number: int, url: str) -> Steps:
    steps = case.steps if number == 0 else case.downloads[min(number, len(case.downloads)) - 1]
    return [step.replace(b"{URL}", url.encode()) if isinstance(step, bytes) else step for step in steps]


def contents(place: Path) -> tuple[dict[str, tuple[int, bytes]], dict[str, int]]:
    """Every file below a folder with mode and bytes, and every folder with its mode."""
    files, folders = {}, {"": stat.S_IMODE(place.stat().st_mode)}
    for path in place.rglob("*"):
        name, mode = str(path.relative_to(place)), stat.S_IMODE(path.lstat().st_mode)
        if path.is_dir():
            folders[name] = mode
        else:
            files[name] = (mode, path.read_bytes())
    return files, folders


def misfits(case: Case, seen: Seen) -> list[str]:
    """What is not as it must be, in words."""
    found = [f"{name} has mode {mode:o}" for name, (mode, _) in seen.files.items() if mode != 0o600]
    found += [f"folder {name!r} has mode {mode:o}" for name, mode in seen.folders.items() if mode != 0o700]
    found += [f"the key is in {name}" for name, (_, data) in seen.files.items() if KEY.encode() in data]
    if KEY in repr(seen.outcome):
        found.append("the key is in the outcome")
    if seen.connections != case.connections:
        found.append(f"{seen.connections} connections")
    judge = _failure_misfits if isinstance(seen.outcome, Failure) else _image_misfits
    return found + list(judge(case, seen))


def _image_misfits(case: Case, seen: Seen) -> list[str]:
    arrived, answer = seen.outcome
    assert isinstance(arrived, Arrived)
    if case.kind != "image":
        return [f"an image (expected {case.kind})"]
    found = []
    kept = seen.files.get(PART, (0, b""))[1]
    if (arrived.sha256, arrived.bytes) != (hashlib.sha256(kept).hexdigest(), len(kept)):
        found.append("the temp file is not what was reported")
    if kept != case.image:
        found.append(f"{len(kept)} bytes that were not served (expected {len(case.image)})")
    said = " ".join((*answer.warnings, arrived.picture.warning))
    if case.warns not in said:
        found.append(f"no warning of {case.warns!r} in {said!r}")
    others = [name for name in seen.files if name != PART and not name.startswith(("images/.rej", "images/.prev"))]
    return found + [f"{name} was never asked for" for name in others]


def _failure_misfits(case: Case, seen: Seen) -> list[str]:
    failure = seen.outcome
    wanted = (case.kind, case.billed, case.hold)
    found = []
    if (failure.kind, failure.billed, failure.hold) != wanted:
        found.append(f"{failure} (expected {wanted})")
    if case.words not in failure.message:
        found.append(f"{failure.message!r} does not say {case.words!r}")
    if case.wait_seconds is not None and failure.retry_after_seconds != case.wait_seconds:
        found.append(f"waits {failure.retry_after_seconds} (expected {case.wait_seconds})")
    if len(failure.message) > MESSAGE_CHARACTERS or ACTIVE.search(failure.message):
        found.append(f"the message is not fit for a line: {failure.message!r}")
    kept = {name: data for name, (_, data) in seen.files.items() if name.startswith("images/.rejected/")}
    found += [f"{name} is left" for name in seen.files if name not in kept and not name.startswith("images/.prev")]
    must_keep = case.rejected if case.rejected is not None else case.kind == "bad_answer"
    if bool(kept) != must_keep:
        found.append(f"kept {sorted(kept)} of {failure.kind}")
    if any(len(data) > max(KEPT_BYTES, case.max_bytes) for data in kept.values()):
        found.append("too much of an unusable answer was kept")
    return found
