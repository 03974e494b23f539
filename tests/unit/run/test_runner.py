"""The frame of a run: workers, two-stage stop, deadlines, failover, consent, lock."""

import asyncio

import pytest
from fakes.runs import Bench
from fakes.transport import ScriptedTransport, png
from fakes.virtual import run_virtual

from batchgen.errors import DecisionNeededError, LedgerLockedError, PlanError
from batchgen.files import Folder, RunLock
from batchgen.provider.failure import Failure

LIST = (
    "[{ use: openai, base_url: 'http://127.0.0.1:9/v1', auth: none }, "
    "{ use: gptproto, base_url: 'http://127.0.0.1:8/v1', auth: none }]"
)


def taking(seconds):
    async def script(_transport, _key):
        await asyncio.sleep(seconds)
        return png()

    return ScriptedTransport(script)


def always(outcome):
    return ScriptedTransport(lambda _transport, _key: outcome)


def test_concurrency_is_used_and_never_exceeded(tmp_path):
    """Forty requests at eight at once: exactly eight in flight at the peak."""
    bench, transport = Bench(tmp_path, count=40), taking(100)
    bench.run(transport)
    assert transport.most_in_flight == 8


def interrupted(bench, transport, *, after, times=1, code=130):
    async def main():
        running = asyncio.create_task(bench.go(transport))
        for _ in range(times):
            await asyncio.sleep(after)
            bench.current.interrupt(code)
        return await running

    return run_virtual(main())


def test_the_first_signal_lets_paid_images_arrive(tmp_path):
    """Eight are in flight when the signal comes: they are saved, nothing new starts, exit 130."""
    bench, transport = Bench(tmp_path, count=40), taking(100)
    summary = interrupted(bench, transport, after=50)
    assert (summary.saved, summary.not_started, summary.in_doubt, summary.exit_code) == (8, 32, 0, 130)


def test_the_second_signal_leaves_doubts(tmp_path):
    """What is cut off in flight is in doubt, never not sent."""
    bench, transport = Bench(tmp_path, count=40), taking(100)
    summary = interrupted(bench, transport, after=20, times=2, code=143)
    assert (summary.saved, summary.in_doubt, summary.not_started, summary.exit_code) == (0, 8, 32, 143)
    assert summary.maybe_billed_usd > 0


def test_a_drain_has_an_end(tmp_path):
    """After `limits.drain` the rest is aborted and in doubt."""
    bench, transport = Bench(tmp_path, count=8, extra="limits: { drain: 30s }"), taking(500)
    summary = interrupted(bench, transport, after=10)
    assert (summary.in_doubt, summary.exit_code) == (8, 130)
    assert summary.seconds < 100


def test_stop_after_acts_like_the_first_signal(tmp_path):
    """The deadline starts nothing new and lets what is in flight arrive, exit 5."""
    bench, transport = Bench(tmp_path, count=40, extra="limits: { stop_after: 150s }"), taking(100)
    summary = bench.run(transport)
    assert (summary.saved, summary.not_started, summary.exit_code) == (16, 24, 5)


def test_failover_moves_what_cannot_have_been_bought(tmp_path):
    """A refused key at the first provider: everything is made at the second, and the ledger says who made what."""
    first = always(Failure(kind="stopped", billed="no", message="wrong key", status=401))
    second = always(png())
    bench = Bench(tmp_path, providers=LIST)
    summary = bench.run({"openai": first, "gptproto": second})
    assert (summary.saved, summary.exit_code) == (4, 0)
    assert {record.provider for record in bench.state().records.values()} == {"gptproto"}


def test_a_doubt_never_moves_to_another_provider(tmp_path):
    """A request that the first provider may have made stays there, although the second one is free."""
    late = Failure(kind="in_doubt", billed="maybe", message="late")
    key = Failure(kind="stopped", billed="no", message="wrong key", status=401)
    answers = [late, key]
    first = ScriptedTransport(lambda _t, _k: answers.pop(0))
    second = always(png())
    bench = Bench(tmp_path, count=1, providers=LIST)
    summary = bench.run({"openai": first, "gptproto": second})
    assert not second.sent
    assert summary.in_doubt == 1


def test_a_refusal_never_moves_to_another_provider(tmp_path):
    """Moderation is final: shopping around for a yes is not what failover is for."""
    second = always(png())
    first = always(Failure(kind="refused", billed="no", message="moderation", status=400))
    Bench(tmp_path, providers=LIST).run({"openai": first, "gptproto": second})
    assert not second.sent


