"""Thousands of kills of real runs, and broken batchgens that must not get away with it.

The harness forks, so it runs in a process of its own; a failure prints the command that shows it again.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from crash.kills.checker import CLASSES
from crash.kills.mutants import MUTANTS

REPOSITORY = Path(__file__).parents[3]
KEYS, MOMENTS = ("ignore", "replay", "reject"), ("headers", "request", "answer")

pytestmark = [pytest.mark.torture, pytest.mark.timeout(900)]


def harness(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.crash", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def counts(said: str) -> dict[str, Any]:
    """The last line of counts."""
    return json.loads([line for line in said.splitlines() if line.startswith("{")][-1])


def a_thousand_kills(seed: str) -> dict[str, Any]:
    """Bill log, ledger and files agree: all key policies and billing moments, resend and hold, budgets, changes."""
    finished = harness("--kills", 1000, "--seed", seed, "--json")
    said = "\n".join(line for line in finished.stdout.splitlines() if not line.startswith("{")) + finished.stderr
    assert finished.returncode == 0, said
    found = counts(finished.stdout)
    assert found["kills"] >= 1000
    assert not any(found.get(kind) for kind in CLASSES), said
    return found


def test_a_thousand_kills_lose_nothing_and_buy_nothing_twice():
    """They hit where it matters: a harness that only killed idle runs, or never met a doubt, would find nothing."""
    found = a_thousand_kills("spring")
    assert all(found[f"kills {keys}/{moment}"] for keys in KEYS for moment in MOMENTS)
    assert found["kills with a budget"] >= 100
    assert found["hit an attempt in flight"] >= 300
    assert min(found["hit an answer before its record"], found["hit a record before its rename"]) >= 10
    assert found["second run: exit 6"] >= 1
    assert min(found["recovered"], found["phantom"], found["resends"], found["decisions"]) >= 20


def test_a_violation_ends_in_exit_code_1_and_says_how_to_see_it_again():
    """The seed and the batch are enough."""
    finished = harness("--mutant", "forgets-because", "--kills", 200, "--seed", "loud")
    assert finished.returncode == 1
    assert "uncited: " in finished.stdout
    assert "again: python -m tests.crash --seed loud --batch 0 --repeat 20 --mutant forgets-because" in finished.stdout


def test_another_thousand_kills_lose_nothing_and_buy_nothing_twice():
    """Other jobs, other moments; apart from the first thousand, so that both cores have their share."""
    a_thousand_kills("autumn")


def test_two_processes_add_up():
    """What the overseer says is the sum."""
    finished = harness("--kills", 30, "--jobs", 2, "--seed", "pair", "--json")
    assert finished.returncode == 0, finished.stdout
    assert counts(finished.stdout)["kills"] >= 30


def test_every_mutant_is_found_out():
    """A batchgen without one of its rules is caught, each by the class that the rule belongs to."""
    finished = harness("--mutants", "--kills", 400, "--seed", "mutants")
    verdicts = [json.loads(line) for line in finished.stdout.splitlines() if line.startswith("{")]
    assert {verdict["mutant"] for verdict in verdicts} == set(MUTANTS), finished.stderr
    assert [verdict for verdict in verdicts if not verdict["caught"]] == []
    assert finished.returncode == 0
