"""A picks file: what a reviewer said of each slot, as the review page writes it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from batchgen.errors import UsageError

__all__ = ["Picks", "read_picks"]

_LARGEST_BYTES = 100_000_000


class Picks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Marks by slot. `job` is the job's name with profile and sandbox, as its folder has it."""

    version: Literal[1]
    job: str
    marks: dict[str, Literal["keep", "reject"]]

    @property
    def rejected(self) -> list[str]:
        """The slots to make again."""
        return [slot for slot, mark in self.marks.items() if mark == "reject"]


def read_picks(path: Path, *, job: str) -> tuple[Picks, datetime]:
    """The picks for `job`, and when the file was written. Raises UsageError for anything else."""
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if path.stat().st_size > _LARGEST_BYTES:
            message = f"--picks: '{path}' is too large for marks ({_LARGEST_BYTES // 1_000_000} MB at most)"
            raise UsageError(message)
        picks = msgspec.json.decode(path.read_bytes(), type=Picks)
    except OSError as problem:
        message = f"--picks: '{path}' cannot be read: {(problem.strerror or str(problem)).lower()}"
        raise UsageError(message) from problem
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        expected = '{"version": 1, "job": ..., "marks": {"slot": "keep" or "reject"}}'
        message = f"--picks: '{path}' is no picks file: {problem} (expected {expected})"
        raise UsageError(message) from problem
    if picks.job != job:
        message = f"--picks: '{path}' is about {picks.job}, this is {job}; give the same options as for the review"
        raise UsageError(message)
    return picks, written
