"""Virtual time: an event loop whose clock jumps to the next timer as soon as nobody has anything to do."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

STUCK_SECONDS = 30
"""Real time that a thread may take before the test is called stuck."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Hours pass in milliseconds; waiting for nothing at all is an error instead of a hang."""

    def __init__(self) -> None:
        self.now = 0.0
        self.in_threads = 0
        loop = self

        class Jumping(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> Any:
                if timeout == 0:
                    return super().select(0)
                if loop.in_threads or timeout is None:
                    # Work in threads takes no virtual time: the clock stands still until they report back.
                    return super().select(STUCK_SECONDS) or self.stuck()
                ready = super().select(0)
                if not ready:
                    loop.now += max(timeout, 0.0)
                return ready

            def stuck(self) -> Any:
                message = "nothing is scheduled and nothing happens"
                raise RuntimeError(message)

        super().__init__(Jumping())

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self.in_threads += 1
        future.add_done_callback(self._back)
        return future

    async def shutdown_default_executor(self) -> None:
        # A thread of its own joins the others and reports back: the clock stands still for it too.
        self.in_threads += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self.in_threads -= 1

    def _back(self, _future: Any) -> None:
        self.in_threads -= 1


class VirtualClock:
    """The clock of a `VirtualLoop`; remembers every sleep that was asked for."""

    def __init__(self, start: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)) -> None:
        self.start = start
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds)


def run_virtual(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
