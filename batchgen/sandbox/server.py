"""The sandbox provider: a real HTTP server that answers like an image gateway, and misbehaves by rule.

Endpoints under `/v1`: images/generations, images/edits, models, files/NAME (the `url` answers). Beside it `/_bills`,
`/_stats` and `/_faults` (GET shows the rules, POST replaces them), for tests and the curious.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from batchgen.errors import InputError
from batchgen.sandbox.ask import RefusedError
from batchgen.sandbox.auth import authorise
from batchgen.sandbox.bills import BillLog
from batchgen.sandbox.exchange import Exchange
from batchgen.sandbox.faults import Faults, rules_of
from batchgen.sandbox.keys import Keys, Policy
from batchgen.sandbox.studio import Latency, Studio

__all__ = ["Sandbox"]

_BODY_LIMIT = 256 * 2**20
_LINES_AT_ONCE = 1_000
_MODELS = ("gpt-image-2", "gpt-image-2-2026-04-21")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Sandbox:
    """An embedded provider, used as `async with Sandbox() as sandbox:`; clients talk to `sandbox.url`.

    `port` 0 takes a free one. `faults` are rules as in a manifest (see `batchgen.sandbox.faults`), decided with `seed`.
    `latency` None answers at once, a number waits that many seconds, `real` waits as long as the real model. With a
    `key`, requests without it get 401. `idempotency` says what an Idempotency-Key does: replay the answer without a
    second bill, none (ignored), reject a second use. Bills go to the JSONL file `bills_path`, if given. Raises
    `InputError` for bad rules and `OSError` when the address or the file cannot be used.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: object = (),
        seed: int = 0,
        latency: Latency = None,
        key: str | None = None,
        idempotency: Policy = "replay",
        bills_path: Path | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._faults = Faults(rules=rules_of(faults), seed=seed)
        self._latency: Latency = latency
        self._key = key
        self._idempotency: Policy = idempotency
        self._bills_path = bills_path

    async def __aenter__(self) -> Self:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="batchgen-sandbox-"))
        self._folder = folder
        try:
            bills = await asyncio.to_thread(BillLog, self._bills_path or folder / "bills.jsonl")
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise
        keys = Keys(self._idempotency)
        self._studio = Studio(faults=self._faults, latency=self._latency, keys=keys, folder=folder, bills=bills)
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=2.0)
        try:
            await self._listen()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _listen(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, backlog=1024).start()
        self._port = int(self._runner.addresses[0][1])
        self._studio.files_url = f"{self.url}/files"

    async def _close(self) -> None:
        # The waits end and drop their connections first, so that aiohttp finds nothing left to wait for.
        self._studio.stopping.set()
        await self._runner.cleanup()
        await asyncio.to_thread(self._studio.close)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    @property
    def root(self) -> str:
        """The address without a path, for `/_bills` and its kind."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def url(self) -> str:
        """The base URL for clients; ends in `/v1`."""
        return f"{self.root}/v1"

    @property
    def images_billed(self) -> int:
        """Images billed so far."""
        return self._studio.bills.images

    def bills(self) -> list[dict[str, Any]]:
        """Every bill so far, oldest first. Reads the whole file: for tests and small jobs."""
        return [json.loads(line) for line in self._studio.bills.lines()]

    def stats(self) -> dict[str, Any]:
        """Counts since the start; `requests` are those for images, whatever became of them."""
        studio = self._studio
        return {
            "requests": studio.requests,
            "in_flight": studio.in_flight,
            "images_billed": studio.bills.images,
            "billed_usd": round(studio.bills.total_usd, 6),
            "replays": studio.replays,
            "keys": len(studio.keys),
            "faults": dict(sorted(studio.struck.items())),
            "statuses": {str(status): count for status, count in sorted(studio.statuses.items())},
        }

    def set_faults(self, faults: object) -> None:
        """Replace the rules of a running sandbox. Raises `InputError` with every problem in them."""
        self._studio.faults = Faults(rules=rules_of(faults), seed=self._studio.faults.seed)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=_BODY_LIMIT, middlewares=[_errors_as_json])
        app.add_routes(
            [
                web.post("/v1/images/generations", self._image("generate")),
                web.post("/v1/images/edits", self._image("edit")),
                web.get("/v1/models", self._models),
                web.get("/v1/models/{name}", self._model),
                web.get("/v1/files/{name}", self._file),
                web.get("/_bills", self._show_bills),
                web.get("/_stats", self._show_stats),
                web.get("/_faults", self._show_faults),
                web.post("/_faults", self._replace_faults),
            ]
        )
        return app

    def _image(self, operation: str) -> _Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await Exchange(self._studio, request, operation, self._key).run()

        return handle

    async def _models(self, request: web.Request) -> web.Response:
        authorise(request, self._key)
        return web.json_response({"object": "list", "data": [_model_card(name) for name in _MODELS]})

    async def _model(self, request: web.Request) -> web.Response:
        authorise(request, self._key)
        return web.json_response(_model_card(request.match_info["name"]))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = self._studio.file(request.match_info["name"])
        if path is None:
            message = "This link has expired or never existed."
            return _refusal(RefusedError(message, status=404, code="not_found"))
        return web.FileResponse(path)

    async def _show_bills(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = "application/json"
        await response.prepare(request)
        lines, mark = self._studio.bills.lines(), b"[\n"
        while some := await asyncio.to_thread(lambda: list(islice(lines, _LINES_AT_ONCE))):
            await response.write(mark + b",\n".join(some))
            mark = b",\n"
        await response.write(b"[]\n" if mark == b"[\n" else b"\n]\n")
        return response

    async def _show_stats(self, _request: web.Request) -> web.Response:
        return web.json_response(self.stats())

    async def _show_faults(self, _request: web.Request) -> web.Response:
        return web.json_response([asdict(rule) for rule in self._studio.faults.rules])

    async def _replace_faults(self, request: web.Request) -> web.Response:
        try:
            self.set_faults(json.loads(await request.read()))
        except InputError as error:
            return _refusal(RefusedError(error.message, code="invalid_faults", param="faults"))
        except ValueError as error:
            return _refusal(RefusedError(f"We could not parse the JSON body: {error}", code="invalid_json"))
        return await self._show_faults(request)


def _model_card(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_776_729_600, "owned_by": "sandbox"}


def _refusal(error: RefusedError) -> web.Response:
    return web.json_response(error.body, status=error.status, headers=error.headers)


@web.middleware
async def _errors_as_json(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Refusals, unknown paths, wrong methods and too large bodies, in the shape that clients parse."""
    try:
        return await handler(request)
    except RefusedError as error:
        return _refusal(error)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004  the first error status
            raise
        message = f"{error.reason} ({request.method} {request.path}); the API is under /v1"
        return _refusal(RefusedError(message, status=error.status, code=error.reason.lower().replace(" ", "_")))
