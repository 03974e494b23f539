"""Signals, and streams that end while paid requests are out: nothing sent is cut in half, nothing is bought twice."""

import contextlib
import fcntl
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import program
from fakes.gateway import Gateway
from fakes.job import Job
from fakes.program import wait_until

Child = subprocess.Popen[bytes]
COUNT, AT_ONCE = 8, 3
DEFAULT = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}


@pytest.fixture
def job(paid_job: Job) -> Job:
    """Eight images, three at a time."""
    paid_job.write(
        prompts=[{"id": f"p{number}", "text": f"picture {number}"} for number in range(COUNT)],
        limits={"concurrency": AT_ONCE},
    )
    return paid_job


@pytest.fixture
def launch(job: Job) -> Iterator[Callable[..., Child]]:
    """`launch("run", ...)` starts `batchgen run job.yaml ...` with the signals of a fresh login."""
    children: list[Child] = []

    def start(*arguments: object, before: Callable[[], object] = lambda: None, **streams: Any) -> Child:
        def prepare() -> None:
            for number, handler in DEFAULT.items():
                signal.signal(number, handler)
            before()

        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        child = subprocess.Popen(
            [sys.executable, "-m", "batchgen", "run", str(job.path), *map(str, arguments)],
            cwd=job.folder,
            env=program.environment(job.environment),
            preexec_fn=prepare,  # noqa: PLW1509  only signals and descriptors
            **{**pipes, **streams},
        )
        children.append(child)
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


def in_flight(gateway: Gateway, seconds: float = 0.7) -> Callable[[], None]:
    """Answers take a while; returns a wait for as many requests as may be out at once."""
    gateway.delay_seconds = seconds
    return lambda: wait_until(lambda: len(gateway.requests) >= AT_ONCE)


def finish(child: Child) -> tuple[int, str, str]:
    out, err = child.communicate(timeout=program.PATIENCE_SECONDS)
    return child.returncode, (out or b"").decode(), (err or b"").decode()


def summary_of(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert found["event"] == "summary"
    return found


def end_well(job: Job, gateway: Gateway, *, bills: int = COUNT) -> None:
    """A further run makes the rest, and as many images were billed in all."""
    gateway.delay_seconds = 0
    job.run()
    assert len(job.images) == COUNT
    assert gateway.bills == bills


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)], ids=["INT", "TERM", "HUP"]
)
def test_the_first_signal_collects_what_was_sent(launch, job, openai_gateway, number, code):
    """What is out arrives, nothing new goes out, the exit code names the signal; the next run buys only the rest."""
    sent = in_flight(openai_gateway)
    child = launch("--json")
    sent()
    child.send_signal(number)
    ended, out, err = finish(child)
    summary = summary_of(out)
    assert (ended, summary["saved"], summary["in_doubt"]) == (code, AT_ONCE, 0), err
    assert openai_gateway.bills == AT_ONCE
    assert job.entries("run_finished")[-1]["exit_code"] == code
    end_well(job, openai_gateway)


@pytest.mark.parametrize(("first", "second"), [(signal.SIGINT, signal.SIGINT), (signal.SIGHUP, signal.SIGTERM)])
def test_the_second_signal_aborts_to_doubt(launch, job, openai_gateway, first, second):
    """Nobody waits any longer, every request that was out is in doubt, and the doubts are resent once each."""
    sent = in_flight(openai_gateway, seconds=30)
    child = launch("--json")
    sent()
    child.send_signal(first)
    assert child.stderr is not None
    while b"once more aborts" not in child.stderr.readline():
        pass
    child.send_signal(second)
    ended, out, _ = finish(child)
    assert (ended, summary_of(out)["in_doubt"]) == (130 if first == signal.SIGINT else 143, AT_ONCE)
    doubts = job.entries("attempt_failed")
    assert [entry.get("billed", "maybe") for entry in doubts] == ["maybe"] * AT_ONCE
    end_well(job, openai_gateway, bills=COUNT + AT_ONCE)
    again = [entry for entry in job.entries("attempt_started") if entry["attempt"] == 2]
    assert sorted(entry["because"] for entry in again) == sorted(entry["seq"] for entry in doubts)


@pytest.mark.parametrize(("first", "code"), [(signal.SIGHUP, 143), (signal.SIGINT, 130)], ids=["HUP", "INT"])
def test_a_hangup_never_aborts(launch, job, openai_gateway, first, code):
    """A lost connection can send SIGHUP more than once: what was sent still arrives."""
    sent = in_flight(openai_gateway)
    child = launch("--json")
    sent()
    child.send_signal(first)
    assert child.stderr is not None
    while b"once more aborts" not in child.stderr.readline():
        pass
    for _ in range(3):
        child.send_signal(signal.SIGHUP)
    ended, out, err = finish(child)
    assert (ended, summary_of(out)["saved"], summary_of(out)["in_doubt"]) == (code, AT_ONCE, 0), err
    end_well(job, openai_gateway)


