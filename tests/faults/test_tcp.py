"""Whole runs over connections that a proxy spoils: what was billed is recorded, whatever arrives."""

from urllib.parse import urlsplit

import pytest
from fakes.gateway import gateway
from fakes.job import Job
from fakes.tcp_proxy import Spoil, tcp_proxy

ONE = [{"id": "mug", "text": "a mug " * 400}]
FINE = Spoil()


class Line:
    """A job whose only image is bought through a proxy with these scripts."""

    def __init__(self, tmp_path, server, proxy, **manifest):
        self.server, self.proxy = server, proxy
        provider = {"use": "openai", "base_url": f"http://127.0.0.1:{proxy.port}/v1"}
        self.job = Job(tmp_path, provider, prompts=ONE, **manifest)

    def failures(self):
        return [(entry["failure"], entry["billed"]) for entry in self.job.entries("attempt_failed")]


@pytest.fixture
def line(tmp_path):
    """`line(*scripts, **manifest)`."""
    with gateway("openai") as server:
        place = urlsplit(server.url)
        held = []

        def make(*scripts, **manifest):
            proxy = tcp_proxy(place.hostname, place.port, scripts)
            held.append(proxy)
            return Line(tmp_path, server, proxy.__enter__(), **manifest)

        yield make
        for proxy in held:
            proxy.__exit__(None, None, None)


DOUBTS = {
    "fin within the head of the request": Spoil(cut_up=60),
    "reset within the body of the request": Spoil(cut_up=1500, end="rst"),
    "fin within the head of the answer": Spoil(cut_down=20),
    "reset within the head of the answer": Spoil(cut_down=20, end="rst"),
    "fin within the image": Spoil(cut_down=2000),
    "reset within the image": Spoil(cut_down=2000, end="rst"),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_a_broken_connection_is_in_doubt_and_sent_again(line, name):
    """Under `resend` a broken attempt is recorded as maybe billed, and the next one brings the image."""
    one = line(DOUBTS[name], FINE)
    one.job.run()
    assert one.failures() == [("in_doubt", "maybe")]
    assert len(one.job.images) == 1
    assert len({received.key for received in one.server.requests}) == 1
    (second,) = (entry for entry in one.job.entries("attempt_started") if entry["attempt"] == 2)
    assert second["because"] == one.job.entries("attempt_failed")[0]["seq"]


def test_a_reset_at_once_is_free_or_in_doubt(line):
    """Whether the head of the request had left is a race; the record says one or the other, and the image comes."""
    one = line(Spoil(refuse=True), FINE)
    one.job.run()
    assert one.failures() in ([("not_sent", "no")], [("in_doubt", "maybe")])
    assert len(one.job.images) == len(one.server.requests) == 1


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_hold_never_sends_twice(line, end):
    """Under `hold` one broken answer means one request, exit 3, and nothing more on the next run."""
    one = line(Spoil(cut_down=2000, end=end), FINE, retry={"in_doubt": "hold"})
    one.job.run(code=3)
    one.job.run(code=3)
    assert one.failures() == [("in_doubt", "maybe")]
    assert (len(one.server.requests), one.server.bills, one.proxy.connections) == (1, 1, 1)
    assert one.job.images == {}


@pytest.mark.parametrize(
    "script",
    [Spoil(never_read=True), Spoil(cut_down=0, end="silence"), Spoil(cut_down=2000, end="silence")],
    ids=["never read", "no answer", "half an answer"],
)
def test_silence_ends_at_the_deadline(line, script):
    """A connection that stays open and says nothing is given up at the total deadline, in doubt."""
    one = line(script, FINE, limits={"request_timeout": "1s"}, retry={"in_doubt": "hold"})
    one.job.run(code=3)
    assert one.failures() == [("in_doubt", "maybe")]
    assert one.job.images == {}


@pytest.mark.parametrize(
    "script", [Spoil(piece_bytes=1), Spoil(delay_seconds=0.5), Spoil(piece_bytes=7)], ids=["bytes", "late", "sevens"]
)
def test_a_slow_or_shredded_connection_brings_the_image(line, script):
    """Neither delay nor single bytes change what arrives."""
    one = line(script)
    one.job.run()
    assert one.failures() == []
    assert (len(one.job.images), one.proxy.connections) == (1, 1)


def test_resends_end(line):
    """A line that breaks every answer costs three sends, and then the request is held."""
    one = line(Spoil(cut_down=2000))
    one.job.run(code=3)
    assert (len(one.failures()), len(one.server.requests)) == (3, 3)
    one.job.run(code=3)
    assert len(one.server.requests) == 3
