"""An image gateway that was not written by the author of the client: strict, literal, and with a memory.

It speaks the dialects of the five gateway documents and refuses what each of them does not take, so a parameter that
must not be sent shows as a 400, as it would for a paying user. It keeps every request as it arrived and counts what
it bills. It shares no code with the package.
"""

import asyncio
import base64
import io
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web
from PIL import Image

KEY = "sk-fake-0123456789abcdef"

OPENAI_TAKES = frozenset(
    {
        *("model", "prompt", "n", "size", "quality", "background", "moderation"),
        *("output_format", "output_compression", "stream", "partial_images", "user"),
    }
)
EDIT_FILES = frozenset({"image", "image[]", "mask"})
OPENAI_SIZES = ["auto", "1024x1024", "1536x1024", "1024x1536", "2048x2048", "2048x1152", "3840x2160", "2160x3840"]
BETTERTOKEN_EDIT_SIZES = tuple(OPENAI_SIZES)
UNIFIED_PRESETS = {
    "1:1": "1024x1024",
    "4:3": "1536x1152",
    "3:2": "1536x1024",
    "2:3": "1024x1536",
    "16:9": "1920x1080",
    "9:16": "1080x1920",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What one gateway takes and insists on. An edit without `edit_takes` is a 404."""

    takes: frozenset[str]
    edit_takes: frozenset[str] = frozenset()
    needs: Mapping[str, str] = field(default_factory=dict)
    sizes: tuple[str, ...] | None = None
    edit_sizes: tuple[str, ...] | None = None
    bare_key: bool = False
    usage: bool = True


BETTERTOKEN_TAKES = frozenset({"model", "prompt", "n", "size", "response_format", "output_format"})
DIALECTS = {
    "openai": Dialect(takes=OPENAI_TAKES, edit_takes=OPENAI_TAKES - {"moderation"} | EDIT_FILES, needs={"model": ""}),
    "bettertoken": Dialect(
        takes=BETTERTOKEN_TAKES,
        edit_takes=BETTERTOKEN_TAKES | EDIT_FILES,
        needs={"model": "gpt-image-2", "response_format": "b64_json", "output_format": "png"},
        sizes=(*BETTERTOKEN_EDIT_SIZES, "1536x1152", "1152x1536"),
        edit_sizes=BETTERTOKEN_EDIT_SIZES,
        usage=False,
    ),
    "gptproto": Dialect(takes=OPENAI_TAKES, edit_takes=OPENAI_TAKES | EDIT_FILES, needs={"model": ""}, bare_key=True),
    "unified": Dialect(
        takes=frozenset(
            ["model", "prompt", "n", "size", "image", "response_format", "quality", "style", "background", "watermark"],
        ),
        needs={"model": "gpt-image-2"},
        sizes=(*UNIFIED_PRESETS, *dict.fromkeys(UNIFIED_PRESETS.values())),
        usage=False,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file part of a form as it arrived."""

    field: str
    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it arrived. `params` are JSON values, or the texts of a form's plain fields."""

    path: str
    headers: Mapping[str, str]
    params: Mapping[str, Any]
    files: tuple[SentFile, ...] = ()

    @property
    def key(self) -> str:
        """The idempotency key, or an empty text."""
        return self.headers.get("Idempotency-Key", "")

    @property
    def prompt(self) -> str:
        """The prompt, or an empty text."""
        return str(self.params.get("prompt", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer instead of an image. `cut` sends the head and half the body, then hangs up."""

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    billed: bool = False
    cut: bool = False


def error(status: int, message: str, *, code: Any = None, kind: str = "invalid_request_error", **more: Any) -> Reply:
    """An error in the shape that OpenAI documents."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Reply(status=status, body=json.dumps(body), **more)


def throttled(seconds: float = 0.2) -> Reply:
    """Too fast: 429 with a wait."""
    return error(429, "Rate limit reached", code="rate_limit_exceeded", headers={"Retry-After": str(seconds)})


def refused() -> Reply:
    """Moderation said no; this is not billed."""
    return error(
        400,
        "Your request was rejected by the safety system. safety_violations=[violence]",
        code="moderation_blocked",
        kind="image_generation_user_error",
    )


def broken() -> Reply:
    """The generation failed and says so; this is not billed."""
    return error(500, "Image generation failed", code="image_generation_failed", kind="image_generation_server_error")


def lost() -> Reply:
    """The picture was made and billed, and the connection ends before the answer."""
    return Reply(body="{}", billed=True, cut=True)


def timed_out() -> Reply:
    """A proxy in front gave up after a while; behind it the picture was made and billed."""
    return Reply(status=524, body="<html><body>error code: 524</body></html>", billed=True)


class Gateway:
    """The server, in a thread of its own so that child processes and blocking tests can talk to it.

    `answers` maps a part of a prompt to the replies that its next requests get, in order; None, or an empty list,
    means an image. `url_answers` gives links in place of base64. `delay_seconds` is how long an image takes;
    while `may_answer` is clear, no image is ready.
    `always_makes` is a format and a size that it makes whatever was asked. `bills` counts what a customer would pay,
    `most_at_once` the requests in flight at the busiest moment.
    """

    def __init__(self, dialect: str = "openai", *, key: str = KEY) -> None:
        self.dialect = DIALECTS[dialect]
        self.key = key
        self.requests: list[Received] = []
        self.downloads: list[Mapping[str, str]] = []
        self.answers: dict[str, list[Reply | None]] = {}
        self.url_answers = False
        self.delay_seconds = 0.0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.always_makes: tuple[str, tuple[int, int]] | None = None
        self.pictures: list[bytes] = []
        self.most_at_once = 0
        self.bills = 0
        self.url = ""
        self._in_flight = 0
        self._files: dict[str, bytes] = {}

    def reply_for(self, received: Received) -> Reply | None:
        """The scripted reply that is due, if one is."""
        for part, replies in self.answers.items():
            if part in received.prompt and replies:
                return replies.pop(0)
        return None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any POST below /v1/images."""
        received = await _receive(request)
        self.requests.append(received)
        reply = self._complaint(received) or self.reply_for(received)
        if reply is not None:
            self.bills += reply.billed
            return await _send(request, reply)
        self.bills += 1
        self._in_flight += 1
        self.most_at_once = max(self.most_at_once, self._in_flight)
        try:
            await asyncio.sleep(self.delay_seconds)
            while not self.may_answer.is_set():  # noqa: ASYNC110  set by the test, in another thread
                await asyncio.sleep(0.01)
        finally:
            self._in_flight -= 1
        return await self._paint(request, received)

    async def download(self, request: web.Request) -> web.Response:
        """A picture behind a `url` answer."""
        self.downloads.append(dict(request.headers))
        return web.Response(body=self._files[request.match_info["name"]], content_type="image/png")

    def _complaint(self, received: Received) -> Reply | None:
        """What the gateway's document says about this request, if it breaks it."""
        if not self._authorised(received.headers.get("Authorization", "")):
            return error(401, "Incorrect API key provided", code="invalid_api_key")
        edit = received.path.endswith("/edits")
        takes = self.dialect.edit_takes if edit else self.dialect.takes
        if not takes:
            return error(404, f"Invalid URL (POST {received.path})")
        names = set(received.params) | {file.field for file in received.files}
        return _bad_names(names, takes) or self._bad_values(received, edit=edit)

    def _authorised(self, header: str) -> bool:
        return header == f"Bearer {self.key}" or (self.dialect.bare_key and header == self.key)

    def _bad_values(self, received: Received, *, edit: bool) -> Reply | None:
        params = received.params
        if not received.prompt or len(received.prompt) > 32_000:
            return error(400, "Invalid 'prompt'", code="invalid_value")
        if str(params.get("n", 1)) != "1":
            return error(400, "this test gateway sells one image per request", code="invalid_value")
        for name, value in self.dialect.needs.items():
            if not params.get(name) or (value and params[name] != value):
                return error(400, f"'{name}' must be {value or 'given'}", code="missing_required_parameter")
        sizes = self.dialect.edit_sizes if edit else self.dialect.sizes
        if "size" in params and not _size_is_sold(str(params["size"]), sizes):
            return error(400, f"Invalid size {params['size']!r}", code="invalid_value")
        return _bad_files(received) if edit else None

    async def _paint(self, request: web.Request, received: Received) -> web.StreamResponse:
        params = received.params
        picture = _picture(received, self.always_makes)
        self.pictures.append(picture)
        if str(params.get("stream", "")).lower() == "true":
            return await _stream(request, picture, edit=received.path.endswith("/edits"), params=params)
        item: dict[str, Any] = {"b64_json": base64.b64encode(picture).decode()}
        if self.url_answers:
            name = f"{len(self._files)}.png"
            self._files[name] = picture
            item = {"url": f"{self.url.removesuffix('/v1')}/files/{name}", "b64_json": ""}
        body: dict[str, Any] = {"created": 1776843003, "data": [item]}
        if self.dialect.usage:
            body |= {"size": str(params.get("size", "auto")), "usage": USAGE}
        return web.json_response(body, headers={"x-request-id": f"req_{len(self.requests)}"})


USAGE = {
    "input_tokens": 8,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 8},
    "output_tokens": 196,
    "output_tokens_details": {"image_tokens": 196, "text_tokens": 0},
    "total_tokens": 204,
}


@contextmanager
def gateway(dialect: str = "openai") -> Iterator[Gateway]:
    """A gateway that serves on a free loopback port until the block ends."""
    server = Gateway(dialect)
    loop = asyncio.new_event_loop()
    started = threading.Event()
    thread = threading.Thread(target=_serve, args=(server, loop, started), name="gateway")
    thread.start()
    assert started.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _serve(server: Gateway, loop: asyncio.AbstractEventLoop, started: threading.Event) -> None:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/images/{operation}", server.handle)
    app.router.add_get("/files/{name}", server.download)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}/v1"
    started.set()
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(runner.cleanup())
        loop.close()


async def _receive(request: web.Request) -> Received:
    headers = dict(request.headers)
    if request.content_type == "application/json":
        return Received(path=request.path, headers=headers, params=await request.json())
    params: dict[str, Any] = {}
    files: list[SentFile] = []
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        content = bytes(await part.read())
        if part.filename is None:
            params[part.name or ""] = content.decode()
        else:
            kind = part.headers.get("Content-Type", "")
            files.append(SentFile(field=part.name or "", filename=part.filename, content_type=kind, content=content))
    return Received(path=request.path, headers=headers, params=params, files=tuple(files))


async def _send(request: web.Request, reply: Reply) -> web.StreamResponse:
    kind = "application/json" if reply.body.startswith("{") else "text/html"
    if not reply.cut:
        return web.Response(status=reply.status, text=reply.body, content_type=kind, headers=dict(reply.headers))
    response = web.StreamResponse(status=reply.status, headers={"Content-Length": "5000", "Content-Type": kind})
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2].encode())
    assert request.transport is not None
    request.transport.abort()
    return response


