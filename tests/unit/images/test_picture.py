"""Is it a whole image? What each check finds, and what none can."""

import io

import pytest
from fakes.pictures import animated, noise, picture, png_header
from PIL import Image

from batchgen.images.picture import MAX_PIXELS, BadImageError, examine

KINDS = ["PNG", "JPEG", "WEBP"]
WHOLE = {kind: noise(kind) for kind in KINDS}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


def look(data, max_pixels=MAX_PIXELS):
    return examine(io.BytesIO(data), max_pixels=max_pixels)


def multi_picture():
    target = io.BytesIO()
    first, second = (Image.new("RGB", (16, 16), color) for color in ("red", "blue"))
    first.save(target, "MPO", save_all=True, append_images=[second])
    return target.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (16, 9), (640, 480)])
def test_a_whole_image_is_what_its_bytes_say(kind, size):
    """Format and size come from the bytes, without a warning."""
    found = look(picture(kind, size))
    assert (found.format, found.width, found.height, found.warning) == (kind.lower(), *size, "")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_png_of_any_mode_is_fine(mode):
    """Grey, palette, alpha and deep pictures are pictures."""
    target = io.BytesIO()
    Image.new(mode, (8, 8)).save(target, "PNG")
    assert look(target.getvalue()).format == "png"


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_image_is_refused_or_warned_of(kind):
    """No cut goes by: it is refused, or the end of the file is called doubtful."""
    whole = WHOLE[kind]
    for cut in [*range(1, 40), len(whole) // 3, len(whole) // 2, len(whole) - 5]:
        try:
            assert look(whole[:-cut]).warning
        except BadImageError:
            continue


@pytest.mark.parametrize("kind", KINDS)
def test_appended_bytes_are_warned_of(kind):
    """Pillow does not look behind the end; the end-of-file check does."""
    assert look(WHOLE[kind] + b"x").warning == f"the {kind.lower()} file does not end where it should"


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("zeros", [2, 100, 4096])
def test_a_tail_of_zeros_is_found(kind, zeros):
    """Power loss before a sync shows in PNG and JPEG (WebP: only the hash tells)."""
    try:
        assert look(WHOLE[kind][:-zeros] + bytes(zeros)).warning
    except BadImageError:
        return


def test_a_flipped_bit_in_a_png_is_refused():
    """PNG carries checksums."""
    data = bytearray(WHOLE["PNG"])
    data[len(data) // 2] ^= 1
    with pytest.raises(BadImageError):
        look(bytes(data))


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "BMP", "ICO", "EPS", "PDF", "TGA", "PPM"])
def test_other_formats_are_refused(kind):
    """Only what the providers make is an image here, whatever else Pillow could open."""
    with pytest.raises(BadImageError, match="not a whole image"):
        look(picture(kind))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        bytes(1000),
        SVG,
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"<html>" + WHOLE["PNG"],
        b"GIF89a" + WHOLE["JPEG"],
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xd9",
        b"RIFF\x04\0\0\0WEBP",
    ],
)
def test_what_is_no_image_is_refused(data):
    """Text, scripts, bare signatures and files that begin as something else."""
    with pytest.raises(BadImageError):
        look(data)


def test_an_archive_behind_an_image_is_warned_of():
    """A polyglot opens as the image that it begins as, but not without a word."""
    assert look(WHOLE["PNG"] + b"PK\x03\x04" + bytes(100) + b"PK\x05\x06").warning


@pytest.mark.parametrize("size", [(65535, 65535), (13_000, 13_000), (MAX_PIXELS + 1, 1)])
def test_a_bomb_is_refused_by_its_header(size):
    """A few bytes that claim gigapixels are never decoded, and Pillow's own warning is an error."""
    with pytest.raises(BadImageError):
        look(png_header(*size))


@pytest.mark.parametrize("kind", KINDS)
def test_the_pixel_cap_is_exact(kind):
    """As many pixels as allowed are fine, one more is not."""
    data = picture(kind, (10, 10))
    assert look(data, max_pixels=100).width == 10
    with pytest.raises(BadImageError, match=r"claims 10x10 pixels \(expected at most 99\)"):
        look(data, max_pixels=99)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animated_image_is_an_image(kind):
    """It was paid for and opens: its first frame is the picture."""
    found = look(animated(kind))
    assert (found.format, found.width, found.height) == (kind.lower(), 16, 16)


def test_a_jpeg_with_a_second_picture_is_a_jpeg():
    """Previews and gain maps make Pillow call it MPO."""
    assert look(multi_picture()).format == "jpeg"


def test_the_message_is_short():
    """Whatever Pillow says, the ledger gets a line."""
    with pytest.raises(BadImageError) as caught:
        look(b"x" * 10_000)
    assert len(str(caught.value)) < 200


def test_looking_twice_gives_the_same(tmp_path):
    """The position of the source does not matter."""
    path = tmp_path / "x.jpg"  # the name lies: it is a PNG
    path.write_bytes(WHOLE["PNG"])
    with path.open("rb") as source:
        source.seek(99)
        assert examine(source, max_pixels=MAX_PIXELS) == examine(source, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("is_progressive", [False, True])
def test_a_jpeg_cut_anywhere_is_found_out(mode, is_progressive):
    """Whole of any kind passes; cut at any of a hundred places it does not, though it is decoded at an eighth."""
    target = io.BytesIO()
    Image.effect_noise((90, 70), 60).convert(mode).save(target, "JPEG", progressive=is_progressive)
    whole = target.getvalue()
    assert (look(whole).width, look(whole).height) == (90, 70)
    for size in range(30, len(whole) - 2, len(whole) // 100):
        with pytest.raises(BadImageError):
            look(whole[:size])
