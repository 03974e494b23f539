"""The bill log: one line per image that a real gateway would have charged for, whether it arrived or not."""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Bill", "BillLog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """One billed image. It knows keys and prices and nothing of slots: the gateway's side of the story.

    `time` is RFC 3339 in UTC; `price_usd` the list price by tokens; `index` the image's place in its request;
    `body_sha256` the digest of what was asked; `fault` the kind that struck, or empty; `delivered` is False when the
    answer was thrown away on purpose after billing.
    """

    time: str
    idempotency_key: str
    client_request_id: str
    request_id: str
    attempt: int
    index: int
    operation: str
    model: str
    size: str
    quality: str
    price_usd: float
    body_sha256: str
    fault: str
    delivered: bool


class BillLog:
    """An append-only JSONL file and its running totals.

    Appends are one `write` with `O_APPEND` each, so that another process may read along. Bills that were in the file
    before belong to earlier servers and are not shown.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.images = 0
        self.total_usd = 0.0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._start = os.fstat(self._descriptor).st_size
        self._lock = threading.Lock()

    def append(self, bills: list[Bill]) -> None:
        """Write the bills of one request. Called off the event loop. Raises `OSError` when the disk is full."""
        lines = b"".join(json.dumps(asdict(bill)).encode() + b"\n" for bill in bills)
        with self._lock:
            os.write(self._descriptor, lines)
            self.images += len(bills)
            self.total_usd += sum(bill.price_usd for bill in bills)

    def lines(self) -> Iterator[bytes]:
        """The lines of this server's bills, oldest first, without their line ends."""
        with self.path.open("rb") as file:
            file.seek(self._start)
            for line in file:
                yield line.rstrip(b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
