"""What a client asks for: JSON or a multipart form, leniently read, into one value.

Fields and limits are those of the OpenAI image endpoints; the unified gateways' `image` in a generation (base64 text or
a list of it) and their ratio presets are taken as well. Unknown fields are ignored, as most gateways do.
"""

import asyncio
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pybase64
from aiohttp import BodyPartReader, web
from PIL import Image, UnidentifiedImageError

from batchgen.sandbox.paint import Format

__all__ = ["Ask", "RefusedError", "read_ask"]

_PROMPT_LIMIT = 32_000
_IMAGES_LIMIT = 16
_IMAGE_BYTES_LIMIT = 50 * 2**20
_EDGES = range(16, 3841)
_PIXELS_LIMIT = 60_000_000
_PRESETS = {
    "1:1": (1024, 1024),
    "4:3": (1536, 1152),
    "3:2": (1536, 1024),
    "2:3": (1024, 1536),
    "16:9": (1920, 1080),
    "9:16": (1080, 1920),
}
_QUALITIES = {"low": "low", "medium": "medium", "high": "high", "hd": "high", "xhigh": "high", "max": "high"}
_TRUE = {"true": True, "1": True, "false": False, "0": False}


class RefusedError(Exception):
    """An answer in the OpenAI error shape: `{"error": {"message", "type", "param", "code"}}`."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request as understood. `size` is what the answer echoes, `width` and `height` what is painted.

    `quality` is low, medium or high; `digest` the SHA-256 of everything that was asked, in hex.
    """

    operation: str
    model: str
    prompt: str
    size: str
    width: int
    height: int
    quality: str
    format: Format
    compression: int
    background: str
    count: int
    stream: bool
    partial_images: int
    wants_url: bool
    images: tuple[bytes, ...]
    image_sizes: tuple[tuple[int, int], ...]
    mask: bytes | None
    digest: str


async def read_ask(request: web.Request, operation: str) -> Ask:
    """Read the body of a request. Raises `RefusedError` for what a gateway would answer with 4xx."""
    if request.content_type.startswith("multipart/"):
        parsed = await _read_form(request)
        return await asyncio.to_thread(_ask_of, parsed, operation)
    body = await request.read()
    return await asyncio.to_thread(lambda: _ask_of(_read_json(body), operation))


_Parsed = tuple[Mapping[str, Any], list[bytes], bytes | None, str]


def _read_json(body: bytes) -> _Parsed:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = f"We could not parse the JSON body of your request: {error}"
        raise RefusedError(message, code="invalid_json") from None
    if not isinstance(fields, dict):
        message = "The body of your request is not a JSON object."
        raise RefusedError(message, code="invalid_json")
    listed = fields.get("images") or fields.get("image") or []
    entries = listed if isinstance(listed, list) else [listed]
    images = [_inline(entry, f"images[{index}]") for index, entry in enumerate(entries)]
    mask = _inline(fields["mask"], "mask") if fields.get("mask") else None
    return fields, images, mask, hashlib.sha256(body).hexdigest()


def _inline(entry: object, param: str) -> bytes:
    """Image bytes from base64 text, a data URL, or an object with `image_url`."""
    text = entry.get("image_url") if isinstance(entry, dict) else entry
    if not isinstance(text, str) or text.startswith(("http://", "https://")):
        message = "Only data URLs and base64 text are taken here: the sandbox fetches nothing."
        raise RefusedError(message, code="invalid_value", param=param)
    try:
        return pybase64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        message = f"The text in '{param}' is not valid base64."
        raise RefusedError(message, code="invalid_base64", param=param) from None


async def _read_form(request: web.Request) -> _Parsed:
    """Form fields and files. The digest leaves out the boundary, which every attempt chooses anew."""
    fields: dict[str, Any] = {}
    images: list[bytes] = []
    mask: bytes | None = None
    digest = hashlib.sha256()
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            content = bytes(await part.read())
            digest.update(f"{part.name}:{len(content)}:".encode() + content)
            if part.name == "image" or part.name.startswith("image["):
                images.append(content)
            elif part.name == "mask":
                mask = content
            else:
                fields[part.name] = content.decode("utf-8", "replace")
    except (ValueError, AssertionError) as error:
        message = f"We could not parse the form of your request: {error}"
        raise RefusedError(message, code="invalid_form") from None
    return fields, images, mask, digest.hexdigest()


def _ask_of(parsed: _Parsed, operation: str) -> Ask:
    fields, images, mask, digest = parsed
    prompt = _prompt(fields)
    sizes = _image_sizes(images, mask, operation)
    size, width, height = _size(fields.get("size"), sizes)
    stream, count = _flag(fields, "stream"), _whole(fields, "n", 1, 0, 10) or 1
    if stream and count > 1:
        message = "Streaming is not supported with n > 1."
        raise RefusedError(message, code="invalid_value", param="n")
    return Ask(
        operation=operation,
        model=str(fields.get("model") or "gpt-image-2"),
        prompt=prompt,
        size=size,
        width=width,
        height=height,
        quality=_QUALITIES.get(str(fields.get("quality")), "medium"),
        format=_format(fields),
        compression=_whole(fields, "output_compression", 100, 0, 100),
        background="transparent" if fields.get("background") == "transparent" else "opaque",
        count=count,
        stream=stream,
        partial_images=_whole(fields, "partial_images", 0, 0, 3),
        wants_url=fields.get("response_format") == "url",
        images=tuple(images),
        image_sizes=sizes,
        mask=mask,
        digest=digest,
    )


