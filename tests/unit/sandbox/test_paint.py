"""Pictures: right in size and format, deterministic, marked, and different where they should be."""

import json
import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from batchgen.sandbox.paint import CHUNK, paint


def _opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def _mask(size: tuple[int, int]) -> bytes:
    mask = Image.new("RGBA", size, (255, 255, 255, 255))
    ImageDraw.Draw(mask).rectangle((0, 0, size[0] // 2, size[1]), fill=(0, 0, 0, 0))
    out = BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    "size", [(16, 16), (16, 640), (640, 16), (64, 64), (96, 256), (256, 256), (1024, 1024), (1536, 512), (512, 1536)]
)
def test_any_size_is_painted(size: tuple[int, int]):
    """Width and height come out exactly, from an icon to a banner."""
    assert _opened(paint(prompt="a stoneware mug 海报", width=size[0], height=size[1])).size == size


def test_same_arguments_give_the_same_bytes():
    """A picture follows from its arguments."""
    first, second = (paint(prompt="a mug", width=320, height=256, variant="k") for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "change", [{"prompt": "a jug"}, {"variant": "other"}, {"quality": "high"}, {"model": "m"}, {"progress": 0.5}]
)
def test_another_argument_gives_another_picture(change: dict):
    """Takes, prompts, qualities and models can be told apart by their pixels."""
    same = {"prompt": "a mug", "variant": "one", "width": 512, "height": 512}
    first, second = _opened(paint(**same)), _opened(paint(**{**same, **change}))
    assert ImageChops.difference(first, second).getbbox()


def test_png_says_that_it_is_from_the_sandbox():
    """The text chunk names the sandbox and what was asked, in any script."""
    image = _opened(paint(prompt="一张海报", width=64, height=64))
    assert json.loads(image.info[CHUNK])["prompt"] == "一张海报"


@pytest.mark.parametrize(("format_", "key"), [("jpeg", "comment"), ("webp", "xmp")])
def test_other_formats_are_honoured_and_marked(format_: str, key: str):
    """The bytes are of the format that was asked, and say where they come from."""
    image = _opened(paint(prompt="a mug", width=64, height=64, format=format_))
    assert image.format == format_.upper()
    assert CHUNK.encode() in image.info[key]


def test_compression_makes_jpeg_smaller():
    """The API's compression is the encoder's quality."""
    sizes = [len(paint(prompt="a mug", width=256, height=256, format="jpeg", compression=c)) for c in (20, 90)]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("format_", ["png", "webp"])
def test_transparent_background_has_clear_corners_and_a_solid_middle(format_: str):
    """Alpha is really there."""
    alpha = _opened(paint(prompt="a", width=128, height=128, format=format_, transparent=True)).getchannel("A")
    assert alpha.getpixel((0, 0)) == 0
    assert alpha.getpixel((64, 64)) == 255


def test_reference_is_shown_inside_an_edit():
    """A red reference leaves a red area."""
    out = BytesIO()
    Image.new("RGB", (200, 200), (255, 0, 0)).save(out, "PNG")
    image = _opened(paint(prompt="edit", width=512, height=512, references=[out.getvalue()])).convert("RGB")
    red = sum(
        1 for pixel in image.resize((64, 64), Image.Resampling.NEAREST).tobytes("raw", "RGB")[0::3] if pixel == 255
    )
    assert red > 300


def test_masked_area_is_marked_on_the_first_reference_only():
    """The transparent half of the mask is hatched, the other half is left as it was."""
    white = BytesIO()
    Image.new("RGB", (256, 256), (255, 255, 255)).save(white, "PNG")
    same = {"prompt": "edit", "width": 512, "height": 512, "references": [white.getvalue()]}
    plain, marked = _opened(paint(**same)), _opened(paint(**same, mask=_mask((256, 256))))
    changed = ImageChops.difference(plain, marked).convert("L").getbbox()
    assert changed is not None
    assert changed[2] < 300


def test_references_may_be_files(tmp_path: Path):
    """A path is as good as bytes."""
    path = tmp_path / "reference.png"
    path.write_bytes(paint(prompt="a", width=64, height=64))
    same = {"prompt": "edit", "width": 256, "height": 256}
    assert paint(**same, references=[path]) == paint(**same, references=[path.read_bytes()])


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("size", [(16, 16), (300, 100), (256, 512)])
def test_any_number_of_references_fits_any_size(count: int, size: tuple[int, int]):
    """Sixteen references in an icon do not fail."""
    reference = paint(prompt="a", width=40, height=30)
    assert _opened(paint(prompt="e", width=size[0], height=size[1], references=[reference] * count)).size == size


def test_broken_reference_is_an_error():
    """Bytes that are no image are not passed over."""
    with pytest.raises(OSError, match="cannot identify"):
        paint(prompt="edit", width=64, height=64, references=[b"no image"])


@pytest.mark.parametrize(
    "prompt", ["\ud800", "\x00\x1b[31m", "\u202eabc", "न" * 500, "\n\n\n", "\u0301" * 50, "a" * 32_000]
)
def test_strange_prompts_are_painted(prompt: str):
    """Half surrogates, control bytes, overrides, unknown scripts, marks without letters and 32,000 characters."""
    assert _opened(paint(prompt=prompt, width=256, height=256)).size == (256, 256)


def test_pictures_have_light_and_shade():
    """A picture is not one flat colour outside its panel."""
    top = _opened(paint(prompt="a mug", width=512, height=512)).crop((0, 0, 512, 200))
    assert max(ImageStat.Stat(top).stddev) > 4


def test_partial_is_a_coarse_version_of_the_whole():
    """The first partial resembles the final picture more than another prompt's does."""
    whole, partial, other = (
        _opened(paint(prompt=prompt, width=256, height=256, progress=progress)).convert("L").resize((8, 8))
        for prompt, progress in (("a mug", 1.0), ("a mug", 0.3), ("a fox", 1.0))
    )
    distance = [ImageStat.Stat(ImageChops.difference(whole, image)).mean[0] for image in (partial, other)]
    assert distance[0] < distance[1] / 2


def test_painting_stays_cheap():
    """1024x1024 costs less than forty encodings of a flat picture of its size: no accident made it slow."""
    flat = Image.new("RGB", (1024, 1024))
    start = time.thread_time()
    for _ in range(5):
        flat.save(BytesIO(), "PNG", compress_level=1)
    unit = (time.thread_time() - start) / 5
    start = time.thread_time()
    paint(prompt="a stoneware mug", width=1024, height=1024)
    assert time.thread_time() - start < 40 * unit
