"""Each exit code that can be provoked from outside, in the order of the table in the README."""

import signal
import sys
import time

import filelock
import pytest
from fakes import program
from fakes.gateway import error, lost, refused


def test_0_when_every_image_is_there(paid_job):
    """And again when there is nothing to do."""
    assert paid_job.call("run").code == 0
    assert paid_job.call("run").code == 0


def test_2_for_a_bad_command_line(tmp_path):
    """An unknown verb, with the near one."""
    finished = program.call("rnu", cwd=tmp_path)
    assert finished.code == 2
    assert "run" in finished.err


@pytest.mark.skipif(sys.platform != "linux", reason="a file system where nobody may make a folder")
def test_2_for_a_forbidden_folder(make_job):
    """A place that cannot be written at the start is the user's to mend; /sys takes no folder even from root."""
    finished = make_job().call("run", "--output", "/sys/forbidden")
    assert finished.code == 2
    assert "/sys/forbidden" in finished.err


def test_2_when_the_output_root_is_a_file(make_job):
    """A file where the job folder should be is exit 2, with its path."""
    job = make_job()
    (job.folder / "output").write_text("in the way")
    finished = job.call("run")
    assert finished.code == 2
    assert "output" in finished.err


def test_3_when_some_images_failed(paid_job, openai_gateway):
    """One refused, one made."""
    openai_gateway.answers = {"mug": [refused()]}
    assert paid_job.call("run").code == 3
    assert len(paid_job.images) == 1


def test_3_when_some_are_held_in_doubt(paid_job, openai_gateway):
    """One lost and held, one made."""
    paid_job.write(retry={"in_doubt": "hold"})
    openai_gateway.answers = {"mug": [lost()]}
    assert paid_job.call("run").code == 3


def test_4_when_no_key_is_set(paid_job, openai_gateway):
    """The variable and the ways to set it are named; nothing is sent and nothing is written."""
    paid_job.environment.clear()
    finished = paid_job.call("run")
    assert finished.code == 4
    assert "OPENAI_API_KEY" in finished.err
    assert ".env" in finished.err
    assert (openai_gateway.requests, paid_job.untouched) == ([], True)


def test_4_when_the_key_is_refused(paid_job):
    """401 at the first request."""
    paid_job.environment["OPENAI_API_KEY"] = "sk-wrong"
    assert paid_job.call("run").code == 4


def test_4_when_nothing_ever_answered(make_job):
    """Unreachable from the start, for longer than give_up_after."""
    job = make_job({"use": "openai", "base_url": "http://127.0.0.1:9/v1"})
    job.write(retry={"waits": [0.05], "max_wait": 0.1, "give_up_after": 0.5})
    assert job.call("run").code == 4


def test_5_when_the_budget_is_used_up(paid_job, openai_gateway):
    """The run spends what fits and stops; the next run, with the same budget, sends nothing more."""
    paid_job.write(
        limits={"budget_usd": 0.3, "concurrency": 1}, request={**paid_job.manifest["request"], "quality": "high"}
    )
    paid_job.write(prompts=["a mug"], repeat=100)
    assert paid_job.call("run").code == 5
    spent = sum(entry["cost_usd"] for entry in paid_job.entries("image_saved"))
    assert 0 < spent <= 0.3
    before = len(openai_gateway.requests)
    assert before < 100
    assert paid_job.call("run").code == 5
    assert len(openai_gateway.requests) == before


def test_5_when_doubts_have_used_up_the_budget(paid_job, openai_gateway):
    """What may have been billed counts: with room for one high estimate, one doubt is the end."""
    paid_job.write(prompts=["a mug"], limits={"budget_usd": 0.25})
    openai_gateway.answers = {"mug": [lost()]}
    assert paid_job.call("run").code == 5
    assert len(openai_gateway.requests) == 1


def test_5_when_the_deadline_passes(paid_job, openai_gateway):
    """stop_after: nothing new starts, what is in flight arrives."""
    openai_gateway.delay_seconds = 0.3
    paid_job.write(prompts=["a mug"], repeat=50, limits={"concurrency": 1, "stop_after": 0.5})
    assert paid_job.call("run").code == 5
    assert len(paid_job.images) == len(openai_gateway.requests) < 50


def test_5_when_too_many_fail(paid_job, openai_gateway):
    """max_failures, counted after ten results."""
    openai_gateway.answers = {"mug": [error(400, "bad", code="invalid_value") for _ in range(99)]}
    paid_job.write(prompts=["a mug"], repeat=60, limits={"max_failures": 5, "concurrency": 1})
    assert paid_job.call("run").code == 5
    assert 6 <= len(openai_gateway.requests) < 60


def test_5_when_the_gateway_goes_away(paid_job, openai_gateway):
    """It answered once, then nothing listens any more: after give_up_after the run ends with 5, not 4."""
    paid_job.write(prompts=["a mug"])
    paid_job.run()
    paid_job.write(
        provider={"use": "openai", "base_url": "http://127.0.0.1:9/v1"},
        prompts=["a mug", "a tray"],
        retry={"waits": [0.05], "max_wait": 0.1, "give_up_after": 0.5},
    )
    assert paid_job.call("run").code in {4, 5}
    assert len(openai_gateway.requests) == 1


def test_6_when_another_run_is_on(paid_job, openai_gateway):
    """The second run is gone within seconds and sends nothing."""
    paid_job.run()
    paid_job.write(repeat=2)
    with filelock.FileLock(paid_job.place / "run.lock"):
        finished = paid_job.call("run")
    assert finished.code == 6
    assert len(openai_gateway.requests) == 2


