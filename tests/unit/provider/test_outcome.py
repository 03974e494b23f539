import json
import random
from datetime import UTC, datetime

import pytest
from fakes.sinks import MemorySink

from batchgen.provider.answer import Answer
from batchgen.provider.decode import Decoder
from batchgen.provider.failure import Failure
from batchgen.provider.judge import BillingRules
from batchgen.provider.outcome import Received, first_of_each, lost, not_fetched, settle, settle_fetched
from batchgen.safetext import Scrubber

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
IMAGE = b'{"data": [{"b64_json": "QUJD", "revised_prompt": "a mug"}], "usage": {"total_tokens": 3}}'


def received(body: bytes, status: int = 200, broken: Exception | None = None, **headers: str) -> Received:
    decoder = Decoder(MemorySink())
    decoder.feed(body)
    return Received(status=status, headers=headers, envelope=decoder.finish(cut=broken is not None), broken=broken)


def settled(body: bytes, status: int = 200, broken: Exception | None = None) -> Answer | Failure:
    return settle(received(body, status, broken), now=NOW, scrub=Scrubber(), rules=BillingRules())


def fetched(body: bytes, status: int = 200, broken: Exception | None = None) -> Answer | Failure:
    return settle_fetched(received(body, status, broken), now=NOW, scrub=Scrubber())


def test_image_is_an_answer_with_its_facts():
    """What stands around the image comes with it."""
    answer = settled(IMAGE)
    assert (answer.has_image, answer.revised_prompt, answer.usage) == (True, "a mug", {"total_tokens": 3})
    assert answer.warnings == ()


def test_image_hides_an_address_beside_it():
    """Where bytes came, nothing has to be fetched."""
    assert settled(b'{"data": [{"b64_json": "QUJD", "url": "https://a.example/1.png"}]}').url is None


def test_cut_answer_says_what_cut_it():
    """The message of a cut answer names the break."""
    assert "deadline" in settled(IMAGE[:20], broken=TimeoutError()).message


@pytest.mark.parametrize(("count", "shown"), [(0, "nothing"), (20, "20 bytes"), (1499, "1 kB"), (12_400, "12 kB")])
def test_cut_answer_says_how_much_of_it_came(count, shown):
    """Whether the image was on its way is what somebody asks who reads the bill."""
    body = IMAGE[:count] if count < len(IMAGE) else IMAGE[:40] + b"QUJD" * 4000
    message = settled(body[:count], broken=TimeoutError()).message
    assert message == f"no whole answer before the deadline; {shown} of the answer had come"


def test_cut_error_keeps_its_own_judgement():
    """An error status is an answer, even when its body was cut."""
    assert settled(b'{"error', 401, TimeoutError()).kind == "stopped"


def test_raw_image_is_fetched():
    """The body of a fetch is the image itself."""
    assert fetched(b"\x89PNG bytes").has_image


@pytest.mark.parametrize(("status", "hold"), [(404, True), (302, True), (500, False), (429, False), (200, False)])
def test_failed_fetch_tells_lost_from_late(status, hold):
    """What cannot come any more is held; what may come is not."""
    failure = fetched(b"<html>", status)
    assert (failure.kind, failure.billed, failure.hold, failure.status) == ("in_doubt", "maybe", hold, status)


def test_broken_fetch_may_be_repeated():
    """A download that broke off is free to ask for again."""
    assert not fetched(b"\x89PNG", broken=ConnectionResetError()).hold


def test_unsent_fetch_is_in_doubt_too():
    """The image is paid for, so no failure of the download makes it free."""
    failure = not_fetched(Failure(kind="not_sent", billed="no", message="x" * 300))
    assert (failure.kind, failure.billed, failure.hold) == ("in_doubt", "maybe", False)
    assert len(failure.message) <= 300


def test_lost_image_is_held():
    """A lost image waits for a decision."""
    assert lost("gone") == Failure(
        kind="in_doubt", billed="maybe", message="the image cannot be fetched: gone", hold=True
    )


def test_first_of_repeated_headers_counts():
    """A doubled header is read once, whatever its case."""
    assert first_of_each({"X-A": "1", "x-a": "2", "B": "3"}) == {"x-a": "1", "b": "3"}


NAMES = (
    *("error", "data", "url", "b64_json", "usage", "type", "code", "message", "msg", "err", "detail", "loc"),
    *("response", "header", "innererror", "size", "revised_prompt", "images", "total_tokens"),
)
LEAVES = (
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "x",
    "\ud800",
    "\x1b[31m",
    "503",
    "https://a.example/1",
    "QUJD",
    "=",
    "moderation_blocked",
)


def grown(rng: random.Random, depth: int = 4) -> object:
    kind = rng.randrange(4) if depth else 3
    if kind == 0:
        return [grown(rng, depth - 1) for _ in range(rng.randrange(3))]
    if kind in {1, 2}:
        return {rng.choice(NAMES): grown(rng, depth - 1) for _ in range(rng.randrange(5))}
    return rng.choice(LEAVES)


def test_any_json_of_any_status_settles():
    """Whatever JSON comes under whatever status, it ends as an answer or a failure whose text fits into a ledger."""
    rng = random.Random(9)  # noqa: S311  a seeded fuzz
    kinds = set()
    for _ in range(3000):
        body = json.dumps(grown(rng)).encode()
        result = settled(body, rng.choice([200, 200, 200, 202, 302, 400, 401, 404, 409, 422, 429, 500, 502, 503, 999]))
        kinds.add(getattr(result, "kind", "answer"))
        repr(result).encode()
        assert isinstance(result, Answer) or (result.message and "\x1b" not in result.message)
    assert len(kinds) > 6
