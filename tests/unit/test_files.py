"""The disk: paths that stay inside, links that are never followed, durable steps, and the lock of a run."""

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar

import pytest

from batchgen.errors import FolderError, LedgerLockedError, StorageError
from batchgen.files import Folder, RunLock, unusable

ESCAPES = ["../x", "/etc/x", "a/../../x", "a/..", "x\0y"]
HOLDER = """
import sys, time
from pathlib import Path
from batchgen.files import Folder, RunLock
from batchgen.errors import LedgerLockedError
with Folder(Path(sys.argv[1])) as folder:
    lock = RunLock(folder)
    try:
        lock.acquire()
    except LedgerLockedError:
        sys.exit(6)
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def folder(tmp_path):
    with Folder.make(tmp_path / "job") as opened:
        yield opened


@pytest.fixture
def outside(tmp_path):
    """A folder and a file that a planted link would lead to."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "x.png").write_bytes(b"precious")
    return place


def put(folder, path, data=b"data"):
    descriptor = folder.create(path)
    folder.write(descriptor, data)
    folder.sync(descriptor)
    os.close(descriptor)


def hold(path, seconds):
    return subprocess.Popen([sys.executable, "-c", HOLDER, str(path), str(seconds)], stdout=subprocess.PIPE)


@pytest.mark.parametrize("path", ESCAPES)
@pytest.mark.parametrize("act", ["create", "open_append", "open_read", "remove", "stat", "scan", "sync_folder"])
def test_paths_that_leave_the_folder_are_refused(folder, act, path):
    """No method takes a path that could leave the job folder."""
    with pytest.raises(ValueError, match="not inside the job folder"):
        getattr(folder, act)(path)


@pytest.mark.parametrize("path", ["", ".", "./"])
def test_a_path_that_names_no_file_is_refused(folder, path):
    """The job folder itself is no file."""
    with pytest.raises(ValueError, match="names no file"):
        folder.create(path)


def test_files_and_folders_are_private(folder):
    """What is made is for its owner only."""
    put(folder, "images/hero/x.png")
    modes = [(folder.path / name).stat().st_mode & 0o777 for name in ("", "images", "images/hero", "images/hero/x.png")]
    assert modes == [0o700, 0o700, 0o700, 0o600]


def test_create_never_touches_what_is_there(folder):
    """An existing file is an error, not a victim."""
    put(folder, "x.png")
    with pytest.raises(FileExistsError):
        folder.create("x.png")
    assert (folder.path / "x.png").read_bytes() == b"data"


def test_open_append_grows_a_file(folder):
    """Appending keeps what is there."""
    for _ in range(2):
        descriptor = folder.open_append("ledger.jsonl")
        folder.write(descriptor, b"line\n")
        os.close(descriptor)
    assert (folder.path / "ledger.jsonl").read_bytes() == b"line\nline\n"


@pytest.mark.parametrize("act", ["create", "open_append", "open_read", "remove"])
def test_a_linked_folder_is_not_followed(folder, outside, act):
    """A link in the place of a folder leads nowhere."""
    (folder.path / "images").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        getattr(folder, act)("images/x.png")
    assert (outside / "x.png").read_bytes() == b"precious"


def test_nothing_is_renamed_through_a_linked_folder(folder, outside):
    """Neither end of a rename may lie behind a link."""
    (folder.path / "images").symlink_to(outside)
    put(folder, "y.png")
    for old, new in [("y.png", "images/x.png"), ("images/x.png", "z.png")]:
        with pytest.raises(NotADirectoryError):
            folder.rename(old, new)
    assert (outside / "x.png").read_bytes() == b"precious"


@pytest.mark.parametrize("act", ["create", "open_append", "open_read"])
def test_a_linked_file_is_not_followed(folder, outside, act):
    """A link in the place of a file is neither read nor written through."""
    (folder.path / "x.png").symlink_to(outside / "x.png")
    with pytest.raises(OSError, match=r"File exists|symbolic links"):
        getattr(folder, act)("x.png")
    assert (outside / "x.png").read_bytes() == b"precious"


