"""A server in a thread of its own that answers by what the prompt says."""

import asyncio
import re
import threading
from collections.abc import Sequence
from typing import Self

from fakes.raw_server import http


class Echo:
    """Answers the prompt `echo-N` with the N-th of `wires`."""

    def __init__(self, wires: Sequence[bytes]) -> None:
        self.wires, self.loop, self.heard = wires, asyncio.new_event_loop(), []

    def __enter__(self) -> Self:
        self.server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1"
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heard.append(head)
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            number = re.search(rb"echo-(\d+)", body)
            writer.write(self.wires[int(number[1])] if number else http(404))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
