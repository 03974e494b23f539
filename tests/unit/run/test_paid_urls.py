"""A paid image that waits at an address is fetched, in this run or a later one, and never bought a second time."""

import asyncio

from fakes.runs import Bench
from fakes.transport import ScriptedTransport, png

from batchgen.provider.decode import Answer
from batchgen.provider.failure import Failure

LATE = Failure(kind="in_doubt", billed="maybe", message="no whole answer before the deadline")


def located(fetches):
    """A provider that answers with addresses; `fetches` plays what they lead to."""
    return ScriptedTransport(
        lambda _t, _k: Answer(has_image=False, url="https://images.example/1.png"), fetches=fetches
    )


def test_a_download_that_keeps_failing_buys_nothing(tmp_path):
    """Four failed downloads end in doubt under `resend` too, exit 3, with the address kept and the price shown."""
    bench, transport = Bench(tmp_path, count=1), located(lambda _t, _u: LATE)
    summary = bench.run(transport)
    assert (len(transport.sent), len(transport.fetched), summary.in_doubt, summary.exit_code) == (1, 4, 1, 3)
    assert summary.maybe_billed_usd > 0
    assert next(iter(bench.state().records.values())).is_fetchable


def test_the_next_run_fetches_what_this_one_could_not(tmp_path):
    """The second run sends nothing, fetches the image, and counts what it cost."""
    bench = Bench(tmp_path, count=1)
    bench.run(located(lambda _t, _u: LATE))
    later = located(lambda _t, _u: png())
    summary = bench.run(later)
    assert (summary.saved, summary.exit_code, later.sent) == (1, 0, [])
    assert summary.cost_usd == bench.state().committed_usd(window="job") > 0


def test_an_abort_while_fetching_keeps_the_address(tmp_path):
    """Two signals during the download leave the attempt open; the next run fetches and buys nothing."""
    bench = Bench(tmp_path, count=1)

    async def interrupted(_transport, _url):
        bench.current.interrupt(130)
        bench.current.interrupt(130)
        await asyncio.sleep(100)

    assert bench.run(located(interrupted)).exit_code == 130
    later = located(lambda _t, _u: png())
    assert (bench.run(later).saved, later.sent) == (1, [])


def test_a_download_cut_in_the_middle_is_fetched_again(tmp_path):
    """A picture that is not whole costs another free download, not another purchase."""
    pictures = [png()[:-20], png()]
    transport = located(lambda _t, _u: pictures.pop(0))
    assert Bench(tmp_path, count=1).run(transport).saved == 1
    assert len(transport.sent) == 1


def test_a_picture_that_stays_damaged_is_held(tmp_path):
    """Damaged at every download: lost for good, kept in `.rejected/`, held until a decision."""
    bench, transport = Bench(tmp_path, count=1), located(lambda _t, _u: png()[:-20])
    assert (bench.run(transport).exit_code, bench.run(transport).exit_code) == (3, 3)
    assert len(transport.sent) == 1
    assert list((bench.job_folder / "images/.rejected").iterdir())


def test_fetching_is_planned_at_no_cost(tmp_path):
    """The plan of the next run prices only what would be bought."""
    bench = Bench(tmp_path, count=1)
    bench.run(located(lambda _t, _u: LATE))
    assert bench.listener.plans[0].cost_high_usd > 0
    bench.run(located(lambda _t, _u: png()))
    assert (bench.listener.plans[0].in_doubt, bench.listener.plans[0].cost_high_usd) == (1, 0)
