"""The billing server as a child process."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
COMMAND = (sys.executable, "-S", "-m", "tests.crash.kills.billing_server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The billing server, in a process of its own."""

    port: int
    root: Path

    def settle(self) -> None:
        """Wait until it has done all work, also for those who are dead."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as line:
            line.sendall(b"GET /quiet HTTP/1.1\r\n\r\n")
            while line.recv(4096):
                pass


@contextmanager
def gateway(root: Path) -> Iterator[Gateway]:
    """A billing server whose books are in `root`, until the block ends."""
    root.mkdir(mode=0o700, exist_ok=True)
    process = subprocess.Popen([*COMMAND, str(root)], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Gateway(port=int(process.stdout.readline()), root=root)
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