def _prompt(fields: Mapping[str, Any]) -> str:
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        message = "Missing required parameter: 'prompt'."
        raise RefusedError(message, code="missing_required_parameter", param="prompt")
    if len(prompt) > _PROMPT_LIMIT:
        message = f"Invalid 'prompt': {len(prompt)} characters, the limit is {_PROMPT_LIMIT}."
        raise RefusedError(message, code="string_above_max_length", param="prompt")
    return prompt


def _size(wanted: object, references: Sequence[tuple[int, int]]) -> tuple[str, int, int]:
    """The echoed size and its pixels. `auto` takes the standard size nearest to the first reference's shape."""
    wanted = "auto" if wanted is None or wanted == "" else str(wanted)
    if wanted == "auto":
        ratio = references[0][0] / references[0][1] if references else 1.0
        width, height = (1536, 1024) if ratio > 1.2 else (1024, 1536) if ratio < 0.83 else (1024, 1024)  # noqa: PLR2004  halfway to 3:2
        return f"{width}x{height}", width, height
    if wanted in _PRESETS:
        width, height = _PRESETS[wanted]
        return f"{width}x{height}", width, height
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", wanted)
    if match and int(match[1]) in _EDGES and int(match[2]) in _EDGES:
        return wanted, int(match[1]), int(match[2])
    message = (
        f"Invalid size '{wanted}'. Expected 'auto', a ratio such as '16:9', or WIDTHxHEIGHT with edges from 16 to 3840."
    )
    raise RefusedError(message, kind="image_generation_user_error", code="invalid_value", param="size")


def _format(fields: Mapping[str, Any]) -> Format:
    wanted = str(fields.get("output_format") or "png")
    formats: dict[str, Format] = {"png": "png", "auto": "png", "jpeg": "jpeg", "jpg": "jpeg", "webp": "webp"}
    if wanted not in formats:
        message = f"Invalid output_format '{wanted}'. Expected png, jpeg or webp."
        raise RefusedError(message, code="invalid_value", param="output_format")
    if fields.get("background") == "transparent" and formats[wanted] == "jpeg":
        message = "A transparent background needs output_format png or webp."
        raise RefusedError(message, kind="image_generation_user_error", code="invalid_value", param="background")
    return formats[wanted]


def _whole(fields: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = fields.get(name)
    if value is None or value == "":
        return default
    sound = isinstance(value, int | str) and not isinstance(value, bool) and re.fullmatch(r"-?[0-9]{1,6}", str(value))
    if sound and low <= int(value) <= high:
        return int(value)
    message = f"Invalid '{name}': {value!r} is not a whole number from {low} to {high}."
    raise RefusedError(message, code="invalid_value", param=name)


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    if str(value).lower() in _TRUE:
        return _TRUE[str(value).lower()]
    message = f"Invalid '{name}': {value!r} is neither true nor false."
    raise RefusedError(message, code="invalid_value", param=name)


def _image_sizes(images: list[bytes], mask: bytes | None, operation: str) -> tuple[tuple[int, int], ...]:
    """Pixels of each reference, after the checks that the real endpoint makes."""
    if operation == "edit" and not images:
        message = "Missing required parameter: 'image'."
        raise RefusedError(message, code="missing_required_parameter", param="image")
    if len(images) > _IMAGES_LIMIT:
        message = f"Too many images: {len(images)}, the limit is {_IMAGES_LIMIT}."
        raise RefusedError(message, code="array_above_max_length", param="image")
    sizes = tuple(_pixels(image, f"image {index}") for index, image in enumerate(images, 1))
    if mask is not None and images and _pixels(mask, "mask", alpha=True) != sizes[0]:
        message = "The mask does not have the dimensions of the first image."
        raise RefusedError(message, kind="image_generation_user_error", code="invalid_value", param="mask")
    return sizes


def _pixels(data: bytes, name: str, *, alpha: bool = False) -> tuple[int, int]:
    message = f"Invalid image file or mode for {name}, please check your image file."
    refusal = RefusedError(
        message, kind="image_generation_user_error", code="invalid_image_file", param=name.split(maxsplit=1)[0]
    )
    if len(data) > _IMAGE_BYTES_LIMIT:
        raise refusal
    try:
        with Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
            size = image.size
            if size[0] * size[1] > _PIXELS_LIMIT or (alpha and not image.has_transparency_data):
                raise refusal
            image.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise refusal from None
    return size
