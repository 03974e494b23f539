"""Answers that nobody wrote: seeded damage to good ones, played over real sockets, judged by an oracle of its own.

    python -m tests.faults.fuzz --answers 100000 --seed 1        from the repository's root
    python -m tests.faults.fuzz --seed 1 --only 4711             one answer again, with what it was

Each answer must end as an image of exactly the bytes that were served, or as a Failure: never as an exception, never
after its deadline, never called unbilled when the server spoke of success, with bounded memory. Exit code 0 or 1.
"""

import argparse
import asyncio
import hashlib
import json
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.case import KEY, received
from faults.corpus import CORPUS
from faults.mutate import mutated
from faults.oracle import misjudged
from faults.replies import ReplyServer

from batchgen.files import Folder
from batchgen.provider.definition import Provider
from batchgen.provider.encode import Outgoing
from batchgen.provider.session import Session
from batchgen.run.attempt import Call

AT_ONCE = 48
DEADLINE_SECONDS = 20.0
SHORT_SECONDS = 0.4
LATE_SECONDS = 30.0
GROWTH_BYTES = 128 << 20
WARM_UP = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One answer: its bytes as they go over the wire, how the connection ends after them, and from which good one."""

    number: int
    origin: str
    wire: bytes
    end: str
    pieces: int


def draw(seed: str, number: int) -> Shot:
    """The answer with this number; everything follows from the seed."""
    rng = random.Random(f"{seed}/{number}")  # noqa: S311  no secret
    origin = rng.choice(sorted(CORPUS))
    wire = mutated(CORPUS[origin], rng)
    end = rng.choices(["fin", "rst", "hang"], [20, 3, 1])[0]
    return Shot(number=number, origin=origin, wire=wire, end=end, pieces=rng.choice((1, 1, 1, 2, 7)))


class Fuzzer:
    """Plays answers, some at once, and counts what came of them."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    async def play(self, shots: Any) -> None:
        """Play all of `shots`."""
        async with ReplyServer() as server:
            provider = Provider(name="raw", base_url=server.url)
            async with Session(provider, key=KEY) as session, asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._work(shots, server, session))

    async def _work(self, shots: Any, server: ReplyServer, session: Session) -> None:
        for shot in shots:
            server.replies[str(shot.number)] = shot
            try:
                await self._one(shot, session, server)
            except Exception:  # noqa: BLE001  the one thing that must never happen, with all it says
                self._report(shot, traceback.format_exc())
            finally:
                del server.replies[str(shot.number)]

    async def _one(self, shot: Shot, session: Session, server: ReplyServer) -> None:
        outgoing = Outgoing(
            url_path="/images/generations", headers={"Idempotency-Key": str(shot.number)}, json={"prompt": "a cat"}
        )
        deadline = SHORT_SECONDS if shot.end == "hang" else DEADLINE_SECONDS
        call = Call(outgoing=outgoing, deadline_seconds=deadline, max_bytes=1 << 20)
        place = self.place / str(shot.number)
        with Folder.make(place) as folder:
            began = time.monotonic()
            async with asyncio.timeout(DEADLINE_SECONDS + LATE_SECONDS):
                outcome = await received(call, session, folder, lambda _: None)
            seconds = time.monotonic() - began
        files = {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}
        # Every file hop adds to a shared machine's delays: only what is far beyond the deadline is a hang.
        late = [f"took {seconds:.1f} s"] if seconds > deadline + LATE_SECONDS else []
        was_asked = str(shot.number) in server.asked
        for problem in late + misjudged(shot.wire, outcome, files, was_asked=was_asked):
            self._report(shot, problem)
        self.counts[getattr(outcome, "kind", "image")] += 1
        _remove(place)

    def _report(self, shot: Shot, problem: str) -> None:
        self.problems.append(f"answer {shot.number} (from {shot.origin}, ends in {shot.end}): {problem}")


def _remove(place: Path) -> None:
    for path in sorted(place.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    place.rmdir()


def peak_bytes() -> int:
    """The most memory that this process ever had resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fuzz(answers: int, seed: str) -> dict[str, Any]:
    """Play `answers` answers; counts, problems and how far memory grew over what the first few took."""
    with tempfile.TemporaryDirectory() as name:
        fuzzer = Fuzzer(Path(name))
        asyncio.run(fuzzer.play(iter([draw(f"{seed}/warm", number) for number in range(min(WARM_UP, answers))])))
        warm = peak_bytes()
        fuzzer.counts.clear()
        asyncio.run(fuzzer.play(draw(seed, number) for number in range(answers)))
        growth = peak_bytes() - warm
    if growth > GROWTH_BYTES:
        fuzzer.problems.append(f"memory grew by {growth >> 20} MiB")
    return {
        "answers": answers,
        "seed": seed,
        "outcomes": dict(sorted(fuzzer.counts.items())),
        "growth_mib": growth >> 20,
        "problems": fuzzer.problems,
    }


def show(seed: str, number: int) -> int:
    """Play one answer again and print what it was."""
    shot = draw(seed, number)
    digest = hashlib.sha256(shot.wire).hexdigest()
    print(f"from {shot.origin}, ends in {shot.end}, {len(shot.wire)} bytes, sha256 {digest}")  # noqa: T201
    print(shot.wire[:2000])  # noqa: T201
    with tempfile.TemporaryDirectory() as name:
        fuzzer = Fuzzer(Path(name))
        asyncio.run(fuzzer.play(iter([shot])))
    print(dict(fuzzer.counts), *fuzzer.problems, sep="\n")  # noqa: T201
    return bool(fuzzer.problems)


def main() -> int:
    """Run as asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=2000, help="how many (default 2000)")
    parser.add_argument("--seed", default="1", help="everything follows from it")
    parser.add_argument("--only", type=int, help="only the answer with this number")
    asked = parser.parse_args()
    if asked.only is not None:
        return show(asked.seed, asked.only)
    found = fuzz(asked.answers, asked.seed)
    print(json.dumps(found, indent=1))  # noqa: T201
    return bool(found["problems"])


if __name__ == "__main__":
    sys.exit(main())
