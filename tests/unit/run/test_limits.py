"""The gates: at once, per minute, pause and halving, the budget, the allowance for retries."""

import asyncio

import pytest
from fakes.virtual import VirtualClock, run_virtual

from batchgen.run.limits import Budget, Gate, Pace, RetryAllowance
from batchgen.run.stop import Stop, StoppedError


async def through(gate, seen, seconds=1.0):
    await gate.enter()
    seen.append(gate.inside)
    await asyncio.sleep(seconds)
    gate.leave()


def test_no_more_than_the_limit_are_inside():
    """Fifty callers at a door for four: never more than four, and all get through."""

    async def main():
        seen = []
        gate = Gate(at_once=4, clock=VirtualClock())
        await asyncio.gather(*(through(gate, seen) for _ in range(50)))
        assert len(seen) == 50
        assert max(seen) == 4
        assert gate.inside == 0

    run_virtual(main())


def test_a_pause_holds_everybody():
    """Nobody enters before the pause is over."""

    async def main():
        gate = Gate(at_once=8, clock=VirtualClock())
        gate.throttled(12.0)
        await gate.enter()
        assert asyncio.get_running_loop().time() >= 12.0

    run_virtual(main())


def test_a_burst_of_429s_halves_once():
    """Eight 429s of one burst are one pause; the next burst halves again; one is the least."""

    async def main():
        gate = Gate(at_once=8, clock=VirtualClock())
        assert [gate.throttled(5.0) for _ in range(8)] == [True] + [False] * 7
        assert gate.at_once == 4
        for expected in (2, 1, 1):
            await asyncio.sleep(6)
            gate.throttled(5.0)
            assert gate.at_once == expected

    run_virtual(main())


def test_successes_win_the_concurrency_back():
    """After enough successes everything may go at once again, and never more."""

    async def main():
        gate = Gate(at_once=8, clock=VirtualClock())
        gate.throttled(0.0)
        for _ in range(40):
            gate.succeeded()
        assert gate.at_once == 8

    run_virtual(main())


def test_a_cancelled_waiter_passes_its_turn_on():
    """Cancelling those in the queue loses no wake-up: the last one still gets in."""

    async def main():
        gate, seen = Gate(at_once=1, clock=VirtualClock()), []
        tasks = [asyncio.create_task(through(gate, seen)) for _ in range(6)]
        await asyncio.sleep(0.5)
        for task in tasks[1:5]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(seen) == 2

    run_virtual(main())


def test_pace_spaces_starts_without_a_burst():
    """At 120 per minute each start is half a second after the one before, from the first minute on."""

    async def main():
        pace = Pace(120, VirtualClock())
        assert [pace.delay_seconds() for _ in range(4)] == [0.0, 0.5, 1.0, 1.5]
        assert Pace(None, VirtualClock()).delay_seconds() == 0.0

    run_virtual(main())


def test_an_edit_with_three_references_takes_three_units():
    """Input images have a bucket of their own, and each reference counts."""

    async def main():
        pace = Pace(60, VirtualClock())
        assert [pace.delay_seconds(3), pace.delay_seconds(1)] == [0.0, 3.0]

    run_virtual(main())


def test_a_reservation_waits_for_one_in_flight():
    """What does not fit waits until something in flight is settled below its reservation."""

    async def main():
        spent = [0.0]
        budget = Budget(1.0, committed=lambda: spent[0], stop=Stop())
        await budget.reserve(0.6)

        async def settle():
            await asyncio.sleep(5)
            budget.recorded(0.6)
            spent[0] = 0.4
            budget.settled()

        async with asyncio.TaskGroup() as group:
            group.create_task(settle())
            await budget.reserve(0.6)
            assert asyncio.get_running_loop().time() == 5

    run_virtual(main())


def test_a_budget_that_cannot_fit_stops_the_run():
    """With nothing in flight that could make room, the run ends with exit 5 and nothing is reserved."""

    async def main():
        stop = Stop()
        budget = Budget(1.0, committed=lambda: 0.5, stop=stop)
        with pytest.raises(StoppedError):
            await budget.reserve(0.6)
        assert (stop.is_set, stop.exit_code) == (True, 5)
        await budget.reserve(0.5)

    run_virtual(main())


def test_retries_beyond_the_allowance_go_one_at_a_time():
    """Ten and a tenth are free; the rest are spaced."""

    async def main():
        allowance = RetryAllowance(100, spacing_seconds=60.0, clock=VirtualClock())
        assert [allowance.delay_seconds() for _ in range(23)] == [0.0] * 21 + [60.0, 120.0]

    run_virtual(main())
