"""The command line as a process of its own: signals, the lock, questions at a terminal, the sandbox server."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

SLOW = """\
version: 1
name: slow
provider: { use: sandbox, latency: 0.3 }
request: { size: 64x64 }
repeat: 4
limits: { concurrency: 1 }
prompts: [a mug]
"""


@pytest.fixture
def started(place):
    """`started("run", "job")` starts the program; what is still running at the end is killed."""
    children = []

    def start(*arguments, **streams):
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-m", "batchgen", *map(str, arguments)]
        root = Path(__file__).parents[3]
        child = subprocess.Popen(
            command, cwd=place, text=True, env={**os.environ, "PYTHONPATH": str(root)}, **{**pipes, **streams}
        )
        children.append(child)
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_lets_what_was_sent_arrive(started, manifest, number, code):
    """Nothing new starts, nothing paid for is lost, and the exit code names the signal."""
    manifest("slow", SLOW)
    child = started("run", "slow", "--json")
    while '"image"' not in child.stdout.readline():
        pass
    child.send_signal(number)
    out, err = child.communicate()
    summary = json.loads(out.splitlines()[-1])
    assert child.returncode == summary["exit_code"] == code
    assert summary["in_doubt"] == 0
    assert summary["saved"] + summary["not_started"] == 4
    assert "next:  batchgen run slow" in err


def test_the_second_signal_aborts_and_counts_the_doubt(started, manifest):
    """What was in flight may have been billed, and the summary says so."""
    manifest("slow", SLOW.replace("latency: 0.3", "latency: 30"))
    child = started("run", "slow", "--json")
    assert '"plan"' in child.stdout.readline()
    while (place_of_ledger := Path("output/slow@sandbox/ledger.jsonl")) and not _has_started(place_of_ledger):
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    while "once more aborts" not in child.stderr.readline():
        pass
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate()
    summary = json.loads(out.splitlines()[-1])
    assert (child.returncode, summary["in_doubt"], summary["not_started"]) == (130, 1, 3)


def _has_started(ledger):
    return ledger.exists() and "attempt_started" in ledger.read_text()


def test_a_second_run_is_exit_6_and_sends_nothing(started, place):
    """The lock is held by the first run."""
    with _locked(place):
        child = started("run", "hello", "--json")
        out, err = child.communicate()
    assert child.returncode == 6
    assert json.loads(out)["exit_code"] == 6
    assert "another run of this job is on" in err


def test_ctrl_c_ends_a_wait_for_the_lock(started, place):
    """Waiting for another run can be called off; the other run stays the reason."""
    with _locked(place):
        child = started("run", "hello", "--wait-lock", "10m")
        while not _waits_in_a_thread(child.pid):
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        assert child.wait() == 6


class _locked:  # noqa: N801  reads as a phrase
    """The lock of the hello job, held by this process."""

    def __init__(self, place):
        self.path = place / "output/hello@sandbox/run.lock"
        self.path.parent.mkdir(parents=True, mode=0o700)

    def __enter__(self):
        self.file = self.path.open("w")
        fcntl.flock(self.file, fcntl.LOCK_EX)
        return self.path

    def __exit__(self, *_):
        self.file.close()


def _waits_in_a_thread(pid):
    """The job folder is there, so the first thing a run needs a thread for is the lock."""
    return len(list(Path(f"/proc/{pid}/task").iterdir())) > 1


@pytest.fixture
def at_terminal(started):
    """`at_terminal("run", "job")` starts the program at a terminal of its own; returns it and the other end."""
    leaders = []

    def start(*arguments):
        leader, follower = pty.openpty()
        leaders.append(leader)
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), follower)
        child = started(*arguments, **streams, start_new_session=True, preexec_fn=_own_terminal)
        os.close(follower)
        return child, leader

    yield start
    for leader in leaders:
        os.close(leader)


@pytest.mark.parametrize(("answer", "code", "says"), [("n\n", 2, "called off"), ("\x03", 130, "interrupted")])
def test_a_large_run_asks_at_a_terminal_and_takes_no_for_an_answer(at_terminal, manifest, answer, code, says):
    """Neither no nor Ctrl-C sends anything."""
    manifest("dear", "version: 1\nname: dear\nprovider: {use: openai, auth: none, prices: 6}\nprompts: [a, b]\n")
    child, leader = at_terminal("run", "dear")
    _answer(leader, "make 2 images for up to $12.00?", answer)
    while not _ends_within(child, seconds=2):
        # A signal between the question and the read is only seen with the next one, as at any Python prompt.
        os.write(leader, answer.encode())
    assert child.returncode == code
    assert says in _rest(leader)


def test_init_asks_four_questions_at_a_terminal(at_terminal, place):
    """What, how many, which data, which provider; Enter takes the default, which for words of one's own is no data."""
    child, leader = at_terminal("init", "new")
    _answer(leader, "what [an example]:", "a red mug\n")
    _answer(leader, "how many [1]:", "2\n")
    _answer(leader, "data [none]:", "\n")
    _answer(leader, "provider [sandbox]:", "\n")
    assert child.wait() == 0
    text = (place / "new/jobs/first.yaml").read_text()
    assert "a red mug" in text
    assert "repeat: 2" in text
    assert "provider: sandbox" in text


