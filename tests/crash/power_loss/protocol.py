"""What no drawn state can show: rules of the running writer and of the reader, each as a check of the real program."""

import asyncio
import hashlib
import random
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fakes.desk import Desk, Running
from fakes.ledgers import lines, request_id, small_run, started
from fakes.pictures import noise, picture
from fakes.virtual import VirtualClock

from batchgen.errors import LedgerDamagedError, StorageError
from batchgen.files import Folder
from batchgen.images.arrival import Arrival, part_path
from batchgen.images.picture import MAX_PIXELS
from batchgen.ledger.entry import ImageLocated, ImageMoved, RunStarted
from batchgen.ledger.journal import Journal
from batchgen.ledger.replay import replay
from batchgen.run.desk import open_desk

from .disk import Disk, Log, chance
from .folder import Fault, Recorder
from .site import START, run_direct

PATH = "images/p1.png"


class _Miser(random.Random):
    """Always the least."""

    def randint(self, a: int, b: int) -> int:
        return min(a, b)


def goes_quiet_after_an_error(root: Path) -> None:
    """After a write that failed, though not a byte of it was taken, nothing more reaches the ledger."""
    recorder = Recorder(base=root, log=Log(), rng=_Miser())

    async def main() -> None:
        with recorder.folder()(root) as folder:
            async with Journal(folder, clock=VirtualClock(START)) as journal:
                recorder.fault = Fault(kind="write", at=1)
                assert await _is_refused(journal, 1)
                assert await _is_refused(journal, 2)

    run_direct(main, chance(1))
    assert not [op for op in recorder.log if op[0] == "write"]


def notices_a_removed_lock(root: Path) -> None:
    """A run whose lock file is gone writes nothing more: a second run could be on."""

    async def main() -> None:
        with Folder(root) as folder:
            async with open_desk(folder, clock=VirtualClock(START)) as desk:
                await desk.journal.append(started(1))
                (root / "run.lock").unlink()
                assert await _is_refused(desk.journal, 2)

    run_direct(main, chance(1))


def notices_a_foreign_writer(root: Path) -> None:
    """A ledger that grew by somebody else's line is not written to."""

    async def main() -> None:
        with Folder(root) as folder:
            async with Journal(folder, clock=VirtualClock(START)) as journal:
                await journal.append(started(1))
                with (root / "ledger.jsonl").open("ab") as other:
                    other.write(b"{}\n")
                assert await _is_refused(journal, 2)

    run_direct(main, chance(1))


def waits_for_a_cancelled_append(root: Path) -> None:
    """Who is cancelled while an entry is being written goes on only when it is on disk."""
    recorder = Recorder(base=root, log=Log(), rng=chance(1))

    async def main() -> None:
        with recorder.folder()(root) as folder:
            async with Journal(folder, clock=VirtualClock(START)) as journal:
                for number in range(1, 20):
                    writing = asyncio.create_task(journal.append(started(number)))
                    await asyncio.sleep(0)
                    writing.cancel()
                    await asyncio.wait([writing])
                    assert [op[0] for op in recorder.log].count("fsync") == number

    run_direct(main, chance(1))


