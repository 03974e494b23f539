"""One request over real HTTP: the answers, the bills, the keys."""

import asyncio
import base64
import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image


def _png(size: tuple[int, int] = (32, 32), mode: str = "RGB") -> bytes:
    out = BytesIO()
    Image.new(mode, size).save(out, "PNG")
    return out.getvalue()


def test_generation_has_the_documented_shape(serve):
    """The answer echoes what was resolved, counts tokens, and holds a picture of the size."""

    async def claim(client) -> None:
        reply = await client.generate(quality="high")
        assert reply.image().size == (64, 64)
        resolved = {name: reply.json[name] for name in ("background", "output_format", "quality", "size")}
        assert resolved == {"background": "opaque", "output_format": "png", "quality": "high", "size": "64x64"}
        assert reply.json["usage"]["output_tokens_details"]["image_tokens"] > 0
        assert reply.headers["x-request-id"].startswith("req_")
        assert "openai-processing-ms" in reply.headers
        assert "x-ratelimit-remaining-requests" in reply.headers

    serve(claim)


def test_several_images_are_different_and_each_is_billed(serve):
    """`n: 3` gives three pictures and three bills; `n: 0` gives one, as at the unified gateways."""

    async def claim(client) -> None:
        reply = await client.generate(n=3)
        assert len({entry["b64_json"] for entry in reply.json["data"]}) == 3
        assert len((await client.generate(n=0, prompt="x")).json["data"]) == 1
        assert [bill["index"] for bill in client.sandbox.bills()] == [0, 1, 2, 0]

    serve(claim)


@pytest.mark.parametrize(
    ("size", "expected"), [("16:9", (1920, 1080)), ("auto", (1024, 1024)), (None, (1024, 1024)), ("16x80", (16, 80))]
)
def test_sizes_are_resolved(serve, size: str | None, expected: tuple[int, int]):
    """Ratios, auto and anything from 16 to 3840 are taken."""

    async def claim(client) -> None:
        assert (await client.generate(size=size)).image().size == expected

    serve(claim)


def test_url_answer_can_be_fetched(serve):
    """`response_format: url` gives an address on this server; an unknown one is 404."""

    async def claim(client) -> None:
        url = (await client.generate(response_format="url")).json["data"][0]["url"]
        assert url.startswith(f"{client.sandbox.url}/files/")
        assert Image.open(BytesIO((await client.get(url)).body)).size == (64, 64)
        assert (await client.get(f"{client.sandbox.url}/files/other.png")).status == 404

    serve(claim)


def test_stream_sends_partials_and_then_the_image(serve):
    """Server-sent events in order, each named after its type; partials cost 100 tokens each."""

    async def claim(client) -> None:
        reply = await client.generate(stream=True, partial_images=2)
        assert reply.headers["Content-Type"] == "text/event-stream"
        events = [text.split("\ndata: ") for text in reply.body.decode().strip().split("\n\n")]
        fields = [json.loads(data) for _, data in events]
        kinds = ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
        assert [field["type"] for field in fields] == kinds == [name.removeprefix("event: ") for name, _ in events]
        assert [field.get("partial_image_index") for field in fields] == [0, 1, None]
        plain = await client.generate(prompt="another")
        assert fields[2]["usage"]["output_tokens"] == plain.json["usage"]["output_tokens"] + 200

    serve(claim)


@pytest.mark.parametrize("names", [["image"], ["image[]", "image[]"], ["image"] * 2, ["image[0]", "image[1]"]])
def test_edit_takes_files_under_every_usual_name(serve, names: list[str]):
    """One or several references arrive and are counted in the usage."""

    async def claim(client) -> None:
        reply = await client.edit(*((name, _png()) for name in names))
        assert reply.image().size == (64, 64)
        assert reply.json["usage"]["input_tokens_details"]["image_tokens"] == 4 * len(names)

    serve(claim)


def test_edit_takes_a_mask_and_json_references(serve):
    """A mask with alpha is accepted; `images` may be data URLs in JSON."""

    async def claim(client) -> None:
        assert (await client.edit(("image", _png()), ("mask", _png(mode="RGBA")))).status == 200
        url = "data:image/png;base64," + base64.b64encode(_png()).decode()
        reply = await client.send(
            "/images/edits", json={"prompt": "p", "size": "64x64", "images": [{"image_url": url}]}
        )
        assert reply.image().size == (64, 64)

    serve(claim)


@pytest.mark.parametrize("several", [False, True])
def test_generation_takes_base64_references(serve, several):
    """The unified gateway's `image` is a text or a list of texts."""

    async def claim(client) -> None:
        text = base64.b64encode(_png()).decode()
        reply = await client.generate(image=[text, text] if several else text)
        assert reply.json["usage"]["input_tokens_details"]["image_tokens"] == (8 if several else 4)

    serve(claim)


