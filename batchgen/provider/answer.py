"""What an answer is made of: the sink its image bytes go to, the envelope around them, and what the caller gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ["Answer", "Envelope", "ImageKind", "Sink"]

ImageKind = Literal["image", "preview", "surplus"]


class Sink(Protocol):
    """Where decoded image bytes go. One image at a time: `begin`, any number of `write`, `end`.

    `image` is the paid picture. If it ends with `whole=False` its bytes are not a usable image; another `image` may
    begin after it and then replaces it. `preview` is a partial picture of a stream, `surplus` a second picture though
    one was asked for. `index` counts from 0 within its kind.
    """

    def begin(self, kind: ImageKind, index: int) -> None:
        """An image starts."""
        ...

    def write(self, data: bytes | memoryview) -> None:
        """Decoded bytes of the image that began last. Buffers and never blocks."""
        ...

    def end(self, *, whole: bool) -> None:
        """The image that began last is over; `whole` says whether its text was complete and valid."""
        ...

    async def drain(self) -> None:
        """Wait until there is room for more. Awaited after each network chunk that produced bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the facts around the image, whose bytes went to the sink.

    Either `has_image`, or `url` says where to fetch it; `located` is that address as it may be written down, without
    secrets (with one in it only this run can fetch it). `echoed` holds what the server says it made (`size`, `quality`,
    `output_format`, `background`). `usage` holds finite numbers and mappings of them. `bytes_received` counts the body.
    All text is cleaned.
    """

    has_image: bool
    url: str | None = None
    located: str | None = None
    usage: Mapping[str, Any] | None = None
    revised_prompt: str | None = None
    provider_request_id: str | None = None
    echoed: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    bytes_received: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Everything of one body but the image bytes, whatever its status; `batchgen.provider.judge` makes sense of it.

    `form` is what the body turned out to be, judged by its bytes. `complete` means that its end was seen: the closing
    bracket, the completed event, the end of raw bytes. `body` is the JSON object with its image strings emptied (of an
    event stream: the error event if there was one, else the completed one); None when there is none that can be read.
    `text` is the start of a body that is neither JSON nor an image. `problem` says why the image cannot be used, or why
    reading stopped. `evidence` is the start of the raw body. Text in `body`, `text` and `evidence` is as it came.
    """

    form: Literal["empty", "json", "events", "image", "text"]
    complete: bool
    has_image: bool
    body: Mapping[str, Any] | None = None
    text: str = ""
    problem: str = ""
    warnings: tuple[str, ...] = ()
    evidence: bytes = b""
    bytes_received: int = 0
