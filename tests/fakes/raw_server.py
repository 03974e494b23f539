"""A server that says byte for byte what a script tells it, and keeps what it heard.

    async with RawServer(Script(http(200, b"{}"))) as server:
        ... server.url ...; server.heard[0].body

A script is a sequence of steps, played once per connection: bytes are sent, the others act.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Read the request; `whole` false: only its headers."""

    whole: bool = True


@dataclass(frozen=True, slots=True)
class Trickle:
    """Send `data` byte by byte, for ever from its start if `endless`."""

    data: bytes
    seconds: float
    endless: bool = False


@dataclass(frozen=True, slots=True)
class Flood:
    """Send `data` over and over until the client has had enough or `limit` bytes are out."""

    data: bytes
    limit: int = 1 << 30


class Reset:
    """Break the connection with RST."""


class Hang:
    """Say nothing more, keep the connection open."""


Step = bytes | Pause | ReadRequest | Trickle | Flood | type[Reset] | type[Hang]


@dataclass(slots=True)
class Heard:
    """One request as it came."""

    method: str = ""
    target: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def http(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, *, framing: str = "length") -> bytes:
    """A whole answer. `framing`: length, chunked, or close (nothing says where the body ends)."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    if framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    if framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part) + b"0\r\n\r\n"
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class RawServer:
    """Plays a script on every connection; `scripts` may be a function of the connection's number, from 0."""

    def __init__(
        self, *steps: Step, scripts: Callable[[int], Sequence[Step]] | None = None, tls: ssl.SSLContext | None = None
    ):
        self._script = scripts or (lambda _: steps)
        self._tls = tls
        self._tasks: set[asyncio.Task] = set()
        self.heard: list[Heard] = []
        self.connections = 0
        self.first_heard = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        number, self.connections = self.connections, self.connections + 1
        steps = self._script(number)
        if not any(isinstance(step, ReadRequest) for step in steps):
            steps = (ReadRequest(), *steps)
        try:
            for step in steps:
                await self._play(step, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            pass  # the client had enough, or the test is over
        finally:
            writer.close()

    async def _play(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, ReadRequest):
            await self._read(reader, whole=step.whole)
        elif isinstance(step, Trickle):
            await _trickle(step, writer)
        elif isinstance(step, Flood):
            for _ in range(step.limit // len(step.data)):
                writer.write(step.data)
                await writer.drain()
        elif step is Hang:
            await asyncio.sleep(3600)
        else:
            made = writer.get_extra_info("socket")
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader, *, whole: bool) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        heard = Heard(method=method, target=target, headers=headers)
        self.heard.append(heard)
        self.first_heard.set()
        if whole:
            heard.body = await reader.readexactly(int(headers.get("content-length", "0")))


async def _trickle(step: Trickle, writer: asyncio.StreamWriter) -> None:
    while True:
        for byte in step.data:
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(step.seconds)
        if not step.endless:
            return