@pytest.mark.parametrize(("wanted", "format_"), [("jpeg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")])
def test_output_format_is_honoured(serve, wanted: str, format_: str):
    """The bytes are of the format asked for."""

    async def claim(client) -> None:
        assert (await client.generate(output_format=wanted)).image().format == format_

    serve(claim)


def test_models_are_listed_and_any_model_is_served(serve):
    """The list names the model; an unknown one gets its placeholder all the same."""

    async def claim(client) -> None:
        listed = (await client.get(f"{client.sandbox.url}/models")).json["data"]
        assert "gpt-image-2" in [model["id"] for model in listed]
        assert (await client.generate(model="never-heard-of")).status == 200

    serve(claim)


def test_same_key_is_billed_once_and_answered_alike(serve):
    """A replay has the same bytes, says that it is one, and costs nothing."""

    async def claim(client) -> None:
        first, second = [await client.generate(key="k") for _ in range(2)]
        assert first.body == second.body
        assert second.headers["Idempotent-Replayed"] == "true"
        assert client.sandbox.images_billed == 1
        assert client.sandbox.stats()["replays"] == 1

    serve(claim)


def test_same_form_under_the_same_key_is_a_replay(serve):
    """The boundary differs between attempts; the request is the same."""

    async def claim(client) -> None:
        replies = [await client.edit(("image", _png()), key="k") for _ in range(2)]
        assert replies[0].body == replies[1].body
        assert client.sandbox.images_billed == 1

    serve(claim)


def test_other_keys_with_the_same_body_are_other_takes(serve):
    """Two takes of a prompt are two pictures and two bills."""

    async def claim(client) -> None:
        first, second = await client.generate(key="k1"), await client.generate(key="k2")
        assert first.json["data"] != second.json["data"]
        assert client.sandbox.images_billed == 2

    serve(claim)


def test_key_with_another_body_is_422(serve):
    """A key cannot be used for something else."""

    async def claim(client) -> None:
        await client.generate(key="k")
        reply = await client.generate(key="k", prompt="other")
        assert (reply.status, reply.code) == (422, "idempotency_key_reuse")

    serve(claim)


def test_key_in_progress_is_409(serve):
    """The second of two simultaneous requests is told to wait; one image is billed."""

    async def claim(client) -> None:
        first = asyncio.create_task(client.generate(key="k"))
        await client.until(lambda: client.sandbox.images_billed == 1)
        second = await client.generate(key="k")
        assert (second.status, second.headers["Retry-After"]) == (409, "1")
        assert (await first).status == 200
        assert client.sandbox.images_billed == 1

    serve(claim, latency=0.3)


def test_client_that_hangs_up_is_billed_and_can_replay(serve):
    """The gateway goes on when the client is gone; the same key gets the picture without a second bill."""

    async def claim(client) -> None:
        hasty = asyncio.create_task(client.generate(key="k"))
        await client.until(lambda: client.sandbox.images_billed == 1)
        hasty.cancel()
        await client.until(lambda: client.sandbox.stats()["in_flight"] == 0)
        reply = await client.generate(key="k")
        assert reply.headers["Idempotent-Replayed"] == "true"
        assert client.sandbox.images_billed == 1

    serve(claim, latency=0.2)


@pytest.mark.parametrize(("policy", "status", "billed"), [("none", 200, 2), ("reject", 422, 1)])
def test_other_policies_bill_again_or_refuse(serve, policy: str, status: int, billed: int):
    """A gateway that ignores keys sells twice; one that rejects them refuses."""

    async def claim(client) -> None:
        await client.generate(key="k")
        assert (await client.generate(key="k")).status == status
        assert client.sandbox.images_billed == billed

    serve(claim, idempotency=policy)


def test_bills_are_served_and_written(serve, tmp_path: Path):
    """`/_bills` lists what the file has: keys, ids and prices, and no slots."""

    async def claim(client) -> None:
        assert (await client.get(f"{client.sandbox.root}/_bills")).json == []
        await client.generate(key="k1")
        await client.generate(key="k2")
        bills = (await client.get(f"{client.sandbox.root}/_bills")).json
        assert [bill["idempotency_key"] for bill in bills] == ["k1", "k2"]
        assert bills[0]["client_request_id"] == "k1-1"
        assert bills[0]["price_usd"] > 0
        assert not any("slot" in name for name in bills[0])
        assert [json.loads(line) for line in path.read_text().splitlines()] == bills

    path = tmp_path / "bills.jsonl"
    serve(claim, bills_path=path)
