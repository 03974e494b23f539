"""Two stages of stopping, whatever else the run is being stopped for. Whole runs in virtual time."""

import asyncio

import pytest
from fakes.runs import Bench
from fakes.transport import ScriptedTransport, png
from fakes.virtual import run_virtual

from batchgen.clock import SystemClock
from batchgen.provider.failure import Failure
from batchgen.run.job import Options, open_job
from batchgen.run.survey import look

KEY = Failure(kind="stopped", billed="no", message="wrong key", status=401)


def _taking(seconds, first=None):
    """A provider that takes so long; the very first request gets `first` at once."""
    answers = [first] if first is not None else []

    async def script(_transport, _key):
        if answers:
            return answers.pop()
        await asyncio.sleep(seconds)
        return png()

    return ScriptedTransport(script)


def _interrupted(bench, transport, *, at, code=130):
    async def main():
        running = asyncio.create_task(bench.go(transport))
        for moment in at:
            await asyncio.sleep(moment - bench.clock.monotonic())
            bench.current.interrupt(code)
        return await running

    return run_virtual(main())


def test_the_second_signal_aborts_a_run_that_stops_for_a_bug(tmp_path):
    """An internal error weighs more than a signal in the exit code, not in who is waited for."""
    bench = Bench(tmp_path, count=8)

    async def script(_transport, _key):
        if not bench.numbers:
            bench.numbers.append(1)
            message = "a bug"
            raise ZeroDivisionError(message)
        await asyncio.sleep(500)
        return png()

    with pytest.raises(ZeroDivisionError):
        _interrupted(bench, ScriptedTransport(script), at=(10, 20))
    assert bench.listener.summaries[0].seconds < 30


def test_the_second_signal_aborts_a_run_that_stops_for_its_provider(tmp_path):
    """In-flight requests drain after a refused key; nobody has to wait for them."""
    bench = Bench(tmp_path, count=8)
    summary = _interrupted(bench, _taking(500, first=KEY), at=(10, 20))
    assert (summary.in_doubt, summary.exit_code) == (7, 130)
    assert summary.seconds < 30


def test_one_signal_is_enough_to_hear_how_to_abort(tmp_path):
    """The user learns what is being waited for, for how long at most, and how to end it."""
    bench = Bench(tmp_path, count=8, extra="limits: { drain: 400s }")
    _interrupted(bench, _taking(100), at=(10,))
    (said,) = bench.listener.pauses
    assert "once more aborts" in said.message
    assert "in up to 7 min" in said.message
    assert "shorter than a request" in said.message
    assert said.seconds == 400


def test_the_time_limit_drains_no_longer_than_allowed(tmp_path):
    """`stop_after` acts like the first signal, its drain included."""
    bench = Bench(tmp_path, count=8, extra="limits: { stop_after: 50s, drain: 30s }")
    summary = bench.run(_taking(500))
    assert (summary.in_doubt, summary.exit_code) == (8, 5)
    assert summary.seconds < 100


@pytest.mark.parametrize(("drain", "warned"), [("5s", True), ("10m", False)])
def test_a_drain_that_no_image_can_meet_is_a_warning(tmp_path, drain, warned):
    """Said in the plan, at its place in the manifest."""
    bench = Bench(tmp_path, extra=f"limits: {{ drain: {drain} }}")
    job = open_job(Options(path=bench.manifest(), environ={}, output=tmp_path / "out"), now=SystemClock().now())
    found = [problem for problem in look(job).warnings if problem.key == "limits.drain"]
    assert bool(found) is warned
    assert all(problem.line == 5 and "shorter than an image takes" in problem.message for problem in found)
