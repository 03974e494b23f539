"""The official client drives the sandbox: what it accepts is what gateways must send."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import aiohttp
import openai
import pytest
from PIL import Image

from batchgen.sandbox import Sandbox

_MUG = {"model": "gpt-image-2", "prompt": "a stoneware mug", "size": "256x192"}


def _png(name: str, size: tuple[int, int] = (64, 48), mode: str = "RGB") -> tuple[str, bytes, str]:
    out = BytesIO()
    Image.new(mode, size, 0).save(out, "PNG")
    return name, out.getvalue(), "image/png"


def _opened(text: str | None) -> Image.Image:
    assert text is not None
    image = Image.open(BytesIO(base64.b64decode(text, validate=True)))
    image.load()
    return image


def _drive(
    claim: Callable[[openai.AsyncOpenAI, Sandbox], Awaitable[Any]], *, max_retries: int = 0, **options: Any
) -> Any:
    async def run() -> Any:
        async with (
            Sandbox(**options) as sandbox,
            openai.AsyncOpenAI(base_url=sandbox.url, api_key="sk-test", max_retries=max_retries) as client,
        ):
            return await claim(client, sandbox)

    return asyncio.run(run())


def test_generation_is_parsed_with_its_usage():
    """`images.generate` gives a picture of the size, and the tokens are there."""

    async def claim(client, sandbox):
        answer = await client.images.generate(**_MUG, quality="low")
        assert _opened(answer.data[0].b64_json).size == (256, 192)
        assert (answer.size, answer.quality, answer.output_format) == ("256x192", "low", "png")
        assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
        assert answer._request_id.startswith("req_")
        assert sandbox.images_billed == 1

    _drive(claim)


def test_several_images_in_one_answer():
    """`n=2` gives two different pictures."""

    async def claim(client, _sandbox):
        answer = await client.images.generate(**_MUG, n=2)
        assert answer.data[0].b64_json != answer.data[1].b64_json
        assert {_opened(image.b64_json).size for image in answer.data} == {(256, 192)}

    _drive(claim)


@pytest.mark.parametrize("count", [1, 2, 16])
def test_edit_takes_one_or_several_files(count: int):
    """The client sends `image` for one file and `image[]` for several; both arrive."""

    async def claim(client, _sandbox):
        files = [_png(f"{number}.png") for number in range(count)]
        answer = await client.images.edit(image=files if count > 1 else files[0], **_MUG)
        assert _opened(answer.data[0].b64_json).size == (256, 192)
        assert answer.usage.input_tokens_details.image_tokens == 12 * count

    _drive(claim)


def test_edit_takes_a_mask():
    """The mask changes the picture: it is marked in it."""

    async def claim(client, _sandbox):
        reference = _png("a.png")
        plain = await client.images.edit(image=reference, **_MUG)
        masked = await client.images.edit(image=reference, mask=_png("m.png", mode="RGBA"), **_MUG)
        assert plain.data[0].b64_json != masked.data[0].b64_json

    _drive(claim)


def test_stream_of_a_generation_has_partials_and_an_end():
    """The events parse into the client's own types, in order."""

    async def claim(client, _sandbox):
        stream = await client.images.generate(**_MUG, stream=True, partial_images=2)
        events = [event async for event in stream]
        assert [event.type for event in events] == ["image_generation.partial_image"] * 2 + [
            "image_generation.completed"
        ]
        assert [event.partial_image_index for event in events[:2]] == [0, 1]
        assert events[2].usage.output_tokens > 200
        assert {_opened(event.b64_json).size for event in events} == {(256, 192)}

    _drive(claim)


def test_stream_of_an_edit_is_named_after_it():
    """Edits have event names of their own."""

    async def claim(client, _sandbox):
        stream = await client.images.edit(image=_png("a.png"), **_MUG, stream=True, partial_images=1)
        assert [event.type async for event in stream] == ["image_edit.partial_image", "image_edit.completed"]

    _drive(claim)


def test_url_answer_is_served():
    """`response_format="url"` gives an address that holds the picture."""

    async def claim(client, _sandbox):
        answer = await client.images.generate(**_MUG, response_format="url")
        assert answer.data[0].b64_json is None
        async with aiohttp.ClientSession() as http, http.get(answer.data[0].url) as response:
            assert Image.open(BytesIO(await response.read())).size == (256, 192)

    _drive(claim)


def test_models_are_listed():
    """`models.list` and `models.retrieve` parse."""

    async def claim(client, _sandbox):
        assert "gpt-image-2" in [model.id async for model in client.models.list()]
        assert (await client.models.retrieve("gpt-image-2")).id == "gpt-image-2"

    _drive(claim)


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("throttle", openai.RateLimitError, "rate_limit_exceeded"),
        ("quota", openai.RateLimitError, "insufficient_quota"),
        ("refused", openai.BadRequestError, "moderation_blocked"),
        ("unauthorized", openai.AuthenticationError, "invalid_api_key"),
        ("error", openai.InternalServerError, "image_generation_failed"),
        ("overloaded", openai.InternalServerError, "server_is_overloaded"),
    ],
)
def test_faults_become_the_errors_of_the_client(kind: str, error: type[openai.APIStatusError], code: str):
    """Each refusal is parsed: the right class, the code in it."""

    async def claim(client, _sandbox):
        with pytest.raises(error) as caught:
            await client.images.generate(**_MUG)
        assert caught.value.code == code
        assert caught.value.request_id.startswith("req_")

    _drive(claim, faults=[kind])


@pytest.mark.parametrize("kind", ["lost", "reset"])
def test_broken_connection_is_a_connection_error(kind: str):
    """The client sees no answer, and the bill says that there was one."""

    async def claim(client, sandbox):
        with pytest.raises(openai.APIConnectionError):
            await client.images.generate(**_MUG)
        assert [bill["delivered"] for bill in sandbox.bills()] == [False]

    _drive(claim, faults=[kind])


def test_bad_size_is_a_bad_request_that_names_it():
    """The parameter is in the error, and nothing is billed."""

    async def claim(client, sandbox):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.images.generate(model="gpt-image-2", prompt="p", size="8x8")
        assert caught.value.param == "size"
        assert sandbox.images_billed == 0

    _drive(claim)


def test_wrong_key_is_an_authentication_error():
    """The sandbox can ask for a key."""

    async def claim(client, _sandbox):
        with pytest.raises(openai.AuthenticationError):
            await client.images.generate(**_MUG)

    _drive(claim, key="sk-other")


def test_retries_of_the_client_get_through():
    """The client's own retries honour the wait and end with a picture: billed once."""

    async def claim(client, sandbox):
        answer = await client.images.generate(**_MUG, extra_headers={"Idempotency-Key": "k"})
        assert _opened(answer.data[0].b64_json).size == (256, 192)
        assert (sandbox.images_billed, sandbox.stats()["faults"]) == (1, {"throttle": 2})

    _drive(claim, max_retries=2, faults=[{"kind": "throttle", "first": 2, "retry_after": 0.05}])


def test_lost_answer_is_replayed_to_the_same_key():
    """With a key, the client's retry after a lost answer costs nothing more."""

    async def claim(client, sandbox):
        answer = await client.images.generate(**_MUG, extra_headers={"Idempotency-Key": "k"})
        assert _opened(answer.data[0].b64_json).size == (256, 192)
        assert sandbox.images_billed == 1

    _drive(claim, max_retries=1, faults=[{"kind": "lost", "first": 1}])
