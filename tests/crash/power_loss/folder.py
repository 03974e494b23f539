"""A real job folder that writes down what is asked of the disk, and whose process or disk can fail at a given step."""

import errno
import fcntl
import os
import random
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from batchgen.files import Folder

from .disk import Disk, Log, State

STEPS = ("write", "sync", "sync_entries", "rename", "create", "truncate", "remove", "make_folder")


class KilledError(BaseException):
    """The process ends here, without another step."""


@dataclass(kw_only=True)
class Fault:
    """Fail the `at`-th step of a kind (from 1) with `number`, once or from then on; `kill` ends the process instead.

    A kind of `any` counts every step.
    """

    kind: str
    at: int
    number: int = errno.EIO
    persistent: bool = False
    kill: bool = False
    seen: int = 0

    def strikes(self, kind: str) -> bool:
        if self.kind not in {kind, "any"}:
            return False
        self.seen += 1
        return self.seen == self.at or (self.seen > self.at and (self.persistent or self.kill))


@dataclass(kw_only=True)
class Recorder:
    """The log of everything below `base`, over any number of runs on the same machine."""

    base: Path
    log: Log
    rng: random.Random
    fault: Fault | None = None
    is_dead: bool = False
    is_broken: bool = False
    _numbers: dict[int, int] = field(default_factory=dict)
    _folders: dict[int, str] = field(default_factory=dict)
    _next: int = 0

    @classmethod
    def coming_up(cls, base: Path, state: State, rng: random.Random) -> "Recorder":
        """The machine comes up with `state` on its disk: the files are laid out below `base`."""
        disk = Disk.holding(state)
        recorder = cls(base=base, log=Log(start=disk), rng=rng, _next=len(disk.names))
        for path, number in disk.names.items():
            if number is None:
                (base / path).mkdir(parents=True, exist_ok=True)
        for path, number in disk.names.items():
            if number is not None:
                (base / path).parent.mkdir(parents=True, exist_ok=True)
                (base / path).write_bytes(disk.files[number].durable)
                recorder._numbers[(base / path).stat().st_ino] = number
        return recorder

    def folder(self) -> type[Folder]:
        """The class to open job folders with."""
        return type("_Recorded", (_RecordedFolder,), {"recorder": self})

    def mark(self, *op: object) -> None:
        """Something that is no operation of the disk. The dead say nothing."""
        if not self.is_dead:
            self.log.append(op)

    def time_passes(self) -> None:
        """Whatever failed is known by now."""
        if self.is_broken:
            self.is_broken = False
            self.mark("known")

    def step(self, kind: str) -> bool:
        """A step is about to be taken. Raises KilledError; True: it has to fail."""
        if self.is_dead:
            raise KilledError
        if self.fault is None or not self.fault.strikes(kind):
            return False
        if self.fault.kill:
            self.is_dead = True
            # A kill in the middle of a write leaves what the kernel has taken so far.
            if kind != "write":
                raise KilledError
        return True

    def torn(self, size: int) -> int:
        """How many bytes of a write that fails are taken; all of them, if the process dies right after it."""
        some = self.rng.randint(0, size)
        return self.rng.choice((some, size)) if self.is_dead else some

    def error(self) -> BaseException:
        """What a step that fails raises."""
        self.is_broken = True
        if self.is_dead or self.fault is None:
            return KilledError()
        return OSError(self.fault.number, os.strerror(self.fault.number))

    def made(self, path: Path) -> int:
        """A new file gets a number."""
        number = self._numbers[path.stat().st_ino] = self._next
        self._next += 1
        return number

    def file(self, descriptor: int) -> int:
        return self._numbers[os.fstat(descriptor).st_ino]

    def file_at(self, path: Path) -> int:
        return self._numbers[path.lstat().st_ino]

    def folder_of(self, descriptor: int) -> str:
        """The path of an open folder; what is above the base is no concern of the log."""
        inode = os.fstat(descriptor).st_ino
        if inode not in self._folders:
            self._folders = {self.base.stat().st_ino: "."}
            for place in self.base.rglob("*"):
                if place.is_dir():
                    self._folders[place.stat().st_ino] = place.relative_to(self.base).as_posix()
        return self._folders.get(inode, "..")

    def user_makes(self, path: str) -> None:
        """Somebody makes a folder, long before anything else happens."""
        self.log += [("mkdir", path), ("syncdir", str(PurePosixPath(path).parent))]
        (self.base / path).mkdir(mode=0o700)

    def user_removes(self, path: str) -> None:
        """Somebody deletes a file, likewise."""
        self.log.append(("unlink", path, self.file_at(self.base / path)))
        self.log.append(("syncdir", str(PurePosixPath(path).parent)))
        (self.base / path).unlink()

    def user_writes(self, path: str, data: bytes) -> None:
        """Somebody puts other bytes into a file, likewise."""
        number = self.file_at(self.base / path)
        self.log.append(("put", number, data))
        (self.base / path).write_bytes(data)

    def relative(self, path: Path) -> str:
        return path.relative_to(self.base).as_posix()


