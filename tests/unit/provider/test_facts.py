import json

import pytest

from batchgen.provider.facts import echoed, image_url, parse, revised_prompt, usage
from batchgen.safetext import Scrubber

NONE = Scrubber()


@pytest.mark.parametrize(
    "text", [b"", b"[", b"[]", b"7", b'"x"', b"nul", b"{'a': 1}", b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"\x00"]
)
def test_unreadable_json_is_none(text):
    """What is no JSON object gives None and never raises."""
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": NaN}', None),
        (b'{"a": -Infinity}', None),
        (b'{"a": ' + b"9" * 5000 + b"}", 0),
        (b'{"a": 1, "a": 2}', 2),
        (b'{"a": "line\nbreak"}', "line\nbreak"),
        (b'{"a": "\xff"}', "\ufffd"),
    ],
)
def test_strange_values_are_harmless(text, value):
    """What Python's parser takes too literally is defused."""
    assert parse(text) == {"a": value}


def test_usage_holds_only_finite_numbers():
    """Nothing of a foreign usage but numbers can reach the ledger."""
    found = parse(
        b'{"usage": {"total_tokens": 204, "cost": 0.5, "inf": 1e999, "nan": NaN, "yes": true, "big": 1e300,'
        b' "bad name": 1, "text": "x", "d": {"image_tokens": 196, "e": {"f": {"g": 1}}}}}'
    )
    assert usage(found, Scrubber()) == {"total_tokens": 204, "cost": 0.5, "d": {"image_tokens": 196, "e": {}}}


@pytest.mark.parametrize("found", [None, 7, [], {}, {"only": "text"}])
def test_missing_usage_is_none(found):
    """Usage that says nothing is None, not an empty mapping."""
    assert usage({"usage": found}, Scrubber()) is None


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"url": "https://a.example/1.png"}]},
        {"data": [{"url": ""}, {"url": " https://a.example/1.png "}]},
        {"data": {"url": "https://a.example/1.png"}},
        {"data": {"data": [{"url": "https://a.example/1.png"}]}},
        {"images": [{"url": "https://a.example/1.png"}]},
        {"url": "https://a.example/1.png"},
    ],
)
def test_address_is_found(body):
    """The image's address is found in every place where gateways put it."""
    assert image_url(body) == "https://a.example/1.png"


@pytest.mark.parametrize(
    "url",
    [
        "",
        None,
        7,
        "ftp://a/b",
        "file:///x",
        "javascript:x",
        "https://",
        "https://a b",
        "https://a\\b",
        "https://\ud800",
    ],
)
def test_strange_address_is_none(url):
    """Only a plain http or https address counts as one."""
    assert image_url({"data": [{"url": url}]}) is None


def test_echoed_values_are_cleaned_text():
    """What the server says it made is kept as clean text, whatever else it sends there."""
    found = json.loads('{"size": "3072x2160", "quality": "\\u001b[1mlow", "output_format": 7, "background": ""}')
    assert echoed(found, NONE) == {"size": "3072x2160", "quality": "low"}


@pytest.mark.parametrize("text", ["", "  ", None, 7])
def test_empty_revised_prompt_is_none(text):
    """An empty revised prompt beside the image counts as absent."""
    assert revised_prompt({"data": [{"revised_prompt": text}]}, NONE) is None


def test_revised_prompt_is_cleaned_and_scrubbed():
    """A revised prompt is foreign text like any other."""
    body = {"data": [{"revised_prompt": "a mug\u202e with sk-1234567890"}]}
    assert revised_prompt(body, Scrubber(["sk-1234567890"])) == "a mug with ***"


@pytest.mark.parametrize("name", ["sk_secret_0123456789", "x" * 900_000, "two words", "é"])
def test_usage_names_are_short_plain_words_without_secrets(name):
    """A server chooses the names under which numbers are recorded, so they may hold neither a key nor a megabyte."""
    assert usage({"usage": {name: 1, "total_tokens": 2}}, Scrubber(["sk_secret_0123456789"])) == {"total_tokens": 2}
