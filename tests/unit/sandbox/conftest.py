"""A client at a running sandbox, for the tests of this folder."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from PIL import Image

from batchgen.sandbox import Sandbox


@dataclass
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json["error"]["code"]

    def image(self, index: int = 0) -> Image.Image:
        image = Image.open(BytesIO(base64.b64decode(self.json["data"][index]["b64_json"], validate=True)))
        image.load()
        return image


@dataclass
class Client:
    """Sends small requests to a sandbox."""

    sandbox: Sandbox
    http: aiohttp.ClientSession

    async def generate(self, key: str = "", **fields: Any) -> Reply:
        return await self.send(json={"prompt": "a mug", "size": "64x64", **fields}, key=key)

    async def edit(self, *files: tuple[str, bytes], key: str = "", **fields: str) -> Reply:
        form = aiohttp.FormData({"prompt": "edit it", "size": "64x64", **fields}, default_to_multipart=True)
        for name, data in files:
            form.add_field(name, data, filename="x.png", content_type="image/png")
        return await self.send("/images/edits", key=key, data=form)

    async def send(self, path: str = "/images/generations", key: str = "", **body: Any) -> Reply:
        headers = {"Idempotency-Key": key, "X-Client-Request-Id": f"{key}-1"} if key else {}
        headers.update(body.pop("headers", {}))
        async with self.http.post(self.sandbox.url + path, headers=headers, **body) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, address: str, **options: Any) -> Reply:
        async with self.http.get(address, **options) as response:
            return Reply(response.status, response.headers, await response.read())

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110  the server has no event to wait for, by intent
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connect(**options: Any) -> AsyncIterator[Client]:
    async with Sandbox(**options) as sandbox, aiohttp.ClientSession() as http:
        yield Client(sandbox, http)


def _serve(claim: Callable[[Client], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        async with connect(**options) as client:
            return await claim(client)

    return asyncio.run(run())


@pytest.fixture
def serve():
    """Run a claim about a sandbox started with some options: `serve(claim, faults=["lost"])`."""
    return _serve


@pytest.fixture
def connected():
    """The sandbox and its client as an asynchronous context, for claims about more than one sandbox."""
    return connect
