"""A TCP proxy on loopback that spoils connections byte by byte, whatever is spoken over them.

    with tcp_proxy("127.0.0.1", 8080, [Spoil(cut_down=500, end="rst"), Spoil()]) as proxy:
        ... http://127.0.0.1:{proxy.port} ...

The scripts are used one per connection, in order; the last one again and again.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

PIECE = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoil:
    """What happens to one connection; without arguments nothing does.

    `delay_seconds` passes before the server is connected. `cut_up` and `cut_down` end the connection after so many
    bytes from or to the client, by `end`: `fin`, `rst`, or `silence` (nothing more passes, nothing is closed).
    `piece_bytes` is the most that is written at once. `never_read` takes the connection and not a byte. `refuse`
    resets it at once.
    """

    delay_seconds: float = 0.0
    cut_up: int | None = None
    cut_down: int | None = None
    end: Literal["fin", "rst", "silence"] = "fin"
    piece_bytes: int = PIECE
    never_read: bool = False
    refuse: bool = False


class TcpProxy:
    """The proxy; `connections` counts what was accepted, `up` and `down` are bytes passed on per connection."""

    def __init__(self, host: str, port: int, scripts: Sequence[Spoil]) -> None:
        self._target = (host, port)
        self._scripts = list(scripts)
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.up: list[int] = []
        self.down: list[int] = []
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=PIECE)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close everything."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number, self.connections = self.connections, self.connections + 1
        self.up.append(0)
        self.down.append(0)
        try:
            await self._spoil(self._scripts[min(number, len(self._scripts) - 1)], number, reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # one side is gone, or the test is over
        finally:
            writer.close()

    async def _spoil(
        self, script: Spoil, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if script.refuse:
            return reset(writer)
        if script.never_read:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  sockets can
            await asyncio.sleep(3600)
        await asyncio.sleep(script.delay_seconds)
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        up = asyncio.create_task(self._pass(reader, server_writer, script.cut_up, script, self.up, number))
        down = asyncio.create_task(self._pass(server_reader, writer, script.cut_down, script, self.down, number))
        try:
            await self._until_cut(script, up, down, writer)
        finally:
            up.cancel()
            down.cancel()
            server_writer.close()
        return None

    async def _until_cut(
        self, script: Spoil, up: asyncio.Task[bool], down: asyncio.Task[bool], writer: asyncio.StreamWriter
    ) -> None:
        done, _ = await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        was_cut = any(task.result() for task in done if not task.exception())
        if not was_cut and up in done and down not in done:
            was_cut = await down  # the client has said all; the answer may still come
        if was_cut and script.end == "silence":
            await asyncio.sleep(3600)
        if was_cut and script.end == "rst":
            reset(writer)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limit: int | None,
        script: Spoil,
        passed: list[int],
        number: int,
    ) -> bool:
        """Pass bytes on; True when the limit was reached, False when the sender had no more."""
        while limit is None or passed[number] < limit:
            room = PIECE if limit is None else limit - passed[number]
            data = await reader.read(min(room, PIECE))
            if not data:
                return False
            for start in range(0, len(data), script.piece_bytes):
                writer.write(data[start : start + script.piece_bytes])
                await writer.drain()
                if script.piece_bytes < PIECE:
                    await asyncio.sleep(0)
            passed[number] += len(data)
        return True


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection with RST."""
    made = writer.get_extra_info("socket")
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def tcp_proxy(host: str, port: int, scripts: Sequence[Spoil]) -> Iterator[TcpProxy]:
    """A proxy in a thread of its own until the block ends."""
    proxy, loop = TcpProxy(host, port, scripts), asyncio.new_event_loop()
    loop.run_until_complete(proxy.start())
    thread = threading.Thread(target=loop.run_forever, name="tcp proxy")
    thread.start()
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
