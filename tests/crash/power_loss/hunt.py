"""Looking for a mutant where it says that it can be found; the same look at the real program finds nothing."""

from collections.abc import Iterator
from pathlib import Path

from .check import read
from .mutants import Mutant, applied
from .protocol import CHECKS
from .rules import broken_rules
from .scenes import Story, staged
from .stories import Report, findings, place

STORIES = 200
STATES = 400
RECOVERIES = 4


def caught(mutant: Mutant, tmp_path: Path) -> str:
    """What gives a mutant away, or nothing."""
    # What the real reader made of a ledger is not what the mutant makes of it, and the other way round.
    read.cache_clear()
    try:
        with applied(mutant):
            if mutant.found_by in CHECKS:
                return failure(mutant.found_by, tmp_path)
            return next(evidence(mutant.found_by, mutant.scenes), "")
    finally:
        read.cache_clear()


def failure(check: str, tmp_path: Path) -> str:
    """Why a protocol check fails, or nothing."""
    try:
        CHECKS[check](tmp_path)
    except Exception as problem:  # noqa: BLE001  it broke, one way or the other
        return f"{check}: {problem!r}"
    return ""


def evidence(kind: str, scenes: tuple[str, ...], *, stories: int = STORIES) -> Iterator[str]:
    """Findings of one kind in the stories of some scenes."""
    for number in range(stories):
        scene = scenes[number % len(scenes)]
        with place() as root, staged(scene, f"hunt/{number}", root) as story:
            yield from (f"story {number} ({scene}): {text}" for text in _found(kind, story, f"hunt/{number}", root))


def _found(kind: str, story: Story, seed: str, root: Path) -> Iterator[str]:
    if kind == "rules":
        return broken_rules(story.log, story.before, holds=story.site.manifest.policy == "hold")
    found = findings(story, Report(), seed, root, states=STATES, recoveries=RECOVERIES)
    return (text for name, text in found if name == kind)
