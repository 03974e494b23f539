"""Lanes and the route between them: who waits at one gate still sees the others."""

import asyncio
import re

from fakes.runs import Bench
from fakes.transport import ScriptedTransport, png

from batchgen.provider.failure import Failure

PACED = "limits: { concurrency: 8, rpm: 60 }\nretry: { max_wait: 60 }"
LIST = (
    "[{ use: openai, base_url: 'http://127.0.0.1:9/v1', auth: none }, "
    "{ use: gptproto, base_url: 'http://127.0.0.1:8/v1', auth: none }]"
)


class Timed:
    """Answers by `script(number of this send)` and keeps the second at which each send came."""

    def __init__(self, script):
        self.seconds = []
        self._script = script
        self.transport = ScriptedTransport(self._answer)

    def _answer(self, _transport, _key):
        self.seconds.append(asyncio.get_running_loop().time())
        return self._script(len(self.seconds))


def test_who_waits_for_the_pace_waits_for_a_pause_too(tmp_path):
    """A 429 that asks for half a minute holds the seven that are already queueing for the pace."""
    slow = Failure(kind="throttled", billed="no", message="too fast", status=429, retry_after_seconds=30.0)
    server = Timed(lambda number: slow if number == 1 else png())
    assert Bench(tmp_path, count=12, extra=PACED).run(server.transport).saved == 12
    first, second = server.seconds[:2]
    assert second - first >= 30


def test_who_waits_for_the_pace_does_not_walk_into_an_outage(tmp_path):
    """After the third 503 only probes go out, one a minute, though five more stood in the queue for the pace."""
    busy = Failure(kind="server_error", billed="no", message="busy", status=503)
    server = Timed(lambda number: busy if number <= 5 else png())
    assert Bench(tmp_path, count=12, extra=PACED).run(server.transport).saved == 12
    assert all(later - earlier >= 60 for earlier, later in zip(server.seconds[2:5], server.seconds[3:6], strict=True))


def test_a_closed_lane_gets_nothing_more(tmp_path):
    """A wrong key at the first provider: who queued there for the pace goes to the second at once."""
    key = Failure(kind="stopped", billed="no", message="wrong key", status=401)
    first, second = ScriptedTransport(lambda _t, _k: key), ScriptedTransport(lambda _t, _k: png())
    summary = Bench(tmp_path, count=12, extra=PACED, providers=LIST).run({"openai": first, "gptproto": second})
    assert (summary.saved, len(first.sent), len(second.sent)) == (12, 1, 12)


def test_giving_up_tells_how_long_nothing_but_429s_came(tmp_path):
    """Without a Retry-After the provider asked for no wait, so the message names none."""
    slow = Failure(kind="throttled", billed="no", message="slow down", status=429)
    summary = Bench(tmp_path, count=2, extra="retry: { waits: [30], max_wait: 30, give_up_after: 100 }").run(
        ScriptedTransport(lambda _t, _k: slow)
    )
    assert re.search(r"throttled for \d+ s; slow down", summary.stop_reason)


def test_giving_up_tells_the_wait_that_was_asked_for(tmp_path):
    """A Retry-After beyond give_up_after is the reason itself."""
    slow = Failure(kind="throttled", billed="no", message="slow down", status=429, retry_after_seconds=7200.0)
    summary = Bench(tmp_path, count=2).run(ScriptedTransport(lambda _t, _k: slow))
    assert "asks for a wait of 7200 s; slow down" in summary.stop_reason
