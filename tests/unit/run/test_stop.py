"""Stopping: the first reason, the weightier exit code, and no wait that outlasts it."""

import asyncio

import pytest
from fakes.virtual import run_virtual

from batchgen.run.stop import Stop, StoppedError


def test_a_stop_ends_every_wait_at_once():
    """Waiters of an hour end in the second of the stop."""

    async def main():
        stop = Stop()

        async def wait():
            with pytest.raises(StoppedError):
                async with stop.waiting():
                    await asyncio.sleep(3600)

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(wait())
            await asyncio.sleep(1)
            stop.set("enough", 5)
        assert asyncio.get_running_loop().time() < 2

    run_virtual(main())


def test_waiting_after_a_stop_does_not_begin():
    """Once stopped, no new wait starts."""

    async def main():
        stop = Stop()
        stop.set("enough", 5)
        with pytest.raises(StoppedError):
            async with stop.waiting():
                pytest.fail("waited")

    run_virtual(main())


@pytest.mark.parametrize(("codes", "left"), [((5, 130), 130), ((130, 5), 130), ((4, 5), 4), ((5, 1), 1), ((5, 4), 4)])
def test_the_weightier_exit_code_stays(codes, left):
    """1 beats all, then 130 and 143, then 4, then 5."""

    async def main():
        stop = Stop()
        for code in codes:
            stop.set(f"reason {code}", code)
        assert stop.exit_code == left
        assert stop.reason == f"reason {left}"

    run_virtual(main())


def test_a_timeout_of_its_own_passes_through():
    """Only a stop becomes StoppedError; a TimeoutError from inside stays what it is."""

    async def main():
        stop = Stop()
        with pytest.raises(TimeoutError):
            async with stop.waiting():
                raise TimeoutError

    run_virtual(main())
