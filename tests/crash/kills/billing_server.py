"""A gateway that keeps its own books: raw HTTP over loopback, in a process of its own, standard library only.

    python -S -m tests.crash.kills.billing_server ROOT     prints its port, serves until its standard input ends

The first part of a request's path names a customer (see `customer`).
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from .customer import DELAY_SECONDS, UNBILLED, Ask, Customer, Picture

HANG_SECONDS = 0.4
MOST_CUSTOMERS = 32  # who came first has long been quiet
OTHER_ENTRANCE = "other/"
JSON = "application/json"


class Server:
    """Serves all customers. `busy` counts requests whose work is not over, whoever still waits for it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._customers: dict[str, Customer] = {}
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request. What is billed is billed although nobody may be there to hear of it."""
        self._busy += 1
        self._idle.clear()
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target, headers = await _head(reader)
        name, _, rest = target.lstrip("/").partition("/")
        if name == "quiet":
            self._busy -= 1
            try:
                if self._busy:
                    await self._idle.wait()
            finally:
                self._busy += 1
            await _say(writer, 200, b"quiet")
            return
        customer = self._customers.get(name) or self._meet(name)
        if rest.startswith("image/"):
            await _fetch(customer, rest, writer)
            return
        ask = Ask(customer, headers)
        # A second entrance knows everybody.
        ask.fault = "" if rest.startswith(OTHER_ENTRANCE) and ask.fault == "stopped" else ask.fault
        await _Exchange(customer, ask, reader, writer, headers).carry_out()

    def _meet(self, name: str) -> Customer:
        if len(self._customers) >= MOST_CUSTOMERS:
            self._customers.pop(next(iter(self._customers))).leave()
        self._customers[name] = Customer(self._root, name)
        return self._customers[name]


class _Exchange:
    """One request for an image, from its headers to the last byte of the answer."""

    def __init__(
        self,
        customer: Customer,
        ask: Ask,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        headers: dict[str, str],
    ) -> None:
        self._customer, self._ask, self._reader, self._writer = customer, ask, reader, writer
        self._length = int(headers.get("content-length", "0"))
        self._host = headers.get("host", "")

    async def carry_out(self) -> None:
        """Admit the key, bill at the moment that the terms name, answer."""
        customer, ask, terms = self._customer, self._ask, self._customer.terms
        refusal = self._admit()
        if refusal is not None:
            await self._reader.readexactly(self._length)
            await _complain(self._writer, *refusal)
            return
        is_replay = ask.picture is not None
        customer.running.add(ask.key)
        try:
            if terms.moment == "headers":
                self._bill("headers")
            await self._reader.readexactly(self._length)
            if terms.moment == "request":
                self._bill("request")
            await asyncio.sleep(ask.delay_seconds)
            if terms.moment == "answer":
                self._bill("answer")
        finally:
            customer.running.discard(ask.key)
        await self._answer("" if is_replay and ask.fault in UNBILLED else ask.fault)

    def _admit(self) -> tuple[int, str, str] | None:
        """What to refuse the key with, or None. A replayed key finds its picture."""
        customer, ask = self._customer, self._ask
        if customer.terms.keys == "ignore":
            return None
        if customer.terms.keys == "reject" and (ask.key in customer.running or ask.key in customer.made):
            return 422, "idempotency_key_reuse", "This idempotency key has been used before."
        if ask.key in customer.running:
            return 409, "idempotency_in_progress", "A request with this idempotency key is still in progress."
        ask.picture = customer.made.get(ask.key)
        return None

    def _bill(self, when: str) -> None:
        if self._ask.picture is None and self._ask.fault not in UNBILLED:
            self._customer.bill(self._ask, when)

    async def _answer(self, fault: str) -> None:
        answer = FAULTS.get(fault)
        if answer is not None:
            await answer(self._writer, self._ask)
            return
        picture = self._ask.picture
        assert picture is not None
        item: dict[str, Any] = {"b64_json": base64.b64encode(picture.data).decode()}
        if fault in ADDRESSED:
            item = {"url": self._address(picture, fault)}
        body: dict[str, Any] = {"created": 1, "data": [item]}
        if picture.tokens:
            body["usage"] = {"output_tokens": picture.tokens, "input_tokens": 0}
        await _say(
            self._writer, 200, json.dumps(body).encode(), cut=fault == "cut", pieces=self._ask.roll.randint(1, 3)
        )

    def _address(self, picture: Picture, fault: str) -> str:
        name = hashlib.sha256(picture.data).hexdigest()
        if fault != "url-gone":
            self._customer.pictures[name] = picture.data if fault == "url" else b""
        return f"http://{self._host}/{self._customer.name}/image/{name}.png"


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return first.split(" ")[1], {name.lower(): value.strip() for name, _, value in pairs}


async def _fetch(customer: Customer, rest: str, writer: asyncio.StreamWriter) -> None:
    """Hand out a picture that was paid for; free, as often as wanted."""
    data = customer.pictures.get(rest.removeprefix("image/").removesuffix(".png"))
    if data is None:
        await _say(writer, 404, b"gone")
    elif not data:
        await _say(writer, 503, b"later")
    else:
        await _say(writer, 200, data, kind="image/png")


async def _say(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    *,
    kind: str = JSON,
    cut: bool = False,
    pieces: int = 1,
    headers: str = "",
) -> None:
    """One answer, in a few pieces; `cut` ends it in its middle."""
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    sent = body[: len(body) // 2] if cut else body
    step = len(sent) // pieces + 1
    writer.write(head.encode() + sent[:step])
    await writer.drain()
    for start in range(step, len(sent), step):
        await asyncio.sleep(DELAY_SECONDS / 8)
        writer.write(sent[start : start + step])
        await writer.drain()


async def _complain(writer: asyncio.StreamWriter, status: int, code: str, message: str, headers: str = "") -> None:
    body = json.dumps({"error": {"message": message, "type": "api_error", "code": code}}).encode()
    await _say(writer, status, body, headers=headers)


async def _throttle(writer: asyncio.StreamWriter, _ask: Ask) -> None:
    await _complain(writer, 429, "rate_limit_exceeded", "Slow down.", headers="Retry-After: 0\r\n")


async def _error(writer: asyncio.StreamWriter, _ask: Ask) -> None:
    await _complain(writer, 500, "image_generation_server_error", "It did not work out.")


async def _gateway(writer: asyncio.StreamWriter, _ask: Ask) -> None:
    await _say(writer, 502, b"<html><h1>502 Bad Gateway</h1></html>", kind="text/html")


async def _refuse(writer: asyncio.StreamWriter, _ask: Ask) -> None:
    await _complain(writer, 400, "moderation_blocked", "Not that.")


async def _misunderstand(writer: asyncio.StreamWriter, _ask: Ask) -> None:
    await _complain(writer, 400, "invalid_value", "What?")


async def _stop(writer: asyncio.StreamWriter, _ask: Ask) -> None:
    await _complain(writer, 401, "invalid_api_key", "Who are you?")


async def _hang(writer: asyncio.StreamWriter, _ask: Ask) -> None:
    await asyncio.sleep(HANG_SECONDS)
    writer.close()


async def _empty(writer: asyncio.StreamWriter, _ask: Ask) -> None:
    await _say(writer, 200, b'{"created":1,"data":[]}')


async def _reset(writer: asyncio.StreamWriter, _ask: Ask) -> None:
    made = writer.get_extra_info("socket")
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


FAULTS: dict[str, Callable[[asyncio.StreamWriter, Ask], Awaitable[None]]] = {
    "throttle": _throttle,
    "error": _error,
    "gateway": _gateway,
    "gateway-unbilled": _gateway,
    "empty": _empty,
    "reset": _reset,
    "hang": _hang,
    "refused": _refuse,
    "bad-request": _misunderstand,
    "stopped": _stop,
}
"""Answers without an image."""
ADDRESSED = frozenset({"url", "url-gone", "url-down"})
"""The answer is an address: where the picture is, where nothing is, where nobody ever answers."""


async def main(root: Path) -> None:
    """Serve until standard input ends: whoever started this is gone then."""
    loop = asyncio.get_running_loop()
    server = Server(root)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=1 << 20, backlog=512)
    sys.stdout.write(f"{listening.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    orphaned = asyncio.Event()
    loop.add_reader(sys.stdin, orphaned.set)
    await orphaned.wait()
    listening.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
