"""Kills real runs, thousands of times, and joins what the gateway billed with what is recorded and what is there.

    python -m tests.crash --kills 2000 --seed 1 --jobs 2         from the repository's root
    python -m tests.crash --seed 1 --batch 37 --repeat 20        a batch that failed, again and again
    python -m tests.crash --mutants                              prove that every broken batchgen is found out

Exit code 0: nothing lost, nothing bought twice; 1: something was, and how to see it again is printed.
"""

import argparse
import contextlib
import gc
import itertools
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .batch import Batch, Outcome
from .checker import CLASSES
from .gateway import Gateway, gateway
from .mutants import MUTANTS
from .scenario import Scenario, draw

REPORTED = ("batches", "checks", "kills", "attempts", "bills", "done", "held", "resends", "decisions")
TELL_SECONDS = 5.0


def main() -> int:
    """Run as asked for on the command line."""
    os.umask(0o077)
    asked = _parser().parse_args()
    if asked.mutants:
        return _hunt(asked)
    return _work(asked) if asked.jobs == 1 else _oversee(asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=2000, help="stop after so many (default 2000)")
    parser.add_argument("--seed", default="1", help="everything but the clock follows from it")
    parser.add_argument("--jobs", type=int, default=1, help="processes that fork and kill")
    parser.add_argument("--batch", type=int, help="only the batch with this number")
    parser.add_argument("--repeat", type=int, default=1, help="so many times")
    parser.add_argument(
        "--mutant", choices=sorted(MUTANTS), help="break batchgen on purpose; exit 1 is what is hoped for"
    )
    parser.add_argument("--mutants", action="store_true", help="all of them; exit 1 when one is not found out")
    parser.add_argument("--root", type=Path, help="where the jobs are (default: a temporary folder)")
    parser.add_argument("--keep", action="store_true", help="keep what a failed batch left")
    parser.add_argument("--json", action="store_true", help="counts as JSON lines")
    parser.add_argument("--worker", default="0/1", help=argparse.SUPPRESS)
    return parser


