"""Two thousand damaged answers: each ends as the bytes that were served, or as a failure."""

import json
import subprocess
import sys
from hashlib import sha256
from types import SimpleNamespace

import pytest
from fakes.program import SOURCE, environment
from fakes.raw_server import http
from faults.bodies import PNG, document
from faults.case import PART
from faults.corpus import CORPUS
from faults.fuzz import draw
from faults.oracle import misjudged

from batchgen.provider.failure import Failure

ANSWERS, SEED = 2000, "ci"


@pytest.mark.timeout(200)
def test_damaged_answers_never_lead_astray():
    """No exception, no hang, nothing called done that was not served, nothing called free without a reason."""
    asked = [sys.executable, "-m", "tests.faults.fuzz", "--answers", str(ANSWERS), "--seed", SEED]
    done = subprocess.run(
        asked, cwd=SOURCE, env=environment(), capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = json.loads(done.stdout)["outcomes"]
    assert sum(outcomes.values()) == ANSWERS
    assert min(outcomes["image"], outcomes["bad_answer"], outcomes["in_doubt"]) > ANSWERS // 20


def test_a_seed_gives_the_same_answers_again():
    """What failed once can be played again."""
    assert [draw("x", number) for number in range(20)] == [draw("x", number) for number in range(20)]
    assert draw("x", 1) != draw("y", 1)


def arrived(data):
    """An image of these bytes, and the folder that holds it."""
    return (SimpleNamespace(sha256=sha256(data).hexdigest(), bytes=len(data)), None), {PART: data}


def test_the_oracle_knows_what_was_served():
    """Every good answer serves its image, and no answer serves one that is cut, longer or another."""
    wire = http(200, document())
    assert misjudged(wire, *arrived(PNG)) == []
    for wrong in (PNG[:-3], PNG[:-1], PNG[3:], PNG + b"abc", b"other" * 9):
        assert misjudged(wire, *arrived(wrong))
    for name in ("document, gzip", "document, escaped", "document, url-safe", "document, small chunks", "raw png"):
        assert misjudged(CORPUS[name], *arrived(PNG)) == [], name


def test_the_oracle_sees_what_is_called_free():
    """A success without an error's words may have been billed, whatever it brought."""
    free = Failure(kind="throttled", billed="no", message="x")
    assert misjudged(http(200, b"{}"), free, {})
    assert misjudged(http(429, b"{}"), free, {}) == []
    assert misjudged(http(200, b"{}"), Failure(kind="in_doubt", billed="maybe", message="x"), {PART: b"left"})
