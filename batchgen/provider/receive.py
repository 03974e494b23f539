"""Reading one body: network chunks to the decoder, and waiting for the sink."""

import asyncio
import contextlib
from typing import Protocol

from batchgen.provider.answer import Sink
from batchgen.provider.decode import Decoder

__all__ = ["LINGER_SECONDS", "Chunks", "receive"]

LINGER_SECONDS = 1.0


class Chunks(Protocol):
    """A body as the HTTP client hands it out."""

    async def readany(self) -> bytes:
        """What has come, at least one byte; empty at the end. Raises whatever broke the connection."""
        ...


async def receive(chunks: Chunks, decoder: Decoder, sink: Sink) -> Exception | None:
    """Feed the decoder until the answer's end, then take what still arrives within a moment; return what cut it."""
    loop = asyncio.get_running_loop()
    until: float | None = None
    while not decoder.is_full:
        if decoder.done and until is None:
            until = loop.time() + LINGER_SECONDS
        try:
            async with asyncio.timeout_at(until) if until else contextlib.nullcontext():
                chunk = await chunks.readany()
        except Exception as error:  # noqa: BLE001  whatever broke it is the outcome; the sink's own errors are raised outside
            return None if decoder.done else error
        if not chunk:
            break
        decoder.feed(chunk)
        if decoder.has_produced():
            await sink.drain()
    return None
