"""Facts of this machine and process that a run records: who wrote, on which boot, so that a crash can be judged."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Host"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Name, boot id (empty where the system has none) and process id, and a run id that no two runs share."""

    name: str
    boot: str
    pid: int
    run: str

    @classmethod
    def current(cls) -> "Host":
        """This machine, now. The run id is from the system's randomness: a seed survives a fork, this does not."""
        try:
            boot = _BOOT_ID.read_text().strip()
        except OSError:
            boot = ""
        return cls(name=socket.gethostname(), boot=boot, pid=os.getpid(), run=os.urandom(8).hex())
