"""What no test may do, held by an audit hook: leave the loopback, or write a job folder that is to last.

The interpreter raises audit events before it acts (PEP 578), so the hook stops the act itself, whoever asks
for it and through whatever name, without a patch on any module. A hook cannot be removed; install it once.
"""

import ipaddress
import os
import sys
import tempfile
from pathlib import Path

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
JOB_FILES = frozenset({"ledger.jsonl", "run.lock"})
REPOSITORY = Path(__file__).resolve().parents[2]


class GuardError(AssertionError):
    """A test did what no test may do."""


def install() -> None:
    """Hold the guards in this process from now on."""
    sys.addaudithook(_judge)


def _judge(event: str, details: tuple) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        _only_loopback(details[1])
    elif event == "socket.getaddrinfo":
        _only_loopback(details[:1])
    elif event == "open" and isinstance(details[0], str) and (details[2] or 0) & WRITES:
        _only_temporary(details[0])


def _only_loopback(address: object) -> None:
    host = address[0] if isinstance(address, tuple) else None
    if not isinstance(host, str) or host in {
        "",
        "localhost",
    }:  # a Unix socket, or a name that is this machine's
        return
    try:
        loopback = ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        loopback = host.endswith(".localhost")
    if not loopback:
        message = f"a test reached for {host!r} (expected loopback)"
        raise GuardError(message)


def _only_temporary(path: str) -> None:
    # A name relative to an open folder says nothing of where that is; the lock, opened by its whole path, does.
    if not path.startswith("/") or path.rpartition("/")[2] not in JOB_FILES:
        return
    place = Path(path).resolve()
    # A checkout may itself lie in a temporary folder; its own output/ is off limits all the same.
    temporary = any(place.is_relative_to(root) for root in _temporary_roots())
    if not temporary or place.is_relative_to(REPOSITORY):
        message = f"a test wrote the job file {str(place)!r} (expected below {tempfile.gettempdir()})"
        raise GuardError(message)


def _temporary_roots() -> list[Path]:
    return [Path(root).resolve() for root in {tempfile.gettempdir(), "/dev/shm"}]  # noqa: S108  tmpfs, for speed
