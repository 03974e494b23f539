"""One story examined: its log against the rules, its states against the promises, its recoveries against both."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .check import is_refused, violations
from .disk import Disk, State, chance
from .recovery import check_mending, check_recovery, check_rerun
from .rules import broken_rules
from .scenes import SCENES, Story, come_up, staged

STATES = 1200
RECOVERIES = 8
NESTED = 40
REPAIRS = 2
ROOT_LENGTH = 60  # reports hold the path, and their size decides where a write may tear


@dataclass(slots=True)
class Report:
    """What was examined and what was found. A finding says how it was come by: `rules`, `states` or `recovery`."""

    stories: int = 0
    states: int = 0
    distinct: int = 0
    refused: int = 0
    recoveries: int = 0
    reruns: int = 0
    repairs: int = 0
    findings: list[tuple[str, str]] = field(default_factory=list)
    first_story: int | None = None

    def add(self, other: "Report") -> None:
        self.stories += other.stories
        self.states += other.states
        self.distinct += other.distinct
        self.refused += other.refused
        self.recoveries += other.recoveries
        self.reruns += other.reruns
        self.repairs += other.repairs
        self.findings += other.findings
        self.first_story = other.first_story if self.first_story is None else self.first_story

    def __str__(self) -> str:
        return (
            f"{self.states:,} states ({self.distinct:,} distinct) of {self.stories:,} stories, "
            f"{self.recoveries:,} recoveries, {self.reruns:,} reruns, {self.repairs:,} repairs: "
            f"{len(self.findings):,} violations, {self.refused:,} states refused as damaged"
        )


def examine(seed: str, number: int, *, states: int = STATES, recoveries: int = RECOVERIES) -> Report:
    """Play story `number` of a seed and examine it; the same again for the same arguments."""
    scene = list(SCENES)[number % len(SCENES)]
    with place() as root, staged(scene, f"{seed}/{number}", root) as story:
        report = Report(stories=1)
        for kind, text in findings(story, report, f"{seed}/{number}", root, states=states, recoveries=recoveries):
            report.findings.append((kind, f"story {number} ({scene}): {text}"))
            report.first_story = number
    return report


def told(seed: str, number: int) -> Iterator[str]:
    """The log of a story, line by line."""
    scene = list(SCENES)[number % len(SCENES)]
    with place() as root, staged(scene, f"{seed}/{number}", root) as story:
        for position, op in enumerate(story.log):
            yield f"{position:5}  " + "  ".join(str(part).replace(str(root), "")[:300] for part in op)


def findings(
    story: Story, report: Report, seed: str, root: Path, *, states: int, recoveries: int
) -> Iterator[tuple[str, str]]:
    """Everything that is wrong in a story, as it is found; `report` counts what was looked at."""
    holds = story.site.manifest.policy == "hold"
    rng = chance(f"{seed}/draws")
    yield from (("rules", text) for text in broken_rules(story.log, story.before, holds=holds))
    refused: list[tuple[int, State]] = []
    yield from (("states", text) for text in _judged(story, report, rng, states, refused))
    for number, (cut, state) in enumerate(_sample(story, rng, recoveries)):
        if is_refused(state):
            continue
        later = come_up(story, cut, state, rng, root / f"recovery-{number}")
        where = f"up again after cut {cut}, recovery {number}: "
        report.recoveries += 1
        yield from (("recovery", where + text) for text in check_recovery(later, rng))
        if number % 4 == 0:
            report.reruns += 1
            yield from (("recovery", where + text) for text in check_rerun(later))
        yield from (("states", where + text) for text in _judged(later, report, rng, NESTED, []))
        shutil.rmtree(root / f"recovery-{number}")
    for number, (cut, state) in enumerate(refused[:REPAIRS]):
        later = come_up(story, cut, state, rng, root / f"repair-{number}")
        report.repairs += 1
        yield from (("recovery", f"refused after cut {cut}: {text}") for text in check_mending(later, rng))


def _judged(
    story: Story, report: Report, rng: random.Random, count: int, refused: list[tuple[int, State]]
) -> Iterator[str]:
    """Draw about `count` states over all cuts of a log, most of them where most can differ, and judge each.

    `refused` gets those whose ledger is refused, with their cuts.
    """
    total = sum(disk.uncertainty() for _, disk in story.log.disks()) or 1
    promises = story.before.copy()
    seen: set[int] = set()
    for cut, disk in story.log.disks():
        if cut:
            promises.take(story.log[cut - 1])
        for _ in range(_draws(disk, count, total)):
            state = disk.draw(rng)
            report.states += 1
            seen.add(hash(frozenset(state.files.items())))
            if is_refused(state):
                report.refused += 1
                refused.append((cut, state))
                continue
            yield from (f"cut {cut}: {text}" for text in violations(state, promises))
    report.distinct += len(seen)


def _draws(disk: Disk, count: int, total: int) -> int:
    return max(1, round(count * disk.uncertainty() / total))


def _sample(story: Story, rng: random.Random, count: int) -> list[tuple[int, State]]:
    open_cuts = [cut for cut, disk in story.log.disks() if disk.uncertainty()] or [len(story.log)]
    chosen = sorted(rng.choice(open_cuts) for _ in range(count))
    return [(cut, disk.draw(rng)) for cut, disk in story.log.disks() for _ in range(chosen.count(cut))]


@contextmanager
def place() -> Iterator[Path]:
    """A folder in memory, where there is one, with a path of the same length everywhere."""
    memory = Path("/dev/shm")  # noqa: S108  a thousand small files per second
    above = Path(tempfile.mkdtemp(prefix="power-loss-", dir=memory if memory.is_dir() else None))
    try:
        root = above / ("x" * max(1, ROOT_LENGTH - len(str(above))))
        root.mkdir()
        yield root
    finally:
        shutil.rmtree(above)
