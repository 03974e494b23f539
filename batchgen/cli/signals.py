"""SIGINT, SIGTERM and SIGHUP: at once while nothing is going on, in two stages while a run is on.

SIGHUP (the terminal or the connection is gone) acts as the first SIGTERM does, unless the run was started to ignore it
(`nohup`). It never aborts: a lost connection can send several, and nobody there meant to give paid images up.
SIGPIPE and SIGXFSZ are ignored by Python itself, so a reader that went away or a file size limit is an error that can
be handled where it happens, and never ends a paid request half way.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

from batchgen.cli.boundary import TerminatedError

__all__ = ["at_once", "in_stages"]

_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}


def _heard() -> Mapping[signal.Signals, int]:
    """Signals that mean us, with their exit codes: whoever ignores SIGHUP wants the run to outlive its terminal."""
    is_deaf = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return {number: code for number, code in _CODES.items() if number != signal.SIGHUP or not is_deaf}


def _stop_now(number: int, frame: FrameType | None) -> None:
    del frame
    raise KeyboardInterrupt if number == signal.SIGINT else TerminatedError


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """Every signal ends what is going on immediately: nothing is in flight.

    Inside a run this is for questions: the event loop would only take note, and a question could not be left.
    """
    before = {number: signal.signal(number, _stop_now) for number in _heard()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_stages(interrupt: Callable[[int], None]) -> None:
    """From now on signals go to `interrupt`, with the exit code: the first drains, the second aborts.

    Called on the running event loop, which forgets the handlers when it closes.
    """
    loop = asyncio.get_running_loop()
    stages = _Stages(interrupt)
    for number, code in _heard().items():
        loop.add_signal_handler(number, stages.take, number, code)


class _Stages:
    """Passes signals on, but a SIGHUP only as the first of them."""

    def __init__(self, interrupt: Callable[[int], None]) -> None:
        self._interrupt = interrupt
        self._is_stopping = False

    def take(self, number: signal.Signals, code: int) -> None:
        if self._is_stopping and number == signal.SIGHUP:
            return
        self._is_stopping = True
        self._interrupt(code)
