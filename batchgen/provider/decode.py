"""A push decoder for answers: network chunks in, image bytes into a sink, and an envelope of everything else.

What the body is, its bytes decide, not its content type: a JSON document, an event stream, an image as it is, or text
that is none of these. Never more than a chunk and the capped envelope is held.
"""

from typing import Any, Literal

from batchgen.provider.answer import Answer, Envelope, ImageKind, Sink
from batchgen.provider.base64text import Base64Text
from batchgen.provider.events import EventReader
from batchgen.provider.facts import parse
from batchgen.provider.intake import Intake
from batchgen.provider.scan import JsonScanner
from batchgen.provider.sse import EventLines

__all__ = ["MAX_IMAGE_BYTES", "Answer", "Decoder", "Envelope", "ImageKind", "Sink"]

MAX_IMAGE_BYTES = 64 << 20
AROUND_BYTES = 4 << 20
TEXT_BYTES = 64 << 10

Form = Literal["empty", "json", "events", "image", "text"]

_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_SNIFF_BYTES = 12
_STARTS: tuple[tuple[Form, tuple[bytes, ...]], ...] = (
    ("json", (b"{", b"[")),
    ("image", (b"\x89PNG", b"\xff\xd8\xff", b"RIFF")),
    ("events", (b":", b"data:", b"event:", b"id:", b"retry:")),
)


class _Document:
    """The image strings of a plain document: the first is the image, wherever it stands."""

    __slots__ = ("_intake",)

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def open(self) -> Base64Text:
        return self._intake.open("image")

    def close(self, _: Base64Text) -> None:
        self._intake.close()


class Decoder:
    """Decodes one body into `sink`. Feed it every chunk, then `finish`; it never raises for what a server sends.

    `max_bytes` bounds each picture; what is not picture is bounded by 4 MiB, and the envelope keeps 1 MiB of it.
    `done` turns true when the answer's end was seen or nothing more will be taken; the caller may stop reading then.
    """

    __slots__ = (
        "_events", "_evidence", "_form", "_intake", "_lead", "_lines", "_problem", "_scanner", "_stop", "_text",
        "_trailing", "bytes_received",
    )  # fmt: skip

    def __init__(self, sink: Sink, *, max_bytes: int = MAX_IMAGE_BYTES) -> None:
        self._intake = Intake(sink, max_bytes=max_bytes)
        self._form: Form = "empty"
        self._lead = b""  # while the form is open
        self._scanner = JsonScanner(_Document(self._intake))
        self._events = EventReader(self._intake)
        self._lines = EventLines(self._events)
        self._evidence = bytearray()
        self._text = bytearray()
        self._trailing = self._stop = False
        self._problem = ""
        self.bytes_received = 0

    @property
    def done(self) -> bool:
        """The end of the answer was seen, or nothing more will be taken."""
        return self._stop or self._scanner.complete or self._events.done

    @property
    def is_full(self) -> bool:
        """Nothing more will be taken, whatever comes."""
        return self._stop

    def has_produced(self) -> bool:
        """Whether bytes went to the sink since this was last asked."""
        produced, self._intake.produced = self._intake.produced, False
        return produced

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self.bytes_received += len(chunk)
        if len(self._evidence) < TEXT_BYTES:
            self._evidence += chunk[: TEXT_BYTES - len(self._evidence)]
        if self._stop:
            return
        if self._form == "empty":
            self._sniff(chunk, last=False)
        else:
            self._take(chunk)
        self._bound()

    def finish(self, *, cut: bool = False) -> Envelope:
        """The body is over; `cut` says that the connection broke before the end that was announced."""
        if self._form == "empty":
            self._sniff(b"", last=True)
        complete = self._close(cut=cut)
        self._intake.abort()
        body = self._body()
        return Envelope(
            form=self._form,
            complete=complete,
            has_image=self._intake.has_image,
            body=body,
            text=self._text.decode("utf-8", "replace"),
            problem=self._problem or self._intake.problem,
            warnings=tuple(self._warnings(is_readable=body is not None)),
            evidence=bytes(self._evidence),
            bytes_received=self.bytes_received,
        )

    def _sniff(self, chunk: bytes, *, last: bool) -> None:
        lead = (self._lead + chunk).removeprefix(_BOM).lstrip(_SPACE)
        form = _form_of(lead, last=last)
        if form == "empty":
            self._lead = lead
            return
        self._form, self._lead = form, b""
        if form == "image":
            self._intake.open_raw()
        self._take(lead)

    def _take(self, chunk: bytes) -> None:
        if self._form == "json":
            end = self._scanner.feed(chunk, 0, len(chunk))
            self._trailing = self._trailing or bool(chunk[end:].strip(_SPACE))
        elif self._form == "events":
            self._lines.feed(chunk)
        elif self._form == "image":
            self._intake.write(chunk)
        else:
            self._text += chunk[: TEXT_BYTES - len(self._text)]
            self._stop = len(self._text) >= TEXT_BYTES

    def _bound(self) -> None:
        if self._intake.over:
            self._stop = True
        elif self._form != "image" and self.bytes_received - self._intake.seen > AROUND_BYTES:
            self._stop, self._problem = True, f"more than {AROUND_BYTES} bytes around the image"

    def _close(self, *, cut: bool) -> bool:
        if self._form == "events":
            self._lines.finish()
            return self._events.complete
        if self._form == "json":
            # Reading was stopped for what came after a whole image: that is no cut.
            return self._scanner.complete or (self._stop and self._intake.has_image)
        if self._form == "image" and not cut:
            # Nothing in the body says where a raw image ends; its own end mark is for the image check to see.
            self._intake.close()
        return not cut

    def _body(self) -> dict[str, Any] | None:
        if self._form == "events":
            return self._events.body
        readable = self._form == "json" and self._scanner.complete and not self._scanner.too_deep
        return parse(bytes(self._scanner.envelope)) if readable and not self._scanner.overflow else None

    def _warnings(self, *, is_readable: bool) -> list[str]:
        found = []
        if self._trailing:
            found.append("data after the end of the answer, ignored")
        if self._intake.surplus:
            found.append(f"{self._intake.surplus + 1} images though one was asked for; the first is used")
        if self._form == "json" and self._scanner.complete and not is_readable:
            found.append("the text around the image cannot be read as json")
        return found


def _form_of(lead: bytes, *, last: bool) -> Form:
    if not lead or (_BOM.startswith(lead) and not last):
        return "empty"
    for form, starts in _STARTS:
        for start in starts:
            if lead.startswith(start):
                return _webp_or_text(lead, last=last) if start == b"RIFF" else form
            if start.startswith(lead) and not last:
                return "empty"
    return "text"


def _webp_or_text(lead: bytes, *, last: bool) -> Form:
    if len(lead) < _SNIFF_BYTES and not last:
        return "empty"
    return "image" if lead[8:_SNIFF_BYTES] == b"WEBP" else "text"
