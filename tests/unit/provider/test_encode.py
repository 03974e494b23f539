"""What goes over the wire for each provider, down to the field names."""

import pytest

from batchgen.provider.catalog import resolve
from batchgen.provider.encode import encode, sent_params
from batchgen.request import InputFile, Request

UNIFIED = {"base_url": "https://gateway.example.com/v1"}
PARAMS = {"model": "gpt-image-2", "size": "1024x1024"}


def file(name="mug.png", kind="png"):
    return InputFile(
        path=f"/refs/{name}", name=name, sha256="a" * 64, bytes=9, format=kind, width=8, height=8, has_alpha=True
    )


def request(params=PARAMS, *, images=(), mask=None, prompt="a mug"):
    return Request(
        id="f" * 32,
        base_id="f" * 32,
        slot="mug/v1",
        operation="edit" if images else "generate",
        prompt=prompt,
        params=params,
        path="mug-v1.png",
        images=tuple(images),
        mask=mask,
    )


def sent(name, asked, **overrides):
    return encode(asked, resolve(name, overrides), attempt=3)


def test_generation_is_one_json_body():
    """Path, prompt exactly as rendered, n always 1, and nothing to upload."""
    out = sent("openai", request(prompt="  a\nmüg 🌕 "))
    assert out.url_path == "/images/generations"
    assert out.json == {"model": "gpt-image-2", "prompt": "  a\nmüg 🌕 ", "n": 1, "size": "1024x1024"}
    assert (out.fields, out.files, out.inline_images) == ((), (), ())


def test_model_comes_first():
    """Routers find the model without reading on."""
    assert next(iter(sent("openai", request()).json)) == "model"
    assert sent("openai", request(images=[file()])).fields[0] == ("model", "gpt-image-2")


def test_response_format_goes_to_bettertoken_and_never_to_openai():
    """The two are opposites: one asks for the field, the other refuses it."""
    bettertoken = sent("bettertoken", request()).json
    assert (bettertoken["response_format"], bettertoken["output_format"]) == ("b64_json", "png")
    assert "response_format" not in sent("openai", request()).json
    assert "response_format" not in sent("gptproto", request()).json


@pytest.mark.parametrize("name", ["openai", "bettertoken", "gptproto", "unified"])
def test_model_is_sent_even_when_the_manifest_names_none(name):
    """The APIs' own defaults are models that were shut down."""
    out = encode(request({}), resolve(name, UNIFIED if name == "unified" else {}), attempt=1)
    assert out.json["model"] == "gpt-image-2"


def test_request_wins_over_the_provider():
    """What the manifest asks for replaces a default of the provider."""
    assert sent("openai", request({"model": "gpt-image-2.5-flare"})).json["model"] == "gpt-image-2.5-flare"


def test_dropped_parameters_never_leave():
    """`drop` holds for the request's and for the provider's own parameters."""
    out = sent("bettertoken", request({**PARAMS, "quality": "low"}), drop=["quality", "output_format"])
    assert "quality" not in out.json
    assert "output_format" not in out.json


def test_sent_params_is_what_the_body_has():
    """Prices are computed from what really leaves."""
    provider = resolve("bettertoken")
    assert sent_params(provider, {"size": "auto"}) == {**provider.params, "size": "auto"}


def test_single_reference_is_image():
    """One file goes as `image` in a form, with scalars as text."""
    out = sent("openai", request({**PARAMS, "stream": True, "output_compression": 5}, images=[file()]))
    assert (out.url_path, out.json) == ("/images/edits", None)
    assert [part.field for part in out.files] == ["image"]
    assert dict(out.fields)["stream"] == "true"
    assert dict(out.fields)["output_compression"] == "5"
    assert dict(out.fields)["n"] == "1"


def test_several_references_are_repeated_image_brackets():
    """Two files and a mask: `image[]` twice in order, `mask` once and last."""
    out = sent("bettertoken", request(images=[file("a.png"), file("b.jpg", "jpeg")], mask=file("m.png")))
    assert [part.field for part in out.files] == ["image[]", "image[]", "mask"]
    assert [part.path for part in out.files] == ["/refs/a.png", "/refs/b.jpg", "/refs/m.png"]
    assert [part.content_type for part in out.files] == ["image/png", "image/jpeg", "image/png"]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("field", ["image", "image[]"])
