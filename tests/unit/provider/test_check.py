"""What each provider would refuse is found before anything is sent, with the remedy."""

import pytest

from batchgen.provider.catalog import resolve
from batchgen.provider.check import check, notes, provider_notes, size_policy
from batchgen.request import InputFile, Request

UNIFIED = {"base_url": "https://gateway.example.com/v1"}
FILE = InputFile(path="/m.png", name="m.png", sha256="a" * 64, bytes=9, format="png", width=8, height=8, has_alpha=True)


def provider(name, **overrides):
    return resolve(name, {**(UNIFIED if name == "unified" else {}), **overrides})


def request(params=None, *, images=0, mask=False, unchecked=()):
    return Request(
        id="f" * 32,
        base_id="f" * 32,
        slot="mug/v1",
        operation="edit" if images or mask else "generate",
        prompt="a mug",
        params=params or {},
        path="mug-v1.png",
        images=(FILE,) * images,
        mask=FILE if mask else None,
        unchecked=frozenset(unchecked),
    )


def found(name, params=None, *, overrides=None, **more):
    return check(provider(name, **(overrides or {})), request(params, **more))


GOOD = [
    ("sandbox", {}, {}),
    ("sandbox", {"model": "anything", "quality": "high", "style": "x", "watermark": True, "user": "u"}, {}),
    ("openai", {"model": "gpt-image-2", "quality": "high", "size": "1024x1280", "moderation": "low"}, {}),
    ("openai", {"background": "transparent", "output_format": "webp", "output_compression": 80}, {}),
    ("openai", {"stream": True, "partial_images": 2, "user": "u"}, {}),
    ("openai", {"partial_images": 0}, {}),
    ("openai", {"quality": "xhigh", "model": "gpt-image-2.5-flare"}, {}),
    ("openai", {"quality": "low"}, {"images": 16, "mask": True}),
    ("bettertoken", {"model": "gpt-image-2", "size": "1536x1152", "output_format": "png"}, {}),
    ("bettertoken", {"size": "1024x1024"}, {"images": 2, "mask": True}),
    ("gptproto", {"background": "opaque", "output_format": "auto", "output_compression": 10, "quality": "auto"}, {}),
    ("gptproto", {"model": "gpt-image-1", "background": "transparent", "size": "1536x1024"}, {}),
    ("unified", {"size": "16:9", "style": "vivid", "watermark": False, "background": "x", "quality": "any"}, {}),
    ("unified", {}, {"images": 3}),
]

BAD = [
    ("openai", {"style": "vivid"}, {}, "style", "not taken by openai"),
    ("openai", {"watermark": False}, {}, "watermark", "drop"),
    ("openai", {"quality": "standard"}, {}, "quality", "expected low, medium, high, auto"),
    ("openai", {"quality": "hgih"}, {}, "quality", "did you mean 'high'"),
    ("openai", {"quality": "xhigh"}, {}, "quality", "gpt-image-2"),
    ("openai", {"background": "clear"}, {}, "background", "transparent"),
    ("openai", {"moderation": "off"}, {}, "moderation", "auto, low"),
    ("openai", {"moderation": "low"}, {"images": 1}, "moderation", "for edits"),
    ("openai", {"output_format": "jpg"}, {}, "output_format", "did you mean 'jpeg'"),
    ("openai", {"output_compression": 5}, {}, "output_compression", "png, the default"),
    ("openai", {"output_compression": 5, "output_format": "png"}, {}, "output_compression", "jpeg or webp"),
    ("openai", {"background": "transparent", "output_format": "jpeg"}, {}, "background", "png or webp"),
    ("openai", {"partial_images": 2}, {}, "partial_images", "stream: true"),
    ("openai", {"partial_images": 2, "stream": False}, {}, "partial_images", "stream: true"),
    ("openai", {"size": "1920x1080"}, {}, "size", "near it: 1920x1088"),
    ("openai", {"size": "16:9"}, {}, "size", "2048x1152"),
    ("openai", {"model": "gpt-image-1"}, {}, "model", "shut down on 2026-10-23"),
    ("openai", {"model": "dall-e-3"}, {}, "model", "use for instance gpt-image-2"),
    ("openai", {}, {"images": 17}, "images", "at most 16"),
    ("openai", {}, {"mask": True}, "mask", "masks nothing"),
    ("bettertoken", {"quality": "low"}, {}, "quality", "the schema has no quality"),
    ("bettertoken", {"background": "opaque"}, {}, "background", "not taken by bettertoken"),
    ("bettertoken", {"stream": True}, {}, "stream", "remove it"),
    ("bettertoken", {"output_format": "jpeg"}, {}, "output_format", "expected png"),
    ("bettertoken", {"output_format": "webp", "model": "gpt-image-9"}, {}, "output_format", "expected png"),
    ("bettertoken", {"size": "1536x1152"}, {"images": 1}, "size", "expected auto, 1024x1024"),
    ("bettertoken", {"size": "1152x864"}, {}, "size", "1536x1152"),
    ("gptproto", {"background": "transparent"}, {}, "background", "expected opaque, auto"),
    ("gptproto", {"model": "gpt-image-2-plus", "quality": "low"}, {}, "quality", "gpt-image-2-plus"),
    ("gptproto", {"model": "gpt-image-1", "size": "2048x2048"}, {}, "size", "1536x1024"),
    ("gptproto", {"size": "800x800"}, {}, "size", "816x816"),
    ("unified", {"output_format": "png"}, {}, "output_format", "not taken by unified"),
    ("unified", {"size": "auto"}, {}, "size", "16:9"),
    ("unified", {"size": "2048x2048"}, {}, "size", "provider.sizes"),
    ("unified", {}, {"images": 1, "mask": True}, "mask", "no masks"),
    ("sandbox", {"size": "4000x4000"}, {}, "size", "3840"),
    ("sandbox", {"quality": "hihg"}, {}, "quality", "did you mean 'high'"),
    ("sandbox", {"n": 4}, {"unchecked": ["n"]}, "n", "repeat"),
    ("openai", {"image[]": "x"}, {"unchecked": ["image[]"]}, "image[]", "written by batchgen"),
]