def test_init_asks_again_with_the_reason(at_terminal, place):
    """No slip throws the answers before it away, and no line of a question is wider than 80 columns."""
    (place / "bad.jsonl").write_text('{"prompt": "a" "b"}\n')
    child, leader = at_terminal("init", "new")
    said = [_answer(leader, "what [an example]:", "\n")]
    said += [_answer(leader, "how many [1]:", text) for text in ("many\n", "0\n", "2\n")]
    said += [_answer(leader, "data [sample]:", text) for text in ("goods.csv\n", "jobs\n", "bad.jsonl\n", "none\n")]
    said += [_answer(leader, "provider [sandbox]:", text) for text in ("opnai\n", "unified\n")]
    said += [_answer(leader, "address:", text) for text in ("\n", "https://gw.example/v1\n")]
    assert child.wait() == 0
    text = "".join(said)
    assert text.count("not so:") == 7
    assert "expected 1 to 100" in text
    assert "did you mean 'openai'" in text
    assert '        1 | {"prompt": "a" "b"}\r\n          |                ^\r\n' in text
    assert max(map(len, text.splitlines())) < 80
    assert "unified" in (place / "new/jobs/first.yaml").read_text()


def test_init_does_not_ask_in_vain(at_terminal, manifest):
    """A name that is taken, and an option that cannot be used, are said before the first question."""
    manifest("first")
    for arguments in (("init", "."), ("init", "new", "--data", "none.csv"), ("init", "new", "--provider", "opnai")):
        child, leader = at_terminal(*arguments)
        assert child.wait() == 2
        assert "how many" not in _rest(leader)


def _ends_within(child, seconds):
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _answer(leader, question, answer):
    said = ""
    while question not in said or not said.endswith(": "):
        said += os.read(leader, 4096).decode()
    os.write(leader, answer.encode())
    return said


def _own_terminal():
    """Makes the child's stdin its controlling terminal, so that ^C becomes a signal."""
    import termios  # noqa: PLC0415  only in the child

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _rest(leader):
    said = b""
    try:
        while chunk := os.read(leader, 4096):
            said += chunk
    except OSError:
        pass
    return said.decode()


def test_the_sandbox_serves_until_ctrl_c(started, place):
    """The first line is the base URL; a picture comes, its bill is written, Ctrl-C ends it with 0."""
    child = started("sandbox", "--bills", "bills.jsonl")
    url = child.stdout.readline().strip()
    body = json.dumps({"prompt": "a mug", "size": "64x64"}).encode()
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname, address.port)
    connection.request("POST", f"{address.path}/images/generations", body, {"Content-Type": "application/json"})
    assert json.load(connection.getresponse())["data"][0]["b64_json"]
    connection.close()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate()
    assert child.returncode == 0
    assert "1 image was billed" in err
    assert len((place / "bills.jsonl").read_text().splitlines()) == 1
