"""What a server complains of: code, type and message, dug out of every shape of error body that gateways send."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchgen.provider.answer import Envelope
from batchgen.safetext import Scrubber

__all__ = ["Complaint", "read_complaint"]

_MESSAGE_FIELDS = ("message", "msg", "err", "error_msg", "error_message", "detail", "title", "reason")
_DETAILS = 3
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,200})", re.IGNORECASE)
_TAG = re.compile(r"<(?:script|style)\b.{0,20000}?</(?:script|style)>|<[^>]{0,2000}>", re.IGNORECASE | re.DOTALL)
_REQUEST_ID = re.compile(r"request[ _-]?id:?\s*([A-Za-z0-9_.-]{6,128})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """An error as the server put it. `is_json`: it came as an error in a JSON document, not as a page or nothing.

    `codes` are the values of `code` and `type`, in this order, as lower-case text whatever their JSON type was; `code`
    is the first of them as it was written. `message` is cleaned.
    """

    message: str
    code: str | None = None
    codes: tuple[str, ...] = ()
    is_json: bool = False
    request_id: str | None = None


def read_complaint(envelope: Envelope, scrub: Scrubber) -> Complaint | None:
    """The complaint in this body, or None if it holds none."""
    if envelope.body is not None:
        return _from_json(envelope.body, scrub)
    text = envelope.text
    title = _TITLE.search(text)
    message = scrub.text(title[1] if title else _TAG.sub(" ", text[:4096]) if "<" in text else text)
    return Complaint(message=message, request_id=_request_id(message)) if message else None


def _from_json(body: Mapping[str, Any], scrub: Scrubber) -> Complaint | None:
    error = _error(body)
    if error is None:
        return None
    message = scrub.text(_message(error, body))
    written = tuple(scrub.text(text, limit=64) for text in _codes(error, body))
    return Complaint(
        message=message,
        code=written[0] if written else None,
        codes=tuple(text.lower() for text in written),
        is_json=True,
        request_id=_request_id(message),
    )


def _error(body: Mapping[str, Any]) -> Any:
    """The part of the body that is the error: an object, a text, a list, or the body itself."""
    nested = body.get("response")
    for holder in (body, nested if isinstance(nested, Mapping) else {}, body.get("header") or {}):
        error = holder.get("error") if isinstance(holder, Mapping) else None
        if error:
            return error
    header = body.get("header")
    if isinstance(header, Mapping) and header.get("message"):
        return header
    says_something = any(body.get(name) for name in _MESSAGE_FIELDS)
    return body if says_something and not body.get("data") else None


def _message(error: Any, body: Mapping[str, Any]) -> str:
    for part in (error, body):
        if isinstance(part, str):
            return part
        if isinstance(part, list):
            return "; ".join(_detail(item) for item in part[:_DETAILS])
        found = (
            next((part[name] for name in _MESSAGE_FIELDS if part.get(name)), None)
            if isinstance(part, Mapping)
            else None
        )
        if found is not None:
            return found if isinstance(found, str) else _message(found, {})
    return ""


def _detail(item: Any) -> str:
    """One entry of a FastAPI `detail` list: where and what."""
    if not isinstance(item, Mapping):
        return str(item)[:200]
    place = item.get("loc")
    where = ".".join(str(part)[:40] for part in place[:6]) if isinstance(place, list) else ""
    what = item.get("msg") or item.get("message") or ""
    return f"{where}: {what}" if where else str(what)


def _codes(error: Any, body: Mapping[str, Any]) -> list[str]:
    holder = error if isinstance(error, Mapping) else body
    inner = holder.get("innererror")
    values = [holder.get("code"), inner.get("code") if isinstance(inner, Mapping) else None, holder.get("type")]
    if holder is not body:
        values.append(body.get("code"))
    return [
        str(value) for value in values if isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    ]


def _request_id(message: str) -> str | None:
    match = _REQUEST_ID.search(message)
    return match[1] if match else None
