"""One request to a settled outcome: what is sent, what is recorded, what follows. Whole runs in virtual time."""

import asyncio
import collections

import pytest
from fakes.runs import Bench
from fakes.transport import ScriptedTransport, png

from batchgen.errors import PlanError
from batchgen.provider.decode import Answer
from batchgen.provider.failure import Failure

BUSY = Failure(kind="server_error", billed="no", message="busy", status=503)
LATE = Failure(kind="in_doubt", billed="maybe", message="no answer in time")
NO = Failure(kind="refused", billed="no", message="moderation", status=400)
BAD = Failure(kind="bad_request", billed="no", message="bad size", status=400)
KEY = Failure(kind="stopped", billed="no", message="wrong key", status=401)
SLOW = Failure(kind="throttled", billed="no", message="too fast", status=429, retry_after_seconds=7.0)


def steps(*outcomes):
    """Every key gets these outcomes in turn, then images."""
    counts = collections.Counter()

    def script(_transport, key):
        counts[key] += 1
        number = counts[key] - 1
        return outcomes[number] if number < len(outcomes) else png()

    return ScriptedTransport(script)


def always(outcome):
    return ScriptedTransport(lambda _transport, _key: outcome)


def test_every_image_is_made_once(tmp_path):
    """A calm provider: one send per image, all published, exit 0, and a rerun sends nothing."""
    bench, transport = Bench(tmp_path), always(png())
    assert bench.run(transport).exit_code == 0
    assert len(transport.sent) == len(set(transport.sent)) == len(bench.pictures()) == 4
    assert bench.run(transport).skipped == 4
    assert len(transport.sent) == 4


def test_a_retry_uses_the_same_key_and_the_next_number(tmp_path):
    """All attempts of a request carry its id as key and count on."""
    bench, transport = Bench(tmp_path, count=1), steps(BUSY, LATE)
    assert bench.run(transport).saved == 1
    (key,) = set(transport.sent)
    assert transport.attempt_ids == [f"{key}-1", f"{key}-2", f"{key}-3"]


def test_numbers_go_on_counting_over_runs(tmp_path):
    """The second run's first attempt is number two."""
    bench, transport = Bench(tmp_path, count=1), steps(BAD)
    bench.run(transport)
    bench.run(transport)
    assert [attempt.rpartition("-")[2] for attempt in transport.attempt_ids] == ["1", "2"]


def test_a_doubt_is_resent_counted_and_priced(tmp_path):
    """Under `resend` an image that came at the second try leaves one maybe-billed attempt in the summary."""
    bench, transport = Bench(tmp_path, count=1), steps(LATE)
    summary = bench.run(transport)
    assert (summary.saved, summary.maybe_billed, summary.exit_code) == (1, 1, 0)
    assert summary.maybe_billed_usd > 0


def test_resends_are_bounded_over_all_runs(tmp_path):
    """Three doubts and then it is held: later runs send nothing and exit 3."""
    bench, transport = Bench(tmp_path, count=1), always(LATE)
    summary = bench.run(transport)
    assert (len(transport.sent), summary.in_doubt, summary.exit_code) == (3, 1, 3)
    assert bench.run(transport).exit_code == 3
    assert len(transport.sent) == 3


def test_hold_sends_a_doubt_once(tmp_path):
    """Under `hold` one doubt ends it, in this run and the next."""
    bench, transport = Bench(tmp_path, count=1, extra="retry: { in_doubt: hold }"), always(LATE)
    assert bench.run(transport).exit_code == 3
    assert bench.run(transport).exit_code == 3
    assert len(transport.sent) == 1


def test_a_refusal_is_remembered(tmp_path):
    """A refused request fails once; later runs do not send it unless told to."""
    bench, transport = Bench(tmp_path, count=1), always(NO)
    assert (bench.run(transport).exit_code, len(transport.sent)) == (3, 1)
    assert (bench.run(transport).exit_code, len(transport.sent)) == (3, 1)
    bench.run(transport, send_refused=True)
    assert len(transport.sent) == 2