def adopts_no_zeroed_picture(root: Path) -> None:
    """After another boot a picture whose end may be zeros is in doubt, though it opens."""
    whole = noise("WEBP")
    assert not _recovered(root, whole[: len(whole) // 2].ljust(len(whole), b"\0"), boot="b2").is_saved


def adopts_no_picture_without_its_end(root: Path) -> None:
    """A temp file that lacks its last bytes is in doubt, though it opens."""
    for missing in range(1, 13):
        assert not _recovered(root / str(missing), picture()[:-missing], boot="b1").is_saved


def adopts_a_fetched_picture(root: Path) -> None:
    """A whole image that was being fetched is kept: its address may be gone by the next run."""
    assert _recovered(root, picture(), boot="b1", url="https://example.invalid/1").is_saved


def redoes_moves_in_their_order(root: Path) -> None:
    """Of two recorded moves whose renames are missing, the first one makes room for the second."""
    desk = Desk(root)
    one, two = picture(color="red"), picture(color="blue")

    async def act(running: Running) -> None:
        await running.make(1, "images/a.png", one)
        await running.make(2, "images/b.png", two)
        for number, source, target, data in ((1, "a", "c", one), (2, "b", "a", two)):
            await running.journal.append(
                ImageMoved(
                    request=request_id(number),
                    slot="",
                    source=f"images/{source}.png",
                    target=f"images/{target}.png",
                    sha256=hashlib.sha256(data).hexdigest(),
                )
            )

    desk.during(act)
    desk.recover()
    assert desk.files == {"images/a.png": two, "images/c.png": one}


def refuses_a_ledger_that_lost_lines(root: Path) -> None:
    """A temp file of an attempt that the ledger does not know proves that lines are missing."""
    desk = Desk(root)

    async def act(running: Running) -> None:
        running.put(part_path(PATH, request_id(1), 1), picture())

    desk.during(act)
    try:
        desk.recover(p1=PATH)
    except LedgerDamagedError:
        return
    message = "it was taken for whole"
    raise AssertionError(message)


def keeps_every_torn_tail(root: Path) -> None:
    """What was cut off at one place is not overwritten by what is cut off there the next time."""

    async def main() -> None:
        with Folder(root) as folder:
            async with Journal(folder, clock=VirtualClock(START)):
                pass

    for tail in (b"first", b"second"):
        with (root / "ledger.jsonl").open("ab") as ledger:
            ledger.write(tail)
        run_direct(main, chance(1))
    assert {path.read_bytes() for path in root.glob("*.torn-*")} == {b"first", b"second"}


def makes_the_job_folder_durable(root: Path) -> None:
    """A job folder that a killed run made in memory only is durable before anything is put into it."""
    recorder = Recorder(base=root, log=Log(), rng=chance(1))
    with recorder.folder()(root) as above:
        above.make_folder(above._descriptor, "bench")
    with recorder.folder().make(root / "bench"):
        pass
    assert set(_disk(recorder).names) == {"bench"}


def makes_the_ledger_durable(root: Path) -> None:
    """An entry that was acknowledged is in a file that has its name for good, whatever else a run has synced."""
    recorder = Recorder(base=root, log=Log(), rng=chance(1))

    async def main() -> None:
        with recorder.folder()(root) as folder:
            async with Journal(folder, clock=VirtualClock(START)) as journal:
                await journal.append(started(1))

    run_direct(main, chance(1))
    assert set(_disk(recorder).names) == {"ledger.jsonl"}


def makes_folders_of_others_durable(root: Path) -> None:
    """A folder that is there, but in memory only, is durable before an image in it can be called saved."""
    recorder = Recorder(base=root, log=Log(), rng=chance(1))
    with recorder.folder()(root) as earlier:
        earlier.make_folder(earlier._descriptor, "images")
    with recorder.folder()(root) as folder:
        folder.release(folder.create("images/x"))
    assert set(_disk(recorder).names) == {"images"}


def keeps_previews_apart(root: Path) -> None:
    """A preview is a whole picture: under the temp name of its attempt it could be adopted as the image."""

    async def main() -> None:
        with Folder(root) as folder:
            arrival = Arrival(folder, path=PATH, request_id=request_id(1), attempt=1, max_pixels=MAX_PIXELS)
            async with arrival:
                arrival.begin("preview", 0)
                arrival.write(picture())
                arrival.end(whole=True)
                await arrival.drain()
                assert folder.stat(arrival.part) is None

    run_direct(main, chance(1))


def carries_on_a_short_write(root: Path) -> None:
    """What the system does not take at once is offered again: a file is whole, or an error says that it is not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Folder(root) as folder:
        descriptor = folder.create("x")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            folder.write(descriptor, bytes(1500))
        except OSError:
            return
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            folder.release(descriptor)
    message = "1000 bytes were taken for 1500"
    raise AssertionError(message)


def refuses_a_changed_byte(root: Path) -> None:
    """A digit that changed anywhere is damage, in the last line as in the middle, and never a torn tail."""
    whole = lines(small_run())
    for number in (3, len(whole) - 1):
        damaged = list(whole)
        damaged[number] = damaged[number].replace(b":2026-", b":2027-").replace(b'"2026-', b'"2027-')
        assert damaged[number] != whole[number]
        (root / "ledger").write_bytes(b"".join(damaged))
        with (root / "ledger").open("rb") as source:
            assert replay(source, lambda _: None).verdict == "damaged"


def _disk(recorder: Recorder) -> Disk:
    """The disk after everything that was asked of it."""
    *_, (_, disk) = recorder.log.disks()
    return disk


async def _is_refused(journal: Journal, number: int) -> bool:
    try:
        await journal.append(started(number))
    except StorageError:
        return True
    return False


class _Recovered:
    def __init__(self, desk: Desk, data: bytes) -> None:
        saved = desk.state.records[request_id(1)].saved
        self.is_saved = saved is not None and saved.sha256 == hashlib.sha256(data).hexdigest()


def _recovered(root: Path, part: bytes, *, boot: str, url: str | None = None) -> _Recovered:
    """One attempt on boot `b1` left this temp file; then the machine (or only the program) comes up again."""
    root.mkdir(exist_ok=True)
    desk = Desk(root)

    async def act(running: Running) -> Any:
        await running.journal.append(RunStarted(run="r1", boot="b1"))
        await running.begin(1)
        if url is not None:
            await running.journal.append(ImageLocated(request=request_id(1), attempt=1, url=url))
        running.put(part_path(PATH, request_id(1), 1), part)

    desk.during(act)
    desk.recover(boot=boot, p1=PATH)
    return _Recovered(desk, part)


CHECKS: dict[str, Callable[[Path], None]] = {
    check.__name__: check
    for check in (
        goes_quiet_after_an_error,
        notices_a_removed_lock,
        notices_a_foreign_writer,
        waits_for_a_cancelled_append,
        adopts_no_zeroed_picture,
        adopts_no_picture_without_its_end,
        adopts_a_fetched_picture,
        redoes_moves_in_their_order,
        refuses_a_ledger_that_lost_lines,
        keeps_every_torn_tail,
        makes_the_job_folder_durable,
        makes_the_ledger_durable,
        makes_folders_of_others_durable,
        keeps_previews_apart,
        carries_on_a_short_write,
        refuses_a_changed_byte,
    )
}