class _Sum:
    """Counts over all batches, and the telling of them."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._asked = asked
        self._began = self._told = time.monotonic()
        self.counts: Counter[str] = Counter()

    @property
    def is_sound(self) -> bool:
        """Whether nothing was violated."""
        return not any(self.counts[kind] for kind in CLASSES)

    def add(self, counts: Counter[str]) -> None:
        """Add a batch, and say where things stand now and then."""
        self.counts += counts
        if time.monotonic() - self._told >= TELL_SECONDS and not self._asked.mutants:
            self.tell()

    def tell(self) -> None:
        """Say where things stand."""
        self._told = time.monotonic()
        seconds = self._told - self._began
        if self._asked.json:
            _say(json.dumps({"seconds": round(seconds, 1), **self.counts}))
            return
        happened = "  ".join(f"{name} {self.counts[name]:,}" for name in REPORTED)
        doubts = f"recovered {self.counts['recovered']:,}  phantom {self.counts['phantom']:,}"
        verdict = "  ".join(f"{kind} {self.counts[kind]}" for kind in CLASSES)
        rate = self.counts["kills"] / seconds if seconds else 0.0
        _say(f"{seconds:7.1f} s  {rate:5.1f} kills/s  {happened}  {doubts}\n{'':11}{verdict}")


def _work(asked: argparse.Namespace) -> int:
    """One process: batches one after the other until there were enough kills."""
    total = _Sum(asked)
    with _stage(asked) as (root, server):
        _play(asked, root, server, total)
    total.tell()
    return 0 if total.is_sound else 1


def _play(asked: argparse.Namespace, root: Path, server: Gateway, total: _Sum) -> None:
    for number, name in _numbers(asked):
        scenario = _scenario(asked, number)
        outcome = Batch(scenario, name, root=root, gateway=server, mutate=_mutation(asked)).run()
        _tell_found(asked, number, scenario, outcome)
        total.add(outcome.counts + Counter(kind for kind, _ in outcome.found))
        if outcome.folder is not None and not (outcome.found and asked.keep):
            shutil.rmtree(outcome.folder)
        if total.counts["kills"] >= asked.kills or (asked.mutant and not total.is_sound):
            return


def _hunt(asked: argparse.Namespace) -> int:
    """Every mutant in turn, until it is found out by what it should be found out by, or there were enough kills."""
    survivors = 0
    with _stage(asked) as (root, server):
        for asked.mutant, mutant in MUTANTS.items():
            total = _Sum(asked)
            _play(asked, root, server, total)
            found = {kind for kind in CLASSES if total.counts[kind]}
            is_caught = bool(found & mutant.caught_as)
            survivors += not is_caught
            verdict = {"caught": is_caught, "as": sorted(found), "kills": total.counts["kills"]}
            _say(json.dumps({"mutant": asked.mutant, "rule": mutant.rule, **verdict}))
    return 1 if survivors else 0


@contextlib.contextmanager
def _stage(asked: argparse.Namespace) -> Iterator[tuple[Path, Gateway]]:
    """A folder for jobs, and a gateway; everything is warm."""
    with _root(asked) as root, gateway(root / "books") as server:
        jobs = root / "jobs"
        jobs.mkdir(mode=0o700)
        _warm_up(jobs, server)
        yield jobs, server


def _numbers(asked: argparse.Namespace) -> Iterator[tuple[int, str]]:
    """The batches of this process by number, each with a name that no other has."""
    if asked.batch is not None:
        yield from ((asked.batch, f"b{asked.batch}-{turn}") for turn in range(asked.repeat))
        return
    first, step = map(int, asked.worker.split("/"))
    yield from ((number, f"{asked.mutant or 'b'}{number}") for number in itertools.count(first, step))


def _scenario(asked: argparse.Namespace, number: int) -> Scenario:
    seed = f"{asked.seed}-{number}"
    return MUTANTS[asked.mutant].scenario(seed) if asked.mutant else draw(seed)


def _mutation(asked: argparse.Namespace) -> Any:
    return MUTANTS[asked.mutant].mutate if asked.mutant else lambda: None


def _warm_up(root: Path, server: Gateway) -> None:
    """One whole run in this process: what is imported and compiled here, no child has to do again."""
    scenario = Scenario(seed="warm", requests=2)
    Batch(scenario, "warm", root=root, gateway=server).rehearse()
    gc.collect()
    gc.freeze()


def _tell_found(asked: argparse.Namespace, number: int, scenario: Scenario, outcome: Outcome) -> None:
    if not outcome.found or asked.mutants:
        return
    again = f"python -m tests.crash --seed {asked.seed} --batch {number} --repeat 20"
    lines = [f"FOUND in batch {number}: {scenario}", *(f"  {kind}: {text}" for kind, text in outcome.found)]
    kept = [f"  kept: {outcome.folder}"] if asked.keep else []
    _say("\n".join([*lines, *kept, f"  again: {again}{f' --mutant {asked.mutant}' if asked.mutant else ''}"]))


@contextlib.contextmanager
def _root(asked: argparse.Namespace) -> Iterator[Path]:
    if asked.root is not None:
        asked.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="batchgen-crash-", dir=asked.root))
    try:
        yield root
    finally:
        if not asked.keep:
            shutil.rmtree(root, ignore_errors=True)


def _oversee(asked: argparse.Namespace) -> int:
    """Several processes, each with its own gateway; their counts are added up as they come."""
    latest: dict[int, Counter[str]] = {}
    total = _Sum(asked)
    workers = [subprocess.Popen(_command(asked, number), stdout=subprocess.PIPE) for number in range(asked.jobs)]
    with selectors.DefaultSelector() as selector:
        for number, worker in enumerate(workers):
            assert worker.stdout is not None
            selector.register(worker.stdout, selectors.EVENT_READ, number)
        while selector.get_map():
            for key, _ in selector.select():
                line = key.fileobj.readline()  # type: ignore[union-attr]
                if not line:
                    selector.unregister(key.fileobj)
                elif line.startswith(b"{"):
                    latest[key.data] = Counter(json.loads(line))
                    total.counts = sum(latest.values(), Counter())
                    total.counts.pop("seconds", None)
                    total.add(Counter())
                else:
                    _say(line.decode().rstrip("\n"))
    total.tell()
    codes = [worker.wait() for worker in workers]
    return 0 if total.is_sound and not any(codes) else 1


def _command(asked: argparse.Namespace, number: int) -> list[str]:
    command = [sys.executable, "-m", "tests.crash", "--json", "--seed", asked.seed]
    command += ["--kills", str(-(-asked.kills // asked.jobs)), "--worker", f"{number}/{asked.jobs}"]
    command += ["--root", str(asked.root)] if asked.root is not None else []
    command += ["--mutant", asked.mutant] if asked.mutant else []
    return [*command, "--keep"] if asked.keep else command


def _say(text: str) -> None:
    os.write(1, text.encode() + b"\n")
