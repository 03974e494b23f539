"""What is left after a batch, read without a line of batchgen's: the bill log, the ledger, the files.

The ledger's format is written down once more here, from its description: the judge does not believe the accused.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Entry = Mapping[str, Any]
CHECKSUM_BYTES = len(b',"crc":"00000000"}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """One line of the gateway's books. `attempt` is the client's name for what it sent: `<key>-<number>`.

    `recorded`: the client's ledger held the attempt when the request came. `image` is the SHA-256 of what was made.
    """

    key: str
    attempt: str
    price_usd: float
    image: str
    when: str = "request"
    recorded: bool = True
    time: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What batchgen says of one slot in the end."""

    slot: str
    id: str
    state: str
    path: str
    would_send: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the batch was allowed to do, and how the gateway treated its keys (ignore, replay, reject)."""

    in_doubt: str = "resend"
    resends: int = 2
    keys: str = "ignore"
    concurrency: int = 8
    has_failover: bool = False
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything that the checker joins.

    `problems` is what is wrong with the ledger's own form. `files` maps paths below the job folder to SHA-256. `taken`
    says after which `seq` somebody took a request's file away or broke it, `retouched` the SHA-256 that a whole file
    was replaced with, `consents` what was really decided: (what, id). `drained` are the runs that had all the time they
    wanted after a SIGTERM, on a gateway that never fails. `exit_code` is that of the last run, which ended by itself;
    None: it died, so files and claims are in no order, and only bills and ledger are held to their rules.
    """

    bills: Sequence[Bill] = ()
    entries: Sequence[Entry] = ()
    problems: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    claims: Sequence[Claim] = ()
    terms: Terms = field(default_factory=Terms)
    taken: Mapping[str, Sequence[int]] = field(default_factory=dict)
    retouched: Mapping[str, str] = field(default_factory=dict)
    consents: frozenset[tuple[str, str]] = frozenset()
    drained: frozenset[str] = frozenset()
    exit_code: int | None = 0


def read_bills(path: Path) -> list[Bill]:
    """The bill log of one customer, oldest first."""
    return [Bill(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def read_ledger(data: bytes) -> tuple[list[Entry], list[str]]:
    """The entries of a ledger and what is wrong with their chain. A finished run leaves no torn tail."""
    entries: list[Entry] = []
    problems: list[str] = []
    crc = 0
    *lines, tail = data.split(b"\n")
    if tail:
        problems.append(f"{len(tail)} bytes after the last line")
    for number, line in enumerate(lines, 1):
        crc = zlib.crc32(line[:-CHECKSUM_BYTES], crc)
        if line[-CHECKSUM_BYTES:] != b',"crc":"%08x"}' % crc:
            problems.append(f"line {number} does not follow from the line before it")
            break
        entry = json.loads(line)
        if entry["seq"] != number:
            problems.append(f"line {number} has seq {entry['seq']}")
        entries.append(entry)
    return entries, problems


def read_files(folder: Path) -> dict[str, str]:
    """Every file below `images`, by its path relative to the job folder."""
    found = (path for path in (folder / "images").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
