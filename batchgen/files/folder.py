"""A job folder held open, and durable writes inside it.

Paths are relative to the job folder, POSIX, and every step of a path is opened without following symbolic links, so
nothing is written outside. Order of a durable file, as SQLite and restic commit: write all, sync the file, sync its
folder. A new folder is synced in its parent before a file in it counts.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Self

from batchgen.errors import FolderError, StorageError

__all__ = ["FileFact", "Folder", "unusable"]

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_REWRITE_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_PIECE_BYTES = 1 << 20
# File systems such as exFAT refuse to sync a folder; durability is weaker there, and that is all that can be had.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EPERM, errno.ENOTSUP}


class FileFact(NamedTuple):
    """What a scan saw of one file: size in bytes, modification time in nanoseconds."""

    size: int
    mtime_ns: int


class Folder:
    """A job folder, held open by descriptor for as long as it is used.

    All methods block. `OSError` leaves as it is: who calls knows whether a paid answer hangs on it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sure: set[str] = set()
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as problem:
            raise unusable(path, problem) from problem

    @classmethod
    def make(cls, path: Path) -> Self:
        """Open the folder at `path`, making it (0700) and its parents durable when they are missing.

        Raises FolderError when it cannot be made, is no folder, or belongs to another user.
        """
        try:
            cls._make_missing(path)
            folder = cls(path)
        except OSError as problem:
            raise unusable(path, problem) from problem
        owner = os.fstat(folder._descriptor).st_uid
        if owner != os.geteuid():
            os.close(folder._descriptor)
            msg = f"{path}: the job folder belongs to user {owner} (expected {os.geteuid()}); run batchgen as its owner"
            raise FolderError(msg)
        return folder

    @classmethod
    def _make_missing(cls, path: Path) -> None:
        if path.is_dir():
            # A killed run may have made it in memory only; what is above a folder of somebody else is their business.
            with contextlib.suppress(PermissionError, FolderError), cls(path.parent) as above:
                above.sync_entries(above._descriptor)
            return
        cls._make_missing(path.parent)
        with cls(path.parent) as above:
            above._make_sure(above._descriptor, path.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def is_in_place(self) -> bool:
        """Whether the folder that is held open is still the one at its path (it may be moved away during a run)."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))

    def free_bytes(self) -> int:
        """Bytes that this user may still write on the file system of the folder."""
        room = os.fstatvfs(self._descriptor)
        return room.f_bavail * room.f_frsize

    def create(self, relative: str) -> int:
        """A descriptor on a new file (0600) for writing; its folders are made. Raises FileExistsError if it exists."""
        with self._parent(relative, make=True) as (parent, name):
            return os.open(name, _CREATE_FLAGS, 0o600, dir_fd=parent)

    def open_append(self, relative: str) -> int:
        """A descriptor that appends to `relative`, which is made (0600) where missing; it must be a regular file."""
        with self._parent(relative, make=True) as (parent, name):
            return _regular(os.open(name, _APPEND_FLAGS, 0o600, dir_fd=parent), relative)

    def open_read(self, relative: str) -> int:
        """A descriptor for reading a regular file. Raises OSError for links, pipes and devices."""
        with self._parent(relative) as (parent, name):
            return _regular(os.open(name, _READ_FLAGS, dir_fd=parent), relative)

    def write(self, descriptor: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`; short writes are carried on."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def sync(self, descriptor: int) -> None:
        """Make data and size of a file durable. A failed sync must never be tried again on the same descriptor."""
        getattr(os, "fdatasync", os.fsync)(descriptor)

    def rewrite(self, relative: str, start: int = 0) -> None:
        """Make a file durable that somebody else wrote: its bytes from `start` on are written over themselves.

        After a failed sync the kernel takes pages for written that are not on disk, so a further sync alone proves
        nothing (https://wiki.postgresql.org/wiki/Fsync_Errors).
        """
        with self._parent(relative) as (parent, name):
            descriptor = _regular(os.open(name, _REWRITE_FLAGS, dir_fd=parent), relative)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            while piece := os.pread(descriptor, _PIECE_BYTES, file.seek(start)):
                self.write(descriptor, piece)
                start += len(piece)
            self.sync(descriptor)

    def release(self, descriptor: int) -> None:
        """Close a descriptor; an error counts as a failed write."""
        os.close(descriptor)

    def sync_folder(self, relative: str) -> None:
        """Make the entries of a folder durable (`""` or `.`: the job folder itself)."""
        with self._opened(relative) as descriptor:
            self.sync_entries(descriptor)

    def sync_entries(self, descriptor: int) -> None:
        """Make the entries of an open folder durable, as far as its file system can."""
        try:
            os.fsync(descriptor)
        except OSError as problem:
            if problem.errno not in _NO_FOLDER_SYNC:
                raise

    def make_folder(self, parent: int, name: str) -> bool:
        """Make a folder (0700) in the open folder `parent`; False when something is there."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
            return True
        return False

    def sync_tree(self, relative: str) -> None:
        """Make the entries of a folder, where there is one, and of all folders in it durable."""
        waiting = [relative]
        while waiting:
            folder = waiting.pop()
            with contextlib.suppress(FileNotFoundError), self._opened(folder) as descriptor:
                self.sync_entries(descriptor)
                with os.scandir(descriptor) as entries:
                    inside = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
                waiting += [f"{folder}/{name}" for name in inside]

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file to `size` bytes."""
        os.ftruncate(descriptor, size)

    def rename(self, old: str, new: str) -> None:
        """Rename within the job folder, making the new parent; whatever is at `new` is replaced, never followed."""
        with (
            self._parent(old) as (old_parent, old_name),
            self._parent(new, make=True) as (new_parent, new_name),
        ):
            os.rename(old_name, new_name, src_dir_fd=old_parent, dst_dir_fd=new_parent)

    def remove(self, relative: str) -> None:
        """Remove a file; one that is already gone is fine."""
        with contextlib.suppress(FileNotFoundError), self._parent(relative) as (parent, name):
            os.unlink(name, dir_fd=parent)

    def stat(self, relative: str) -> os.stat_result | None:
        """What is at `relative`, links not followed; None when there is nothing."""
        try:
            with self._parent(relative) as (parent, name):
                return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write_whole(self, relative: str, data: bytes) -> None:
        """Replace a small file in one step, durably."""
        self.write_pieces(relative, (data,))

    def write_pieces(self, relative: str, pieces: Iterable[bytes]) -> None:
        """Replace a file: temp file beside it, sync, rename, sync the folder; a crash leaves the old or the new one."""
        place = PurePosixPath(relative)
        temporary = str(place.with_name(f".{place.name}.new"))
        self.remove(temporary)
        descriptor = self.create(temporary)
        try:
            for piece in pieces:
                self.write(descriptor, piece)
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        self.rename(temporary, relative)
        self.sync_folder(str(place.parent))

    def scan(self, relative: str) -> dict[str, FileFact]:
        """Every regular file below `relative` with size and mtime, in one pass.

        Links to files are passed over. Raises FolderError for a link to a folder: nothing could be saved behind it, and
        the images there would look lost and be bought again.
        """
        found: dict[str, FileFact] = {}
        waiting = [relative]
        while waiting:
            folder = waiting.pop()
            try:
                with self._opened(folder) as descriptor, os.scandir(descriptor) as entries:
                    for entry in entries:
                        name = f"{folder}/{entry.name}"
                        if entry.is_dir():
                            waiting.append(name)
                        elif entry.is_file(follow_symlinks=False):
                            seen = entry.stat(follow_symlinks=False)
                            found[name] = FileFact(seen.st_size, seen.st_mtime_ns)
            except FileNotFoundError:
                continue
            except NotADirectoryError:
                msg = f"{self.path / folder}: is a link or a file (expected a folder); put a real folder in its place"
                raise FolderError(msg) from None
            except OSError as problem:
                raise unusable(self.path / folder, problem) from problem
        return found

    @contextlib.contextmanager
    def _parent(self, relative: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        parts = _parts(relative)
        if not parts:
            msg = f"{relative!r} names no file"
            raise ValueError(msg)
        with self._opened("/".join(parts[:-1]), make=make) as parent:
            yield parent, parts[-1]

    @contextlib.contextmanager
    def _opened(self, relative: str, *, make: bool = False) -> Iterator[int]:
        current = os.dup(self._descriptor)
        path = ""
        try:
            for part in _parts(relative):
                path += f"/{part}"
                if make:
                    self._make_sure(current, path)
                step = os.open(part, _FOLDER_FLAGS, dir_fd=current)
                os.close(current)
                current = step
            yield current
        finally:
            os.close(current)

    def _make_sure(self, parent: int, path: str) -> None:
        """Make a folder where it is missing. A power loss must not take it with what was synced in it.

        One that is there may have been made a moment ago, or by a run that was killed: each is synced once a run.
        """
        if self.make_folder(parent, path.rpartition("/")[2]) or path not in self._sure:
            self.sync_entries(parent)
            self._sure.add(path)


def _parts(relative: str) -> list[str]:
    """The steps of a relative path. Raises ValueError for anything that could leave the folder."""
    parts = [part for part in relative.split("/") if part not in {"", "."}]
    if relative.startswith("/") or ".." in parts or "\0" in relative:
        msg = f"{relative!r} is not inside the job folder"
        raise ValueError(msg)
    return parts


def _regular(descriptor: int, relative: str) -> int:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "not a regular file", relative)


def unusable(path: Path, problem: OSError) -> FolderError | StorageError:
    """What to raise for a job folder that cannot be used at the start: a full disk is a limit, the rest bad input."""
    reason = (problem.strerror or str(problem)).lower()
    kind = StorageError if problem.errno in {errno.ENOSPC, errno.EDQUOT} else FolderError
    return kind(f"{path}: the job folder cannot be used ({reason}); fix it or choose another with --output")
