"""What a disk may hold after a power loss, computed from the log of what a program asked of it.

A log is a list of tuples; paths are relative to the folder that the log begins in, files are numbers:

    ("mkdir", path)  ("create", path, file)  ("rename", old, new, file)  ("unlink", path, file)  ("syncdir", folder)
    ("write", file, offset, bytes)  ("truncate", file, size)  ("fsync", file)  ("failed", file)  ("put", file, bytes)

`put` is not the program's: somebody changed a file long ago. Any other tuple is a mark, which the disk ignores.

The model is weaker than any file system in use: of what was not synced, any subset of names and any part of the bytes
may have survived, whatever came first. What it does take for granted: a sector of 512 bytes is written or not, a rename
survives as a whole or not at all, and syncing a folder makes every earlier change of its entries durable. After a
failed sync the kernel takes the pages for clean although they never reached the disk; only writing them again helps.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

SECTOR = 512

Op = tuple[Any, ...]
_NAMES = {"mkdir", "create", "unlink", "rename"}


def chance(seed: object) -> random.Random:
    """Chance that can be had again."""
    return random.Random(seed)  # noqa: S311  nothing here is a secret


@dataclass(frozen=True, slots=True)
class State:
    """One durable state: reachable files with their bytes, folders with None; `holes` are files that lost sectors."""

    files: dict[str, bytes | None]
    holes: frozenset[str] = frozenset()


class File:
    """One file: what is on disk for sure, what the program sees, and the writes in between."""

    __slots__ = ("cached", "durable", "pending", "stale")

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = self.cached = durable
        self.pending: list[tuple[int, bytes | None]] = []  # offset and data; or a size to cut to, and None
        self.stale: set[int] = set()  # sectors that look written after a failed sync, and are not

    def copy(self) -> "File":
        twin = File(self.durable)
        twin.cached, twin.pending, twin.stale = self.cached, list(self.pending), set(self.stale)
        return twin

    @property
    def is_certain(self) -> bool:
        return not self.pending and not self.stale

    def write(self, offset: int, data: bytes) -> None:
        self.cached = _patched(self.cached, offset, data)
        self.pending.append((offset, data))
        self.stale.difference_update(_sectors(offset, offset + len(data)))

    def truncate(self, size: int) -> None:
        self.cached = self.cached[:size]
        self.pending.append((size, None))
        self.stale.intersection_update(_sectors(0, size))

    def sync(self) -> None:
        self.durable = self.settled()
        self.pending.clear()

    def fail(self) -> None:
        for offset, data in self.pending:
            if data is not None:
                self.stale.update(_sectors(offset, min(offset + len(data), len(self.cached))))
        self.pending.clear()

    def settled(self) -> bytes:
        """What a sync would leave on disk."""
        if not self.stale:
            return self.cached
        whole = bytearray(self.cached)
        old = self.durable.ljust(len(whole), b"\0")
        for sector in self.stale:
            whole[sector * SECTOR : (sector + 1) * SECTOR] = old[sector * SECTOR : (sector + 1) * SECTOR]
        return bytes(whole[: len(self.cached)])

    def draw(self, rng: random.Random) -> tuple[bytes, bool]:
        """Bytes that may be on disk, and whether sectors are lost in front of bytes that are not."""
        whole = self.settled()
        mode = rng.randrange(5)
        if mode == 0 or (whole == self.durable and not self.stale):
            return self.durable, False
        if mode == 1:
            return whole, bool(self.stale)
        if mode == 2:
            return self._interrupted(rng), False
        if mode == 3:
            # The size is durable, the data is not.
            return self.durable[: len(whole)].ljust(len(whole), b"\0"), False
        return self._holed(whole, rng), True

    def _interrupted(self, rng: random.Random) -> bytes:
        """Some writes in order, and the next one up to some byte."""
        data = self.durable
        done = rng.randint(0, len(self.pending))
        for number, (offset, piece) in enumerate(self.pending[: done + 1]):
            if piece is None:
                data = data[:offset] if number < done else data
            else:
                data = _patched(data, offset, piece if number < done else piece[: _torn(len(piece), rng)])
        return data

    def _holed(self, whole: bytes, rng: random.Random) -> bytes:
        """Everything but some sectors in a row, which are as they were."""
        dirty = sorted({sector for offset, data in self.pending if data for sector in _ends(offset, len(data))})
        first = rng.randint(dirty[0], dirty[-1]) if dirty else 0
        last = rng.randint(first, dirty[-1]) if dirty else 0
        begin, end = first * SECTOR, min((last + 1) * SECTOR, len(whole))
        old = self.durable.ljust(len(whole), b"\0")
        return whole[:begin] + old[begin:end] + whole[end:]


@dataclass(slots=True)
class _Change:
    """A change of names that no sync of a folder has made durable yet."""

    op: Op
    folders: tuple[str, ...]


@dataclass(slots=True)
class Disk:
    """The disk after some operations. `names` are durable: path to file, or to None for a folder."""

    names: dict[str, int | None] = field(default_factory=dict)
    cached: dict[str, int | None] = field(default_factory=dict)
    files: dict[int, File] = field(default_factory=dict)
    changes: list[_Change] = field(default_factory=list)

    @classmethod
    def holding(cls, state: State) -> "Disk":
        """The disk of a machine that comes up with this state."""
        disk = cls()
        for number, (path, data) in enumerate(state.files.items()):
            disk.names[path] = None if data is None else number
            if data is not None:
                disk.files[number] = File(data)
        disk.cached = dict(disk.names)
        return disk

    def copy(self) -> "Disk":
        files = {number: file.copy() for number, file in self.files.items()}
        changes = [_Change(change.op, change.folders) for change in self.changes]
        return Disk(dict(self.names), dict(self.cached), files, changes)

    def apply(self, op: Op) -> None:
        """One operation of a log; marks do nothing."""
        if op[0] in _NAMES:
            if op[0] == "create":
                self.files[op[2]] = File()
            _rename(self.cached, op)
            self.changes.append(_Change(op, _folders(op)))
        elif op[0] == "syncdir":
            self._sync_folder(op[1])
        elif op[0] == "put":
            self.files[op[1]] = File(op[2])
        else:
            self._change_file(op)

    def _change_file(self, op: Op) -> None:
        match op[0]:
            case "write":
                self.files[op[1]].write(op[2], op[3])
            case "fsync":
                self.files[op[1]].sync()
            case "failed":
                self.files[op[1]].fail()
            case "truncate":
                self.files[op[1]].truncate(op[2])

    def seen(self) -> State:
        """What a program sees while the machine is up."""
        return State({path: self._cached_bytes(file) for path, file in self.cached.items()})

    def draw(self, rng: random.Random) -> State:
        """One state that the disk may be found in after a power loss now."""
        names = self._draw_names(rng) if self.changes else self.names
        files: dict[str, bytes | None] = {}
        holes = []
        for path, number in names.items():
            if number is None:
                files[path] = None
                continue
            file = self.files[number]
            if file.is_certain:
                files[path] = file.durable
                continue
            files[path], has_hole = file.draw(rng)
            if has_hole:
                holes.append(path)
        return State(files, frozenset(holes))

    def uncertainty(self) -> int:
        """How many things may have gone one way or the other."""
        return len(self.changes) + 2 * sum(not file.is_certain for file in self.files.values())

    def _cached_bytes(self, number: int | None) -> bytes | None:
        return None if number is None else self.files[number].cached

    def _sync_folder(self, folder: str) -> None:
        waiting = []
        for change in self.changes:
            if folder in change.folders:
                _rename(self.names, change.op)
            else:
                waiting.append(change)
        self.changes = waiting

    def _draw_names(self, rng: random.Random) -> dict[str, int | None]:
        names = dict(self.names)
        lost = []
        share = rng.choice((0.0, 0.5, 0.5, 0.5, 1.0))
        for change in self.changes:
            if rng.random() < share:
                _rename(names, change.op)
            elif change.op[0] == "mkdir":
                lost.append(change.op[1] + "/")
        # What is in a folder is lost with the folder, however durable it is by itself.
        return {path: number for path, number in names.items() if not path.startswith(tuple(lost))} if lost else names


class Log(list[Op]):
    """A log and the disk that it begins with."""

    def __init__(self, ops: Iterable[Op] = (), start: Disk | None = None) -> None:
        super().__init__(ops)
        self.start = start or Disk()

    def disks(self) -> Iterator[tuple[int, Disk]]:
        """Every cut with the disk after it: the same disk, one operation further each time."""
        disk = self.start.copy()
        yield 0, disk
        for number, op in enumerate(self, 1):
            disk.apply(op)
            yield number, disk


def states(log: Log, cut: int, rng: random.Random) -> Iterator[State]:
    """States that a disk may hold after a power loss that follows `log[:cut]`, drawn without end."""
    disk = log.start.copy()
    for op in log[:cut]:
        disk.apply(op)
    while True:
        yield disk.draw(rng)


def _rename(names: dict[str, int | None], op: Op) -> None:
    kind, path = op[0], op[1]
    if kind == "mkdir":
        names[path] = None
    elif kind == "create":
        names[path] = op[2]
    elif kind == "unlink":
        if names.get(path) == op[2]:
            del names[path]
    else:
        if names.get(path) == op[3]:
            del names[path]
        names[op[2]] = op[3]


def _folders(op: Op) -> tuple[str, ...]:
    paths = op[1:3] if op[0] == "rename" else op[1:2]
    return tuple(str(PurePosixPath(path).parent) for path in paths)


def _patched(data: bytes, offset: int, piece: bytes) -> bytes:
    if offset == len(data):
        return data + piece
    return data[:offset].ljust(offset, b"\0") + piece + data[offset + len(piece) :]


def _sectors(begin: int, end: int) -> range:
    return range(begin // SECTOR, -(-end // SECTOR))


def _ends(offset: int, size: int) -> tuple[int, int]:
    return offset // SECTOR, (offset + size - 1) // SECTOR


def _torn(size: int, rng: random.Random) -> int:
    """Where a write broke off: anywhere, and often just before its end, where checks are weakest."""
    return max(0, size - rng.randint(1, 12)) if rng.random() < 0.3 else rng.randint(0, size)