def test_rename_replaces_a_link_and_leaves_its_target(folder, outside):
    """A link planted at the final name is replaced, not followed."""
    (folder.path / "x.png").symlink_to(outside / "x.png")
    put(folder, "y.part", b"new")
    folder.rename("y.part", "x.png")
    assert not (folder.path / "x.png").is_symlink()
    assert (outside / "x.png").read_bytes() == b"precious"


def test_write_whole_does_not_follow_a_link_at_its_temp_name(folder, outside):
    """A link planted at the temp name is taken away, not written through."""
    (folder.path / ".report.json.new").symlink_to(outside / "x.png")
    folder.write_whole("report.json", b"{}")
    assert ((folder.path / "report.json").read_bytes(), (outside / "x.png").read_bytes()) == (b"{}", b"precious")


def test_write_whole_replaces_in_one_step(folder):
    """The new text is there and the temp file is not."""
    folder.write_whole("logs/a.json", b"old")
    folder.write_whole("logs/a.json", b"new")
    assert {path.name: path.read_bytes() for path in (folder.path / "logs").iterdir()} == {"a.json": b"new"}


def test_stat_sees_the_link_itself(folder, outside):
    """Looking does not follow either."""
    (folder.path / "x.png").symlink_to(outside / "x.png")
    assert folder.stat("x.png").st_size != len(b"precious")


@pytest.mark.parametrize("path", ["gone.png", "gone/x.png", "file/x.png"])
def test_stat_of_nothing_is_none(folder, path):
    """What is not there has no facts."""
    put(folder, "file")
    assert folder.stat(path) is None


@pytest.mark.timeout(10)
@pytest.mark.parametrize("act", ["open_read", "open_append"])
def test_a_pipe_is_no_file(folder, act):
    """A planted pipe is refused at once instead of blocking for a partner."""
    os.mkfifo(folder.path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        getattr(folder, act)("pipe")


def test_reading_a_folder_is_refused(folder):
    """A folder in the place of a file is no file."""
    (folder.path / "x.png").mkdir()
    with pytest.raises(OSError, match="not a regular file"):
        folder.open_read("x.png")


def test_remove_forgives_what_is_gone(folder):
    """Removing twice is fine, at any depth."""
    put(folder, "x.png")
    for path in ("x.png", "x.png", "no/such/x.png"):
        folder.remove(path)
    assert folder.stat("x.png") is None


def test_a_short_write_is_carried_on(folder):
    """A write that was cut short by a limit ends in an error, never in a short file that counts as whole."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    descriptor = folder.create("x.png")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError) as caught:  # noqa: PT011  the number is the claim
            folder.write(descriptor, bytes(3000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (caught.value.errno, os.fstat(descriptor).st_size) == (errno.EFBIG, 1000)
    os.close(descriptor)


def test_scan_lists_regular_files_with_their_size(folder):
    """One pass finds every file at every depth, dot folders included."""
    for path in ("images/a.png", "images/deep/er/b.png", "images/.superseded/c.png"):
        put(folder, path, path.encode())
    os.mkfifo(folder.path / "images" / "pipe")
    found = folder.scan("images")
    assert {path: fact.size for path, fact in found.items()} == {path: len(path) for path in found}
    assert sorted(found) == ["images/.superseded/c.png", "images/a.png", "images/deep/er/b.png"]


def test_scan_of_nothing_is_empty(folder):
    """A job without images has none."""
    assert folder.scan("images") == {}


def test_scan_passes_over_links_to_files(folder, outside):
    """A linked file is not an image of this job."""
    put(folder, "images/a.png")
    (folder.path / "images" / "x.png").symlink_to(outside / "x.png")
    (folder.path / "images" / "dangling.png").symlink_to(outside / "gone.png")
    assert list(folder.scan("images")) == ["images/a.png"]


@pytest.mark.parametrize("place", ["images", "images/hero"])
def test_scan_refuses_a_linked_folder(folder, outside, place):
    """Nothing could be saved behind the link, so it is said before anything is bought."""
    (folder.path / place).parent.mkdir(exist_ok=True)
    (folder.path / place).symlink_to(outside)
    with pytest.raises(FolderError, match=rf"{place}: is a link"):
        folder.scan("images")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_scan_of_a_forbidden_folder_is_bad_input(folder):
    """What cannot be listed would look lost."""
    (folder.path / "images").mkdir(mode=0)
    with pytest.raises(FolderError, match="permission denied"):
        folder.scan("images")


def test_opening_a_folder_that_is_gone_is_bad_input(tmp_path):
    """Looking needs a folder, and makes none."""
    with pytest.raises(FolderError, match="cannot be used"):
        Folder(tmp_path / "gone")


def test_make_makes_parents(tmp_path):
    """A job folder may lie deep, and is private."""
    with Folder.make(tmp_path / "a" / "b" / "c") as folder:
        assert folder.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("below", ["", "job"])
def test_make_refuses_what_is_no_folder(tmp_path, below):
    """A file in the way is a mistake of the user, exit 2."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="--output"):
        Folder.make(tmp_path / "file" / below)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_folder_of_another_user_is_refused(tmp_path):
    """What another user owns is not written to."""
    (tmp_path / "job").mkdir()
    os.chown(tmp_path / "job", 12345, -1)
    with pytest.raises(FolderError, match="belongs to user 12345"):
        Folder.make(tmp_path / "job")


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StorageError), (errno.EROFS, FolderError)])
def test_a_full_disk_at_the_start_is_a_limit(number, kind):
    """A full disk exits 5; a read-only one is bad input and exits 2."""
    found = unusable(Path("job"), OSError(number, os.strerror(number)))
    assert type(found) is kind
    assert os.strerror(number).lower() in str(found)


