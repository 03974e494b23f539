"""The n-th disk operation of a run fails, for every n, once or from then on. Whole runs over a real folder."""

import asyncio
import errno
import hashlib
import json
import threading
from pathlib import Path

import pytest
from fakes.runs import Bench
from fakes.transport import ScriptedTransport, png

from batchgen.errors import BatchgenError
from batchgen.files import Folder

OPERATIONS = ("write", "sync", "sync_entries", "create", "open_append", "rename", "release", "remove", "make_folder")
COLOURS = ("teal", "navy", "olive")


class FaultyFolder(Folder):
    """Fails its `at`-th operation, and all later ones if `persistent`. `count` is how many there were."""

    def __init__(self, path: Path, *, at: int, number: int, persistent: bool) -> None:
        super().__init__(path)
        self.at, self.number, self.persistent, self.count = at, number, persistent, 0
        self._mutex = threading.Lock()

    def struck(self) -> None:
        with self._mutex:
            self.count += 1
            is_due = self.count == self.at or (self.persistent and self.count > self.at)
        if is_due:
            raise OSError(self.number, "the disk says no")


def _failing(name):
    def operation(self, *arguments, **options):
        self.struck()
        return getattr(Folder, name)(self, *arguments, **options)

    return operation


for _name in OPERATIONS:
    setattr(FaultyFolder, _name, _failing(_name))


def _painter():
    """Each key has a colour of its own, so that a file under a wrong name shows."""
    return ScriptedTransport(lambda _transport, key: png(COLOURS[int(key, 16) % 3]))


def _run(bench, transport):
    """The exit code of one run, whether it ended with a summary or was called off."""
    try:
        return bench.run(transport).exit_code
    except BatchgenError as error:
        return error.exit_code


def _started(ledger):
    """The attempts that a ledger knows, however its last line ends."""
    lines = ledger.read_bytes().split(b"\n")[:-1] if ledger.exists() else []
    entries = [json.loads(line) for line in lines]
    return {f"{entry['request']}-{entry['attempt']}" for entry in entries if entry["kind"] == "attempt_started"}


def _strike(root: Path, at: int, number: int, *, persistent: bool) -> bool:
    """One run with the fault and one without, and everything that must hold; False: there is no such operation."""
    folders = []
    root.mkdir()

    def opened(path):
        Folder.make(path).__exit__(None, None, None)
        folders.append(FaultyFolder(path, at=at, number=number, persistent=persistent))
        return folders[-1]

    bench = Bench(root, count=3, extra="retry: { in_doubt: hold }", open_folder=opened)
    struck = _painter()
    code = _run(bench, struck)
    (folder,) = folders
    assert code in {0, 2, 5}, f"operation {at}"
    started = _started(bench.job_folder / "ledger.jsonl")
    assert set(struck.attempt_ids) <= started, "sent without a record"
    bench.open_folder, clean = Folder.make, _painter()
    after = _run(bench, clean)
    assert after in {0, 3}
    _check_end(bench, struck.sent + clean.sent, held=after == 3)
    return folder.count >= at


def _check_end(bench, sent, *, held):
    """Every image is there and whole or its request is held, and nothing was sent twice."""
    records = bench.state().records
    assert len(sent) == len(set(sent)), "bought twice"
    assert held == any(record.is_in_doubt for record in records.values())
    for key, record in records.items():
        if record.saved is None:
            assert record.is_in_doubt
            continue
        data = (bench.job_folder / record.saved.path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == record.saved.sha256
        assert data == png(COLOURS[int(key, 16) % 3])


@pytest.mark.parametrize(
    ("number", "persistent"),
    [(errno.EIO, False), (errno.EIO, True), (errno.ENOSPC, True), (errno.EROFS, True)],
    ids=["EIO once", "EIO", "ENOSPC", "EROFS"],
)
def test_whichever_operation_fails_nothing_is_lost_or_bought_twice(tmp_path, number, persistent):
    """The counting loop: n = 1, 2, 3 ... until a run has no n-th operation any more."""
    at = 1
    while _strike(tmp_path / str(at), at, number, persistent=persistent):
        at += 1
    assert at > 30


class _SlowFolder(Folder):
    """The first sync of an image waits until another image has been saved."""

    other_is_saved = threading.Event()
    waits = 0

    def sync(self, descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if name.endswith(".part") and not _SlowFolder.waits:
            _SlowFolder.waits += 1
            assert self.other_is_saved.wait(10), "the slow sync held everybody up"
        super().sync(descriptor)

    def rename(self, old: str, new: str) -> None:
        super().rename(old, new)
        self.other_is_saved.set()


def test_others_go_on_while_one_sync_takes_its_time(tmp_path):
    """The event loop never waits for the disk: images that came later are saved before the slow one."""
    bench = Bench(tmp_path, count=4, open_folder=_SlowFolder.make)
    assert asyncio.run(bench.go(_painter())).saved == 4
    assert _SlowFolder.waits == 1


class _LyingFolder(Folder):
    """The first sync of an image fails and the disk keeps zeros in its place."""

    lies = 0

    def sync(self, descriptor: int) -> None:
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        if place.name.endswith(".part") and not _LyingFolder.lies:
            _LyingFolder.lies += 1
            place.write_bytes(bytes(place.stat().st_size))
            raise OSError(errno.EIO, "the disk says no")
        super().sync(descriptor)


@pytest.mark.parametrize(("policy", "code", "sends"), [("hold", 3, 2), ("resend", 0, 3)])
def test_an_image_that_a_failing_disk_lost_is_in_doubt(tmp_path, policy, code, sends):
    """It was paid for and is gone: the policy decides whether it is bought again, and nobody calls it saved."""
    _LyingFolder.lies = 0
    transport = _painter()
    bench = Bench(tmp_path, count=2, extra=f"retry: {{ in_doubt: {policy} }}", open_folder=_LyingFolder.make)
    summary = bench.run(transport)
    assert (summary.exit_code, len(transport.sent), summary.maybe_billed) == (code, sends, 1)
    (failure,) = bench.listener.failures
    assert "the disk lost bytes" in failure.message
