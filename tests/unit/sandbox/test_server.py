"""The server starts, is steered, and closes."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from batchgen.sandbox import Sandbox


def test_requests_in_flight_do_not_hold_up_the_end(connected):
    """Closing drops waiting clients at once and leaves no task behind."""

    async def run() -> None:
        async with aiohttp.ClientSession() as http:
            async with connected(latency=3600.0) as client:
                client.http = http
                waiting = [asyncio.create_task(client.generate(key=str(number))) for number in range(8)]
                await client.until(lambda: client.sandbox.images_billed == 8)
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {aiohttp.ServerDisconnectedError, aiohttp.ClientOSError}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_pictures_waiting_for_a_painter_are_given_up_at_the_end(connected):
    """A queue of big pictures does not delay the close: each client gets its answer or a closed connection."""

    async def run() -> None:
        async with aiohttp.ClientSession() as http:
            async with connected() as client:
                client.http = http
                waiting = [asyncio.create_task(client.generate(key=str(n), size="3840x2160")) for n in range(24)]
                await client.until(lambda: client.sandbox.images_billed == 24)
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        lost = [outcome for outcome in outcomes if isinstance(outcome, aiohttp.ClientError)]
        assert lost
        assert all(outcome.status == 200 for outcome in outcomes if outcome not in lost)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_temporary_files_are_gone_afterwards(serve):
    """The folder of the server lives as long as the server."""

    async def claim(client) -> Path:
        await client.generate(response_format="url")
        assert any(client.sandbox._folder.iterdir())
        return client.sandbox._folder

    assert not serve(claim).exists()


def test_taken_port_is_an_error_that_leaves_nothing_behind():
    """A second server on the same port fails and cleans up."""

    async def run() -> None:
        async with Sandbox() as first:
            second = Sandbox(port=int(first.root.rsplit(":", 1)[1]))
            with pytest.raises(OSError, match="address already in use"):
                await second.__aenter__()
            assert not second._folder.exists()

    asyncio.run(run())


def test_upload_that_breaks_off_bills_nothing(serve):
    """Half a request is no request."""

    async def claim(client) -> None:
        host, port = client.sandbox.root.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
        await writer.drain()
        await client.until(lambda: client.sandbox.stats()["requests"] == 1)
        writer.close()
        await writer.wait_closed()
        await client.until(lambda: client.sandbox.stats()["in_flight"] == 0)
        assert client.sandbox.images_billed == 0

    serve(claim)


def test_every_kind_is_counted_in_the_stats(serve):
    """`/_stats` says what struck, how often, and which statuses went out."""

    async def claim(client) -> None:
        await client.generate()
        stats = (await client.get(f"{client.sandbox.root}/_stats")).json
        assert (stats["requests"], stats["faults"], stats["statuses"]) == (1, {"error": 1}, {"500": 1})

    serve(claim, faults=["error"])


def test_rules_can_be_replaced_over_http(serve):
    """POST sets them, GET shows them; bad ones are 400 with every problem and change nothing."""

    async def claim(client) -> None:
        address = f"{client.sandbox.root}/_faults"
        async with client.http.post(address, json=["throttle"]) as response:
            assert [rule["kind"] for rule in await response.json()] == ["throttle"]
        async with client.http.post(address, json=[{"kind": "trottle", "rate": 3}]) as response:
            message = (await response.json())["error"]["message"]
            assert response.status == 400
        assert "did you mean 'throttle'?" in message
        assert "faults[0].rate" in message
        assert [rule["kind"] for rule in (await client.get(address)).json] == ["throttle"]

    serve(claim)
