"""A gateway without a wire: it answers each request by chance, and no two pictures of it are alike."""

import asyncio
import hashlib
import io
import random
from typing import Any, Self

from PIL import Image

from batchgen.provider.decode import Answer
from batchgen.provider.failure import Failure

from .disk import chance
from .folder import Recorder

FREE = {
    "busy": Failure(kind="server_error", billed="no", message="busy", status=503),
    "refused": Failure(kind="refused", billed="no", message="moderation", status=400),
    "throttled": Failure(kind="throttled", billed="no", message="slow down", status=429, retry_after_seconds=2.0),
}
LATE = Failure(kind="in_doubt", billed="maybe", message="no answer in time")
GARBAGE = Failure(kind="bad_answer", billed="maybe", message="no image in it", evidence=b"<html>" * 200)
OUTCOMES = ("png",) * 8 + ("webp", "jpeg", "big", "preview", "surplus", "url", "twice") + (
    "busy", "refused", "throttled", "late", "cut", "broken", "garbage"
)  # fmt: skip


class Gateway:
    """Answers each request by chance, or always with an image. No two answers are alike."""

    def __init__(self, recorder: Recorder, rng: random.Random, outcomes: tuple[str, ...]) -> None:
        self._recorder = recorder
        self._rng = rng
        self._outcomes = outcomes

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def post(self, outgoing: Any, sink: Any, **_limits: float) -> Answer | Failure:
        request, _, attempt = outgoing.headers["X-Client-Request-Id"].rpartition("-")
        self._recorder.mark("pay", request, int(attempt))
        await self._pass_time()
        outcome = self._rng.choice(self._outcomes)
        if outcome in FREE:
            self._recorder.mark("free", request, int(attempt))
            return FREE[outcome]
        if outcome == "url":
            return Answer(has_image=False, url=f"https://example.invalid/{request}/{attempt}")
        return await self._send(outcome, request, int(attempt), sink)

    async def fetch(self, url: str, sink: Any, **_limits: float) -> Answer | Failure:
        request, attempt = url.split("/")[-2:]
        await self._pass_time()
        if self._rng.random() < 0.2:
            return LATE
        return await self._send("png", request, int(attempt), sink)

    async def _send(self, outcome: str, request: str, attempt: int, sink: Any) -> Answer | Failure:
        if outcome in {"late", "garbage"}:
            return LATE if outcome == "late" else GARBAGE
        image = picture(f"{request}{attempt}", kind=outcome)
        if outcome == "preview":
            await self._pour(sink, "preview", picture(f"preview {request}{attempt}"))
        if outcome == "twice":
            await self._pour(sink, "image", picture("unusable")[:60], whole=False)
        if outcome in {"cut", "broken"}:
            await self._pour(sink, "image", image[: len(image) // 2], whole=outcome == "broken")
            return LATE if outcome == "cut" else Answer(has_image=True)
        self._recorder.mark("deliver", request, attempt, hashlib.sha256(image).hexdigest())
        await self._pour(sink, "image", image)
        if outcome == "surplus":
            await self._pour(sink, "surplus", picture("surplus"))
        return Answer(has_image=True, provider_request_id="req-1")

    async def _pour(self, sink: Any, kind: str, data: bytes, *, whole: bool = True) -> None:
        sink.begin(kind, 0)
        step = 600 * 1024 if len(data) > 600 * 1024 else max(1, len(data) // 2)
        for begin in range(0, len(data), step):
            sink.write(data[begin : begin + step])
            await sink.drain()
            await self._pass_time()
        sink.end(whole=whole)
        await sink.drain()

    async def _pass_time(self) -> None:
        await asyncio.sleep(self._rng.choice((0.0, 0.01, 0.5, 5.0)))


_pictures: dict[tuple[str, str], bytes] = {}


def picture(text: str, kind: str = "png") -> bytes:
    """A picture that only this text has; a big one does not fit into one write."""
    key = (text, kind)
    if key not in _pictures:
        if len(_pictures) > 500:
            _pictures.clear()
        _pictures[key] = _paint(hashlib.sha256(text.encode()).digest(), kind)
    return _pictures[key]


def _paint(seed: bytes, kind: str) -> bytes:
    target = io.BytesIO()
    if kind == "big":
        noise = chance(seed).randbytes(480 * 480 * 3)
        Image.frombytes("RGB", (480, 480), noise).save(target, "PNG", compress_level=0)
        return target.getvalue()
    image = Image.frombytes("RGB", (16, 16), chance(seed).randbytes(16 * 16 * 3))
    if kind == "webp":
        image.save(target, "WEBP", lossless=True, method=0)
    else:
        image.save(target, "JPEG" if kind == "jpeg" else "PNG")
    return target.getvalue()
