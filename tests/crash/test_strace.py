"""A real run, struck at its durable system calls, and its order of syncs as strace sees it from outside."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from crash.kills.gateway import gateway
from crash.strace import bench, cases, wiretap

REPOSITORY = Path(__file__).parents[2]
SHARDS, CASES, SEED = 6, 60, "every change"


def _hindrance() -> str:
    """Why strace cannot be used here, or nothing."""
    if shutil.which("strace") is None:
        return "strace is not installed (Debian: apt-get install strace)"
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()}"


HINDRANCE = _hindrance()
traced = pytest.mark.skipif(bool(HINDRANCE), reason=HINDRANCE or "-")


def strike(root, *arguments):
    """The tool in a process of its own, for it forks: exit code and what it said."""
    command = [sys.executable, "-m", "tests.crash.strace", "--root", str(root), *arguments]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


@traced
@pytest.mark.torture
@pytest.mark.timeout(400)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_run_struck_at_a_durable_call_is_brought_to_its_end(shard, tmp_path):
    """Killed, failed or delayed there: nothing lost, nothing bought twice unasked, nothing wrong called done."""
    code, said = strike(tmp_path, "--cases", str(CASES), "--seed", SEED, "--shard", f"{shard}/{SHARDS}")
    assert (code, said.count("\nok ") + said.startswith("ok ")) == (0, CASES // SHARDS), said


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """What strace saw of a run that nobody disturbed."""
    root = tmp_path_factory.mktemp("trace")
    with gateway(root / "books") as server:
        return bench.Place(root, server, "calm", in_doubt="hold").watch()


@traced
def test_the_order_of_syncs_holds_as_seen_from_outside(trace):
    """No request before its record is durable, no record before its image is, no rename before its record is."""
    assert list(wiretap.violations(wiretap.read(trace), attempts=bench.REQUESTS)) == []


@traced
@pytest.mark.parametrize(
    ("without", "says"),
    [
        (lambda call: call.name == "fdatasync" and "ledger" in call.text, "sent before"),
        (lambda call: call.name == "fdatasync" and "ledger" in call.text, "renamed before"),
        (lambda call: call.name == "fdatasync" and ".part>" in call.text, "recorded before"),
        (lambda call: call.name == "fsync" and "/images>" in call.text, "recorded before"),
        (lambda call: call.name == "sendto", "seen: 0 sends"),
    ],
    ids=["start", "saved", "image", "folder", "wire"],
)
def test_a_sync_that_is_missing_is_noticed(trace, without, says):
    """The judge of the trace is not blind: each kind of sync that did not happen is a violation."""
    calls = [call for call in wiretap.read(trace) if not without(call)]
    assert any(says in found for found in wiretap.violations(calls, attempts=bench.REQUESTS))


def test_the_sample_has_every_site_and_every_kind_of_fault():
    """Whatever the seed draws, no site goes unstruck."""
    for seed in ("a", "b", SEED):
        drawn = cases.sample(CASES, seed)
        assert len(set(drawn)) == CASES
        assert {case.site for case in drawn} == set(cases.SITES)
        assert {case.fault for case in drawn} >= {"KILL", "delay", "short", *cases.ERRNOS}
    assert all(cases.Case.named(str(case)) == case for case in cases.every_case())


def test_a_fault_that_never_strikes_is_no_success(tmp_path):
    """A limit that is never reached is reported as such, not as a pass."""
    code, said = strike(tmp_path, "--case", "fresh/ledger-write/short@1000")
    assert code == 1
    assert "never hit: the test tests nothing" in said
