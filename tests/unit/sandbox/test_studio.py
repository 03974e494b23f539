"""What requests share: waits that end with the server, latency, and a bounded store of files."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from batchgen.sandbox.ask import Ask
from batchgen.sandbox.bills import BillLog
from batchgen.sandbox.faults import Faults
from batchgen.sandbox.keys import Keys
from batchgen.sandbox.studio import Studio


def _ask(**change: Any) -> Ask:
    plain = {"operation": "generate", "model": "m", "prompt": "p", "size": "1024x1024", "width": 1024, "height": 1024}
    more = {"quality": "medium", "format": "png", "compression": 100, "background": "opaque", "count": 1}
    rest = {"stream": False, "partial_images": 0, "wants_url": True, "images": (), "image_sizes": (), "mask": None}
    return Ask(**{**plain, **more, **rest, "digest": "00", **change})


def _in(folder: Path, claim: Callable[[Studio], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        bills = BillLog(folder / "bills.jsonl")
        same = {"faults": Faults(), "latency": None, "keys": Keys("none"), "folder": folder, "bills": bills}
        studio = Studio(**{**same, **options})
        try:
            await claim(studio)
        finally:
            studio.close()

    asyncio.run(run())


@pytest.mark.parametrize(("latency", "low", "high"), [(None, 0, 0), (0.5, 0.5, 0.5), ("real", 33, 57)])
def test_latency_follows_its_model(tmp_path: Path, latency: Any, low: float, high: float):
    """None, a number of seconds, or what the real model takes."""

    async def claim(studio: Studio) -> None:
        waits = [studio.latency_seconds(_ask(), key=str(number)) for number in range(50)]
        assert low <= min(waits) <= max(waits) <= high
        assert waits == [studio.latency_seconds(_ask(), key=str(number)) for number in range(50)]

    _in(tmp_path, claim, latency=latency)


def test_wait_ends_when_the_server_closes(tmp_path: Path):
    """A pause of an hour is over at once, and says so."""

    async def claim(studio: Studio) -> None:
        assert await studio.pause(0.01) is True
        waiting = asyncio.create_task(studio.pause(3600))
        await asyncio.sleep(0)
        studio.stopping.set()
        assert await waiting is False
        assert await studio.pause(0) is False

    _in(tmp_path, claim)


def test_oldest_files_expire_beyond_the_limit(tmp_path: Path):
    """The newest stay within the bytes allowed, the others are deleted; the same picture counts once."""

    async def claim(studio: Studio) -> None:
        urls = [await studio.publish(_ask(), letter.encode() * 100) for letter in "aabcd"]
        kept = [studio.file(url.rsplit("/", 1)[1]) is not None for url in urls]
        assert kept == [False, False, True, True, True]

    _in(tmp_path, claim, files_limit=300)
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_painting_stops_with_the_server(tmp_path: Path):
    """A picture whose turn comes after the end is not begun."""

    async def claim(studio: Studio) -> None:
        studio.stopping.set()
        with pytest.raises(ConnectionResetError):
            await studio.paint(_ask(), variant="")

    _in(tmp_path, claim)
