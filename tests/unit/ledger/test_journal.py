"""Appending: durable before it is acknowledged, few syncs, nobody forgotten, and silence after the first error."""

import asyncio
import errno
from pathlib import Path

import msgspec
import pytest
from fakes.disk import FailingFolder
from fakes.ledgers import failed, lines, saved, small_run, started

from batchgen.clock import SystemClock
from batchgen.errors import FolderError, LedgerDamagedError, StorageError
from batchgen.files import RunLock
from batchgen.ledger.entry import RunStarted
from batchgen.ledger.journal import LEDGER, Journal, read_asked, read_state

FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")
LINES = lines(small_run())


@pytest.fixture
def folder(tmp_path):
    with FailingFolder(tmp_path) as opened:
        yield opened


def journal(folder, **options):
    return Journal(folder, clock=SystemClock(), **options)


def text(folder):
    return (folder.path / LEDGER).read_bytes()


def write(folder, data):
    (folder.path / LEDGER).write_bytes(data)


def appended(folder, *entries, **options):
    """Append in one go; return the seqs."""

    async def main():
        async with journal(folder, **options) as book:
            return await asyncio.gather(*(book.append(entry) for entry in entries))

    return asyncio.run(main())


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(condition):
    while not condition():  # noqa: ASYNC110  the condition lives in another thread
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("threaded", [True, False])
def test_appended_entries_are_read_again(folder, threaded):
    """What was acknowledged is what the next run knows."""
    assert appended(folder, RunStarted(run="a"), started(1), saved(1), threaded=threaded) == [1, 2, 3]
    state, end = read_state(folder)
    assert (end.verdict, end.seq, state.records[saved(1).request].saved.path) == ("clean", 3, "images/slot-1.png")


def test_appending_goes_on_where_the_last_run_ended(folder):
    """Seq and chain run on over runs."""
    assert [appended(folder, started(number)) for number in (1, 2, 3)] == [[1], [2], [3]]
    assert read_state(folder)[1].verdict == "clean"


def test_the_ledger_is_private(folder):
    """Prompts and ids are nobody else's business."""
    appended(folder, started(1))
    assert (folder.path / LEDGER).stat().st_mode & 0o777 == 0o600


def test_a_thousand_appends_take_few_syncs_and_keep_their_order(folder):
    """While one sync runs the next batch gathers."""
    assert appended(folder, *(started(number) for number in range(1000))) == list(range(1, 1001))
    assert folder.calls["sync"] == folder.calls["write"] <= 20


def test_an_append_is_acknowledged_only_after_its_sync(folder):
    """Nothing may leave for the provider before the disk has it."""

    async def main():
        async with journal(folder) as book:
            folder.may_sync.clear()
            waiting = asyncio.create_task(book.append(started(1)))
            await until(lambda: folder.calls["sync"])
            early = (waiting.done(), dict(book.state.records))
            folder.may_sync.set()
            return early, await waiting, len(book.state.records)

    assert asyncio.run(main()) == ((False, {}), 1, 1)


def test_the_event_loop_runs_on_during_a_slow_sync(folder):
    """A sync of half a minute stops no socket."""

    async def main():
        async with journal(folder) as book:
            folder.may_sync.clear()
            waiting = asyncio.create_task(book.append(started(1)))
            await until(lambda: folder.calls["sync"])
            for _ in range(10):
                await asyncio.sleep(0)
            folder.may_sync.set()
            return await waiting

    assert asyncio.run(main()) == 1


def test_a_cancelled_append_is_durable_all_the_same(folder):
    """Cancellation waits for the disk, so an outcome is never half recorded; and the next one is not lost."""

    async def main():
        async with journal(folder) as book:
            folder.may_sync.clear()
            first = asyncio.create_task(book.append(started(1)))
            await until(lambda: folder.calls["sync"])
            second = asyncio.create_task(book.append(started(2)))
            await asyncio.sleep(0)
            for _ in range(3):
                first.cancel()
                second.cancel()
                await asyncio.sleep(0)
            waits = first.done() or second.done()
            folder.may_sync.set()
            ends = await asyncio.gather(first, second, return_exceptions=True)
            return waits, ends, await book.append(started(3))

    waits, ends, last = asyncio.run(main())
    assert (waits, [type(end) for end in ends], last) == (False, [asyncio.CancelledError] * 2, 3)
    assert read_state(folder)[1].seq == 3


