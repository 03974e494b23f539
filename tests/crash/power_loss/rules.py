"""The order of writing, proved from a log alone: what has to be durable before a step, and what may never follow one.

Stricter than drawing states, and blind to what no rule names; the two check each other.
"""

from collections.abc import Iterator

from batchgen.images.store import find_parts, picture_files
from batchgen.ledger.entry import ImageSaved

from .check import Promises, Reading, Try, read
from .disk import Disk, Log, Op
from .site import JOB, LEDGER

RESENDS = 2


def broken_rules(log: Log, promises: Promises, *, holds: bool) -> Iterator[str]:
    """Every rule that a log breaks, as a sentence with the number of the operation.

    `promises` are those from before the log; `holds` says that nothing in doubt may be sent again.
    """
    judge = _Judge(log, promises.copy(), holds=holds)
    disk = log.start.copy()
    for number, op in enumerate(log):
        for problem in judge.before(number, op, disk):
            yield f"operation {number}: {problem}"
        disk.apply(op)
        judge.promises.take(op)


class _Judge:
    def __init__(self, log: Log, promises: Promises, *, holds: bool) -> None:
        self.promises = promises
        self._log = log
        self._holds = holds
        self._is_broken = False
        self._is_known = False
        self._renames: list[Op] = []

    def before(self, number: int, op: Op, disk: Disk) -> Iterator[str]:
        """What is wrong with doing `op` now."""
        yield from self._order(number, op, disk)
        # Rule L9: after the first error of the ledger nothing more is written to it and nothing more is sent.
        is_ledger = op[0] in {"write", "fsync", "refused", "failed"} and op[1] == _ledger(disk)
        if (self._is_broken and is_ledger) or (self._is_known and op[0] == "pay"):
            yield f"{op[0]} after the ledger could not be written"
        if op[0] == "begin":
            self._is_broken = self._is_known = False
            self._renames = []
        elif op[0] == "rename" and "/.rejected/" not in op[2]:
            self._renames.append(op)
        elif op[0] == "known":
            self._is_known = self._is_broken
        elif is_ledger and op[0] in {"refused", "failed"}:
            self._is_broken = True
        if op[0] == "bug":
            yield f"a run breaks: {op[1]}"

    def _order(self, number: int, op: Op, disk: Disk) -> Iterator[str]:
        match op:
            case ("pay", request, attempt):
                yield from self._pay((request, attempt), disk)
            case ("rename", old, new, _):
                yield from self._rename(old, new, disk)
            case ("unlink", path, _):
                yield from self._unlink(number, path, disk)
            case ("truncate", file, size):
                yield from _truncate(file, size, disk)
            case ("fsync", file) if disk.files[file].stale:
                yield "a sync that failed is tried again and believed"
            case ("write", file, offset, data):
                yield from self._write(file, offset, data, disk)

    def _pay(self, one: Try, disk: Disk) -> Iterator[str]:
        if one not in _durable(disk).started:
            yield f"{one[0][:6]}-{one[1]} is sent before its attempt_started is durable"
        earlier = [other for other in self.promises.paid if other[0] == one[0] and other not in self.promises.free]
        images = {other: sha256 for other, sha256 in self.promises.saved.items() if other[0] == one[0]}
        unspoiled = [other for other, sha256 in images.items() if sha256 not in self.promises.spoiled]
        if unspoiled:
            yield f"{one[0][:6]}-{one[1]} is sent although its image is there"
        doubts = [other for other in earlier if other not in images and other not in self.promises.forgiven]
        if len(doubts) > (0 if self._holds else RESENDS):
            yield f"{one[0][:6]}-{one[1]} is sent after {len(doubts)} doubts"

    def _rename(self, old: str, new: str, disk: Disk) -> Iterator[str]:
        old, new = old.removeprefix(f"{JOB}/"), new.removeprefix(f"{JOB}/")
        durable = _durable(disk)
        for part in find_parts([old]):
            image = durable.images.get((part.request, part.attempt))
            if picture_files([new]) and (image is None or new not in durable.places(image)):
                yield f"{old} becomes {new} before its image_saved is durable"
        if picture_files([old]) and not any((move.source, move.target) == (old, new) for move in durable.moves):
            yield f"{old} becomes {new} before its image_moved is durable"

    def _unlink(self, number: int, path: str, disk: Disk) -> Iterator[str]:
        durable = _durable(disk)
        for part in find_parts([path]):
            one = (part.request, part.attempt)
            # An image that replaces an unusable one of the same answer takes over its temp name.
            is_taken_over = self._log[number + 1 : number + 2] and self._log[number + 1][:2] == ("create", path)
            is_settled = one in durable.failed or one in durable.images or one in durable.located
            if not is_settled and not is_taken_over:
                yield f"{path} is removed before its attempt is settled"

    def _write(self, file: int, offset: int, data: bytes, disk: Disk) -> Iterator[str]:
        if file != _ledger(disk):
            return
        earlier = read(disk.files[file].cached)
        later = read(disk.files[file].cached[:offset] + data)
        for one, image in later.images.items():
            if one not in earlier.images:
                yield from _image(one, image, disk)
        for move in later.moves[len(earlier.moves) :]:
            if not _stays(f"{JOB}/{move.source}", disk):
                yield f"{move.source} is moved on before its last move is durable"
        # Those of a killed run that nothing recorded are found by their temp files, whenever they come undone.
        if later.finished - earlier.finished and any(change.op in self._renames for change in disk.changes):
            yield "a run is called finished before its renames are durable"


def _image(one: Try, image: ImageSaved, disk: Disk) -> Iterator[str]:
    parts = [part.path for part in find_parts(disk.names) if (part.request, part.attempt) == one]
    number = disk.names[parts[0]] if parts else None
    if number is None or len(disk.files[number].durable) != image.bytes or not disk.files[number].is_certain:
        yield f"{one[0][:6]}-{one[1]} is recorded as saved before its bytes are durable"


def _stays(path: str, disk: Disk) -> bool:
    """Whether a file has its name for good, or a temp name by which recovery finds it all the same."""
    number = disk.cached.get(path)
    names = [name for name, other in disk.names.items() if other == number]
    return number is None or path in names or bool(find_parts(names))


def _truncate(file: int, size: int, disk: Disk) -> Iterator[str]:
    tail = disk.files[file].cached[size:]
    kept = {
        disk.files[number].durable
        for path, number in disk.names.items()
        if number is not None and path.startswith(f"{LEDGER}.torn-")
    }
    # Zeros behind a whole last line were never anything.
    if file == _ledger(disk) and tail.strip(b"\0") and tail not in kept:
        yield "a torn tail is cut before its copy is durable"


def _ledger(disk: Disk) -> int | None:
    return disk.cached.get(LEDGER)


def _durable(disk: Disk) -> Reading:
    """What the ledger says for sure."""
    number = disk.names.get(LEDGER)
    return read(disk.files[number].durable) if number is not None else read(b"")