def test_a_folder_that_was_moved_is_noticed(folder, tmp_path):
    """The folder at the path must be the one that is held open."""
    before = folder.is_in_place()
    folder.path.rename(tmp_path / "moved")
    moved = folder.is_in_place()
    folder.path.mkdir()
    assert (before, moved, folder.is_in_place()) == (True, False, False)


def test_free_bytes_is_what_the_system_says(folder):
    """The room left is that of the folder's own file system."""
    room = os.statvfs(folder.path)
    assert 0 < folder.free_bytes() <= room.f_blocks * room.f_frsize


def test_a_second_holder_is_refused(folder):
    """One run per job folder, in one process too."""
    with RunLock(folder) as lock:
        lock.acquire()
        with pytest.raises(LedgerLockedError, match="another run"):
            RunLock(folder).acquire()


def test_a_released_lock_can_be_taken_and_its_file_stays(folder):
    """The lock is the kernel's; its file is never removed and is private."""
    for _ in range(2):
        lock = RunLock(folder)
        lock.acquire()
        lock.release()
    assert (folder.path / "run.lock").stat().st_mode & 0o777 == 0o600


def test_another_process_is_refused_through_a_linked_folder(folder, tmp_path):
    """Another name of the folder leads to the same lock."""
    (tmp_path / "alias").symlink_to(folder.path)
    with RunLock(folder) as lock:
        lock.acquire()
        with hold(tmp_path / "alias", 0) as second:
            assert second.wait(20) == 6


def test_a_killed_holder_leaves_no_lock(folder):
    """Kill -9 frees the lock: there are no stale ones."""
    with hold(folder.path, 15) as first:
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(LedgerLockedError):
            RunLock(folder).acquire()
        first.send_signal(signal.SIGKILL)
        first.wait(20)
    with RunLock(folder) as lock:
        lock.acquire()
        lock.check()


def test_a_child_does_not_inherit_the_lock(folder):
    """A program that a run started does not keep the lock when the run is over."""
    lock = RunLock(folder)
    lock.acquire()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as child:
        lock.release()
        with RunLock(folder) as second:
            second.acquire()
        child.communicate(b"\n", timeout=20)