def test_6_while_a_first_run_works(paid_job, openai_gateway):
    """Two real runs of one job: one works, the other is told."""
    openai_gateway.may_answer.clear()
    first = paid_job.start("run")
    program.wait_until(lambda: len(openai_gateway.requests) == 2)
    assert paid_job.call("run").code == 6
    openai_gateway.may_answer.set()
    assert program.finish(first).code == 0
    assert len(openai_gateway.requests) == 2


def test_wait_lock_waits(paid_job, openai_gateway):
    """With --wait-lock the second run follows the first and finds nothing left to do."""
    openai_gateway.may_answer.clear()
    first = paid_job.start("run")
    program.wait_until(lambda: openai_gateway.requests)
    second = paid_job.start("run", "--wait-lock", "50s")
    time.sleep(1)  # long enough for the second to stand at the lock on an idle machine; no claim rests on it
    assert second.poll() is None
    openai_gateway.may_answer.set()
    assert (program.finish(first).code, program.finish(second).code) == (0, 0)
    assert len(openai_gateway.requests) == 2


def test_7_when_the_ledger_is_damaged(paid_job, openai_gateway):
    """A changed byte in an old line stops everything before anything is sent."""
    paid_job.run()
    ledger = paid_job.place / "ledger.jsonl"
    content = bytearray(ledger.read_bytes())
    content[content.index(b'"kind"') + 10] ^= 1
    ledger.write_bytes(content)
    paid_job.write(repeat=2)
    finished = paid_job.call("run")
    assert finished.code == 7
    assert "verify" in finished.err
    assert len(openai_gateway.requests) == 2
    assert ledger.read_bytes() == content


def test_7_when_a_line_of_the_ledger_is_gone(paid_job, openai_gateway):
    """A lost line is damage, though every line that is left is whole."""
    paid_job.run()
    ledger = paid_job.place / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:2] + lines[3:]))
    paid_job.write(repeat=2)
    assert paid_job.call("run").code == 7
    assert len(openai_gateway.requests) == 2


def test_a_torn_last_line_is_no_damage(paid_job, openai_gateway):
    """What a crash in the middle of an entry leaves was never acknowledged: it is cut off and the run goes on."""
    paid_job.run()
    ledger = paid_job.place / "ledger.jsonl"
    with ledger.open("ab") as file:
        file.write(b'{"v":1,"seq":99,"at":"2026')
    assert paid_job.run().event("summary")["attempts"] == 0
    assert len(openai_gateway.requests) == 2


def test_10_only_for_plan_with_exit_code(paid_job):
    """10 exactly when `run` would send; plain `plan` is 0."""
    assert paid_job.call("plan").code == 0
    assert paid_job.call("plan", "--exit-code").code == 10
    assert paid_job.call("run").code == 0
    assert paid_job.call("plan", "--exit-code").code == 0


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_130_and_143_after_draining(sent, code, paid_job, openai_gateway):
    """The first signal starts nothing new and collects what is paid for."""
    openai_gateway.may_answer.clear()
    paid_job.write(prompts=["a mug"], repeat=30, limits={"concurrency": 2})
    running = paid_job.start("run", "--json")
    program.wait_until(lambda: len(openai_gateway.requests) == 2)
    running.send_signal(sent)
    time.sleep(0.5)  # the signal is heard before the answers arrive
    openai_gateway.may_answer.set()
    finished = program.finish(running)
    assert finished.code == code, finished.said
    assert len(openai_gateway.requests) == len(paid_job.images) == finished.event("summary")["saved"]
    assert finished.event("summary")["exit_code"] == code


def test_a_second_signal_aborts_and_leaves_doubts(paid_job, openai_gateway):
    """What was in flight may have been billed: in doubt, and the next run settles it by the policy."""
    openai_gateway.may_answer.clear()
    paid_job.write(prompts=["a mug"])
    running = paid_job.start("run", "--json")
    program.wait_until(lambda: openai_gateway.requests)
    running.send_signal(signal.SIGINT)
    time.sleep(0.5)  # two signals at once may arrive as one
    running.send_signal(signal.SIGINT)
    finished = program.finish(running)
    assert finished.code == 130, finished.said
    assert list(paid_job.states().values()) == ["in_doubt"]


def test_a_killed_run_leaves_a_doubt_and_no_lock(paid_job, openai_gateway):
    """SIGKILL in flight: the attempt is on disk, so the next run knows, asks again and finishes."""
    openai_gateway.may_answer.clear()
    paid_job.write(prompts=["a mug"])
    running = paid_job.start("run")
    program.wait_until(lambda: openai_gateway.requests)
    running.kill()
    running.communicate()
    assert list(paid_job.states().values()) == ["in_doubt"]
    openai_gateway.may_answer.set()
    assert paid_job.run().event("summary")["saved"] == 1
    assert {request.key for request in openai_gateway.requests} == {paid_job.entries("image_saved")[0]["request"]}


def test_cron_is_silent_when_all_is_well(paid_job):
    """No byte on either stream for success and for nothing to do."""
    for _ in range(2):
        finished = paid_job.call("run", "--cron")
        assert (finished.code, finished.out, finished.err) == (0, "", "")


def test_cron_speaks_up_on_failure(paid_job, openai_gateway):
    """The summary and the next command, so that the mail is worth reading."""
    openai_gateway.answers = {"mug": [refused()]}
    finished = paid_job.call("run", "--cron")
    assert finished.code == 3
    assert "refused" in finished.out + finished.err
