"""Power losses by the million: every state that a disk may be left in, read and recovered by the real program.

    python -m tests.crash.power_loss --states 10000000 --seed 1        from the repository's root
    python -m tests.crash.power_loss --seed 1 --story 37               one story again, with its log
    python -m tests.crash.power_loss --mutant "image not synced"       what finds a broken program (`all`: every one)

Exit code 0: no state breaks a promise, or every mutant is found; 1 otherwise, and how to see it again is printed.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter, deque
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import count
from pathlib import Path

from .hunt import caught
from .mutants import MUTANTS
from .stories import Report, examine, told

MOST_FINDINGS = 20
TELL_SECONDS = 10.0


def main() -> int:
    """Examine as many states as the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.power_loss", description=__doc__.splitlines()[0])
    parser.add_argument("--states", type=int, default=300_000, metavar="N", help="how many at least")
    parser.add_argument("--seed", default="1", metavar="S")
    parser.add_argument("--story", type=int, metavar="I", help="only this one, and print its log")
    parser.add_argument("--jobs", type=int, default=2, metavar="J", help="processes")
    parser.add_argument("--mutant", metavar="NAME", help="what finds this mutant, or `all` of them")
    asked = parser.parse_args()
    if asked.mutant is not None:
        return _hunt([asked.mutant] if asked.mutant != "all" else list(MUTANTS))
    if asked.story is not None:
        _say("\n".join(told(asked.seed, asked.story)))
        report = examine(asked.seed, asked.story)
    else:
        report = examine_many(asked.states, asked.seed, jobs=asked.jobs, tell=True)
    _say(f"seed {asked.seed}: {report}")
    for text, times in Counter(text for _, text in report.findings).most_common(MOST_FINDINGS):
        _say(f"{text}" + (f" ({times} times)" if times > 1 else ""))
    if report.findings and asked.story is None:
        _say(f"again: python -m tests.crash.power_loss --seed {asked.seed} --story {report.first_story}")
    return 1 if report.findings else 0


def examine_many(states: int, seed: str, *, jobs: int = 2, tell: bool = False) -> Report:
    """Examine stories 0, 1, 2 ... of a seed in processes of their own until there were `states` states, or a finding.

    What is examined depends on the arguments alone, except `jobs`.
    """
    total = Report()
    told_at = time.monotonic()
    waiting: deque[Future[Report]] = deque()
    numbers = count()
    # Forking a process that has threads is not safe everywhere; a fresh one is.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        while total.states < states and not total.findings:
            while len(waiting) < 2 * jobs:
                waiting.append(pool.submit(examine, seed, next(numbers)))
            total.add(waiting.popleft().result())
            if tell and time.monotonic() - told_at > TELL_SECONDS:
                told_at = time.monotonic()
                sys.stderr.write(f"{total}\n")
        pool.shutdown(cancel_futures=True)
    return total


def _hunt(names: list[str]) -> int:
    """Show what finds each mutant."""
    missed = 0
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            evidence = caught(MUTANTS[name], Path(place))
        missed += not evidence
        _say(f"{name}: {evidence or 'NOT FOUND'}")
    _say(f"{len(names) - missed} of {len(names)} mutants found")
    return 1 if missed else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
