"""Request -> what goes over the wire, as data: path, headers, JSON or form fields, and the files to stream.

Nothing is read or sent here; `session` turns an `Outgoing` into bytes and hashes each file again while it does. The
secret is not in it, so an `Outgoing` may be logged.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchgen.provider.definition import OWN_PARAMS, Provider
from batchgen.request import InputFile, Request

__all__ = ["FilePart", "Outgoing", "encode", "sent_params"]

_CONTENT_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
_EXTENSIONS = {"png": "png", "jpeg": "jpg", "webp": "webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """One input file: the form field, where it is, what it must hash to, and what the server is told of it."""

    field: str
    path: str
    sha256: str
    filename: str
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One HTTP request without its secret.

    `url_path` goes behind the provider's `base_url`. There is one body: `json` (with the base64 of `inline_images` as
    its member `inline_field`: text for one image, an array for several), or, when `json` is None, a multipart form of
    `fields` and then `files`, in this order.
    """

    url_path: str
    headers: Mapping[str, str]
    json: Mapping[str, Any] | None = None
    fields: tuple[tuple[str, str], ...] = ()
    files: tuple[FilePart, ...] = ()
    inline_images: tuple[FilePart, ...] = ()
    inline_field: str = ""


def encode(request: Request, provider: Provider, *, attempt: int) -> Outgoing:
    """The request as this provider wants to hear it. `attempt` counts from 1 over all runs.

    Raises ValueError when the provider takes no input images; `check` says so before anything is sent.
    """
    params = sent_params(provider, request.params)
    headers = _headers(request, provider, attempt, streaming=params.get("stream") is True)
    body = {"prompt": request.prompt, "n": 1} | {name: params[name] for name in params if name not in OWN_PARAMS}
    if request.operation == "generate":
        return Outgoing(url_path="/images/generations", headers=headers, json=_model_first(body))
    if provider.edits == "multipart":
        return Outgoing(
            url_path="/images/edits",
            headers=headers,
            fields=tuple((name, _form_text(value)) for name, value in _model_first(body).items()),
            files=_parts(request, provider),
        )
    if provider.edits == "json":
        return Outgoing(
            url_path="/images/generations",
            headers=headers,
            json=_model_first(body),
            inline_images=_parts(request, provider),
            inline_field=_inline_field(provider),
        )
    message = f"provider {provider.name} takes no input images"
    raise ValueError(message)


def sent_params(provider: Provider, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that leave: the provider's own, the request's over them, without those named in `drop`.

    Estimate prices from these: a provider may set the model.
    """
    merged = {**provider.params, **params}
    return {name: value for name, value in merged.items() if name not in provider.drop}


def _model_first(body: Mapping[str, Any]) -> dict[str, Any]:
    """Gateways pick the upstream by the model and some read no further than the first bytes of a form to find it."""
    return {"model": body["model"], **body} if "model" in body else dict(body)


def _headers(request: Request, provider: Provider, attempt: int, *, streaming: bool) -> dict[str, str]:
    """The idempotency key stays the same over attempts and runs; the client request id names the attempt.

    X-Client-Request-Id must be unique, ASCII and at most 512 characters (OpenAI API reference, debugging requests).
    """
    accept = "text/event-stream, application/json" if streaming else "application/json"
    own = {
        "Accept": accept,
        "Idempotency-Key": request.id,
        "X-Client-Request-Id": f"{request.id}-{attempt}",
    }
    theirs = {name.lower() for name in provider.headers}
    return {**{name: value for name, value in own.items() if name.lower() not in theirs}, **provider.headers}


def _form_text(value: Any) -> str:
    """A form knows only text: numbers and booleans as JSON spells them, containers as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _parts(request: Request, provider: Provider) -> tuple[FilePart, ...]:
    name = _image_field(provider, len(request.images))
    images = [
        _part(image, field_name=name, stem=f"image-{number}") for number, image in enumerate(request.images, start=1)
    ]
    masks = [] if request.mask is None else [_part(request.mask, field_name="mask", stem="mask")]
    return (*images, *masks)


def _image_field(provider: Provider, count: int) -> str:
    """`image` for one file and repeated `image[]` for several, as OpenAI's own clients do.

    A LiteLLM proxy refuses `image[]`, so provider data can fix the name.
    """
    if provider.image_field != "auto":
        return provider.image_field
    return "image" if count == 1 else "image[]"


def _inline_field(provider: Provider) -> str:
    return "image" if provider.image_field == "auto" else provider.image_field


def _part(file: InputFile, *, field_name: str, stem: str) -> FilePart:
    """The file's own name stays here: it may tell a client's name, and a quote in it would break the part's header."""
    return FilePart(
        field=field_name,
        path=file.path,
        sha256=file.sha256,
        filename=f"{stem}.{_EXTENSIONS[file.format]}",
        content_type=_CONTENT_TYPES[file.format],
    )