def test_a_bad_request_is_final_for_this_run_only(tmp_path):
    """Other 4xx are tried again by the next run: the gateway may have learned."""
    bench, transport = Bench(tmp_path, count=1), steps(BAD)
    assert bench.run(transport).failed == 1
    assert bench.run(transport).saved == 1


def test_a_wrong_key_stops_the_run(tmp_path):
    """The first 401 ends it: nothing else is sent, exit 4, the rest is not started."""
    bench, transport = Bench(tmp_path, count=20, extra="limits: { concurrency: 2 }"), always(KEY)
    summary = bench.run(transport)
    assert summary.exit_code == 4
    assert len(transport.sent) <= 2
    assert summary.not_started == 20


def test_a_429_pauses_everybody_and_fails_nobody(tmp_path):
    """Each request is throttled once: all arrive, and the run says that it paused."""
    bench, transport = Bench(tmp_path, count=12), steps(SLOW)
    assert bench.run(transport).saved == 12
    assert any("slow down" in pause.message for pause in bench.listener.pauses)


def test_endless_429s_end_the_run(tmp_path):
    """A provider that only ever says 429 is given up after `give_up_after`, exit 5."""
    summary = Bench(tmp_path, extra="retry: { give_up_after: 20m }").run(always(SLOW))
    assert (summary.exit_code, summary.failed, summary.not_started) == (5, 0, 4)


def test_an_outage_of_ten_minutes_fails_nobody(tmp_path):
    """503 for ten minutes: few extra sends, no failure, and the run goes on by itself."""

    def script(_transport, _key):
        return BUSY if asyncio.get_running_loop().time() < 600 else png()

    bench, transport = Bench(tmp_path, count=50), ScriptedTransport(script)
    summary = bench.run(transport)
    assert (summary.saved, summary.failed, summary.exit_code) == (50, 0, 0)
    assert len(transport.sent) <= 50 + 15 + 12


def test_a_provider_that_never_answers_is_exit_4(tmp_path):
    """Connection refused to the end: exit 4 after `give_up_after`, and nothing counts as failed."""
    gone = Failure(kind="not_sent", billed="no", message="refused")
    summary = Bench(tmp_path, extra="retry: { give_up_after: 5m }").run(always(gone))
    assert (summary.exit_code, summary.failed, summary.not_started) == (4, 0, 4)


def test_an_outage_that_lasts_is_exit_5(tmp_path):
    """A provider that answered, but only with 503, is given up with exit 5."""
    summary = Bench(tmp_path, extra="retry: { give_up_after: 5m }").run(always(BUSY))
    assert (summary.exit_code, summary.failed) == (5, 0)


def test_one_request_that_fails_while_others_succeed_is_failed(tmp_path):
    """Six tries for the one that never works; the others are made."""
    first = []

    def script(_transport, key):
        first[:] = first or [key]
        return BUSY if key == first[0] else png()

    bench, transport = Bench(tmp_path, count=30, extra="limits: { concurrency: 2 }"), ScriptedTransport(script)
    summary = bench.run(transport)
    assert (summary.saved, summary.failed, summary.exit_code) == (29, 1, 3)
    assert transport.sent.count(first[0]) >= 6


def test_too_many_failures_stop_the_run(tmp_path):
    """More than 20 % of at least ten results: exit 5."""
    bench = Bench(tmp_path, count=100, extra="limits: { concurrency: 1 }")
    summary = bench.run(always(NO))
    assert (summary.exit_code, summary.failed) == (5, 10)


def test_the_budget_is_never_exceeded(tmp_path):
    """Reserved, spent and in doubt together stay below the cap, and the run ends with exit 5."""
    bench, transport = Bench(tmp_path, count=40, extra="limits: { budget_usd: 0.05 }"), always(png())
    summary = bench.run(transport)
    assert summary.exit_code == 5
    assert 0 < summary.saved < 40
    assert bench.state().committed_usd(window="job") <= 0.05


def test_doubts_count_against_the_budget(tmp_path):
    """What may have been billed is as good as spent."""
    bench = Bench(tmp_path, count=40, extra="limits: { budget_usd: 0.05 }")
    summary = bench.run(always(LATE))
    assert summary.exit_code == 5
    assert bench.state().committed_usd(window="job") <= 0.05