def test_waiting_for_the_lock_ends_when_it_is_free(folder):
    """`wait_seconds` outlasts a short run."""
    first = RunLock(folder)
    first.acquire()
    timer = threading.Timer(0.05, first.release)
    timer.start()
    with RunLock(folder) as second:
        second.acquire(wait_seconds=20)
        second.check()
    timer.join()


def test_waiting_for_the_lock_can_be_called_off(folder):
    """A signal while waiting is heard."""
    with RunLock(folder) as first:
        first.acquire()
        with pytest.raises(LedgerLockedError):
            RunLock(folder).acquire(wait_seconds=3600, is_cancelled=lambda: True)


@pytest.mark.parametrize("replacement", ["nothing", "file", "link"])
def test_a_removed_lock_file_is_noticed(folder, replacement):
    """With the file gone or replaced a second run could start, so this one stops."""
    with RunLock(folder) as lock:
        lock.acquire()
        lock.check()
        place = folder.path / "run.lock"
        place.rename(folder.path / "away")
        if replacement == "file":
            place.touch()
        elif replacement == "link":
            place.symlink_to("away")
        with pytest.raises(StorageError, match="removed or replaced"):
            lock.check()


def test_a_link_planted_at_the_lock_is_refused(folder, outside):
    """The lock file of another place is not taken for this job's."""
    (folder.path / "run.lock").symlink_to(outside / "x.png")
    with pytest.raises(FolderError):
        RunLock(folder).acquire()
    assert (outside / "x.png").read_bytes() == b"precious"


class Witness(Folder):
    """Remembers which folders were synced, by inode."""

    all_synced: ClassVar[list[int]] = []

    def __init__(self, path):
        super().__init__(path)
        self.synced = []

    def sync_entries(self, descriptor):
        self.synced.append(os.fstat(descriptor).st_ino)
        self.all_synced.append(self.synced[-1])
        super().sync_entries(descriptor)


def inode(path):
    return path.stat().st_ino


def test_rewriting_changes_nothing(folder):
    """Bytes are written over themselves, from a given one on, and no others."""
    put(folder, "x", b"0123456789")
    written = []
    folder.write = lambda descriptor, data: (written.append(bytes(data)), Folder.write(folder, descriptor, data))
    folder.rewrite("x", 4)
    assert (written, (folder.path / "x").read_bytes()) == ([b"456789"], b"0123456789")


def test_a_link_is_not_rewritten(folder, outside):
    """What a link points at is left alone."""
    (folder.path / "x").symlink_to(outside / "x.png")
    with pytest.raises(OSError, match=r"symbolic links|Too many"):
        folder.rewrite("x")


def test_a_tree_is_synced_to_its_leaves(tmp_path):
    """Every folder below, links not followed; where nothing is, nothing happens."""
    (tmp_path / "images/a/b").mkdir(parents=True)
    (tmp_path / "images/link").symlink_to(tmp_path / "images/a")
    with Witness(tmp_path) as folder:
        folder.sync_tree("images")
        folder.sync_tree("gone")
    places = [tmp_path / name for name in ("images", "images/a", "images/a/b")]
    assert folder.synced == [inode(place) for place in places]


def test_a_folder_that_is_there_is_synced_in_its_parent_once(tmp_path):
    """Another worker, or a run that was killed, may have made it in memory only."""
    (tmp_path / "images").mkdir()
    with Witness(tmp_path) as folder:
        put(folder, "images/x")
        put(folder, "images/y")
    assert folder.synced == [inode(tmp_path)]


def test_a_job_folder_that_is_there_is_synced_in_its_parent(tmp_path):
    """The same holds for the job folder."""
    (tmp_path / "job").mkdir(mode=0o700)
    Witness.all_synced = []
    with Witness.make(tmp_path / "job"):
        assert Witness.all_synced == [inode(tmp_path)]
