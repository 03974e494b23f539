"""One case from beginning to end: strike a real run, let a clean one finish, join bill log x ledger x files."""

# ruff: noqa: TID252  the folder is reached as `crash` by tests and as `tests.crash` by hand

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from batchgen.run.survey import look

from ..kills import books, child, reaper
from ..kills.books import Claim, History, Terms
from ..kills.checker import check
from ..kills.gateway import Gateway
from ..kills.scenario import Scenario, Wish, gateway_terms
from .cases import DELAY_SECONDS, SITES, Case
from .wiretap import CALLS

SOURCE = Path(__file__).parents[3]
REQUESTS, AT_ONCE = 20, 4
PATIENCE_SECONDS = 50
SHORT_LEDGER_BYTES, SHORT_IMAGE_BYTES = 700, 550_000
KILLED = {-signal.SIGKILL, 128 + signal.SIGKILL}
ADVICE = re.compile(r"disk|space|limit|--output|run again")


@dataclass(slots=True)
class Verdict:
    """What a case came to. `found` are violations; `hit`: the injection took place."""

    case: Case
    found: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    code: int = 0
    hit: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """How the struck run ended: exit code (negative: a signal), what it said, what strace saw."""

    code: int
    said: str
    trace: str


class Bench:
    """Runs cases; the job folders that some start from are made once and copied."""

    def __init__(self, root: Path, gateway: Gateway) -> None:
        self._root = root
        self._gateway = gateway
        self._bases: dict[tuple[str, str], Path] = {}
        self._count = 0

    def judge(self, case: Case) -> Verdict:
        """Carry out a case. Where no thread gets as far as its call, an earlier one is struck: the first always is."""
        verdict = self._judge(case)
        while not verdict.hit and not verdict.found and case.when > 1 and case.fault != "short":
            case = replace(case, when=case.when // 2)
            verdict = self._judge(case)
        if not verdict.hit and not verdict.found:
            verdict.found.append("never hit: the test tests nothing")
        return verdict

    def _judge(self, case: Case) -> Verdict:
        is_big = case.fault == "short" and case.site == "image-write"
        place = Place(self._root, self._gateway, f"c{self._count}", in_doubt=case.in_doubt, is_big=is_big)
        self._count += 1
        if case.base != "fresh":
            place.take_over(self._base(case.base, case.in_doubt))
        struck = place.strike(case)
        verdict = Verdict(case=case, code=struck.code, hit=_is_hit(case, struck, place))
        verdict.found += _misbehaved(case, struck, place)
        place.close(verdict)
        if not verdict.found:
            shutil.rmtree(place.folder)
        return verdict

    def _base(self, kind: str, in_doubt: str) -> Path:
        if (kind, in_doubt) not in self._bases:
            place = Place(self._root, self._gateway, f"{kind}-{in_doubt}", in_doubt=in_doubt)
            site, when = ("image-rename", 2) if kind == "crashed" else ("ledger-sync", 9)
            struck = place.strike(Case(base="fresh", site=site, fault="KILL", when=when))
            assert struck.code in KILLED, struck
            self._gateway.settle()
            if kind == "torn":
                # What the last write brought was not synced: a power cut may leave any part of it.
                os.truncate(place.ledger, place.ledger.stat().st_size - 37)
            self._bases[kind, in_doubt] = place.folder
        return self._bases[kind, in_doubt]


class Place:
    """One job of 20 images at a customer of its own, so with books of its own."""

    def __init__(self, root: Path, gateway: Gateway, name: str, *, in_doubt: str, is_big: bool = False) -> None:
        self.folder = root / name
        self.folder.mkdir(mode=0o700)
        self._gateway = gateway
        self._name = name
        self._scenario = Scenario(seed="s", requests=REQUESTS, concurrency=AT_ONCE, in_doubt=in_doubt, is_big=is_big)
        self._manifest = self.folder / "job.yaml"
        self.job = self.folder / "out" / "job"
        self.ledger = self.job / "ledger.jsonl"
        Wish(self._scenario, "job", f"http://127.0.0.1:{gateway.port}/{name}/v1").write(self._manifest)
        (gateway.root / f"{name}.json").write_text(gateway_terms(self._scenario, self.ledger))

    def take_over(self, base: Path) -> None:
        """Start where another job was left, with its bills."""
        shutil.copytree(base / "out", self.folder / "out")
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(self._gateway.root / f"{base.name}.bills", self._gateway.root / f"{self._name}.bills")

    def bills(self) -> list[books.Bill]:
        """What was billed so far."""
        self._gateway.settle()
        return books.read_bills(self._gateway.root / f"{self._name}.bills")

    def pictures(self) -> list[str]:
        """Finished files."""
        return [path for path in books.read_files(self.job) if "/." not in path] if self.job.exists() else []

    def watch(self) -> str:
        """What strace sees of a run that nobody disturbs."""
        trace = self.folder / "trace"
        struck = self._run(
            ["strace", "-f", "-qq", "-y", "-s", "65536", "-o", str(trace), "-e", f"trace={CALLS}"], trace
        )
        assert struck.code == 0, struck.said
        return struck.trace

    def strike(self, case: Case) -> Struck:
        """A run of the command line with the injection."""
        trace = self.folder / "trace"
        if case.fault == "short":
            size = SHORT_IMAGE_BYTES if case.site == "image-write" else SHORT_LEDGER_BYTES * case.when
            return self._run([], trace, before=partial(_limit, size))
        return self._run(self._strace(case, trace), trace)

    def _run(self, strace: list[str], trace: Path, before: Callable[[], None] | None = None) -> Struck:
        process = subprocess.Popen(
            [*strace, sys.executable, "-m", "batchgen", "run", "job.yaml", "--output", "out"],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "error"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=before,  # noqa: PLW1509  only a limit
        )
        try:
            said = process.communicate(timeout=PATIENCE_SECONDS)[0].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said = f"hung: {process.communicate()[0]!r}"
        return Struck(code=process.returncode, said=said, trace=trace.read_text() if trace.exists() else "")

    def _strace(self, case: Case, trace: Path) -> list[str]:
        """Paths are absolute: a relative name of a file that is not there yet would match nothing."""
        site = SITES[case.site]
        paths = [argument for path in self._paths(site.files) for argument in ("-P", str(path))]
        calls = {site.call, "write", "fdatasync"} if site.files == "ledger" else {site.call}
        # Only the traced calls stop the run, which is far quicker; but strace injects no signals in that mode.
        quick = [] if case.fault == "KILL" else ["--seccomp-bpf"]
        return [
            *("strace", "-f", "-qq", "-y", *quick, "-o", str(trace), *paths),
            *("-e", f"trace={','.join(sorted(calls))}", "-e", "signal=none", "-e", f"inject={case.injection}"),
        ]

    def _paths(self, files: str) -> list[Path]:
        if files == "parts":
            wanted = look(child.opened(self._manifest)).plan.requests
            return [self.job / f"images/.{one.id}-{number}.part" for one in wanted for number in (1, 2)]
        if files == "pictures":
            return [self.job / path for path in self.pictures()]
        if files == "aside":
            # Its name tells where the ledger was torn.
            whole = self.ledger.read_bytes().rpartition(b"\n")[0] + b"\n"
            return [self.job / f".ledger.jsonl.torn-{whole.count(10)}-{len(whole)}.new"]
        return {"ledger": [self.ledger], "job": [self.job], "images": [self.job / "images"]}[files]

    def close(self, verdict: Verdict) -> None:
        """Run to the end without a fault, and join bill log x ledger x files."""
        job = child.opened(self._manifest)
        log = self.folder / "stderr"
        ended = reaper.let(partial(child.run_job, job), log)
        if ended.hung or ended.code not in ({0} if self._scenario.in_doubt == "resend" else {0, 3}):
            verdict.found.append(f"stuck: the next run ended with {ended.code}: {log.read_text()[-1000:]}")
            return
        entries, problems = books.read_ledger(self.ledger.read_bytes())
        claims = [
            Claim(slot=one.request.slot, id=one.request.id, state=one.state, path=one.path, would_send=one.would_send)
            for one in look(job).selected
        ]
        history = History(
            bills=self.bills(),
            entries=entries,
            problems=problems,
            files=books.read_files(self.job),
            claims=claims,
            terms=Terms(in_doubt=self._scenario.in_doubt, concurrency=AT_ONCE),
            exit_code=ended.code,
        )
        report = check(history)
        verdict.found += [f"{kind}: {text}" for kind, text in report.found]
        verdict.counts = report.counts


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _is_hit(case: Case, struck: Struck, place: Place) -> bool:
    if case.fault == "short":
        files = [place.ledger, *place.job.glob("images/.*.part")]
        sizes = {path.stat().st_size for path in files if path.exists()}
        return bool(sizes & {SHORT_IMAGE_BYTES, SHORT_LEDGER_BYTES * case.when})
    if case.fault == "KILL":
        return struck.code in KILLED
    return ("(DELAYED)" if case.fault == "delay" else "(INJECTED)") in struck.trace


def _misbehaved(case: Case, struck: Struck, place: Place) -> Iterator[str]:
    """What the struck run itself did wrong."""
    if struck.said.startswith("hung"):
        yield f"stuck: {struck.said}"
    if re.search(r"Traceback|internal error|Exception ignored", struck.said) or struck.code == 1:
        yield f"crashed: exit {struck.code}: {struck.said[-1500:]}"
    if case.fault != "KILL":
        yield from _left_badly(case, struck, place)
        yield from _carried_on(case, struck)


def _left_badly(case: Case, struck: Struck, place: Place) -> Iterator[str]:
    """Exit code, advice and purchases of a run that failed by itself."""
    if struck.code not in ({0, 3} if case.fault == "delay" else {0, 2, 3, 5}):
        yield f"exit {struck.code}: {struck.said[-500:]}"
    if struck.code in {2, 5} and not ADVICE.search(struck.said):
        yield f"exit {struck.code} without saying what to do: {struck.said[-500:]}"
    if struck.code == 0 and len(place.pictures()) != REQUESTS:
        yield f"exit 0 with {len(place.pictures())} pictures"
    bills = len(place.bills())
    if case.base == "fresh" and bills > REQUESTS:
        yield f"double: {bills} bills in one run that no answer was lost in"
    is_told = case.fault != "delay" or case.site not in {"ledger-sync", "image-sync"} or case.when == 1
    if case.base == "fresh" and not is_told and "(DELAYED)" in struck.trace and "disk is slow" not in struck.said:
        yield f"silent: a sync of {DELAY_SECONDS} s was not mentioned: {struck.said[-500:]}"
    # The bytes are there and their hash is known: they are copied to a file that can be synced.
    may_copy = case.base == "fresh" and case.site == "image-sync" and case.fault == "EIO" and not case.persistent
    if may_copy and struck.code == 5 and struck.trace.count("(INJECTED)") == 1:
        yield f"given up: one failed sync of an image ended the run: {struck.said[-500:]}"


def _carried_on(case: Case, struck: Struck) -> Iterator[str]:
    """After the first error on the ledger nothing more may be written or synced there."""
    if SITES[case.site].files != "ledger":
        return
    after = struck.trace.partition("(INJECTED)")[2].splitlines()[1:]
    more = [line for line in after if "(INJECTED)" not in line and "resumed" not in line]
    if more:
        yield f"poisoned: the ledger is still written after an error: {more[0][:200]}"
