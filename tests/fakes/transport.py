"""A provider's session without a wire: each request is answered by a script, and every send is remembered."""

import io
from collections.abc import Callable
from typing import Any, Self

from PIL import Image

from batchgen.provider.decode import Answer
from batchgen.provider.failure import Failure

Script = Callable[["ScriptedTransport", str], Any]


def png(colour: str = "teal", size: tuple[int, int] = (32, 32)) -> bytes:
    """A small real PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


class ScriptedTransport:
    """Plays `script(self, key)`: a Failure, PNG bytes, an Answer with a url, or an exception to raise.

    `sent` lists the idempotency key of every POST in order, `fetched` every address that was fetched. A script may be
    a coroutine function.
    """

    def __init__(self, script: Script, *, fetches: Script | None = None) -> None:
        self.script = script
        self.fetches = fetches
        self.sent: list[str] = []
        self.attempt_ids: list[str] = []
        self.fetched: list[str] = []
        self.in_flight = 0
        self.most_in_flight = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def post(self, outgoing: Any, sink: Any, **_limits: float) -> Any:
        key = outgoing.headers["Idempotency-Key"]
        self.sent.append(key)
        self.attempt_ids.append(outgoing.headers["X-Client-Request-Id"])
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._deliver(self.script, key, sink)
        finally:
            self.in_flight -= 1

    async def fetch(self, url: str, sink: Any, **_limits: float) -> Any:
        self.fetched.append(url)
        return await self._deliver(self.fetches or self.script, url, sink)

    async def _deliver(self, script: Script, key: str, sink: Any) -> Any:
        outcome = script(self, key)
        if hasattr(outcome, "__await__"):
            outcome = await outcome
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, Failure | Answer):
            return outcome
        sink.begin("image", 0)
        sink.write(outcome)
        sink.end(whole=True)
        await sink.drain()
        return Answer(has_image=True, provider_request_id="req-1")
