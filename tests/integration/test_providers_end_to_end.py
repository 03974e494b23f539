"""Each dialect against a strict gateway: exactly what its document takes goes out, and what it answers is kept."""

import base64
import io
import json

import pytest
from fakes.gateway import DIALECTS, KEY, Gateway, error, gateway, lost, refused
from fakes.job import Job
from PIL import Image

KEYS = {
    "openai": "OPENAI_API_KEY",
    "bettertoken": "BETTERTOKEN_API_KEY",
    "gptproto": "GPTPROTO_API_KEY",
    "unified": "UNIFIED_API_KEY",
}


@pytest.fixture(params=DIALECTS)
def dialect(request) -> str:
    """Each of the four gateways."""
    return request.param


@pytest.fixture
def shop(dialect):
    """A gateway of that dialect."""
    with gateway(dialect) as server:
        yield server


@pytest.fixture
def job(dialect, shop, make_job) -> Job:
    """One prompt for that gateway, with a key of its own."""
    job = make_job({"use": dialect, "base_url": shop.url, "key_env": KEYS[dialect]}, prompts=["a mug"])
    job.environment = {KEYS[dialect]: KEY}
    return job


def _reference(job: Job, name: str, *, alpha: bool = False) -> bytes:
    content = io.BytesIO()
    Image.new("RGBA" if alpha else "RGB", (64, 64), "teal").save(content, "png")
    (job.folder / name).write_bytes(content.getvalue())
    return content.getvalue()


def test_a_text_prompt_is_sold(job, shop):
    """The strict gateway finds nothing to complain about and the image arrives."""
    assert job.run().event("summary")["saved"] == 1
    (request,) = shop.requests
    assert (request.path, request.headers["Content-Type"]) == ("/v1/images/generations", "application/json")
    assert request.params["prompt"] == "a mug"
    assert request.params["model"] == "gpt-image-2"
    assert request.params.get("n", 1) == 1


def test_the_key_goes_as_a_bearer(job, shop):
    """Each provider takes Authorization: Bearer."""
    job.run()
    assert shop.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_response_format_goes_where_it_is_wanted(job, shop, dialect):
    """BetterToken asks for it, OpenAI and GPTProto refuse it."""
    job.run()
    sent = shop.requests[0].params.get("response_format")
    assert sent == {"bettertoken": "b64_json", "unified": "b64_json"}.get(dialect)


@pytest.mark.parametrize("provider", ["gptproto"])
def test_a_bare_key_is_possible(provider, make_job):
    """GPTProto's samples send the key without a word before it."""
    with gateway(provider) as shop:
        job = make_job({"use": provider, "base_url": shop.url, "auth": "raw"}, prompts=["a mug"])
        job.environment = {KEYS[provider]: KEY}
        job.run()
        assert shop.requests[0].headers["Authorization"] == KEY


@pytest.mark.parametrize("count", [1, 2, 16])
@pytest.mark.parametrize("dialect", ["openai", "bettertoken"], indirect=True)
def test_edits_are_forms(job, shop, count):
    """One file is `image`, several are `image[]` in the order of the manifest, with their type and their bytes."""
    contents = [_reference(job, f"{number}.png") for number in range(count)]
    job.write(prompts=[{"text": "on oak", "images": [f"{number}.png" for number in range(count)]}])
    job.run()
    (request,) = shop.requests
    assert request.path == "/v1/images/edits"
    assert [file.field for file in request.files] == (["image"] if count == 1 else ["image[]"] * count)
    assert [file.content for file in request.files] == contents
    assert {file.content_type for file in request.files} == {"image/png"}
    assert all(isinstance(value, str) for value in request.params.values())


