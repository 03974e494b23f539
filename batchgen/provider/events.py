"""The events of a streamed answer: partial images, the completed one, errors, and the end mark."""

from typing import Any

from batchgen.provider.answer import ImageKind
from batchgen.provider.base64text import Base64Text
from batchgen.provider.facts import image_url, parse
from batchgen.provider.intake import Intake
from batchgen.provider.scan import JsonScanner

__all__ = ["EventReader"]

_UNNAMED = (b"", b"message")
_END_MARK = b"[DONE]"


class EventReader:
    """Reads the events of one answer; the `data` of each is a JSON document of its own.

    What a picture is, the `event` line says, else the document's `type`, else a `partial_image_index` in it. The names
    vary: `image_generation.completed` arrives on edits too, so only the last part counts. A document that says nothing
    of the kind and holds an image is the answer. `complete`: the completed event was whole. `done`: that, an error, or
    the end mark came. `body` is the error's document if there was one, else the completed one.
    """

    __slots__ = ("_intake", "_name", "_scanner", "body", "complete", "done", "has_error")

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._scanner: JsonScanner | None = None
        self._name = b""
        self.body: dict[str, Any] | None = None
        self.complete = self.done = self.has_error = False

    def data(self, name: bytes, chunk: bytes, start: int, end: int) -> None:
        """A piece of the data of the event."""
        if self._scanner is None:
            self._scanner = JsonScanner(self)
        self._name = name
        self._scanner.feed(chunk, start, end)

    def dispatch(self, name: bytes) -> None:
        """The event is over."""
        scanner, self._scanner = self._scanner, None
        if scanner is None:
            return
        kind = _kind(name, scanner)
        if scanner.complete:
            self._intake.settle(kind or "image")
        else:
            self._intake.abort()
        if scanner.envelope.startswith(_END_MARK):
            self.done = True
        elif not self.has_error:
            self._read(scanner, name, kind)

    def open(self) -> Base64Text:
        """An image string starts."""
        assert self._scanner is not None  # noqa: S101  it is the one that calls
        return self._intake.open(_kind(self._name, self._scanner))

    def close(self, _: Base64Text) -> None:
        """The string is over."""
        self._intake.close()

    def _read(self, scanner: JsonScanner, name: bytes, kind: ImageKind | None) -> None:
        readable = scanner.complete and not scanner.too_deep and not scanner.overflow
        body = parse(bytes(scanner.envelope)) if readable else None
        if name == b"error" or scanner.type == b"error" or (body and body.get("error")):
            self.has_error = self.done = True
            self.body = body if body is not None else {"message": scanner.envelope.decode("utf-8", "replace")}
        elif scanner.complete and kind != "preview" and not self.complete:
            self._complete(body, is_named=kind is not None)

    def _complete(self, body: dict[str, Any] | None, *, is_named: bool) -> None:
        # An unnamed event is the answer only if it brings one; a gateway's heartbeat may be a document as well.
        if is_named or self._intake.has_image or (body and image_url(body)):
            self.complete = self.done = True
            self.body = body


def _kind(name: bytes, scanner: JsonScanner) -> ImageKind | None:
    for said in (name, scanner.type):
        last = said.rpartition(b".")[2]
        if last == b"partial_image":
            return "preview"
        if last == b"completed":
            return "image"
    if scanner.is_partial:
        return "preview"
    return None if name in _UNNAMED and not scanner.type else "preview"