def _bad_names(names: set[str], takes: frozenset[str]) -> Reply | None:
    unknown = sorted(names - takes)
    return error(400, f"Unknown parameter: '{unknown[0]}'.", code="unknown_parameter") if unknown else None


def _bad_files(received: Received) -> Reply | None:
    names = [file.field for file in received.files]
    images = [name for name in names if name != "mask"]
    if images not in (["image"], ["image[]"] * len(images)) or not 1 <= len(images) <= 16 or names.count("mask") > 1:
        return error(400, f"Invalid image fields {names}", code="invalid_value")
    for file in received.files:
        with Image.open(io.BytesIO(file.content)) as picture:
            picture.load()
            if file.content_type != f"image/{(picture.format or '').lower()}":
                return error(400, f"Invalid mimetype {file.content_type!r}", code="unsupported_file_mimetype")
    return None


def _size_is_sold(size: str, sizes: tuple[str, ...] | None) -> bool:
    """By the list, else by the rule of the GPT image models: multiples of 16, edges, ratio, pixels."""
    if sizes is not None:
        return size in sizes
    if size == "auto":
        return True
    width, height = (int(edge) for edge in size.split("x"))
    long, short = max(width, height), min(width, height)
    whole = width % 16 == 0 and height % 16 == 0
    return whole and long <= 3840 and long <= 3 * short and 655_360 <= width * height <= 8_294_400


def _picture(received: Received, made: tuple[str, tuple[int, int]] | None) -> bytes:
    size = str(received.params.get("size", "auto"))
    size = UNIFIED_PRESETS.get(size, "1024x1024" if size == "auto" else size)
    width, height = (int(edge) for edge in size.split("x"))
    kind, edges = made or (str(received.params.get("output_format", "png")), (width, height))
    shade = sum(received.key.encode() + received.prompt.encode()) % 256
    content = io.BytesIO()
    Image.new("RGB", edges, (shade, 128, 255 - shade)).save(content, kind, compress_level=1)
    return content.getvalue()


async def _stream(request: web.Request, picture: bytes, *, edit: bool, params: Mapping[str, Any]) -> web.StreamResponse:
    family = "image_edit" if edit else "image_generation"
    text = base64.b64encode(picture).decode()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for index in range(int(params.get("partial_images", 0))):
        event = {"type": f"{family}.partial_image", "b64_json": text, "partial_image_index": index}
        await _write_event(response, event)
    await _write_event(response, {"type": f"{family}.completed", "b64_json": text, "usage": USAGE})
    await response.write_eof()
    return response


async def _write_event(response: web.StreamResponse, event: Mapping[str, Any]) -> None:
    await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