@pytest.mark.parametrize("dialect", ["openai", "bettertoken"], indirect=True)
def test_a_mask_is_one_plain_field(job, shop):
    """`mask`, once, beside the image."""
    _reference(job, "ref.png")
    mask = _reference(job, "mask.png", alpha=True)
    job.write(prompts=[{"text": "on oak", "images": ["ref.png"], "mask": "mask.png"}])
    job.run()
    assert [(file.field, file.content) for file in shop.requests[0].files][1:] == [("mask", mask)]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("dialect", ["unified"], indirect=True)
def test_the_unified_gateway_gets_references_in_json(job, shop, count):
    """`image` is one base64 text, or a list of them, in a generations request."""
    contents = [_reference(job, f"{number}.png") for number in range(count)]
    job.write(prompts=[{"text": "on oak", "images": [f"{number}.png" for number in range(count)]}])
    job.run()
    (request,) = shop.requests
    sent = request.params["image"]
    assert request.path == "/v1/images/generations"
    assert isinstance(sent, str) is (count == 1)
    texts = [sent] if count == 1 else sent
    assert [base64.b64decode(text.rpartition(",")[2]) for text in texts] == contents


@pytest.mark.parametrize("dialect", ["unified"], indirect=True)
def test_presets_are_sent_as_written(job, shop):
    """`16:9` goes out as it stands; the real pixels are recorded."""
    job.write(request={"model": "gpt-image-2", "size": "16:9"})
    job.run()
    assert shop.requests[0].params["size"] == "16:9"
    saved = job.entries("image_saved")[0]
    assert (saved["width"], saved["height"]) == (1920, 1080)


@pytest.mark.parametrize("dialect", ["unified"], indirect=True)
def test_watermark_false_differs_from_nothing(job, shop):
    """`false` goes out as false; unset goes out as nothing."""
    job.run()
    job.write(request={**job.manifest["request"], "watermark": False})
    job.run()
    assert [request.params.get("watermark") for request in shop.requests] == [None, False]


@pytest.mark.parametrize("dialect", ["openai", "gptproto"], indirect=True)
def test_all_parameters_of_the_openai_set_arrive(job, shop):
    """Typed as JSON wants them."""
    wanted = {
        "model": "gpt-image-2",
        "size": "1536x1024",
        "quality": "low",
        "background": "opaque",
        "moderation": "low",
        "output_format": "jpeg",
        "output_compression": 80,
        "user": "team-7",
    }
    job.write(request=wanted)
    job.run()
    assert {name: shop.requests[0].params[name] for name in wanted} == wanted
    assert job.entries("image_saved")[0]["format"] in {"jpg", "jpeg"}


@pytest.mark.parametrize("dialect", ["openai", "gptproto"], indirect=True)
def test_a_streamed_answer_is_saved_with_its_previews(job, shop):
    """Partial images are kept apart; only the completed one is the image."""
    job.write(request={**job.manifest["request"], "stream": True, "partial_images": 2})
    job.run()
    assert shop.requests[0].params["stream"] is True
    assert len(job.images) == 1
    assert len([path for path in (job.place / "images" / ".previews").rglob("*") if path.is_file()]) == 2


@pytest.mark.parametrize("dialect", ["openai"], indirect=True)
def test_a_streamed_edit_is_saved(job):
    """The edit's own event names, in a form request."""
    _reference(job, "ref.png")
    job.write(
        prompts=[{"text": "on oak", "images": ["ref.png"]}],
        request={**job.manifest["request"], "stream": True, "partial_images": 1},
    )
    assert job.run().event("summary")["saved"] == 1


def test_a_link_is_fetched_without_the_key(job, shop):
    """A `url` answer is downloaded from the gateway itself; the download carries no secret."""
    shop.url_answers = True
    assert job.run().event("summary")["saved"] == 1
    (headers,) = shop.downloads
    assert KEY not in json.dumps(headers)
    assert [entry["kind"] for entry in job.ledger if entry["kind"] in {"image_located", "image_saved"}] == [
        "image_located",
        "image_saved",
    ]


