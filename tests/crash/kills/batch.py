"""One batch: a job is run and killed until it ends by itself, changed, run and killed again, and judged each time."""

import hashlib
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from batchgen.errors import BatchgenError
from batchgen.plan.compare import SlotStatus
from batchgen.run.job import Job
from batchgen.run.survey import look

from . import books, child, reaper
from .books import Claim, History, Terms
from .checker import check
from .customer import png
from .gateway import Gateway
from .reaper import LONGEST_SECONDS, Ended
from .scenario import Scenario, Wish, gateway_terms
from .scene import scene

RECOVERY_SECONDS = 0.03
ACCEPTED = {0, 3, 5}
LOCKED = 6


@dataclass(slots=True)
class Outcome:
    """What a batch came to: violations as (class, text), counts, and where its remains are."""

    found: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    folder: Path | None = None


class Batch:
    """One scenario on its way. `mutate` is called in every child first: it may break batchgen there, and only there."""

    def __init__(
        self, scenario: Scenario, name: str, *, root: Path, gateway: Gateway, mutate: Callable[[], None] = lambda: None
    ) -> None:
        self._scenario = scenario
        self._name = name
        self._gateway = gateway
        self._mutate = mutate
        self._rng = random.Random(f"{scenario.seed}/kills")  # noqa: S311  must be repeatable
        self._folder = root / name
        self._folder.mkdir(mode=0o700)
        self._log = self._folder / "stderr"
        self._manifest = self._folder / "job.yaml"
        self._job_folder = self._folder / "out" / name
        self._wish = Wish(scenario, name, f"http://127.0.0.1:{gateway.port}/{name}")
        (gateway.root / f"{name}.json").write_text(gateway_terms(scenario, self._job_folder / "ledger.jsonl"))
        self._is_first = True
        self._taken: dict[str, list[int]] = {}
        self._retouched: dict[str, str] = {}
        self._consents: set[tuple[str, str]] = set()
        self._drained: set[str] = set()
        self.outcome = Outcome(folder=self._folder)

    def run(self) -> Outcome:
        """All rounds; ends with the first round that is not all right."""
        for number, changes in enumerate(self._scenario.rounds):
            self._is_first = number == 0
            for kind in changes:
                self._wish.change(kind, self._rng)
                self._harm(kind)
            self._wish.write(self._manifest)
            job = child.opened(self._manifest)
            if not self._round(job) or not self._decided(job):
                break
        self._sum_up()
        return self.outcome

    def _sum_up(self) -> None:
        scenario, counts = self._scenario, self.outcome.counts
        counts["batches"] += 1
        counts[f"kills {scenario.keys}/{scenario.moment}"] = counts["kills"]
        counts[f"kills under {scenario.in_doubt}"] = counts["kills"]
        if scenario.budget_usd is not None:
            counts["kills with a budget"] = counts["kills"]

    def rehearse(self) -> None:
        """One undisturbed run in this very process, so that children find everything imported and warm."""
        self._wish.write(self._manifest)
        heard, planned = os.pipe()
        try:
            child.run_job(child.opened(self._manifest), planned)
        finally:
            os.close(heard)
            os.close(planned)

    def _round(self, job: Job) -> bool:
        """Run and kill until a run ends by itself; judge what it left."""
        action = partial(_mutated, self._mutate, child.run_job, job)
        ended = self._kill_until_done(action)
        if ended.code in ACCEPTED and self._rng.random() < 0.1:
            ended = self._again(action, ended)
        if ended.hung or ended.code not in ACCEPTED:
            self._died("hung" if ended.hung else f"exit {ended.code}")
            return False
        return self._judge(job, ended.code)

    def _kill_until_done(self, action: reaper.Action) -> Ended:
        for _ in range(self._scenario.most_kills):
            ended = self._strike(action)
            if ended.code is not None and ended.code != 143:
                return ended
        return reaper.let(action, self._log)

    def _strike(self, action: reaper.Action) -> Ended:
        """One child, and what befalls it."""
        rng, log = self._rng, self._log
        weights = dict(self._scenario.styles)
        # After a change files are moved before anything is sent, and that is over soon.
        weights["start"] = weights.get("start", 0.0) * (1 if self._is_first else 4)
        style = rng.choices(list(weights), list(weights.values()))[0]
        match style:
            case "start":
                ended = reaper.kill_after_start(action, log, rng.uniform(0, LONGEST_SECONDS))
            case "stop-then-kill":
                ended = reaper.stop_then_kill(action, log, rng)
            case "twice":
                return self._race(action)
            case "stop" | "abort":
                ended = self._stop(action, times=1 if style == "stop" else 2)
            case _:
                ended = reaper.kill_in_flight(action, log, rng.uniform(0, LONGEST_SECONDS))
        self._count(ended, style)
        if style == "nest" and ended.code is None:
            return self._nest(action)
        return ended

    def _nest(self, action: reaper.Action) -> Ended:
        """Kill the recovery of the killed run, and its recovery, 3 to 20 deep."""
        ended = Ended(code=None)
        for _ in range(self._rng.randint(3, 20)):
            ended = reaper.kill_after_start(action, self._log, self._rng.uniform(0, RECOVERY_SECONDS))
            self._count(ended, "nested")
            if ended.code is not None:
                break
        return ended

    def _race(self, action: reaper.Action) -> Ended:
        """Two runs at once, as cron starts them: the second one must give way, or the first one is over."""
        first = reaper.Child(action, self._log)
        first.wait_for_plan()
        second = reaper.let(action, self._log)
        self.outcome.counts[f"second run: exit {second.code}"] += 1
        ended = first.kill_after(self._rng.uniform(0, LONGEST_SECONDS))
        self._count(ended, "twice")
        return Ended(code=None) if second.code == LOCKED else second

    def _stop(self, action: reaper.Action, *, times: int) -> Ended:
        before = self._runs()
        ended = reaper.stop(action, self._log, self._rng, times=times)
        if times == 1 and ended.code is not None and self._scenario.never_fails:
            self._drained |= self._runs() - before
        return ended

    def _again(self, action: reaper.Action, before: Ended) -> Ended:
        """A run that ended by itself has nothing left to buy: another one must not send, unless something failed."""
        self._gateway.settle()
        bills = len(self._bills())
        ended = reaper.let(action, self._log)
        self._gateway.settle()
        if before.code == 0 and len(self._bills()) != bills:
            self.outcome.found.append(("double", f"{len(self._bills()) - bills} bills for a run with nothing to do"))
        return ended

    def _count(self, ended: Ended, style: str) -> None:
        if ended.code is None:
            self.outcome.counts.update(
                ["kills", f"kills {style}", *{f"hit {what}" for what in scene(self._job_folder)}]
            )
        elif ended.code == 143:
            self.outcome.counts[style] += 1

    def _died(self, what: str) -> None:
        """A run ended as none may. What was bought until then is judged all the same."""
        said = self._log.read_text()[-2000:] if self._log.exists() else ""
        self.outcome.found.append(("died", f"{what}: {said}"))
        self._gateway.settle()
        self.outcome.found += check(self._history((), None)).found

    def _judge(self, job: Job, exit_code: int | None) -> bool:
        self._gateway.settle()
        try:
            selected = look(job).selected
        except BatchgenError as error:
            self._died(str(error))
            return False
        report = check(self._history(selected, exit_code))
        self.outcome.found += report.found
        for name, count in report.counts.items():
            # Each round sees the whole story again: the last one counts.
            self.outcome.counts[name] = count
        self.outcome.counts["checks"] += 1
        return not self.outcome.found

    def _history(self, selected: Sequence[SlotStatus], exit_code: int | None) -> History:
        entries, problems = self._ledger()
        scenario = self._scenario
        return History(
            bills=self._bills(),
            entries=entries,
            problems=problems,
            files=books.read_files(self._job_folder),
            claims=[
                Claim(
                    slot=status.request.slot,
                    id=status.request.id,
                    state=status.state,
                    path=status.path,
                    would_send=status.would_send,
                )
                for status in selected
            ],
            terms=Terms(
                in_doubt=scenario.in_doubt,
                resends=scenario.resends,
                keys=scenario.keys,
                concurrency=scenario.concurrency,
                has_failover=scenario.has_failover,
                budget_usd=scenario.budget_usd,
            ),
            taken=self._taken,
            retouched=self._retouched,
            consents=frozenset(self._consents),
            drained=frozenset(self._drained),
            exit_code=exit_code,
        )

    def _bills(self) -> list[books.Bill]:
        return books.read_bills(self._gateway.root / f"{self._name}.bills")

    def _ledger(self) -> tuple[list[books.Entry], list[str]]:
        path = self._job_folder / "ledger.jsonl"
        return books.read_ledger(path.read_bytes()) if path.exists() else ([], [])

    def _runs(self) -> set[str]:
        """The runs that the ledger knows, as far as it can be read."""
        return {entry["run"] for entry in self._ledger()[0] if entry["kind"] == "run_started"}

    def _decided(self, job: Job) -> bool:
        """Sometimes somebody looks at the doubts, decides, and the job is run and killed once more."""
        held = [one for one in look(job).selected if one.state == "in_doubt" and not one.would_send]
        if not held or self._rng.random() < 0.4:
            return True
        billed = {bill.key for bill in self._bills()}
        some = [one.request.id for one in self._rng.sample(held, self._rng.randint(1, len(held)))]
        what = self._rng.choice(("resend", "not_billed", "give_up"))
        # Who says "not billed" has seen the bill, so it is true.
        ids = [one for one in some if one not in billed] if what == "not_billed" else some
        if not ids:
            return True
        self._consents |= {(what, one) for one in ids}
        return self._decide(job, what, ids) and self._round(job)

    def _decide(self, job: Job, what: str, ids: list[str]) -> bool:
        action = partial(_mutated, self._mutate, child.decide, job, what, ids)
        while self._rng.random() < 0.3:
            self._count(reaper.kill_after_start(action, self._log, self._rng.uniform(0, RECOVERY_SECONDS)), "decision")
        ended = reaper.let(action, self._log)
        if ended.code != 0:
            self._died(f"deciding ended with {ended.code}")
            return False
        self.outcome.counts["decisions"] += len(ids)
        return True

    def _harm(self, kind: str) -> None:
        """Somebody takes files away, breaks them, or paints over them."""
        if kind not in {"remove", "damage", "retouch", "redo"} or not self._job_folder.exists():
            return
        entries, _ = self._ledger()
        job = child.opened(self._manifest)
        done = [one for one in look(job).selected if one.state == "done"]
        some = self._rng.sample(done, min(len(done), self._rng.randint(1, 3)))
        if kind == "redo":
            self._consents |= {("redo", one.request.base_id) for one in some}
            self._decide(job, "redo", [one.request.id for one in some])
            return
        for one in some:
            path, request = self._job_folder / one.path, one.request.id
            if kind == "retouch":
                self._retouched[request] = _replace(path, png(f"retouched {one.path}", edge=9))
                continue
            if kind == "remove":
                path.unlink()
            else:
                os.truncate(path, path.stat().st_size // 2)
            self._taken.setdefault(request, []).append(len(entries))


def _mutated(mutate: Callable[[], None], action: Callable[..., int], *arguments: object) -> int:
    mutate()
    return action(*arguments)


def _replace(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
