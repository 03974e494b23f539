"""Nothing is written outside the job folder: whatever paths, templates and rows say, and whatever lies in the way."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import posixpath
import threading
from pathlib import Path

import pytest
from fakes.gateway import gateway
from fakes.job import Job
from fakes.pictures import picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgen.errors import InputError
from batchgen.files import Folder
from batchgen.images.arrival import Arrival
from batchgen.images.picture import MAX_PIXELS
from batchgen.manifest.load import load
from batchgen.plan.expand import expand

PARTS = st.one_of(
    st.sampled_from(
        [
            "..",
            ".",
            "",
            "~",
            "/",
            "a",
            "images",
            "out",
            "file",
            "dangling",
            "loop",
            "...",
            "C:",
            "CON",
            "a\\..\\b",
            "\0",
            "..\u2215",
            "%2e%2e",
            "-",
            "x" * 255,
            "x" * 256,
            "ledger.jsonl",
            ".part",
            "\u202e",
            "a\nb",
            "$HOME",
            "{0.x}",
        ]
    ),
    st.text(alphabet="./\\~ab\u0301\u202e:*?\x7f\x00", max_size=8),
)
PATHS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
ACTIONS = ("create", "append", "whole", "rename to", "rename from", "remove", "rewrite", "read", "scan", "arrive")


class Yard:
    """A job folder with links planted in it, beside a folder that nobody may touch."""

    def __init__(self, root: Path) -> None:
        self.outside, self.inside = root / "outside", root / "job"
        self.outside.mkdir()
        (self.outside / "victim").write_bytes(b"mine")
        self.folder = Folder.make(self.inside)
        self.before = self.seen()
        self.plant()

    def plant(self) -> None:
        """Put every link back."""
        for name, target in {
            "out": "../outside", "file": "../outside/victim", "dangling": "../outside/new", "loop": ".", "images": "",
        }.items():  # fmt: skip
            with contextlib.suppress(FileExistsError):
                (self.inside / name).symlink_to(target) if target else (self.inside / name).mkdir()
            with contextlib.suppress(OSError):
                (self.inside / "images" / name).symlink_to(f"../{target}" if target else ".")

    def seen(self) -> dict[str, object]:
        """All that lies outside, with contents and modes."""
        found = {path.name: (path.lstat().st_mode, path.read_bytes()) for path in self.outside.iterdir()}
        return found | {"": sorted(path.name for path in self.outside.parent.iterdir())}


@pytest.fixture(scope="module")
def yard(tmp_path_factory):
    return Yard(tmp_path_factory.mktemp("yard"))


def act(folder: Folder, action: str, path: str) -> None:
    """Do one thing to a path."""
    if action in {"create", "append"}:
        os.close(folder.create(path) if action == "create" else folder.open_append(path))
    elif action == "whole":
        folder.write_whole(path, b"x")
    elif action == "rename to":
        folder.write_whole("source", b"x")
        folder.rename("source", path)
    elif action == "rename from":
        folder.rename(path, "target")
    elif action == "read":
        os.close(folder.open_read(path))
    elif action == "arrive":
        asyncio.run(arrive(folder, path))
    else:
        getattr(folder, action)(path)


async def arrive(folder: Folder, path: str) -> None:
    """A picture, a preview and a surplus one for this path."""
    async with Arrival(folder, path=path, request_id="0" * 32, attempt=1, max_pixels=MAX_PIXELS) as arrival:
        for kind in ("preview", "image", "surplus"):
            arrival.begin(kind, 0)
            arrival.write(picture())
            arrival.end(whole=True)
            await arrival.drain()
        await arrival.finish()
        await arrival.reject(b"")


@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(ACTIONS[:-1]), PATHS), min_size=5, max_size=5))
def test_no_path_leads_outside(yard, steps):
    """Four thousand paths, through every way of touching a file: what lies outside stays as it was."""
    for action, path in steps:
        with contextlib.suppress(OSError, ValueError, InputError):
            act(yard.folder, action, path)
    assert yard.seen() == yard.before
    yard.plant()


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PATHS)
def test_no_arrival_lands_outside(yard, path):
    """Temp files, previews and rejected bytes of an answer neither follow a link nor leave the job folder."""
    with contextlib.suppress(OSError, ValueError):
        act(yard.folder, "arrive", f"images/{path}")
    assert yard.seen() == yard.before
    yard.plant()


HOSTILE = st.one_of(
    st.sampled_from(
        [
            "..",
            "../..",
            "/etc/passwd",
            "~root",
            "..\\..\\x",
            "C:\\x",
            "CON",
            "a/../../b",
            ".hidden",
            "x" * 300,
            "\u2024\u2024",
            "a\u202eb",
            "nul.png",
            "\ufe52\ufe52",
            "..%2f",
            "{{ row }}",
            "a" + "\u0301" * 60,
            "-rf",
        ]
    ),
    st.text(alphabet="ab/.\\~:-_ \u202e\u0301é@{}CON1\uff0e\uff0f\u2215", min_size=1, max_size=14),
)


@settings(max_examples=750, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_no_plan_leads_outside(tmp_path_factory, key, value, literal, name):
    """Whatever rows, axes, ids and path templates hold: below images/ and in normal form, or the plan is refused."""
    path = tmp_path_factory.getbasetemp() / "job.yaml"
    document = {
        "version": 1,
        "name": "demo",
        "rows": {"inline": [{"k": key, "v": value}], "key": "k"},
        "matrix": {"axis": [value, literal]},
        "prompts": [
            {"id": "a", "text": "default ${{ row.v }}"},
            {"id": "b", "text": "${{ row.k }}", "path": "${{ row.v }}/${{ axis }}" + literal.replace("$", "")},
            {"id": "c", "text": "${{ axis }}", "path": name.replace("$", "") + "${{ row.k }}-${{ axis }}"},
        ],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        requests = expand(load(path, environ={})).requests
    except InputError:
        return
    for request in requests:
        parts = request.path.split("/")
        assert parts[0] == "images"
        assert posixpath.normpath(request.path) == request.path
        assert not {part for part in parts if part.startswith((".", "~")) or part.rstrip(". ") != part}
        assert "\\" not in request.path
        assert request.path.isprintable()


LINKS = {
    "images": True,
    "images/mug-v1.png": False,
    "images/.rejected": True,
    "images/.previews": True,
    "ledger.jsonl": False,
    "run.lock": False,
    "logs": True,
    "report.json": False,
    "images/.superseded": True,
    ".report.json.new": False,
}


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("is_dangling", [False, True], ids=["to something", "to nothing"])
def test_a_planted_link_is_never_written_through(tmp_path, name, is_dangling):
    """A link in the place of a file or folder of the job: a run writes nothing behind it, and says so or goes on."""
    outside = tmp_path / "outside"
    outside.mkdir()
    target = outside / ("new" if is_dangling else "there")
    if not is_dangling:
        target.mkdir() if LINKS[name] else target.write_bytes(b"mine")
    with gateway("openai") as server:
        job = Job(tmp_path, {"use": "openai", "base_url": server.url}, prompts=[{"id": "mug", "text": "a mug"}])
        place = tmp_path / "output" / job.manifest["name"]
        (place / name).parent.mkdir(parents=True)
        (place / name).symlink_to(target)
        finished = job.call("run")
        assert finished.code in {0, 2, 3, 5}, finished.said
        assert finished.code == 0 or "Traceback" not in finished.err
        assert server.bills == len(job.images if finished.code == 0 else []), finished.said
    left = {str(path.relative_to(outside)): path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    assert left == ({} if is_dangling or LINKS[name] else {"there": b"mine"})


def test_a_folder_that_becomes_a_link_is_never_followed(tmp_path):
    """While images are saved, a thread puts links in place of their folder: in 500 rounds nothing leaves."""
    outside, job = tmp_path / "outside", tmp_path / "job"
    outside.mkdir()
    swapped, is_over = 0, threading.Event()

    def swap():
        nonlocal swapped
        for turn in itertools.count():
            if is_over.is_set():
                return
            # A name of its own each turn: a folder that was put aside once would block the name for ever.
            with contextlib.suppress(OSError):
                (job / "images/hero").rename(job / f"images/aside-{turn}")
            with contextlib.suppress(OSError):
                (job / "images/hero").symlink_to(outside)
                swapped += 1
                (job / "images/hero").unlink()

    with Folder.make(job) as folder:
        folder.write_whole("images/hero/first", b"x")
        racer = threading.Thread(target=swap)
        racer.start()
        try:
            for number in range(20_000):
                if number >= 500 and swapped >= 50:
                    break
                with contextlib.suppress(OSError):
                    os.close(folder.create(f"images/hero/{number}.part"))
                with contextlib.suppress(OSError):
                    folder.rename(f"images/hero/{number}.part", f"images/hero/{number}.png")
                with contextlib.suppress(OSError):
                    folder.write_whole(f"images/hero/{number}.json", b"x")
        finally:
            is_over.set()
            racer.join()
    assert swapped >= 50
    assert list(outside.iterdir()) == []


def test_the_yard_would_notice(yard):
    """The check can fail: a byte outside is seen."""
    stray = yard.outside / "stray"
    stray.write_bytes(hashlib.sha256(b"x").digest())
    assert yard.seen() != yard.before
    stray.unlink()
    assert yard.seen() == yard.before
