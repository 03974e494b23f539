"""Outages: three in a row, one probe at a time, and back at the first success."""

import asyncio
import itertools

from fakes.virtual import VirtualClock, run_virtual

from batchgen.provider.failure import Failure
from batchgen.run.outage import Outage

REFUSED = Failure(kind="not_sent", billed="no", message="refused")
BUSY = Failure(kind="server_error", billed="no", message="busy", status=503)
DOUBT = Failure(kind="in_doubt", billed="maybe", message="late")


NUMBERS = itertools.count()


def judge(found, outcome, *, is_probe=False, request_id=None):
    found.judge(outcome, request_id=request_id or f"request-{next(NUMBERS)}", is_probe=is_probe)


def outage():
    return Outage(spacing_seconds=60.0, clock=VirtualClock())


def test_three_in_a_row_mean_down():
    """Two failures are bad luck, a success starts the count anew, three in a row are an outage."""

    async def main():
        found = outage()
        for outcome in (BUSY, BUSY, None, BUSY, BUSY):
            judge(found, outcome, is_probe=False)
        assert not found.is_down
        judge(found, REFUSED, is_probe=False)
        assert found.is_down

    run_virtual(main())


def test_one_bad_request_is_no_outage():
    """After images were made, one request that keeps failing is the request's trouble, not the provider's."""

    async def main():
        found = outage()
        judge(found, None)
        for _ in range(6):
            judge(found, BUSY, request_id="the same")
        assert not found.is_down
        judge(found, BUSY, request_id="another")
        assert found.is_down

    run_virtual(main())


def test_a_single_request_finds_an_outage_when_nothing_was_ever_made():
    """With one image in the job and no success yet, three failures are an outage."""

    async def main():
        found = outage()
        for _ in range(3):
            judge(found, REFUSED, request_id="the only one")
        assert found.is_down

    run_virtual(main())


def test_doubts_are_no_outage():
    """A timeout says nothing about the provider as a whole."""

    async def main():
        found = outage()
        for _ in range(5):
            judge(found, DOUBT, is_probe=False)
        assert not found.is_down

    run_virtual(main())


def test_a_probe_in_doubt_is_no_success():
    """A provider that is down stays down after a time-out; any answer that speaks for itself brings it back."""

    async def main():
        found = outage()
        for _ in range(3):
            judge(found, BUSY)
        judge(found, DOUBT, is_probe=True)
        assert found.is_down
        judge(found, Failure(kind="bad_request", billed="no", message="bad size", status=400), is_probe=True)
        assert not found.is_down

    run_virtual(main())


def test_one_probe_per_spacing_goes_through():
    """Twenty waiters, ten minutes down: one probe a minute, and the first success frees everybody."""

    async def main():
        found, probes = outage(), []
        for _ in range(3):
            judge(found, BUSY, is_probe=False)
        loop = asyncio.get_running_loop()

        async def worker():
            while True:
                is_probe = await found.turn()
                if is_probe:
                    probes.append(loop.time())
                    judge(found, None if loop.time() > 600 else BUSY, is_probe=True)
                if not found.is_down:
                    return

        await asyncio.gather(*(worker() for _ in range(20)))
        assert len(probes) == 11
        assert all(later - earlier >= 60 for earlier, later in itertools.pairwise(probes))

    run_virtual(main())


def test_a_probe_that_did_not_happen_is_somebody_elses_turn():
    """Abandoning a probe leaves no one waiting for ever."""

    async def main():
        found = outage()
        for _ in range(3):
            judge(found, BUSY, is_probe=False)
        assert await found.turn()
        found.abandon()
        assert await found.turn()

    run_virtual(main())


def test_an_answer_counts_as_answered_even_when_it_is_an_error():
    """Exit 4 is for providers that never said a word."""

    async def main():
        found = outage()
        judge(found, REFUSED, is_probe=False)
        assert not found.ever_answered
        judge(found, BUSY, is_probe=False)
        assert found.ever_answered

    run_virtual(main())