def test_field_name_can_be_fixed(field, count):
    """A proxy that refuses `image[]` gets what it wants."""
    out = sent("openai", request(images=[file()] * count), image_field=field)
    assert [part.field for part in out.files] == [field] * count


def test_file_names_stay_at_home():
    """A part's name is ours: the user's may name a client, or break the part's header."""
    out = sent("openai", request(images=[file('acme "secret"\r\nX: y.png'), file("b.webp", "webp")]))
    assert [part.filename for part in out.files] == ["image-1.png", "image-2.webp"]


def test_unified_gateway_gets_references_inside_the_json():
    """No edits endpoint there: the images ride in the body of generations."""
    out = sent("unified", request(images=[file(), file("b.png")]), **UNIFIED)
    assert out.url_path == "/images/generations"
    assert (len(out.inline_images), out.inline_field, out.files) == (2, "image", ())
    assert out.json["prompt"] == "a mug"
    assert "image" not in out.json


def test_watermark_false_is_sent():
    """False and omission differ at the unified gateway."""
    assert sent("unified", request({"watermark": False}), **UNIFIED).json["watermark"] is False
    assert "watermark" not in sent("unified", request({}), **UNIFIED).json


def test_preset_is_sent_as_written():
    """The gateway maps 16:9 itself."""
    assert sent("unified", request({"size": "16:9"}), **UNIFIED).json["size"] == "16:9"


def test_extra_values_keep_their_kind():
    """JSON keeps lists and null; a form gets them as JSON text."""
    params = {"seed": 7, "tags": ["a", "ü"], "none": None, "rate": 0.5}
    assert sent("openai", request(params)).json | params == sent("openai", request(params)).json
    form = dict(sent("openai", request(params, images=[file()])).fields)
    assert (form["seed"], form["tags"], form["none"], form["rate"]) == ("7", '["a","ü"]', "null", "0.5")


def test_headers_carry_the_id_and_the_attempt():
    """The key is the same for every attempt, the client request id is not; no secret is in either."""
    headers = sent("openai", request()).headers
    assert headers["Idempotency-Key"] == "f" * 32
    assert headers["X-Client-Request-Id"] == "f" * 32 + "-3"
    assert headers["Accept"] == "application/json"
    assert "Authorization" not in headers


def test_stream_asks_for_events_and_still_takes_json():
    """Some servers answer a stream with plain JSON."""
    accept = sent("openai", request({"stream": True})).headers["Accept"]
    assert accept.startswith("text/event-stream")
    assert "application/json" in accept


def test_one_request_is_one_image_whatever_is_asked():
    """Not even `extra` makes batchgen ask for two, or swap the prompt."""
    out = sent("openai", request({**PARAMS, "n": 4, "prompt": "other", "images": []}))
    assert out.json == {"model": "gpt-image-2", "prompt": "a mug", "n": 1, "size": "1024x1024"}


def test_header_of_a_provider_replaces_ours_in_any_spelling():
    """Two Accept headers would be one too many."""
    headers = sent("openai", request(), headers={"accept": "*/*"}).headers
    assert [name for name in headers if name.lower() == "accept"] == ["accept"]


def test_own_headers_of_a_provider_are_added():
    """For instance an organisation."""
    headers = sent("openai", request(), headers={"OpenAI-Organization": "org-1"}).headers
    assert headers["OpenAI-Organization"] == "org-1"


def test_provider_without_edits_is_a_mistake_of_the_caller():
    """`check` refuses it first; encoding never sends a text-only request instead."""
    with pytest.raises(ValueError, match="no input images"):
        sent("openai", request(images=[file()]), edits="none")


def test_edit_with_only_a_mask_is_no_generation():
    """The operation decides the endpoint, not the number of files."""
    out = sent("openai", request(images=[file()], mask=file("m.png")))
    assert [part.filename for part in out.files] == ["image-1.png", "mask.png"]
