"""The process itself, before it does anything else."""

import contextlib
import os
import resource

__all__ = ["prepare"]


def prepare() -> None:
    """No core dumps, for they would hold keys; and descriptors 0 to 2 are taken.

    With a standard stream closed (`2>&-`) the next file opened would get its number, and what the interpreter or a
    library writes there in distress would end up in the ledger.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        while (taken := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004  standard error's number
            os.set_inheritable(taken, True)  # noqa: FBT003  what a child calls standard is still taken
        os.close(taken)
