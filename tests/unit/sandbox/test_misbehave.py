"""Faults over real HTTP: what they look like and what they bill."""

import json
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import pytest

from batchgen.errors import InputError
from batchgen.sandbox import KINDS, Sandbox


@pytest.mark.parametrize(
    ("kind", "status", "text", "billed"),
    [
        ("throttle", 429, "rate_limit_exceeded", 0),
        ("quota", 429, "insufficient_quota", 0),
        ("error", 500, "image_generation_failed", 0),
        ("bad_gateway", 502, "<html>", 0),
        ("overloaded", 503, "server_is_overloaded", 0),
        ("timeout", 524, "<html>", 1),
        ("refused", 400, "moderation_blocked", 0),
        ("unauthorized", 401, "invalid_api_key", 0),
        ("empty", 200, '"data": []', 0),
        ("error_in_200", 200, "upstream_error", 0),
        ("html", 200, "<html>", 0),
    ],
)
def test_refusing_fault_has_its_status_and_body(serve, kind: str, status: int, text: str, billed: int):
    """Each kind looks as gateways were seen to answer, and bills what they bill."""

    async def claim(client) -> None:
        reply = await client.generate(key="k")
        assert reply.status == status
        assert text in reply.body.decode()
        assert client.sandbox.images_billed == billed

    serve(claim, faults=[kind])


def test_throttle_tells_the_wait_in_three_ways(serve):
    """Seconds, an HTTP date, or words in the message only."""

    async def claim(client) -> None:
        answers = {}
        for style in ("seconds", "date", "message"):
            client.sandbox.set_faults({"kind": "throttle", "retry_after": 7, "retry_style": style})
            answers[style] = await client.generate()
        assert answers["seconds"].headers["Retry-After"] == "7"
        assert parsedate_to_datetime(answers["date"].headers["Retry-After"]).tzinfo is not None
        assert "Retry-After" not in answers["message"].headers
        assert "try again in 7s" in answers["message"].json["error"]["message"]

    serve(claim)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("lost", aiohttp.ServerDisconnectedError),
        ("reset", aiohttp.ClientPayloadError),
        ("stall", aiohttp.ClientPayloadError),
    ],
)
def test_broken_connection_is_billed_and_then_replayed(serve, kind: str, error: type[Exception], stream):
    """The answer is lost, the bill is not; the next attempt gets the picture for nothing."""

    async def claim(client) -> None:
        with pytest.raises(error):
            await client.generate(key="k", stream=stream)
        assert [(bill["fault"], bill["delivered"]) for bill in client.sandbox.bills()] == [(kind, False)]
        assert (await client.generate(key="k", stream=stream)).status == 200
        assert client.sandbox.images_billed == 1

    serve(claim, faults=[{"kind": kind, "first": 1, "seconds": 0.05}])


def test_lost_answer_is_bought_twice_where_keys_are_ignored(serve):
    """The case that batchgen exists for: billed, lost, asked again, billed again."""

    async def claim(client) -> None:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await client.generate(key="k")
        assert (await client.generate(key="k")).status == 200
        assert client.sandbox.images_billed == 2

    serve(claim, faults=[{"kind": "lost", "first": 1}], idempotency="none")


def test_truncated_answer_ends_politely_in_the_middle(serve):
    """The transfer is complete, the JSON is not."""

    async def claim(client) -> None:
        reply = await client.generate()
        assert reply.status == 200
        with pytest.raises(json.JSONDecodeError):
            json.loads(reply.body)

    serve(claim, faults=["truncated"])


def test_bad_base64_does_not_decode(serve):
    """The JSON is sound and the text in it is not."""

    async def claim(client) -> None:
        with pytest.raises(ValueError, match="base64"):
            (await client.generate()).image()

    serve(claim, faults=["bad_base64"])


def test_cut_png_decodes_to_half_a_picture(serve):
    """The base64 is sound and the picture is not."""

    async def claim(client) -> None:
        with pytest.raises(OSError, match="truncated"):
            (await client.generate()).image()

    serve(claim, faults=["cut_png"])


def test_wrong_size_is_announced_as_the_right_one(serve):
    """The echo says one thing and the pixels another."""

    async def claim(client) -> None:
        reply = await client.generate(size="1024x1024")
        assert (reply.json["size"], reply.image().size) == ("1024x1024", (1254, 1254))

    serve(claim, faults=["wrong_size"])


@pytest.mark.parametrize(("asked", "given"), [("png", "JPEG"), ("jpeg", "PNG"), ("webp", "PNG")])
def test_wrong_type_is_another_format(serve, asked: str, given: str):
    """The bytes are not of the format that was asked."""

    async def claim(client) -> None:
        assert (await client.generate(output_format=asked)).image().format == given

    serve(claim, faults=["wrong_type"])


def test_wrong_picture_is_replayed_as_it_was_sold(serve):
    """A fault of the picture belongs to it: the replay is not better than the sale."""

    async def claim(client) -> None:
        first, second = [await client.generate(key="k") for _ in range(2)]
        assert first.image().size == second.image().size == (78, 78)

    serve(claim, faults=[{"kind": "wrong_size", "first": 1}])


def test_duplicate_images_are_the_same_bytes_under_other_keys(serve):
    """Two purchases, one picture."""

    async def claim(client) -> None:
        first, second = await client.generate(key="k1"), await client.generate(key="k2")
        assert first.json["data"] == second.json["data"]
        assert client.sandbox.images_billed == 2

    serve(claim, faults=["duplicate_images"])


def test_slow_answer_comes_whole_and_late(serve):
    """The wait is at least the rule's."""

    async def claim(client) -> None:
        start = time.monotonic()
        assert (await client.generate()).image().size == (64, 64)
        assert time.monotonic() - start >= 0.2

    serve(claim, faults=[{"kind": "slow", "seconds": 0.2}])


def test_rule_for_some_prompts_leaves_others_alone(serve):
    """One bad prompt among good ones."""

    async def claim(client) -> None:
        assert (await client.generate(prompt="a weapon")).code == "moderation_blocked"
        assert (await client.generate(prompt="a flower")).status == 200

    serve(claim, faults=[{"kind": "refused", "match": "weapon"}])


def test_bad_rules_do_not_start_a_server():
    """The constructor judges the rules."""
    with pytest.raises(InputError, match="did you mean"):
        Sandbox(faults=[{"kind": "thottle"}])


def test_same_seed_strikes_the_same_keys(serve):
    """Two servers with one seed behave alike; faults are no accident."""

    async def statuses(client) -> list[int]:
        return [(await client.generate(key=str(number), size="16x16")).status for number in range(24)]

    rules = [{"kind": "error", "rate": 0.5}]
    first, again, other = (serve(statuses, faults=rules, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_every_kind_of_fault_has_a_test():
    """A new kind needs a claim in this file."""
    source = Path(__file__).read_text()
    assert [kind for kind in KINDS if f'"{kind}"' not in source] == []
