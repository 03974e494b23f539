"""What differs between the picture that was asked for and the one that came."""

import pytest

from batchgen.images.picture import Picture
from batchgen.provider.catalog import resolve
from batchgen.request import Request
from batchgen.run.remarks import remarks

UNIFIED = {"base_url": "https://gateway.example/v1"}


def request(**params):
    return Request(
        id="a" * 32, base_id="a" * 32, slot="s/v1", operation="generate", prompt="a", params=params, path="images/s.png"
    )


@pytest.mark.parametrize(
    ("provider", "params", "picture", "said"),
    [
        ("openai", {"size": "1024x1024"}, ("png", 1024, 1024), ()),
        ("openai", {"size": "auto"}, ("png", 1254, 1254), ()),
        ("openai", {"size": "3840x2160"}, ("png", 1672, 941), ("asked for 3840x2160, got 1672x941",)),
        ("openai", {"output_format": "webp"}, ("png", 8, 8), ("asked for webp, got png",)),
        ("openai", {"output_format": "jpeg"}, ("jpeg", 8, 8), ()),
        ("unified", {"size": "16:9"}, ("png", 1920, 1080), ()),
        ("unified", {"size": "16:9"}, ("png", 1536, 1024), ("asked for 16:9, got 1536x1024",)),
    ],
)
def test_a_difference_is_said_and_nothing_else(provider, params, picture, said):
    """Sizes and formats are compared by what the bytes are; presets by the pixels they stand for."""
    found = Picture(format=picture[0], width=picture[1], height=picture[2])
    assert remarks(found, request(**params), resolve(provider, UNIFIED if provider == "unified" else {})) == said


def test_a_doubtful_end_is_said():
    """Trailing or missing bytes are a remark on a fresh answer, not a reason to buy again."""
    found = Picture(format="png", width=8, height=8, warning="the png file does not end where it should")
    assert remarks(found, request(), resolve("openai")) == ("the png file does not end where it should",)
