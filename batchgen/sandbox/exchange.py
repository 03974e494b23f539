"""One image request from its first byte to its last: authorise, read, judge, bill, paint, deliver.

Billing comes first, on the complete request: a gateway goes on and charges when the client hangs up, so the sandbox
does too.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import web

from batchgen.clock import timestamp
from batchgen.sandbox.answer import Base64, Piece, chunks, envelope, event, size_of
from batchgen.sandbox.ask import Ask, RefusedError, read_ask
from batchgen.sandbox.auth import authorise
from batchgen.sandbox.bills import Bill
from batchgen.sandbox.faults import FaultRule
from batchgen.sandbox.keys import KeyRecord
from batchgen.sandbox.misbehave import drop, refusal, reset
from batchgen.sandbox.studio import Studio
from batchgen.sandbox.usage import Usage, usage_of

__all__ = ["Exchange"]

_REQUESTS_LIMIT = 10_000
_CLOSED = 499
"""How gateways log a connection that ended without an answer; nobody ever receives it."""


class Exchange:
    """One request and everything known of it so far."""

    def __init__(self, studio: Studio, request: web.Request, operation: str, secret: str | None) -> None:
        self._studio = studio
        self._request = request
        self._operation = operation
        self._secret = secret
        self._started = time.monotonic()
        self._id = studio.request_id()
        self._key = request.headers.get("Idempotency-Key", "")
        self._replay = False

    async def run(self) -> web.StreamResponse:
        """Answer the request; refusals come back in the OpenAI error shape."""
        self._studio.in_flight += 1
        try:
            response = await self._answer()
        except RefusedError as error:
            response = web.json_response(error.body, status=error.status, headers=error.headers)
        except ConnectionResetError:
            response = self._dropped()
        finally:
            self._studio.in_flight -= 1
        self._studio.statuses[response.status] += 1
        if not response.prepared:
            response.headers.update(self._headers())
        return response

    async def _answer(self) -> web.StreamResponse:
        authorise(self._request, self._secret)
        ask = await read_ask(self._request, self._operation)
        record = self._studio.keys.count(self._key, ask.digest)
        self._replay = self._studio.keys.admit(self._key, ask.digest, record)
        try:
            return await self._judge(ask, record)
        finally:
            record.open = False

    async def _judge(self, ask: Ask, record: KeyRecord) -> web.StreamResponse:
        studio = self._studio
        rule = studio.faults.strike(
            key=self._key or ask.digest,
            attempt=record.attempts,
            prompt=ask.prompt,
            images_billed=studio.bills.images,
        )
        if rule is not None:
            studio.struck[rule.kind] += 1
        if rule is not None and rule.stage == "refuse":
            return await self._refuse(ask, record, rule)
        return await self._make(ask, record, rule)

    async def _refuse(self, ask: Ask, record: KeyRecord, rule: FaultRule) -> web.StreamResponse:
        if rule.is_billed:
            await self._bill(ask, record, rule)
        await self._studio.pause(rule.wait_seconds)
        return refusal(rule, ask)

    async def _make(self, ask: Ask, record: KeyRecord, rule: FaultRule | None) -> web.StreamResponse:
        if rule is None or rule.is_billed:
            await self._bill(ask, record, rule)
        wait = 0.0 if self._replay else self._studio.latency_seconds(ask, self._key)
        wait += rule.wait_seconds if rule and rule.kind == "slow" else 0.0
        if ask.stream:
            return await self._stream(ask, record, rule, wait)
        if not await self._studio.pause(wait) or _is(rule, "lost"):
            return self._dropped()
        images = [await self._image(ask, record, index) for index in range(ask.count)]
        urls = [await self._studio.publish(ask, data) for data in images] if ask.wants_url else []
        pieces = envelope(
            ask, [_encoded(data, rule) for data in images], urls, created=record.created, usage=_usage(ask)
        )
        response = web.StreamResponse(headers=self._headers())
        response.content_type = "application/json"
        if not _is(rule, "truncated"):
            response.content_length = size_of(pieces)
        await response.prepare(self._request)
        return await self._deliver(response, pieces, rule)

    async def _stream(self, ask: Ask, record: KeyRecord, rule: FaultRule | None, wait: float) -> web.StreamResponse:
        if _is(rule, "lost"):
            return self._dropped()
        response = web.StreamResponse(headers={**self._headers(), "Cache-Control": "no-cache"})
        response.content_type = "text/event-stream"
        await response.prepare(self._request)
        for index in range(ask.partial_images):
            if not await self._studio.pause(wait / (ask.partial_images + 1)):
                return self._dropped(response)
            data = await self._image(ask, record, 0, progress=(index + 1) / (ask.partial_images + 1))
            for chunk in chunks(event(ask, Base64(data), created=record.created, index=index)):
                await response.write(chunk)
        if not await self._studio.pause(wait / (ask.partial_images + 1)):
            return self._dropped(response)
        image = _encoded(await self._image(ask, record, 0), rule)
        return await self._deliver(response, event(ask, image, created=record.created, usage=_usage(ask)), rule)

    async def _image(self, ask: Ask, record: KeyRecord, index: int, progress: float = 1.0) -> bytes:
        variant = f"{self._key}-{index + 1}" if index else self._key
        return await self._studio.paint(ask, variant=variant, fault=record.fault, progress=progress)

    async def _deliver(
        self, response: web.StreamResponse, pieces: Sequence[Piece], rule: FaultRule | None
    ) -> web.StreamResponse:
        """Send the pieces; a fault that cuts the body strikes in its middle."""
        limit = size_of(pieces) // 2 if rule is not None and rule.kind in {"reset", "truncated", "stall"} else None
        sent = 0
        for chunk in chunks(pieces):
            if limit is not None and sent + len(chunk) > limit:
                await response.write(chunk[: limit - sent])
                return await self._break(response, rule)
            await response.write(chunk)
            sent += len(chunk)
        await response.write_eof()
        return response

    async def _break(self, response: web.StreamResponse, rule: FaultRule | None) -> web.StreamResponse:
        if rule is not None and rule.kind == "reset":
            # Without a pause the reset overtakes the half that was sent, and the client sees no body at all.
            await asyncio.sleep(0.01)
            reset(self._request)
        elif rule is not None and rule.kind == "stall":
            await self._studio.pause(rule.wait_seconds)
            drop(self._request)
        else:
            await response.write_eof()
        return response

    def _dropped(self, response: web.StreamResponse | None = None) -> web.StreamResponse:
        drop(self._request)
        return response or web.Response(status=_CLOSED)

    async def _bill(self, ask: Ask, record: KeyRecord, rule: FaultRule | None) -> None:
        """Put the images on the bill, unless this is a replay of billed ones."""
        if self._replay:
            self._studio.replays += 1
            return
        await asyncio.to_thread(self._studio.bills.append, self._bills(ask, record, rule))
        record.billed, record.digest = True, ask.digest
        record.created = record.created or int(time.time())
        record.fault = rule.kind if rule is not None and rule.stage == "paint" else ""

    def _bills(self, ask: Ask, record: KeyRecord, rule: FaultRule | None) -> list[Bill]:
        fault = rule.kind if rule is not None else ""
        return [
            Bill(
                time=timestamp(datetime.now(UTC)),
                idempotency_key=self._key,
                client_request_id=self._request.headers.get("X-Client-Request-Id", ""),
                request_id=self._id,
                attempt=record.attempts,
                index=index,
                operation=ask.operation,
                model=ask.model,
                size=ask.size,
                quality=ask.quality,
                price_usd=round(_usage(ask).price_usd / ask.count, 6),
                body_sha256=ask.digest,
                fault=fault,
                delivered=fault not in {"lost", "timeout", "reset", "truncated", "stall"},
            )
            for index in range(ask.count)
        ]

    def _headers(self) -> dict[str, str]:
        headers = {
            "x-request-id": self._id,
            "openai-processing-ms": str(round((time.monotonic() - self._started) * 1000)),
            "openai-version": "2020-10-01",
            "x-ratelimit-limit-requests": str(_REQUESTS_LIMIT),
            "x-ratelimit-remaining-requests": str(max(0, _REQUESTS_LIMIT - self._studio.in_flight)),
            "x-ratelimit-reset-requests": "1s",
        }
        return {**headers, "Idempotent-Replayed": "true"} if self._replay else headers


def _is(rule: FaultRule | None, kind: str) -> bool:
    return rule is not None and rule.kind == kind


def _encoded(data: bytes, rule: FaultRule | None) -> Base64:
    if _is(rule, "cut_png"):
        return Base64(data[: len(data) * 3 // 5])
    return Base64(data, broken=_is(rule, "bad_base64"))


def _usage(ask: Ask) -> Usage:
    return usage_of(
        prompt=ask.prompt,
        width=ask.width,
        height=ask.height,
        quality=ask.quality,
        count=ask.count,
        partial_images=ask.partial_images if ask.stream else 0,
        references=ask.image_sizes,
    )