@pytest.mark.parametrize(("name", "params", "more"), GOOD, ids=str)
def test_what_the_document_allows_passes(name, params, more):
    """Nothing that the provider's page allows is refused."""
    assert found(name, params, **more) == ()


@pytest.mark.parametrize(("name", "params", "more", "field", "says"), BAD, ids=str)
def test_what_the_provider_would_refuse_is_an_error(name, params, more, field, says):
    """One mistake is one finding, at its field, with the way out."""
    [(place, message)] = found(name, params, **more)
    assert place == field
    assert says in message


def test_all_mistakes_are_reported_at_once():
    """Nobody runs plan five times to find five mistakes."""
    fields = [field for field, _ in found("openai", {"size": "1x1", "quality": "hd", "style": "s", "watermark": True})]
    assert sorted(fields) == ["quality", "size", "style", "watermark"]


def test_dropped_parameters_pass():
    """`drop` is the remedy the message names, so it must work."""
    assert found("bettertoken", {"quality": "low"}, overrides={"drop": ["quality"]}) == ()
    assert found("openai", {"size": "16:9"}, overrides={"drop": ["size"]}) == ()


@pytest.mark.parametrize("params", [{"response_format": "b64_json"}, {"seed": 7}, {"size": "odd"}])
def test_extra_goes_out_unchecked(params):
    """What stands in `extra` is the user's own word."""
    assert found("openai", params, unchecked=params) == ()


def test_sizes_override_is_the_remedy_for_a_new_size():
    """The message sends people to provider.sizes, so that must work."""
    assert found("unified", {"size": "2048x2048"}, overrides={"sizes": ["2048x2048"]}) == ()
    assert found("bettertoken", {"size": "1536x1152"}, images=1, overrides={"sizes": {"edit": "any"}}) == ()


def test_accepts_override_lets_a_parameter_through():
    """The note on quality at BetterToken says to override accepts."""
    assert found("bettertoken", {"quality": "low"}, overrides={"accepts": ["model", "quality", "size"]}) == ()


def test_provider_without_edits_refuses_images():
    """A reference image that cannot be sent is an error, not left out."""
    assert found("openai", images=1, overrides={"edits": "none"})[0][0] == "images"


def test_wrong_default_of_an_override_is_found():
    """A parameter the provider block adds is checked for its value too."""
    assert found("openai", overrides={"params": {"quality": "hd"}})[0][0] == "quality"


def test_unknown_model_and_its_values_pass_with_a_note():
    """Vendors add models monthly: they go out as they are, and plan says so."""
    asked = request({"model": "gpt-image-9", "quality": "ultra"})
    assert check(provider("openai"), asked) == ()
    assert [field for field, _ in notes(provider("openai"), asked)] == ["quality", "model"]


def test_known_request_has_no_notes():
    """A plain request is silent."""
    assert notes(provider("openai"), request({"model": "gpt-image-2", "quality": "low"})) == ()


def test_caveats_of_the_document_are_notes():
    """A transparent background in preview and edits that may not take effect are said, not refused."""
    asked = request({"background": "transparent"})
    assert "preview" in dict(notes(provider("openai"), asked))["background"]
    assert notes(provider("openai"), request({"background": "opaque"})) == ()
    assert "channel" in dict(notes(provider("unified"), request(images=1)))["images"]
    assert "gpt-image-1 only" in dict(notes(provider("gptproto"), request(images=1)))["images"]


def test_size_policy_follows_the_model():
    """The first models at GPTProto have three sizes."""
    policy = size_policy(provider("gptproto"), request({"model": "gpt-image-1.5"}))
    assert policy.named == ("auto", "1024x1024", "1536x1024", "1024x1536")


def test_missing_version_in_the_address_is_noted():
    """Without /v1 most gateways answer with a web page."""
    assert provider_notes(provider("unified", base_url="https://gateway.example.com"))[0][0] == "base_url"
    assert provider_notes(provider("unified")) == ()


def test_key_that_goes_to_another_house_is_noted():
    """A shipped provider's key sent to another host is worth a line; a variable of its own or loopback is not."""
    other = {"base_url": "https://other.example.com/v1"}
    assert "OPENAI_API_KEY" in dict(provider_notes(provider("openai", **other)))["key_env"]
    assert provider_notes(provider("openai", **other, key_env="OTHER_KEY")) == ()
    assert provider_notes(provider("openai", base_url="http://127.0.0.1:9/v1")) == ()


def test_short_timeout_is_noted():
    """A deadline below what the document asks for may pay for nothing."""
    assert provider_notes(provider("bettertoken"), timeout_seconds=60)[0][0] == "request_timeout"
    assert provider_notes(provider("bettertoken"), timeout_seconds=600) == ()
