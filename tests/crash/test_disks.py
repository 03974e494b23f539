"""Disks that fill up, turn read-only or are taken away under a real run: nothing goes out unrecorded or is lost."""

import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import mounts, program
from fakes.gateway import Gateway, gateway
from fakes.job import Job
from fakes.program import Finished, wait_until

COUNT, AT_ONCE = 8, 3
ROOMY = "size=64m,nr_inodes=1000"
HINDRANCE = mounts.hindrance()
mounted = pytest.mark.skipif(bool(HINDRANCE), reason=HINDRANCE or "-")


class Site:
    """A job of eight images at a gateway, three at a time, on a disk of its own if it has one."""

    def __init__(self, job: Job, server: Gateway) -> None:
        self.job = job
        self.server = server
        self.disk: mounts.Mount | None = None

    @property
    def place(self) -> Path:
        """The job folder."""
        root = self.disk.seen if self.disk is not None else self.job.folder / "output"
        return root / str(self.job.manifest["name"])

    @property
    def pictures(self) -> list[Path]:
        """Finished files."""
        return [path for path in self.place.glob("images/*.png") if not path.name.startswith(".")]

    def start(self, before: Callable[[], object] | None = None) -> subprocess.Popen[str]:
        """`batchgen run`, on the disk."""
        inside = self.disk.inside if self.disk is not None else []
        output = ["--output", str(self.disk.path)] if self.disk is not None else []
        return subprocess.Popen(
            [*inside, sys.executable, "-m", "batchgen", "run", str(self.job.path), *output],
            env=program.environment(self.job.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,  # noqa: PLW1509  only a limit
        )

    def struck(self, strike: Callable[[], object]) -> Finished:
        """A run that something happens to while as many requests as may be are out."""
        self.server.delay_seconds = 0.7
        process = self.start()
        wait_until(lambda: len(self.server.requests) >= AT_ONCE)
        strike()
        return program.finish(process)

    def check_stopped(self, finished: Finished, says: str) -> None:
        """It stopped, said why and what to do, and every request that went out is on record."""
        assert finished.code == 5, finished.said
        text = " ".join(finished.said.split())
        assert re.search(says, text), text
        assert re.search(r"run again|leave it alone|put it back|find the other", text), text
        assert "Traceback" not in text
        self.check_recorded()

    def check_recorded(self) -> None:
        """No request without a durable record."""
        ledger = (self.place / "ledger.jsonl").read_text()
        assert [sent.key for sent in self.server.requests if sent.key not in ledger] == []

    def end_well(self, *, bills: tuple[int, int]) -> None:
        """The next run finishes the job; `bills` are the least and the most that were paid for in all."""
        self.server.delay_seconds = 0
        finished = program.finish(self.start())
        assert finished.code == 0, finished.said
        assert len(self.pictures) == COUNT
        assert bills[0] <= self.server.bills <= bills[1]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """On the disk that the tests run on."""
    prompts = [{"id": f"p{number}", "text": f"picture {number}"} for number in range(COUNT)]
    with gateway("openai") as server:
        yield Site(
            Job(
                tmp_path,
                {"use": "openai", "base_url": server.url},
                prompts=prompts,
                limits={"concurrency": AT_ONCE},
                output={"path": "${{ prompt.id }}.png"},
            ),
            server,
        )


@pytest.fixture
def mount(site: Site, tmp_path: Path) -> Iterator[Callable[[str], mounts.Mount]]:
    """`mount(options)` puts the job on a tmpfs of its own."""
    contexts = []

    def make(options: str) -> mounts.Mount:
        contexts.append(mounts.tmpfs(tmp_path / "disk", options))
        site.disk = contexts[-1].__enter__()
        return site.disk

    yield make
    for context in contexts:
        context.__exit__(None, None, None)


@mounted
def test_a_disk_that_fills_up_stops_the_run_and_costs_only_what_was_out(site, mount):
    """No record fits any more: nothing is sent, what was out is in doubt or adopted, and with room it goes on."""
    disk = mount(ROOMY)
    site.check_stopped(site.struck(disk.fill), "no space left")
    assert len(site.server.requests) == AT_ONCE
    disk.relieve()
    site.end_well(bills=(COUNT, COUNT + AT_ONCE))


@mounted
def test_a_disk_without_inodes_stops_the_run(site, mount):
    """Records still fit, temp files do not: paid answers that find no place are in doubt, and nothing more is sent."""
    disk = mount("size=64m,nr_inodes=9")
    finished = program.finish(site.start())
    site.check_stopped(finished, "no space left")
    assert len(site.server.requests) < COUNT
    sent = len(site.server.requests)
    disk.remount("nr_inodes=1000")
    site.end_well(bills=(COUNT, COUNT + min(sent, AT_ONCE)))


@mounted
@pytest.mark.parametrize(
    ("options", "says"),
    [("size=64k", "free space"), ("size=64m,nr_inodes=3", "no space left")],
    ids=["bytes", "inodes"],
)
def test_a_disk_that_is_too_small_from_the_start_costs_nothing(site, mount, options, says):
    """Exit 5 before anything is sent."""
    mount(options)
    finished = program.finish(site.start())
    assert (finished.code, site.server.requests) == (5, []), finished.said
    assert says in " ".join(finished.err.split())


@mounted
def test_a_read_only_disk_at_the_start_is_bad_input(site, mount):
    """Exit 2, nothing sent, and the text says where to write instead."""
    disk = mount(ROOMY)
    disk.remount("ro")
    finished = program.finish(site.start())
    assert (finished.code, site.server.requests) == (2, []), finished.said
    assert "read-only file system" in finished.err
    assert "--output" in finished.err


@mounted
def test_a_known_job_on_a_read_only_disk_is_bad_input_too(site, mount):
    """The folder and its lock are there, so the lock cannot even be opened."""
    disk = mount(ROOMY)
    site.end_well(bills=(COUNT, COUNT))
    disk.remount("ro")
    finished = program.finish(site.start())
    assert finished.code == 2, finished.said
    assert site.server.bills == COUNT


@mounted
def test_images_that_turn_read_only_during_a_run_stop_it_and_the_next(site, mount):
    """Paid answers find no place, so nothing more is sent; and a run that starts like that sends nothing at all."""
    disk, images = mount(ROOMY), f"{site.job.manifest['name']}/images"
    site.check_stopped(site.struck(lambda: disk.seal(images)), "read-only file system")
    assert len(site.server.requests) == AT_ONCE
    finished = program.finish(site.start())
    assert (finished.code, len(site.server.requests)) == (2, AT_ONCE), finished.said
    disk.unseal(images)
    site.end_well(bills=(COUNT, COUNT + AT_ONCE))


def test_a_folder_that_is_moved_away_stops_the_run_and_loses_nothing(site):
    """What was out arrives in the folder where it is now; put back, it is adopted and nothing is bought twice."""
    place = site.place
    away = place.with_name("away")
    finished = site.struck(lambda: place.rename(away))
    assert not place.exists()
    away.rename(place)
    site.check_stopped(finished, "moved or replaced")
    assert site.server.bills == AT_ONCE
    site.end_well(bills=(COUNT, COUNT))


def test_a_folder_that_is_replaced_is_not_taken_for_the_job(site):
    """Another folder of the same name gets nothing of this run."""
    place = site.place
    away = place.with_name("away")

    def replace() -> None:
        place.rename(away)
        place.mkdir(mode=0o700)

    finished = site.struck(replace)
    assert list(place.iterdir()) == []
    place.rmdir()
    away.rename(place)
    site.check_stopped(finished, "moved or replaced")
    site.end_well(bills=(COUNT, COUNT))


def test_a_lock_file_that_is_removed_stops_the_run(site):
    """A second run could be on: paid answers are kept as they are, and the next run adopts them."""
    finished = site.struck((site.place / "run.lock").unlink)
    site.check_stopped(finished, "lock file was removed")
    assert site.server.bills == AT_ONCE
    site.end_well(bills=(COUNT, COUNT))


def test_a_foreign_writer_stops_the_run_and_then_every_other(site):
    """Somebody appended to the ledger: nothing is written behind it, and nothing is sent before it is mended."""
    ledger = site.place / "ledger.jsonl"
    line = b'{"v":1,"kind":"hello"}\n'

    def write() -> None:
        with ledger.open("ab") as file:
            file.write(line)

    site.check_stopped(site.struck(write), "somebody else writes")
    data = ledger.read_bytes()
    assert data.endswith(line)
    finished = program.finish(site.start())
    assert (finished.code, len(site.server.requests)) == (7, AT_ONCE), finished.said
    ledger.write_bytes(data.removesuffix(line))
    site.end_well(bills=(COUNT, COUNT))


def test_a_file_size_limit_is_a_full_disk(site):
    """SIGXFSZ kills nobody: the short write is carried on, fails, and the run stops; without the limit it goes on."""
    process = site.start(before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500)))
    site.check_stopped(program.finish(process), "file too large")
    assert 2500 in {path.stat().st_size for path in site.place.rglob("*") if path.is_file()}
    site.end_well(bills=(COUNT, COUNT + AT_ONCE))
