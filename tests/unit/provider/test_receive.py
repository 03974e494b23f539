import asyncio
import time

import pytest
from fakes.sinks import MemorySink

from batchgen.provider.decode import Decoder
from batchgen.provider.receive import LINGER_SECONDS, receive

ANSWER = b'{"b64_json": "QUJD"}'


class Chunks:
    def __init__(self, *chunks: bytes | Exception) -> None:
        self.left = list(chunks)

    async def readany(self) -> bytes:
        if not self.left:
            await asyncio.sleep(3600)
        chunk = self.left.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk


def received(*chunks: bytes | Exception) -> tuple[Exception | None, MemorySink]:
    sink = MemorySink()
    return asyncio.run(receive(Chunks(*chunks), Decoder(sink), sink)), sink


def test_end_of_body_is_no_error():
    """A body that ends is over, whole or not; the decoder knows which."""
    assert received(ANSWER[:5], b"")[0] is None


def test_what_broke_the_body_is_returned():
    """The exception that cut an answer is handed on."""
    error = ConnectionResetError()
    assert received(ANSWER[:5], error)[0] is error


def test_break_after_the_answer_is_nothing():
    """Once the document is whole, the connection may end as it likes."""
    assert received(ANSWER, ConnectionResetError())[0] is None


def test_open_connection_is_left_soon():
    """A server that keeps the connection open after its answer is waited for only a moment."""
    started = time.monotonic()
    assert received(ANSWER)[0] is None
    assert time.monotonic() - started < LINGER_SECONDS + 5


def test_sink_is_drained_after_chunks_that_brought_bytes():
    """Whitespace and envelope need no draining."""
    assert received(b" ", b'{"b64_json": "QUJD', b"REVG", b'", "a": 1', b"}", b"")[1].drains == 2


def test_error_of_the_sink_is_raised():
    """What the disk says is not taken for the network's."""

    class Full(MemorySink):
        async def drain(self) -> None:
            raise OSError(28, "full")

    sink = Full()
    with pytest.raises(OSError, match="full"):
        asyncio.run(receive(Chunks(ANSWER, b""), Decoder(sink), sink))


def test_a_connection_that_is_gone_is_noticed():
    """A client that hung up without a word to its reader does not keep the attempt until its deadline."""
    sink = MemorySink()
    broken = asyncio.run(receive(Chunks(ANSWER[:5]), Decoder(sink), sink, is_open=lambda: False))
    assert isinstance(broken, ConnectionError)


def test_a_deadline_is_not_taken_for_silence():
    """The client's own time-out ends the reading, though the connection is still open."""
    assert isinstance(received(ANSWER[:5], TimeoutError())[0], TimeoutError)