def test_a_budget_without_a_price_is_refused(tmp_path):
    """An unknown price is not zero: exit 2 with the remedy, nothing sent, nothing written."""
    bench = Bench(tmp_path, extra="limits: { budget_usd: 5 }")
    bench.providers = "{ use: unified, base_url: 'http://127.0.0.1:9/v1', auth: none, accepts: { generate: any } }"
    transport = always(png())
    with pytest.raises(PlanError, match="prices"):
        bench.run(transport)
    assert not transport.sent
    assert not bench.job_folder.exists()


def test_a_located_image_is_fetched_and_never_bought_again(tmp_path):
    """A url answer is recorded before the download; a lost download is held."""
    lost = Failure(kind="in_doubt", billed="maybe", message="gone", hold=True)
    url = Answer(has_image=False, url="https://images.example/1.png")
    transport = ScriptedTransport(lambda _t, _k: url, fetches=lambda _t, _u: lost)
    bench = Bench(tmp_path, count=1)
    assert bench.run(transport).exit_code == 3
    assert bench.run(transport).exit_code == 3
    assert len(transport.sent) == 1


def test_a_slow_download_is_tried_again(tmp_path):
    """A failed GET is free: it is repeated, and the image arrives with one purchase."""
    broken = Failure(kind="in_doubt", billed="maybe", message="reset")
    answers = [broken, broken, png()]
    transport = ScriptedTransport(
        lambda _t, _k: Answer(has_image=False, url="https://images.example/1.png"),
        fetches=lambda _t, _u: answers.pop(0),
    )
    assert Bench(tmp_path, count=1).run(transport).saved == 1
    assert (len(transport.sent), len(transport.fetched)) == (1, 3)


def test_garbage_is_kept_and_never_called_done(tmp_path):
    """Bytes that are no image end in `.rejected/` and count as maybe billed."""
    bench = Bench(tmp_path, count=1, extra="retry: { in_doubt: hold }")
    summary = bench.run(always(b"not an image at all"))
    assert (summary.saved, summary.in_doubt, summary.maybe_billed) == (0, 1, 1)
    assert [path.read_bytes() for path in (bench.job_folder / "images/.rejected").iterdir()] == [b"not an image at all"]


def test_a_bug_is_in_doubt_and_the_others_finish(tmp_path):
    """An unexpected exception in one request is recorded as maybe billed; paid ones land; it is raised at last."""
    first = []

    async def script(_transport, key):
        first[:] = first or [key]
        if key == first[0]:
            await asyncio.sleep(1)
            message = "surprise"
            raise ValueError(message)
        await asyncio.sleep(5)
        return png()

    bench = Bench(tmp_path, count=3)
    with pytest.raises(ValueError, match="surprise"):
        bench.run(ScriptedTransport(script))
    assert len(bench.pictures()) == 2
    assert bench.state().records[first[0]].is_in_doubt
    assert bench.listener.summaries[0].exit_code == 1


def test_an_image_that_cannot_be_published_counts_as_paid(tmp_path):
    """A folder in the place of the file: exit 5, the image is counted and priced as saved, and the rerun is free."""
    bench, transport = Bench(tmp_path, count=1), always(png())
    obstacle = bench.job_folder / "images/p0-v1.png"
    obstacle.mkdir(parents=True)
    summary = bench.run(transport)
    assert (summary.exit_code, summary.saved, summary.not_started, summary.cost_usd > 0) == (5, 1, 0, True)
    obstacle.rmdir()
    assert (bench.run(transport).skipped, len(transport.sent), len(bench.pictures())) == (1, 1, 1)


def test_a_failure_that_ends_the_run_is_final(tmp_path):
    """A 429 that asks for a day: the run gives up, and its event promises no further try."""
    tomorrow = Failure(kind="throttled", billed="no", message="too fast", status=429, retry_after_seconds=86400.0)
    bench = Bench(tmp_path, count=1)
    assert bench.run(always(tomorrow)).exit_code == 5
    assert [(event.final, event.retry_in_seconds) for event in bench.listener.failures] == [(True, None)]
