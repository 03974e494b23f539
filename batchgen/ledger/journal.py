"""Appending durably: one writer thread, one write and one sync per batch, and nothing more after the first error.

While one sync runs the next batch gathers, so there is no timer and no added latency when idle. The journal applies
each entry to its `State` once it is durable, so the state never runs ahead of the disk.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import msgspec

from batchgen.clock import Clock, timestamp
from batchgen.errors import LedgerDamagedError, StorageError
from batchgen.files import Folder, unusable
from batchgen.ledger.entry import Entry, decode, encode, written_crc
from batchgen.ledger.replay import End, find_asked, replay
from batchgen.ledger.state import State

__all__ = ["LEDGER", "Journal", "read_asked", "read_state"]

LEDGER = "ledger.jsonl"


def read_state(folder: Folder) -> tuple[State, End]:
    """The state of a ledger, read without a lock and without changing a byte; a torn tail is tolerated.

    Raises LedgerDamagedError for damage inside, and FolderError when it cannot be read.
    """
    state = State()
    return state, _replay(folder, state)


def read_asked(folder: Folder, seqs: set[int]) -> dict[int, str]:
    """The canonical JSON of requests, by the seq of the entry that carries it."""
    if not seqs:
        return {}
    with os.fdopen(folder.open_read(LEDGER), "rb") as source:
        return find_asked(source, seqs)


def damaged(folder: Folder, end: End) -> LedgerDamagedError:
    """The error that says where a ledger is damaged and what to do."""
    return LedgerDamagedError(
        f"{folder.path / LEDGER}: the ledger is damaged after entry {end.seq}: {end.problem}; nothing was sent; "
        f"look with `batchgen verify --ledger`, then `batchgen verify --repair`"
    )


def _replay(folder: Folder, state: State) -> End:
    try:
        with os.fdopen(folder.open_read(LEDGER), "rb", buffering=1 << 20) as source:
            end = replay(source, state.apply)
    except FileNotFoundError:
        return End(offset=0, crc=0, seq=0)
    except OSError as problem:
        raise unusable(folder.path / LEDGER, problem) from problem
    if end.verdict == "damaged":
        raise damaged(folder, end)
    if end.verdict == "unterminated":
        state.apply(decode(end.tail))
    return end


class Journal:
    """The ledger of a running job, open for appending. Use as `async with`, under the run's lock.

    `guard` is called before each batch is written and raises StorageError when this run is no longer the only writer.
    `threaded=False` writes on the caller's thread, for simulations in virtual time.
    """

    def __init__(
        self, folder: Folder, *, clock: Clock, guard: Callable[[], None] = lambda: None, threaded: bool = True
    ) -> None:
        self.state = State()
        self._folder = folder
        self._clock = clock
        self._guard = guard
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ledger") if threaded else None
        self._descriptor = -1
        self._offset = self._crc = self._seq = 0
        self._pending: list[tuple[Entry, asyncio.Future[int]]] = []
        self._writing: list[tuple[Entry, asyncio.Future[int]]] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._broken: StorageError | None = None
        self.was_closed = False
        """Whether the last run before this one came to an orderly end."""

    async def __aenter__(self) -> Self:
        if self._executor is None:
            self.open()
        else:
            await asyncio.get_running_loop().run_in_executor(self._executor, self.open)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._idle.wait()
        if self._executor is not None:
            self._executor.shutdown()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def open(self) -> None:
        """Replay the file into `state`, cut a torn tail (its bytes are kept aside) and get ready to append.

        Raises LedgerDamagedError, and FolderError (full disk: StorageError) when it cannot be opened or mended.
        """
        end = _replay(self._folder, self.state)
        self._offset, self._crc, self._seq = end.offset, end.crc, end.seq
        self.was_closed = end.is_closed
        try:
            self._descriptor = self._folder.open_append(LEDGER)
            # The ledger's own entry in its folder: without it a power loss takes every payment with it.
            self._folder.sync_folder("")
            if end.verdict == "torn":
                self._cut(end)
            elif end.verdict == "unterminated":
                self._terminate(end)
            # What a killed run wrote may be in memory only, and after a failed sync it may stay there for ever:
            # before anything is built on the last batch it is written once more.
            if self._offset > end.batch_offset:
                self._folder.rewrite(LEDGER, end.batch_offset)
        except OSError as problem:
            raise unusable(self._folder.path / LEDGER, problem) from problem

    async def append(self, entry: Entry) -> int:
        """Make `entry` durable and return its seq. Cancellation waits until the entry is on disk.

        Raises StorageError when the disk failed, now or before: nothing is written after the first error.
        """
        if self._broken is not None:
            raise self._broken
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pending.append((entry, waiter))
        self._start_batch()
        return await _uncancelled(waiter)

    @property
    def broken(self) -> StorageError | None:
        """The error that ended all writing, if one did."""
        return self._broken

    def _start_batch(self) -> None:
        if self._writing or not self._pending:
            return
        self._idle.clear()
        self._writing, self._pending = self._pending, []
        at = timestamp(self._clock.now())
        entries = [
            msgspec.structs.replace(entry, seq=self._seq + number, at=at)
            for number, (entry, _) in enumerate(self._writing, 1)
        ]
        if self._executor is None:
            self._finish_batch(entries, _outcome(self._commit, entries))
            return
        running = asyncio.get_running_loop().run_in_executor(self._executor, self._commit, entries)
        running.add_done_callback(lambda future: self._finish_batch(entries, future.exception()))

    def _finish_batch(self, entries: list[Entry], problem: BaseException | None) -> None:
        batch, self._writing = self._writing, []
        if problem is not None:
            self._break(batch, problem)
            return
        self._seq += len(batch)
        for entry, (_, waiter) in zip(entries, batch, strict=True):
            self.state.apply(entry)
            if not waiter.done():
                waiter.set_result(entry.seq)
        self._idle.set()
        self._start_batch()

    def _break(self, batch: list[tuple[Entry, asyncio.Future[int]]], problem: BaseException) -> None:
        self._broken = problem if isinstance(problem, StorageError) else _failed(self._folder, problem)
        waiting, self._pending = batch + self._pending, []
        for _, waiter in waiting:
            if not waiter.done():
                waiter.set_exception(self._broken)
        self._idle.set()

    def _commit(self, entries: list[Entry]) -> None:
        """Write and sync one batch; runs in the writer thread."""
        self._check()
        crc = self._crc
        lines = []
        for entry in entries:
            # `seq` and `at` go in front of the kind, so they are left out of the body.
            body = msgspec.structs.replace(entry, seq=0, at="")
            line, crc = encode(body, seq=entry.seq, at=entry.at, crc=crc)
            lines.append(line)
        data = b"".join(lines)
        self._folder.write(self._descriptor, data)
        self._folder.sync(self._descriptor)
        self._offset += len(data)
        self._crc = crc

    def _check(self) -> None:
        """Raise StorageError when this run is not the only writer, or writes to a file that nobody will find again."""
        self._guard()
        place = self._folder.path / LEDGER
        own, there = os.fstat(self._descriptor), self._folder.stat(LEDGER)
        if there is None or not os.path.samestat(own, there):
            # An editor that saves, or a cleaner: what is appended to the old file is lost with its last descriptor.
            msg = f"{place}: was removed or replaced during the run; put the old file back, then run again"
            raise StorageError(msg)
        if own.st_size != self._offset:
            msg = (
                f"{place}: has {own.st_size} bytes (expected {self._offset}): somebody else writes to it; "
                "find the other program, then look with `batchgen verify --ledger`"
            )
            raise StorageError(msg)

    def _cut(self, end: End) -> None:
        """Cut a torn tail. Its bytes are durable in a file of their own before they leave the ledger."""
        aside = place = f"{LEDGER}.torn-{end.seq}-{end.offset}"
        number = 1
        while self._folder.stat(aside) is not None:
            number += 1
            aside = f"{place}-{number}"
        self._folder.write_whole(aside, end.tail)
        self._folder.truncate(self._descriptor, end.offset)
        self._folder.sync(self._descriptor)

    def _terminate(self, end: End) -> None:
        """A whole last line that only lacks its newline: cut what follows and write the newline."""
        self._folder.truncate(self._descriptor, end.offset + len(end.tail))
        self._folder.write(self._descriptor, b"\n")
        self._folder.sync(self._descriptor)
        self._offset += len(end.tail) + 1
        self._crc = written_crc(end.tail) or 0
        self._seq += 1


def _outcome(commit: Callable[[list[Entry]], None], entries: list[Entry]) -> BaseException | None:
    try:
        commit(entries)
    except Exception as problem:  # noqa: BLE001  as the writer thread would hand it over
        return problem
    return None


def _failed(folder: Folder, problem: BaseException) -> StorageError:
    reason = getattr(problem, "strerror", None) or str(problem)
    error = StorageError(
        f"{folder.path / LEDGER}: cannot be written ({str(reason).lower()}); nothing more is sent; "
        f"free space or mend the disk, then run again"
    )
    error.__cause__ = problem
    return error


async def _uncancelled(waiter: asyncio.Future[int]) -> int:
    """Await to the end even when cancelled, then let the cancellation go on: an outcome is never half recorded."""
    try:
        return await asyncio.shield(waiter)
    except asyncio.CancelledError:
        while not waiter.done():
            try:
                await asyncio.wait([waiter])
            except asyncio.CancelledError:
                continue
        waiter.exception()
        raise
