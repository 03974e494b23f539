"""Reading one body: network chunks to the decoder, and waiting for the sink."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from batchgen.provider.answer import Sink
from batchgen.provider.decode import Decoder

__all__ = ["LINGER_SECONDS", "Chunks", "receive"]

LINGER_SECONDS, LOOK_SECONDS = 1.0, 2.0


_UNREADABLE = "the answer stopped being readable http"


class Chunks(Protocol):
    """A body as the HTTP client hands it out."""

    async def readany(self) -> bytes:
        """What has come, at least one byte; empty at the end. Raises whatever broke the connection."""
        ...


async def receive(
    chunks: Chunks, decoder: Decoder, sink: Sink, *, is_open: Callable[[], bool] = lambda: True
) -> Exception | None:
    """Feed the decoder until the answer's end, then take what still arrives within a moment; return what cut it.

    `is_open` says whether anything can still come; it is asked when nothing has come for a while.
    """
    loop = asyncio.get_running_loop()
    until: float | None = None
    while not decoder.is_full:
        if decoder.done and until is None:
            until = loop.time() + LINGER_SECONDS
        try:
            async with asyncio.timeout_at(until) if until else contextlib.nullcontext():
                chunk = await _next(chunks, is_open)
        except Exception as error:  # noqa: BLE001  whatever broke it is the outcome; the sink's own errors are raised outside
            return None if decoder.done else error
        if not chunk:
            break
        decoder.feed(chunk)
        if decoder.has_produced():
            await sink.drain()
    return None


async def _next(chunks: Chunks, is_open: Callable[[], bool]) -> bytes:
    """The next bytes. Raises ConnectionError when none can come.

    aiohttp 3.14 hangs up when a later piece of an answer is not readable http (a chunk size of letters), but does not
    wake who reads: without a look at the connection that would wait for the deadline.
    """
    while True:
        try:
            async with asyncio.timeout(LOOK_SECONDS) as look:
                return await chunks.readany()
        except TimeoutError:
            if not look.expired():
                raise
        if not is_open():
            raise ConnectionError(_UNREADABLE)
