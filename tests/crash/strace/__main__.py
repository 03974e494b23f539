"""Every durable system call of a real run, struck from outside: killed at it, failed with an error, or delayed.

    python -m tests.crash.strace [--all] [--cases N] [--seed TEXT] [--case NAME ...] [--shard K/N]

A case is named `<base>/<site>/<fault>@<when>[+]`: what the job folder was like before, which call on which file, what
happens to it, from which of these calls on (`+`: to all further ones too; strace counts them for each thread).
Afterwards a clean run must bring the job to its end, and bill log x ledger x files are joined as after a kill -9.
Exit code 1: something was found, and what is left of it is kept.
"""

# ruff: noqa: TID252  the folder is reached as `crash` by tests and as `tests.crash` by hand

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..kills.gateway import gateway
from .bench import Bench
from .cases import Case, every_case, sample


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as asked for on the command line."""
    asked = _parser().parse_args(arguments)
    named = [Case.named(name) for name in asked.case]
    cases = named or (every_case() if asked.all else sample(asked.cases, asked.seed))
    shard, count = map(int, asked.shard.split("/"))
    total: Counter[str] = Counter()
    failed = 0
    root = asked.root or Path(tempfile.mkdtemp(prefix="strace-"))
    with gateway(root / "books") as server:
        bench = Bench(root, server)
        for case in cases[shard::count]:
            verdict = bench.judge(case)
            total += verdict.counts
            failed += bool(verdict.found)
            _say(f"{'FAILED' if verdict.found else 'ok    '} {case} exit {verdict.code} {'; '.join(verdict.found)}")
    _say(f"{len(cases[shard::count])} cases, {failed} failed, seed {asked.seed!r}: {dict(total)}; remains in {root}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.strace", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="the whole matrix")
    parser.add_argument("--cases", type=int, default=60, help="size of the sample (default 60)")
    parser.add_argument("--seed", default="every change", help="what the sample follows from")
    parser.add_argument("--case", action="append", default=[], help="a case by its name; may be repeated")
    parser.add_argument("--shard", default="0/1", help="K/N: every N-th case from the K-th on")
    parser.add_argument("--root", type=Path, help="where the jobs are (default: a temporary folder)")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
