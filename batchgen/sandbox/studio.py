"""What all requests of one sandbox share: painters, bills, keys, rules, counters, and the end of it all."""

import asyncio
import hashlib
import os
from collections import Counter, OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from batchgen.sandbox.ask import Ask
from batchgen.sandbox.bills import BillLog
from batchgen.sandbox.faults import Faults
from batchgen.sandbox.keys import Keys
from batchgen.sandbox.misbehave import wrong_size
from batchgen.sandbox.paint import Format, paint
from batchgen.sandbox.usage import seconds_for

__all__ = ["Latency", "Studio"]

Latency = float | Literal["real"] | None

_FILES_LIMIT = 512 * 2**20
"""Bytes of `url` answers kept; the oldest expire, as links do at gateways."""


class Studio:
    """The shared state. Made by `Sandbox`; `stopping` is set once, when the server closes."""

    def __init__(
        self,
        *,
        faults: Faults,
        latency: Latency,
        keys: Keys,
        folder: Path,
        bills: BillLog,
        files_limit: int = _FILES_LIMIT,
    ) -> None:
        self.faults = faults
        self.keys = keys
        self.bills = bills
        self.stopping = asyncio.Event()
        self.struck: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.requests = self.in_flight = self.replays = 0
        self.files_url = ""
        self._latency = latency
        self._folder = folder
        self._files: OrderedDict[str, int] = OrderedDict()
        self._files_bytes, self._files_limit = 0, files_limit
        self._painters = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="sandbox-painter")

    def request_id(self) -> str:
        """A new request id in the provider's form."""
        self.requests += 1
        return "req_" + hashlib.sha256(f"{self.faults.seed}|{self.requests}".encode()).hexdigest()[:32]

    async def pause(self, seconds: float) -> bool:
        """Wait; False when the server closed meanwhile."""
        if seconds > 0:
            try:
                await asyncio.wait_for(self.stopping.wait(), seconds)
            except TimeoutError:
                return True
        return not self.stopping.is_set()

    def latency_seconds(self, ask: Ask, key: str) -> float:
        """How long this request takes by the latency model."""
        if self._latency == "real":
            spread = hashlib.sha256(f"{self.faults.seed}|{key}|{ask.digest}".encode()).digest()[0] / 255
            return seconds_for(width=ask.width, height=ask.height, quality=ask.quality, spread=spread)
        return self._latency or 0.0

    async def paint(self, ask: Ask, *, variant: str, fault: str = "", progress: float = 1.0) -> bytes:
        """Paint one picture in a worker thread; `fault` may make it the wrong size or type, or a twin of the others.

        Raises `ConnectionResetError` when the server closes before its turn has come.
        """
        width, height = wrong_size(ask.width, ask.height) if fault == "wrong_size" else (ask.width, ask.height)
        wrong: Format = "jpeg" if ask.format == "png" else "png"

        def work() -> bytes:
            if self.stopping.is_set():
                raise ConnectionResetError
            return paint(
                prompt=ask.prompt,
                width=width,
                height=height,
                model=ask.model,
                quality=ask.quality,
                format=wrong if fault == "wrong_type" else ask.format,
                compression=ask.compression,
                transparent=ask.background == "transparent",
                references=ask.images,
                mask=ask.mask,
                variant="" if fault == "duplicate_images" else variant,
                progress=progress,
            )

        return await asyncio.get_running_loop().run_in_executor(self._painters, work)

    async def publish(self, ask: Ask, data: bytes) -> str:
        """Keep a picture for download and return its address."""
        name = f"{hashlib.sha256(data).hexdigest()[:32]}.{ask.format}"
        await asyncio.to_thread((self._folder / name).write_bytes, data)
        self._files_bytes += len(data) - self._files.pop(name, 0)
        self._files[name] = len(data)
        while len(self._files) > 1 and self._files_bytes > self._files_limit:
            old, size = self._files.popitem(last=False)
            self._files_bytes -= size
            await asyncio.to_thread((self._folder / old).unlink, missing_ok=True)
        return f"{self.files_url}/{name}"

    def file(self, name: str) -> Path | None:
        """The path of a picture that is kept, or None."""
        return self._folder / name if name in self._files else None

    def close(self) -> None:
        """Wait for the strokes under way and close the bill log. Called off the event loop."""
        self._painters.shutdown(wait=True, cancel_futures=True)
        self.bills.close()
