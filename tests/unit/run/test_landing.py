"""A slow disk is said while it lasts, and who holds a complete answer is known."""

import asyncio

from fakes.virtual import run_virtual

from batchgen.run.landing import Landing


def test_who_landed_is_known_until_it_is_done():
    """An abort asks exactly this."""

    async def main():
        landing = Landing(lambda _: None)
        landing.begin()
        assert asyncio.current_task() in landing
        landing.end()
        landing.end()
        assert asyncio.current_task() not in landing

    run_virtual(main())


def test_a_write_of_more_than_five_seconds_is_said_once_a_minute():
    """Eight workers on one slow disk make one line, and a disk that stays slow another one."""

    async def worker(landing, seconds):
        landing.begin()
        await asyncio.sleep(seconds)
        landing.end()

    async def main():
        heard = []
        landing = Landing(heard.append)
        await asyncio.gather(*(worker(landing, 30) for _ in range(8)))
        assert len(heard) == 1
        with landing.waiting():
            await asyncio.sleep(4)
        await asyncio.sleep(60)
        with landing.waiting():
            await asyncio.sleep(6)
        return heard

    assert ["the disk is slow" in event.message for event in run_virtual(main())] == [True, True]


def test_a_quick_disk_is_not_mentioned():
    """Nothing rings after the write is over."""

    async def main():
        heard = []
        landing = Landing(heard.append)
        landing.begin()
        await asyncio.sleep(4.9)
        landing.end()
        await asyncio.sleep(100)
        return heard

    assert run_virtual(main()) == []
