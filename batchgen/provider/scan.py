"""A push scanner for JSON that streams image strings out and keeps the rest as a small envelope."""

import json
import re
from collections.abc import Callable
from typing import Protocol

from batchgen.provider.base64text import Base64Text

__all__ = ["ENVELOPE_BYTES", "ImageStrings", "JsonScanner"]

ENVELOPE_BYTES = 1 << 20
DEPTH = 64
_NAME_BYTES = 128
_QUOTE, _BACKSLASH, _COLON = b'"'[0], b"\\"[0], b":"[0]
_OPENING, _CLOSING = frozenset(b"{["), frozenset(b"}]")
_TOKEN = re.compile(rb'["{}\[\]:,]')
_IMAGE_KEY, _URL_KEY = b"b64_json", b"url"
_DATA_SCHEME = b"data:"


class ImageStrings(Protocol):
    """Who takes the image strings of a document."""

    def open(self) -> Base64Text:
        """An image string starts; its raw content is fed to what this returns."""
        ...

    def close(self, text: Base64Text) -> None:
        """The string's closing quote was seen."""
        ...


class JsonScanner:
    """Scans one JSON document (RFC 8259) in chunks of any size.

    The content of each `b64_json` string, and of a `url` that is a `data:` URL, goes to `images`; everything else is
    kept in `envelope`, where such a string stands empty, up to `ENVELOPE_BYTES` (`overflow` then). Nesting is only
    counted, so depth costs nothing; beyond 64 levels `too_deep` is set and the envelope must not be parsed. `complete`
    turns true at the bracket that closes the document. `type` and `is_partial` hold what has been seen of the
    top-level `type` and of a `partial_image_index`, for streamed events.
    """

    __slots__ = (
        "_captured", "_escaped", "_images", "_is_value", "_key", "_step", "_text", "complete", "depth", "envelope",
        "is_partial", "overflow", "too_deep", "type",
    )  # fmt: skip

    def __init__(self, images: ImageStrings) -> None:
        self._images = images
        self._step: Callable[[JsonScanner, bytes, int, int], int] = JsonScanner._outside
        self._captured = bytearray()  # the first bytes of the string that is open
        self._key = b""  # the string before the last colon
        self._is_value = False
        self._escaped = False  # the last chunk ended in a backslash
        self._text: Base64Text | None = None
        self.envelope = bytearray()
        self.depth = 0
        self.type = b""
        self.is_partial = self.complete = self.overflow = self.too_deep = False

    def feed(self, chunk: bytes, start: int, end: int) -> int:
        """Take `chunk[start:end]`; return where the document ended in it, or `end`."""
        while start < end and not self.complete:
            start = self._step(self, chunk, start, end)
        return start

    def _keep(self, chunk: bytes, start: int, end: int) -> None:
        if len(self.envelope) + end - start <= ENVELOPE_BYTES:
            self.envelope += chunk[start:end]
        else:
            self.overflow = True

    def _outside(self, chunk: bytes, start: int, end: int) -> int:
        match = _TOKEN.search(chunk, start, end)
        stop = match.end() if match else end
        self._keep(chunk, start, stop)
        if match:
            self._token(chunk[stop - 1])
        return stop

    def _token(self, token: int) -> None:
        if token == _QUOTE:
            self._open_string()
            return
        self._is_value = token == _COLON
        if self._is_value:
            self.is_partial = self.is_partial or self._key == b"partial_image_index"
        elif token in _OPENING:
            self.depth += 1
            self.too_deep = self.too_deep or self.depth > DEPTH
        elif token in _CLOSING:
            self.depth -= 1
            self.complete = self.depth <= 0

    def _open_string(self) -> None:
        key = self._key if self._is_value else b""
        self._captured.clear()
        if key == _IMAGE_KEY:
            self._text, self._step = self._images.open(), JsonScanner._image
        elif key == _URL_KEY:
            self._step = JsonScanner._url
        else:
            self._step = JsonScanner._string

    def _string(self, chunk: bytes, start: int, end: int) -> int:
        stop = self._string_end(chunk, start, end)
        self._captured += chunk[start : min(stop, start + _NAME_BYTES - len(self._captured))]
        self._keep(chunk, start, stop)
        return self._close_string(stop, end)

    def _url(self, chunk: bytes, start: int, end: int) -> int:
        # A data URL in `url` is the whole picture: decided on its first letters, before any of it is kept.
        stop = min(end, start + len(_DATA_SCHEME) - len(self._captured))
        head = bytes(self._captured) + chunk[start:stop]
        if head.lower() == _DATA_SCHEME:
            self._text, self._step = self._images.open(), JsonScanner._image
            self._text.feed(head, 0, len(head))
            return stop
        if _DATA_SCHEME.startswith(head.lower()):
            self._captured[:] = head
            return stop
        before = len(self._captured)
        self._keep(head, 0, before)
        self._step = JsonScanner._string
        return start

    def _image(self, chunk: bytes, start: int, end: int) -> int:
        assert self._text is not None  # noqa: S101  set with the step
        stop = self._string_end(chunk, start, end)
        self._text.feed(chunk, start, stop)
        return self._close_string(stop, end)

    def _string_end(self, chunk: bytes, start: int, end: int) -> int:
        start += self._escaped
        quote = chunk.find(b'"', start, end)
        while quote >= 0 and _is_escaped(chunk, start, quote):
            start = quote + 1
            quote = chunk.find(b'"', start, end)
        self._escaped = quote < 0 and _is_escaped(chunk, start, end)
        return end if quote < 0 else quote

    def _close_string(self, stop: int, end: int) -> int:
        if stop >= end:
            return end
        self.envelope += b'"' if not self.overflow else b""
        if self._text is not None:
            self._images.close(self._text)
            self._text = None
        elif not self._is_value:
            self._key = _plain(bytes(self._captured))
        elif self.depth == 1 and self._key == b"type":
            self.type = _plain(bytes(self._captured))
        self._is_value, self._step = False, JsonScanner._outside
        return stop + 1


def _is_escaped(chunk: bytes, start: int, at: int) -> bool:
    """Whether an odd number of backslashes ends right before `at`."""
    if at <= start or chunk[at - 1] != _BACKSLASH:
        return False
    before = chunk[start:at]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1


def _plain(text: bytes) -> bytes:
    """A short string without its escapes; as it is, when they are broken."""
    if b"\\" not in text:
        return text
    try:
        return str(json.loads(b'"' + text + b'"')).encode("utf-8", "replace")
    except ValueError:
        return text
