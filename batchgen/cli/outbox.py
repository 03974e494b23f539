"""The outbox: lines for a reader who may be slow, written by a thread so that a run never waits for him.

A pipe holds 64 KiB. Once it is full a write blocks until somebody reads, and with it would block the event loop: paid
answers would wait unread until their servers gave up.
"""

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterator

from batchgen.cli.screen import Screen

__all__ = ["outbox"]

_MOST_LINES = 100_000


@contextlib.contextmanager
def outbox(screen: Screen) -> Iterator[Callable[[str], None]]:
    """What to give lines of results to; when the block ends they are all written, or their reader is gone.

    The function raises OSError when an earlier line could not be written, and waits only behind 100,000 lines.
    """
    try:
        descriptor = screen.out.fileno()
    except (OSError, ValueError):
        # A stream in memory: nothing to wait for.
        yield screen.raw
        return
    screen.flush()
    box = _Outbox(descriptor)
    try:
        yield box.put
    finally:
        box.close()


class _Outbox:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes | None] = queue.Queue(_MOST_LINES)
        self._problem: OSError | None = None
        # A daemon: whoever interrupts the wait for a reader must get away.
        self._thread = threading.Thread(target=self._write_all, name="outbox", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        if self._problem is not None:
            raise self._problem
        self._lines.put(line.encode("utf-8", "backslashreplace") + b"\n")

    def close(self) -> None:
        self._lines.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            # After a failure the rest is taken and dropped, so that nobody waits for room.
            if self._problem is None:
                self._problem = self._write(line)

    def _write(self, line: bytes) -> OSError | None:
        rest = memoryview(line)
        try:
            while rest:
                # Past the buffer of the stream: its lock, held by a blocked thread, would hang the exit.
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as problem:
            return problem
        return None