def test_ten_thousand_cancelled_in_the_middle_all_end(folder):
    """Every waiter is resolved exactly once, and every entry is on disk."""

    async def main():
        async with journal(folder) as book:
            tasks = [asyncio.create_task(book.append(started(number))) for number in range(10_000)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    ends = asyncio.run(main())
    assert {type(end) for end in ends[::2]} == {asyncio.CancelledError}
    assert ends[1::2] == list(range(2, 10_001, 2))
    assert read_state(folder)[1].seq == 10_000


@pytest.mark.parametrize("threaded", [True, False])
@pytest.mark.parametrize(("call", "problem"), [("write", FULL), ("sync", BROKEN)])
def test_nothing_is_written_after_the_first_error(folder, call, problem, threaded):
    """A failed write or sync is never tried again: the file could lie about what it holds."""

    async def main():
        async with journal(folder, threaded=threaded) as book:
            await book.append(started(1))
            folder.faults[call] = problem
            ends = await asyncio.gather(*(book.append(started(n)) for n in (2, 3)), return_exceptions=True)
            folder.faults.clear()
            before = dict(folder.calls)
            with pytest.raises(StorageError, match=problem.strerror.lower()):
                await book.append(started(4))
            return ends, folder.calls == before, book.broken

    ends, silent, broken = asyncio.run(main())
    assert ([type(end) for end in ends], silent, broken in ends) == ([StorageError] * 2, True, True)


def test_a_failed_batch_leaves_the_state_as_it_was(folder):
    """The state never runs ahead of the disk."""

    async def main():
        async with journal(folder) as book:
            folder.faults["sync"] = BROKEN
            await asyncio.gather(book.append(started(1)), return_exceptions=True)
            return book.state.records

    assert asyncio.run(main()) == {}


def test_a_cancelled_append_that_fails_leaves_nothing_unheard(folder):
    """Cancellation wins over the error, and the error is there for the next append."""

    async def main():
        async with journal(folder) as book:
            folder.may_sync.clear()
            folder.before = lambda name: folder.faults.update(write=FULL) if name == "sync" else None
            first = asyncio.create_task(book.append(started(1)))
            await until(lambda: folder.calls["sync"])
            second = asyncio.create_task(book.append(started(2)))
            await asyncio.sleep(0)
            second.cancel()
            folder.may_sync.set()
            return await asyncio.gather(first, second, return_exceptions=True), book.broken

    (first, second), broken = asyncio.run(main())
    assert (first, type(second), type(broken)) == (1, asyncio.CancelledError, StorageError)


def test_a_foreign_writer_is_noticed_before_the_next_write(folder):
    """A lock that a file system does not honour shows in the size of the file."""

    async def main():
        async with journal(folder) as book:
            await book.append(started(1))
            with (folder.path / LEDGER).open("ab") as foreign:
                foreign.write(b"hello\n")
            size = len(text(folder))
            with pytest.raises(StorageError, match="somebody else writes to it"):
                await book.append(started(2))
            return size

    assert asyncio.run(main()) == len(text(folder))


@pytest.mark.parametrize("successor", [None, b"", b"".join(LINES)])
def test_a_removed_or_replaced_ledger_is_noticed_before_the_next_write(folder, successor):
    """What would be appended to a file without a name is lost: nothing more is written, so nothing more is sent."""

    async def main():
        async with journal(folder) as book:
            await book.append(started(1))
            (folder.path / LEDGER).unlink()
            if successor is not None:
                write(folder, successor)
            with pytest.raises(StorageError, match="removed or replaced"):
                await book.append(started(2))

    asyncio.run(main())


def test_a_removed_lock_stops_the_next_write(folder):
    """The guard speaks before each batch."""

    async def main():
        with RunLock(folder) as lock:
            lock.acquire()
            async with journal(folder, guard=lock.check) as book:
                await book.append(started(1))
                (folder.path / "run.lock").unlink()
                with pytest.raises(StorageError, match="lock file"):
                    await book.append(started(2))

    asyncio.run(main())
    assert read_state(folder)[1].seq == 1


@pytest.mark.parametrize("cut", range(1, len(LINES[-1])))
def test_a_torn_tail_is_cut_kept_aside_and_written_over(folder, cut):
    """After any unfinished append the next run goes on, and all of it is readable again."""
    data = b"".join(LINES)
    write(folder, data[:-cut])
    (seq,) = appended(folder, started(77))
    kept = len(LINES) if cut == 1 else len(LINES) - 1
    state, end = read_state(folder)
    aside = [path.read_bytes() for path in folder.path.glob("*.torn-*")]
    assert (seq, end.verdict, end.seq) == (kept + 1, "clean", kept + 1)
    assert aside == ([] if cut == 1 else [LINES[-1][:-cut]])
    assert started(77).request in state.records


def test_a_torn_tail_is_durable_aside_before_it_is_cut(folder):
    """A crash between the two steps loses nothing: the bytes are in one place or in both."""
    write(folder, LINES[0] + b"half")
    folder.faults["sync"] = BROKEN
    with pytest.raises(FolderError):
        journal(folder).open()
    assert text(folder) == LINES[0] + b"half"
    folder.faults.clear()
    appended(folder, started(1))
    assert read_state(folder)[1].seq == 2


def test_zeros_behind_a_line_without_newline_are_cut(folder):
    """The line is kept, the zeros go, and the newline is written."""
    write(folder, b"".join(LINES)[:-1] + bytes(600))
    assert appended(folder, started(77)) == [len(LINES) + 1]
    assert text(folder).startswith(b"".join(LINES))


def test_a_line_without_newline_counts_for_readers_too(folder):
    """A plan sees the same last entry that the next run will keep."""
    write(folder, b"".join(lines([started(1), saved(1)]))[:-1])
    assert read_state(folder)[0].records[saved(1).request].saved is not None


def test_readers_never_change_a_byte(folder):
    """Looking, with a torn tail, repairs nothing and makes nothing."""
    write(folder, LINES[0] + b"half")
    _, end = read_state(folder)
    assert (end.verdict, text(folder), [path.name for path in folder.path.iterdir()]) == (
        "torn",
        LINES[0] + b"half",
        [LEDGER],
    )


def test_a_damaged_ledger_is_not_opened(folder):
    """Damage inside stops everything, for readers and writers, and not a byte changes."""
    data = LINES[0] + b"x" + LINES[1][1:] + LINES[2]
    write(folder, data)
    for act in (lambda: appended(folder, started(1)), lambda: read_state(folder)):
        with pytest.raises(LedgerDamagedError, match=r"after entry 1.*nothing was sent.*--repair"):
            act()
    assert text(folder) == data


def test_no_ledger_is_an_empty_one(folder):
    """A job that never ran has no history."""
    state, end = read_state(folder)
    assert (state.records, end.seq, list(folder.path.iterdir())) == ({}, 0, [])


@pytest.mark.parametrize("plant", ["link", "folder"])
def test_what_is_planted_in_the_place_of_the_ledger_is_refused(folder, tmp_path_factory, plant):
    """A linked ledger is neither read nor written: exit 2, nothing sent."""
    target = tmp_path_factory.mktemp("outside") / "victim"
    target.write_text("precious")
    place = folder.path / LEDGER
    place.symlink_to(target) if plant == "link" else place.mkdir()
    for act in (lambda: appended(folder, started(1)), lambda: read_state(folder)):
        with pytest.raises(FolderError, match="cannot be used"):
            act()
    assert target.read_text() == "precious"


def test_a_full_disk_at_the_start_is_a_storage_error(folder):
    """A tail that cannot be kept aside for lack of room exits 5, and stays."""
    write(folder, LINES[0] + b"half")
    folder.faults["write"] = FULL
    with pytest.raises(StorageError, match="no space left"):
        journal(folder).open()
    assert text(folder) == LINES[0] + b"half"


def test_an_odd_character_in_an_answer_does_not_break_the_ledger(folder):
    """Half a surrogate pair in a message is recorded, and what comes after it too."""
    assert appended(folder, failed(1, message="\ud83d oops"), started(2)) == [1, 2]
    assert read_state(folder)[0].records[failed(1).request].message == "? oops"


def test_what_was_asked_is_found_again(folder):
    """A changed slot is explained from the ledger."""
    appended(folder, started(1, asked=msgspec.Raw(b'{"prompt":"a"}')), started(2))
    assert read_asked(folder, {1}) == {1: '{"prompt":"a"}'}
    assert read_asked(folder, set()) == {}


def test_leaving_waits_for_what_is_being_written(folder):
    """Closing with an append in flight writes it first."""

    async def main():
        async with journal(folder) as book:
            waiting = asyncio.create_task(book.append(started(1)))
            await asyncio.sleep(0)
        return await waiting

    assert asyncio.run(main()) == 1
    assert read_state(folder)[1].seq == 1


def test_no_descriptor_is_left_open(folder):
    """A journal that is closed lets go of its file."""
    before = descriptors()
    for number in range(3):
        appended(folder, started(number))
    assert descriptors() == before


def test_the_last_batch_is_written_again_before_anything_is_built_on_it(folder):
    """A killed run may have left it in memory only, where it stays if a sync failed: a further sync proves nothing."""
    appended(folder, started(1))
    appended(folder, started(2), failed(2))
    before, written = text(folder), folder.calls["write"]
    asyncio.run(_open_and_close(folder))
    assert folder.calls["write"] == written + 1
    assert text(folder) == before


def test_torn_tails_at_the_same_place_are_all_kept(folder):
    """A second crash at the same entry does not overwrite what was kept of the first."""
    for rest in (b'{"v":1,"first', b'{"v":1,"second'):
        write(folder, b"".join(LINES) + rest)
        asyncio.run(_open_and_close(folder))
    assert {path.read_bytes() for path in folder.path.glob("*.torn-*")} == {b'{"v":1,"first', b'{"v":1,"second'}


async def _open_and_close(folder):
    async with journal(folder):
        pass