def test_more_than_max_images_is_refused_before_anything_is_written(tmp_path):
    """The cap is the consent: exit 2, nothing sent, no folder."""
    bench, transport = Bench(tmp_path, extra="limits: { max_images: 3 }"), always(png())
    with pytest.raises(PlanError, match="max_images"):
        bench.run(transport)
    assert not transport.sent
    assert not bench.job_folder.exists()


def test_a_second_run_is_refused_and_sends_nothing(tmp_path):
    """While somebody holds the lock the run ends with exit 6 and not one send."""
    bench, transport = Bench(tmp_path), always(png())
    with Folder.make(bench.job_folder) as folder, RunLock(folder) as lock:
        lock.acquire()
        with pytest.raises(LedgerLockedError):
            bench.run(transport)
    assert not transport.sent


def test_many_images_gone_at_once_need_a_decision(tmp_path):
    """Thirty files gone look like a lost mount: exit 3, unless they are asked for by name or by --yes."""
    bench, transport = Bench(tmp_path, count=30), always(png())
    bench.run(transport)
    for path in bench.pictures():
        path.unlink()
    with pytest.raises(DecisionNeededError, match="state:missing"):
        bench.run(transport)
    assert len(transport.sent) == 30
    assert bench.run(transport, accept_risk=True).saved == 30


def test_a_missing_image_is_made_again_and_cites_its_record(tmp_path):
    """One file gone: one new purchase, which the ledger explains."""
    bench, transport = Bench(tmp_path), always(png())
    bench.run(transport)
    bench.pictures()[0].unlink()
    assert bench.run(transport).saved == 1
    assert len(transport.sent) == 5
    assert len(bench.pictures()) == 4


def test_a_changed_prompt_replaces_and_keeps_the_old_image(tmp_path):
    """The old picture goes to `.superseded/`, the new one takes its name."""
    bench = Bench(tmp_path, count=1)
    bench.run(always(png("red")))
    before = bench.pictures()[0].read_bytes()
    bench.extra = "vars: { unused: 1 }"
    manifest = bench.manifest
    bench.manifest = lambda: _with_text(manifest(), "picture 0", "another picture")
    assert bench.run(always(png("blue"))).saved == 1
    (kept,) = (bench.job_folder / "images/.superseded").rglob("*.png")
    assert kept.read_bytes() == before
    assert bench.pictures()[0].read_bytes() == png("blue")


def test_going_back_to_the_old_prompt_buys_nothing(tmp_path):
    """The superseded image is moved back instead of being bought again."""
    bench, transport = Bench(tmp_path, count=1), always(png("red"))
    bench.run(transport)
    manifest = bench.manifest
    bench.manifest = lambda: _with_text(manifest(), "picture 0", "another picture")
    bench.run(always(png("blue")))
    bench.manifest = manifest
    summary = bench.run(transport)
    assert (summary.skipped, len(transport.sent)) == (1, 1)
    assert bench.pictures()[0].read_bytes() == png("red")


def test_files_that_were_exchanged_by_hand_are_put_back(tmp_path):
    """Two pictures under each other's names are nobody's retouching: they are moved back and nothing is bought."""
    bench = Bench(tmp_path, count=2)
    colours = iter(("red", "blue"))
    bench.run(ScriptedTransport(lambda _t, _k: png(next(colours))))
    first, second = bench.pictures()
    before = first.read_bytes(), second.read_bytes()
    first.rename(tmp_path / "aside")
    second.rename(first)
    (tmp_path / "aside").rename(second)
    transport = always(png())
    summary = bench.run(transport)
    assert (summary.skipped, transport.sent) == (2, [])
    assert (first.read_bytes(), second.read_bytes()) == before


def test_a_retouched_image_survives_the_round_trip_of_its_prompt(tmp_path):
    """Retouched, replaced by a changed prompt, and wanted again: it comes back as it was and is not bought anew."""
    bench, transport = Bench(tmp_path, count=1), always(png("red"))
    bench.run(transport)
    retouched = png("pink", (40, 40))
    bench.pictures()[0].write_bytes(retouched)
    manifest = bench.manifest
    bench.manifest = lambda: _with_text(manifest(), "picture 0", "another picture")
    bench.run(always(png("blue")))
    bench.manifest = manifest
    bench.run(transport)
    assert len(transport.sent) == 1
    assert bench.pictures()[0].read_bytes() == retouched


def _with_text(path, old, new):
    path.write_text(path.read_text().replace(old, new))
    return path
