"""A server that answers each request with the bytes that were laid down for its idempotency key."""

import asyncio
import contextlib
import socket
import struct
from typing import Any, Self

HANG_SECONDS = 30.0


class ReplyServer:
    """`replies[key]` has `wire` (the bytes), `pieces` (in how many parts they go out) and `end` (fin, rst, hang).

    `asked` are the keys of all requests that came, from their headers on.
    """

    def __init__(self) -> None:
        self.replies: dict[str, Any] = {}
        self.asked: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n"))
        }
        key = headers.get("idempotency-key", "")
        self.asked.add(key)
        await reader.readexactly(int(headers.get("content-length", "0")))
        reply = self.replies.get(key)
        if reply is None:
            return  # a download: there is none
        step = -(-len(reply.wire) // reply.pieces) or 1
        for start in range(0, len(reply.wire), step):
            writer.write(reply.wire[start : start + step])
            await writer.drain()
            await asyncio.sleep(0)
        if reply.end == "hang":
            await asyncio.sleep(HANG_SECONDS)
        elif reply.end == "rst":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
