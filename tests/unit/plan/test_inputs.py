import hashlib

import pytest
from PIL import Image

from batchgen.plan import inputs
from batchgen.plan.inputs import InputFiles, UnusableInputError


@pytest.fixture
def picture(tmp_path):
    def drawn(name, size=(8, 6), mode="RGB", **options):
        Image.new(mode, size, 0).save(tmp_path / name, **options)
        return name

    return drawn


@pytest.fixture
def files(tmp_path):
    return InputFiles(tmp_path)


def refusal(call, *args):
    with pytest.raises(UnusableInputError) as caught:
        call(*args)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "form", "mode", "alpha"),
    [("a.png", "png", "RGBA", True), ("a.jpg", "jpeg", "RGB", False), ("a.webp", "webp", "RGB", False)],
)
def test_an_image_is_described(files, picture, tmp_path, name, form, mode, alpha):
    """Format, size, bytes, hash and transparency are those of the file."""
    found = files.image(picture(name, mode=mode))
    data = (tmp_path / name).read_bytes()
    assert (found.format, found.width, found.height, found.has_alpha) == (form, 8, 6, alpha)
    assert (found.sha256, found.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert (found.path, found.name) == (str(tmp_path / name), name)


def test_a_file_is_read_once(files, picture, tmp_path):
    """The second request for a file costs no reading."""
    first = files.image(picture("a.png"))
    (tmp_path / "a.png").unlink()
    assert files.image("a.png") is first


def test_a_failure_is_remembered(files, picture):
    """A missing file is looked for once."""
    assert refusal(files.image, "a.png") == "'a.png' does not exist; the path is relative to the manifest"
    picture("a.png")
    assert refusal(files.image, "a.png")


def test_format_is_that_of_the_bytes(files, picture, tmp_path):
    """A jpeg called .png is a jpeg."""
    (tmp_path / picture("a.jpg")).rename(tmp_path / "b.png")
    assert files.image("b.png").format == "jpeg"


@pytest.mark.parametrize("name", ["", ".", "a\0b"])
def test_impossible_names_are_refused(files, name):
    """A folder or an impossible name gives a message, not a traceback."""
    assert refusal(files.image, name)


@pytest.mark.parametrize(("name", "cut"), [("a.png", 40), ("a.jpg", 20), ("a.webp", 10)])
def test_truncated_images_are_refused(files, tmp_path, name, cut):
    """An image that is cut short is not sent."""
    Image.effect_noise((64, 64), 80).convert("RGB").save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:-cut])
    assert "is a damaged image" in refusal(files.image, name)


@pytest.mark.parametrize(("name", "save"), [("a.png", "GIF"), ("a.jpg", "BMP"), ("a.webp", "TIFF")])
def test_other_formats_are_refused(files, tmp_path, name, save):
    """Only png, jpeg and webp are sent, whatever the name says."""
    Image.new("RGB", (4, 4)).save(tmp_path / name, format=save)
    assert refusal(files.image, name) == f"'{name}' is no png, jpeg or webp image"


def test_text_is_no_image(files, tmp_path):
    """A text file under an image's name is refused."""
    (tmp_path / "a.png").write_text("no image")
    assert "is no png, jpeg or webp image" in refusal(files.image, "a.png")


def test_a_decompression_bomb_is_refused(files, tmp_path):
    """A small file with a huge picture is refused by its header."""
    Image.new("1", (9_500, 9_500)).save(tmp_path / "a.png")
    assert "has too many pixels" in refusal(files.image, "a.png")


def test_a_file_of_fifty_megabytes_is_refused(files, tmp_path):
    """The APIs take less than 50 MB; the size is looked at before the content."""
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(inputs.IMAGE_BYTES_LIMIT)
    assert "less than 50,000,000" in refusal(files.image, "a.png")


def test_a_good_mask(files, picture):
    """A png with alpha and the size of the first image is a mask."""
    first = files.image(picture("a.png"))
    assert files.mask(picture("m.png", mode="RGBA"), first).has_alpha


def test_a_mask_of_another_size_names_both(files, picture):
    """The message has both sizes and the image."""
    first = files.image(picture("a.png"))
    said = refusal(files.mask, picture("m.png", size=(8, 8), mode="RGBA"), first)
    assert said == "'m.png' is 8x8 (expected 8x6, the size of 'a.png')"


def test_a_mask_without_alpha_is_refused(files, picture):
    """A black-and-white picture is no mask."""
    first = files.image(picture("a.png"))
    assert "has no alpha channel" in refusal(files.mask, picture("m.png"), first)


def test_a_mask_is_a_png(files, picture):
    """Webp has alpha too, but the APIs want png."""
    first = files.image(picture("a.png"))
    assert "is webp (a mask is a png" in refusal(files.mask, picture("m.webp", mode="RGBA"), first)


def test_a_mask_of_four_megabytes_is_refused(files, picture, tmp_path):
    """A mask has less than 4 MB, though it be a good image."""
    first = files.image(picture("a.png", size=(1100, 1100)))
    Image.effect_noise((1100, 1100), 90).convert("RGBA").save(tmp_path / "m.png", compress_level=0)
    assert "less than 4,000,000" in refusal(files.mask, "m.png", first)
