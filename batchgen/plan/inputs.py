"""Reference images and masks: looked at once, hashed in pieces, checked against what the APIs take.

Source of the limits: OpenAI's image guide and API schema (at most 16 images, each below 50 MB; a mask is a PNG with an
alpha channel, below 4 MB and as large as the first image). Where sources disagree the strictest rule holds.
"""

import hashlib
import warnings
from pathlib import Path
from typing import BinaryIO, Final

from PIL import Image, UnidentifiedImageError

from batchgen.request import InputFile

__all__ = ["IMAGES_LIMIT", "InputFiles", "UnusableInputError"]

IMAGES_LIMIT: Final = 16
"""Reference images in one request."""

IMAGE_BYTES_LIMIT: Final = 50_000_000
MASK_BYTES_LIMIT: Final = 4_000_000

_FORMATS: Final = ("PNG", "JPEG", "WEBP")


class UnusableInputError(ValueError):
    """An input file that cannot be sent; the message names it, the problem and the remedy."""


class InputFiles:
    """The input files of a plan, by the name that the manifest gives them. Each is read once, also when it fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, InputFile | UnusableInputError] = {}

    def image(self, name: str) -> InputFile:
        """The reference image `name`, relative to the manifest's folder.

        Raises:
            UnusableInputError: Missing, too large, or no whole PNG, JPEG or WebP image.
        """
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._looked_at(name)
        if isinstance(known, UnusableInputError):
            raise known
        return known

    def mask(self, name: str, first: InputFile) -> InputFile:
        """The mask `name` for the reference image `first`.

        Raises:
            UnusableInputError: As for an image; or no PNG with alpha, or of another size than `first`.
        """
        mask = self.image(name)
        if problem := _mask_problem(mask, first):
            message = f"'{name}' {problem}"
            raise UnusableInputError(message)
        return mask

    def _looked_at(self, name: str) -> InputFile | UnusableInputError:
        try:
            return _look(self._folder / name, name)
        except UnusableInputError as error:
            return error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return UnusableInputError(f"'{name}' cannot be read: {reason}; the path is relative to {self._folder}")


def _mask_problem(mask: InputFile, first: InputFile) -> str:
    if mask.format != "png":
        return f"is {mask.format} (a mask is a png with transparency); save it as png"
    if not mask.has_alpha:
        return "has no alpha channel; make the area to repaint transparent"
    if mask.bytes >= MASK_BYTES_LIMIT:
        return f"has {mask.bytes:,} bytes (a mask has less than {MASK_BYTES_LIMIT:,})"
    if (mask.width, mask.height) != (first.width, first.height):
        size = f"{first.width}x{first.height}"
        return f"is {mask.width}x{mask.height} (expected {size}, the size of '{first.name}')"
    return ""


def _look(path: Path, name: str) -> InputFile:
    if not path.is_file():
        problem = "is no regular file" if path.exists() else "does not exist"
        message = f"'{name}' {problem}; the path is relative to the manifest"
        raise UnusableInputError(message)
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size >= IMAGE_BYTES_LIMIT:
            message = f"'{name}' has {size:,} bytes (less than {IMAGE_BYTES_LIMIT:,} can be sent)"
            raise UnusableInputError(message)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        form, width, height, has_alpha = _verified(file, name)
    return InputFile(
        path=str(path.absolute()),
        name=name,
        sha256=digest,
        bytes=size,
        format=form,
        width=width,
        height=height,
        has_alpha=has_alpha,
    )


def _verified(file: BinaryIO, name: str) -> tuple[str, int, int, bool]:
    """Format, width, height and whether there is transparency, of an image that opens and is whole."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=_FORMATS) as image:
                # A jpeg from a phone may hold a second picture; Pillow then calls it MPO.
                form = {"PNG": "png", "WEBP": "webp"}.get(image.format or "", "jpeg")
                facts = form, *image.size, image.has_transparency_data
                # Pillow's verify finds nothing in a JPEG, and its load no missing end of a PNG.
                (image.load if form == "jpeg" else image.verify)()
    except UnidentifiedImageError:
        message = f"'{name}' is no png, jpeg or webp image"
        raise UnusableInputError(message) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        message = f"'{name}' has too many pixels; scale it down"
        raise UnusableInputError(message) from None
    except (OSError, SyntaxError, ValueError) as error:
        message = f"'{name}' is a damaged image: {error}"
        raise UnusableInputError(message) from None
    return facts
