"""A customer of the gateway: how he is treated, which keys he used, and what is on his bill.

`ROOT/<customer>.json` says how he is treated (see `Terms`), and `ROOT/<customer>.bills` is his bill log: one line per
bill, appended with one write each, before anything is answered. No two pictures are alike, not even under one key, so
that a file tells which bill paid for it.
"""

import contextlib
import hashlib
import json
import os
import random
import struct
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

SMALL_EDGE = 8
BIG_EDGE = 480  # its pixels do not fit into one piece of a client that writes half a megabyte at a time
DELAY_SECONDS = 0.004
UNBILLED = frozenset({"throttle", "error", "gateway-unbilled", "refused", "bad-request", "stopped"})
"""Faults that come in the place of a bill; all others come after one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a customer is treated.

    `moment` of billing: headers, request (complete), answer (its first byte). `keys`: ignore, replay, reject. `faults`
    are kinds and rates. A flat price, or one by tokens (`token_usd` each, at most `most_tokens`). `ledger` is where the
    customer writes down what he is about to send: each bill says whether he had.
    """

    seed: str = ""
    moment: str = "request"
    keys: str = "ignore"
    faults: dict[str, float] = field(default_factory=dict)
    price_usd: float = 0.05
    token_usd: float = 0.0
    most_tokens: int = 0
    is_big: bool = False
    ledger: str = ""


@dataclass(slots=True)
class Picture:
    """What a bill paid for."""

    data: bytes
    tokens: int
    price_usd: float


class Ask:
    """One request for an image: its key, which attempt it is, and what fate has for it, by the seed and the attempt."""

    def __init__(self, customer: "Customer", headers: dict[str, str]) -> None:
        self.key = headers.get("idempotency-key", "")
        self.attempt = headers.get("x-client-request-id", "")
        self.roll = random.Random(f"{customer.terms.seed}/{self.attempt}")  # noqa: S311  fate, no secret
        self.delay_seconds = self.roll.random() * DELAY_SECONDS
        self.fault = _drawn(customer.terms.faults, self.roll)
        self.is_recorded = customer.has_recorded(self.attempt)
        self.picture: Picture | None = None


def _drawn(faults: dict[str, float], roll: random.Random) -> str:
    chance = roll.random()
    for kind, rate in faults.items():
        chance -= rate
        if chance < 0:
            return kind
    return ""


class Customer:
    """One customer's terms, keys, bills, and his ledger as it can be read over his shoulder."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.terms = Terms(**json.loads((root / f"{name}.json").read_text()))
        self.running: set[str] = set()
        self.made: dict[str, Picture] = {}
        self.pictures: dict[str, bytes] = {}
        self._count = 0
        self._offset = 0
        self._recorded: set[str] = set()
        self._books = os.open(root / f"{name}.bills", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def bill(self, ask: Ask, when: str) -> None:
        """Charge for a picture that is now as good as made."""
        ask.picture = self.made[ask.key] = self._paint(ask)
        line = {
            "time": time.time(),
            "key": ask.key,
            "attempt": ask.attempt,
            "price_usd": ask.picture.price_usd,
            "when": when,
            "recorded": ask.is_recorded,
            "image": hashlib.sha256(ask.picture.data).hexdigest(),
        }
        os.write(self._books, json.dumps(line).encode() + b"\n")

    def has_recorded(self, attempt: str) -> bool:
        """Whether the customer's ledger holds the start of this attempt. Reads what was added since last time."""
        if not self.terms.ledger or attempt in self._recorded:
            return True
        with contextlib.suppress(OSError), Path(self.terms.ledger).open("rb") as file:
            # A torn tail that was cut leaves the file shorter than what was read of it.
            self._offset = self._offset if os.fstat(file.fileno()).st_size >= self._offset else 0
            file.seek(self._offset)
            whole, _, _ = file.read().rpartition(b"\n")
            self._offset += len(whole) + bool(whole)
            for line in whole.splitlines():
                if b'"attempt_started"' in line:
                    entry = json.loads(line)
                    self._recorded.add(f"{entry['request']}-{entry['attempt']}")
        return attempt in self._recorded

    def leave(self) -> None:
        """Close the books."""
        os.close(self._books)

    def _paint(self, ask: Ask) -> Picture:
        self._count += 1
        data = png(f"{self.terms.seed} {ask.key} {self._count}", edge=BIG_EDGE if self.terms.is_big else SMALL_EDGE)
        most = self.terms.most_tokens
        tokens = ask.roll.randint(most // 2, most) if most else 0
        price = round(tokens * self.terms.token_usd, 6) if most else self.terms.price_usd
        return Picture(data, tokens, price)


def png(text: str, *, edge: int = SMALL_EDGE) -> bytes:
    """A whole square PNG whose bytes follow from `text`."""
    noise = random.Random(text)  # noqa: S311  noise, no secret
    rows = b"".join(b"\0" + noise.randbytes(3 * edge) for _ in range(edge))
    header = struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0)
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 0)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
