"""The image strings of one answer on their way into the sink: which picture is which, and how large it may be."""

from batchgen.provider.answer import ImageKind, Sink
from batchgen.provider.base64text import Base64Text

__all__ = ["Intake", "NoSink"]

PICTURES = 32


class Intake:
    """Hands pictures to a sink, one after the other, and keeps the promise of `Sink`: every `begin` has one `end`.

    The first whole picture is the image, later ones are surplus. A picture that is empty was never there. One larger
    than `max_bytes`, and a picture beyond the 32nd, sets `over` and nothing more is written.
    """

    __slots__ = (
        "_bytes", "_counts", "_is_open", "_kind", "_max_bytes", "_sink", "_text", "_undecided", "_whole",
        "has_image", "letters", "over", "problem", "produced", "surplus",
    )  # fmt: skip

    def __init__(self, sink: Sink, *, max_bytes: int) -> None:
        self._sink = sink
        self._max_bytes = max_bytes
        self._kind: ImageKind = "image"
        self._counts: dict[ImageKind, int] = {"image": 0, "preview": 0, "surplus": 0}
        self._bytes = 0
        self._text: Base64Text | None = None
        self._is_open = self._undecided = self._whole = False
        self.has_image = self.over = self.produced = False
        self.letters = self.surplus = 0
        self.problem = ""

    @property
    def seen(self) -> int:
        """Letters of all pictures so far, the open one included."""
        return self.letters + (self._text.letters if self._text is not None else 0)

    def open(self, kind: ImageKind | None) -> Base64Text:
        """A picture's string starts. None: whether it is the image is told later, to `settle`."""
        self.settle("image")
        self._start(kind)
        self._text = Base64Text(self.write)
        return self._text

    def open_raw(self) -> None:
        """The body itself is the image; its bytes come to `write`."""
        self._start("image")

    def write(self, data: bytes) -> None:
        """Decoded bytes of the picture that is open."""
        self._bytes += len(data)
        if self.over or self._bytes > self._max_bytes:
            self._stop(f"a picture of more than {self._max_bytes} bytes")
            return
        if not self._is_open and not self._begin():
            return
        self.produced = True
        self._sink.write(data)

    def close(self) -> None:
        """The picture's string is over; a picture of undecided kind waits for `settle`."""
        self._whole = not self.over
        if self._text is not None:
            valid = self._text.finish()
            self._whole = valid and not self.over
            self.letters += self._text.letters
            if self._kind == "image" and self._text.problem:
                self.problem = self.problem or self._text.problem
            self._text = None
        if not self._undecided:
            self._end(whole=self._whole)

    def settle(self, kind: ImageKind) -> None:
        """Say what the last picture is, if that was still undecided."""
        if self._undecided:
            self._undecided = False
            self._end(whole=self._whole and kind == "image")

    def abort(self) -> None:
        """The answer was cut: the picture that is open is not whole."""
        self._undecided = False
        if self._text is not None:
            self.letters += self._text.letters
            self._text = None
        self._end(whole=False)

    def _start(self, kind: ImageKind | None) -> None:
        self._undecided = kind is None
        self._kind = "surplus" if self.has_image and kind != "preview" else kind or "image"
        self._bytes = 0
        self._whole = False

    def _begin(self) -> bool:
        index = self._counts[self._kind]
        if sum(self._counts.values()) >= PICTURES:
            self._stop(f"more than {PICTURES} pictures")
            return False
        self._counts[self._kind] = index + 1
        self._is_open = True
        self._sink.begin(self._kind, index)
        return True

    def _end(self, *, whole: bool) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._sink.end(whole=whole)
        self.has_image = self.has_image or (whole and self._kind == "image")
        self.surplus += self._kind == "surplus"

    def _stop(self, problem: str) -> None:
        self.over = True
        self.problem = self.problem or problem


class NoSink:
    """Takes the pictures of an answer that is an error by its status: they are nobody's."""

    def begin(self, kind: ImageKind, index: int) -> None:
        """Ignore."""

    def write(self, data: bytes | memoryview) -> None:
        """Ignore."""

    def end(self, *, whole: bool) -> None:
        """Ignore."""

    async def drain(self) -> None:
        """Return at once."""
