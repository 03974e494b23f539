"""A push decoder for base64 inside a JSON string: letters in, bytes out, nothing held but a rest of a few letters."""

import binascii
import re
from collections.abc import Callable

import pybase64

__all__ = ["Base64Text"]

_SCHEME = b"data:"
_PREFIX_BYTES = 256
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_CUT_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_ESCAPE = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
_GROUP = 4


class Base64Text:
    r"""Decodes the raw content of one JSON string, fed in pieces of any size, strictly (RFC 4648, section 4).

    Three departures that gateways make are taken on purpose and nothing else: a `data:...;base64,` prefix (RFC 2397),
    the URL-safe alphabet, and missing padding. JSON's escapes (`\/`, `\u002b`) are resolved first (RFC 8259, 7).
    `problem` says in a few words what is wrong with the text; after it nothing more is decoded. `letters` counts what
    came after the prefix, padding included: 0 means that there was no image.
    """

    __slots__ = ("_escape", "_head", "_padding", "_rest", "_url_safe", "_write", "letters", "problem")

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._escape = b""  # an escape sequence that the end of a piece cut
        self._head: bytearray | None = bytearray()  # until it is clear whether there is a prefix
        self._rest = b""  # fewer than four letters
        self._padding = 0
        self._url_safe = False
        self.letters = 0
        self.problem = ""

    def feed(self, chunk: bytes, start: int, end: int) -> None:
        """Take `chunk[start:end]`, still escaped as in the JSON text."""
        if self.problem or start >= end:
            return
        if self._escape or chunk.find(b"\\", start, end) >= 0:
            chunk = self._unescape(self._escape + chunk[start:end])
            start, end = 0, len(chunk)
        if self._head is None:
            self._letters(chunk, start, end)
        else:
            self._prefix(bytes(self._head) + chunk[start:end])

    def finish(self) -> bool:
        """The string is over. True when everything was valid and at least one letter came."""
        if self._head is not None and not self.problem:
            self._prefix(bytes(self._head), last=True)
        if self._escape and not self.problem:
            self.problem = "a broken escape sequence"
        if not self.problem:
            self._finish_group()
        return self.letters > 0 and not self.problem

    def _unescape(self, text: bytes) -> bytes:
        # One replace for `\/` covers PHP's encoder, which writes one for every 64th letter; the rest is rare.
        cut = _CUT_ESCAPE.search(text)
        self._escape = cut.group() if cut else b""
        text = text[: cut.start()] if cut else text
        text = text.replace(b"\\/", b"/")
        return _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), text) if b"\\" in text else text

    def _prefix(self, text: bytes, *, last: bool = False) -> None:
        undecided = _SCHEME.startswith(text[: len(_SCHEME)].lower()) and len(text) < len(_SCHEME)
        if undecided and not last:
            self._head = bytearray(text)
            return
        if text[: len(_SCHEME)].lower() != _SCHEME:
            self._head = None
            self._letters(text, 0, len(text))
            return
        comma = text.find(b",", 0, _PREFIX_BYTES)
        if comma < 0 and len(text) < _PREFIX_BYTES and not last:
            self._head = bytearray(text)
            return
        if not text[: max(comma, 0)].lower().endswith(b";base64"):
            self.problem = "a data URL that is not base64"
            return
        self._head = None
        self._letters(text, comma + 1, len(text))

    def _letters(self, chunk: bytes, start: int, end: int) -> None:
        self.letters += end - start
        padding = chunk.find(b"=", start, end)
        if padding >= 0 or self._padding:
            stop = start if self._padding else padding
            self._padding += end - stop
            if chunk.count(b"=", stop, end) != end - stop:
                self.problem = "letters after the padding"
                return
            if self._padding >= _GROUP:
                # Said now: padding without an end decodes to nothing, so no cap on the picture would ever stop it.
                self.problem = "too much padding"
                return
            end = stop
        if self._rest:
            need = min(_GROUP - len(self._rest), end - start)
            self._rest += chunk[start : start + need]
            start += need
            if len(self._rest) < _GROUP:
                return
            self._decode(self._rest)
        whole = start + (end - start) // _GROUP * _GROUP
        self._rest = chunk[whole:end]
        if whole > start and not self.problem:
            self._decode(memoryview(chunk)[start:whole])

    def _decode(self, letters: bytes | memoryview) -> None:
        data = bytes(letters).translate(_URL_SAFE) if self._url_safe else letters
        try:
            decoded = pybase64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            if self._url_safe:
                self.problem = "a character that is not base64"
                return
            self._url_safe = True  # the slow road is taken only by texts that need it
            self._decode(letters)
            return
        self._write(decoded)

    def _finish_group(self) -> None:
        missing = -len(self._rest) % _GROUP
        if missing == _GROUP - 1:
            self.problem = "an incomplete last group"
        elif self._padding > missing:
            self.problem = "too much padding"
        elif self._rest:
            self._decode(self._rest + b"=" * missing)
            self._rest = b""