def test_extra_goes_out_unchecked(job, shop):
    """What the data do not know can still be sent; here the gateway itself says no."""
    job.write(request={**job.manifest["request"], "extra": {"seed": 7}})
    job.run(code=3)
    assert shop.requests[0].params["seed"] == 7


@pytest.mark.parametrize(
    ("dialect", "parameter", "value"),
    [
        ("openai", "style", "vivid"),
        ("openai", "watermark", False),
        ("bettertoken", "quality", "low"),
        ("bettertoken", "background", "opaque"),
        ("bettertoken", "stream", True),
        ("gptproto", "style", "vivid"),
        ("unified", "moderation", "low"),
        ("unified", "output_format", "png"),
    ],
    indirect=["dialect"],
)
def test_a_parameter_that_is_not_taken_is_a_plan_error(job, shop, parameter, value):
    """The provider's data name it, with the remedy, before anything is sent; `drop` lets it pass unsent."""
    job.write(request={**job.manifest["request"], parameter: value})
    finished = job.call("run")
    assert finished.code == 2
    assert parameter in finished.err
    assert "drop" in finished.err
    assert shop.requests == []
    job.write(provider={**job.manifest["provider"], "drop": [parameter]})
    job.run()
    assert parameter not in shop.requests[0].params


def test_moving_to_another_provider_buys_nothing(job, shop, dialect):
    """The provider is not part of what an image is: a finished job stays finished at any of them."""
    job.run()
    for other in DIALECTS:
        job.write(provider={"use": other, "base_url": shop.url, "key_env": KEYS[dialect]})
        assert job.run().event("summary")["attempts"] == 0
    assert len(shop.requests) == 1


def _in_order(make_job, first: str, second: str, **manifest) -> Job:
    """A job that prefers the gateway at `first`; both speak the same dialect."""
    job = make_job([{"use": "openai", "base_url": first}, {"use": "gptproto", "base_url": second}], **manifest)
    job.environment = {KEYS["openai"]: KEY, KEYS["gptproto"]: KEY}
    return job


def test_the_second_provider_is_used_when_the_first_is_out_of_reach(make_job, openai_gateway):
    """Nothing can have been bought at the first, so the second may sell."""
    job = _in_order(make_job, "http://127.0.0.1:9/v1", openai_gateway.url)
    assert job.run().event("summary")["saved"] == 2


@pytest.mark.parametrize(
    "reply", [error(401, "bad key", code="invalid_api_key"), error(404, "no such model", code="model_not_found")]
)
def test_the_second_provider_is_used_when_the_first_refuses_the_account(reply, make_job, openai_gateway):
    """No key, no access, no model: nothing was bought, so the second may sell."""
    with gateway("openai") as second:
        openai_gateway.answers = {"": [reply] * 9}
        assert _in_order(make_job, openai_gateway.url, second.url).run().event("summary")["saved"] == 2


@pytest.mark.parametrize(("reply", "sends"), [(lost(), 3), (refused(), 1)], ids=["a doubt", "a refusal"])
def test_the_second_provider_never_gets(reply, sends, make_job, openai_gateway):
    """What may have been billed at the first, or what moderation refused there, is not tried at the second."""
    with gateway("openai") as second:
        openai_gateway.answers = {"mug": [reply] * 9}
        _in_order(make_job, openai_gateway.url, second.url, prompts=["a mug"]).run(code=3)
        assert (len(openai_gateway.requests), second.requests) == (sends, [])


def test_the_key_may_stand_in_a_dotenv_file(job, shop: Gateway, dialect):
    """`.env` beside the manifest serves when the environment has none; the environment wins."""
    job.environment = {}
    (job.folder / ".env").write_text(f"{KEYS[dialect]}={KEY}\n")
    job.run()
    assert len(shop.requests) == 1
    job.write(repeat=2)
    job.environment = {KEYS[dialect]: "sk-wrong"}
    job.run(code=4)