def test_a_drain_shorter_than_an_image_is_said_before_and_during(launch, job, openai_gateway):
    """A service manager's grace that no answer can meet leaves doubts: nobody should learn that only afterwards."""
    job.write(limits={"concurrency": AT_ONCE, "drain": 0.5})
    plan = job.call("plan")
    assert "shorter than an image takes" in plan.out + plan.err
    sent = in_flight(openai_gateway, seconds=30)
    child = launch("--json")
    sent()
    child.send_signal(signal.SIGTERM)
    ended, out, err = finish(child)
    assert (ended, summary_of(out)["in_doubt"]) == (143, AT_ONCE)
    assert "shorter than a request may take" in err


def test_a_run_under_nohup_outlives_its_terminal(launch, openai_gateway):
    """Whoever ignores SIGHUP wants all of it."""
    sent = in_flight(openai_gateway, seconds=0.3)
    child = launch("--json", before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    sent()
    child.send_signal(signal.SIGHUP)
    ended, out, err = finish(child)
    assert (ended, summary_of(out)["saved"]) == (0, COUNT), err
    assert openai_gateway.bills == COUNT


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_closed_terminal_drains(launch, job, openai_gateway):
    """The window is shut: what was sent arrives although nothing can be printed any more."""
    leader, follower = pty.openpty()
    sent = in_flight(openai_gateway)
    child = launch(
        "--yes", before=_own_terminal, start_new_session=True, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    sent()
    os.close(leader)
    assert finish(child)[0] == 143
    assert openai_gateway.bills == len(job.images) == AT_ONCE
    assert job.entries("attempt_failed") == []
    end_well(job, openai_gateway)


def test_a_reader_that_goes_away_does_not_stop_a_paid_run(launch, job, openai_gateway):
    """`batchgen run --json | head -1`: everything is made, and nothing complains."""
    sent = in_flight(openai_gateway, seconds=0.2)
    child = launch("--json", "--quiet")
    assert child.stdout is not None
    assert b'"plan"' in child.stdout.readline()
    child.stdout.close()
    child.stdout = None
    sent()
    ended, _, err = finish(child)
    assert (ended, openai_gateway.bills, len(job.images)) == (0, COUNT, COUNT), err
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def test_a_reader_that_pauses_holds_up_nobody(launch, job, openai_gateway):
    """`batchgen run --json | less`: the pipe is full, and the paid answers are fetched and saved all the same."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, bytes(4096))
    child = launch("--json", stdout=writing)
    os.close(writing)
    wait_until(lambda: openai_gateway.bills == COUNT)
    wait_until(lambda: len(job.images) == COUNT)
    assert child.poll() is None
    with os.fdopen(reading, "rb") as pipe:
        out = pipe.read()[4096:].decode()
    assert (finish(child)[0], summary_of(out)["saved"]) == (0, COUNT)


def test_nobody_listening_to_progress_does_not_stop_a_paid_run(launch, openai_gateway):
    """Whatever read stderr is gone; results still come and the exit code is that of success."""
    sent = in_flight(openai_gateway, seconds=0.2)
    child = launch("--json", "--verbose")
    sent()
    assert child.stderr is not None
    child.stderr.close()
    child.stderr = None
    ended, out, _ = finish(child)
    assert (ended, summary_of(out)["saved"]) == (0, COUNT)


@pytest.mark.parametrize("closed", [(0, 1, 2), (0,), (1,), (2,)], ids=str)
def test_closed_standard_streams_never_become_the_ledger(launch, job, openai_gateway, closed):
    """With `2>&-` the next file opened would be number 2, and a message would land in it."""
    sent = in_flight(openai_gateway, seconds=0.4)
    child = launch(before=lambda: [os.close(number) for number in closed], stdin=None, stdout=None, stderr=None)
    sent()
    places = [str(Path(f"/proc/{child.pid}/fd/{number}").readlink()) for number in closed]
    assert finish(child)[0] == 0
    assert places == [os.devnull] * len(closed)
    assert (openai_gateway.bills, len(job.images)) == (COUNT, COUNT)


def test_a_full_disk_under_stdout_costs_no_image(launch, job, openai_gateway):
    """The summary cannot be written, which is said; every image is made and recorded."""
    with Path("/dev/full").open("wb") as full:
        ended, _, err = finish(launch(stdout=full))
    assert (ended, openai_gateway.bills, len(job.images)) == (5, COUNT, COUNT)
    assert "stdout cannot be written" in err


def test_a_frozen_run_takes_up_where_it_was(launch, openai_gateway):
    """SIGSTOP while answers come, SIGCONT later: they are read as if nothing had been, and nothing is sent twice."""
    sent = in_flight(openai_gateway, seconds=0.4)
    child = launch("--json")
    sent()
    child.send_signal(signal.SIGSTOP)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(1.2)
    child.send_signal(signal.SIGCONT)
    ended, out, err = finish(child)
    assert (ended, summary_of(out)["attempts"]) == (0, COUNT), err
    assert openai_gateway.bills == len(openai_gateway.requests) == COUNT


def test_no_core_is_ever_dumped(launch, openai_gateway):
    """A core dump would hold the key."""
    sent = in_flight(openai_gateway, seconds=0.3)
    child = launch()
    sent()
    assert resource.prlimit(child.pid, resource.RLIMIT_CORE) == (0, 0)
    assert finish(child)[0] == 0