class _RecordedFolder(Folder):
    """Each primitive does what it does and is logged when it is done."""

    recorder: Recorder

    def create(self, relative: str) -> int:
        self._take("create")
        descriptor = super().create(relative)
        self._note("create", relative, self.recorder.made(self.path / relative))
        return descriptor

    def open_append(self, relative: str) -> int:
        self._take("create")
        is_new = not (self.path / relative).exists()
        descriptor = super().open_append(relative)
        if is_new:
            self._note("create", relative, self.recorder.made(self.path / relative))
        return descriptor

    def write(self, descriptor: int, data: bytes | bytearray | memoryview) -> None:
        fails = self.recorder.step("write")
        appends = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND
        offset = os.lseek(descriptor, 0, os.SEEK_END if appends else os.SEEK_CUR)
        whole = bytes(data)
        taken = whole[: self.recorder.torn(len(whole))] if fails else whole
        super().write(descriptor, taken)
        if taken:
            self.recorder.log.append(("write", self.recorder.file(descriptor), offset, taken))
        if fails:
            self.recorder.mark("refused", self.recorder.file(descriptor))
            raise self.recorder.error()

    def sync(self, descriptor: int) -> None:
        fails = self.recorder.step("sync")
        self.recorder.log.append(("failed" if fails else "fsync", self.recorder.file(descriptor)))
        if fails:
            raise self.recorder.error()
        super().sync(descriptor)

    def sync_entries(self, descriptor: int) -> None:
        self._take("sync_entries")
        super().sync_entries(descriptor)
        self.recorder.log.append(("syncdir", self.recorder.folder_of(descriptor)))

    def make_folder(self, parent: int, name: str) -> bool:
        path = PurePosixPath(self.recorder.folder_of(parent)) / name
        if (self.recorder.base / path).exists():
            return False
        self._take("make_folder")
        super().make_folder(parent, name)
        self.recorder.log.append(("mkdir", str(path)))
        return True

    def truncate(self, descriptor: int, size: int) -> None:
        self._take("truncate")
        super().truncate(descriptor, size)
        self.recorder.log.append(("truncate", self.recorder.file(descriptor), size))

    def rename(self, old: str, new: str) -> None:
        self._take("rename")
        number = self.recorder.file_at(self.path / old)
        super().rename(old, new)
        self.recorder.log.append(("rename", self._place(old), self._place(new), number))

    def remove(self, relative: str) -> None:
        self._take("remove")
        path = self.path / relative
        number = self.recorder.file_at(path) if path.exists() else None
        super().remove(relative)
        if number is not None:
            self._note("unlink", relative, number)

    def _take(self, kind: str) -> None:
        if self.recorder.step(kind):
            raise self.recorder.error()

    def _note(self, kind: str, relative: str, number: int) -> None:
        self.recorder.log.append((kind, self._place(relative), number))

    def _place(self, relative: str) -> str:
        return self.recorder.relative(self.path / relative)
