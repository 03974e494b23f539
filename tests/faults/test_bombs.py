"""Small inputs that unfold without end are refused in bounded memory, each in a process with a lid on it."""

import json
import subprocess
import sys

import pytest
from fakes.program import SOURCE, environment

GROWTH_MIB = 128
HARMLESS = {"ten thousand keys", "a loop in a loop"}


def went_off(*arguments):
    """What a child process made of the bombs of one kind."""
    asked = [sys.executable, "-m", "tests.faults.bombs", *map(str, arguments)]
    done = subprocess.run(
        asked, cwd=SOURCE, env=environment(), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout or "null")


@pytest.mark.timeout(120)
def test_manifest_bombs_are_refused_in_bounded_memory():
    """YAML and template bombs end in a message with a place, or plan what they say; none raises, none grows."""
    found = went_off("manifests")
    planned = {name for name, verdict in found["verdicts"].items() if verdict == "planned 1"}
    refused = {name for name, verdict in found["verdicts"].items() if verdict.startswith("refused: ")}
    assert planned == HARMLESS
    assert planned | refused == set(found["verdicts"])
    assert found["growth_mib"] < GROWTH_MIB, found["grown"]


@pytest.mark.timeout(220)
def test_answer_bombs_end_in_bounded_memory(tmp_path):
    """Compressed, pictured and nested bombs end as what they are; the ones that are pictures are kept as such."""
    went_off("make", tmp_path)
    found = went_off("answers", tmp_path)
    wrong = {
        name: ends for name, ends in found["verdicts"].items() if name != "warm" and ends[0] not in {"either", ends[1]}
    }
    assert wrong == {}
    assert found["growth_mib"] < GROWTH_MIB, found["grown"]
