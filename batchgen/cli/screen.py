"""The only place that prints: results to stdout, progress to stderr, bytes from outside made inert.

A terminal obeys escape sequences wherever they come from, and right-to-left marks make a line read as something else.
Everything printed passes `inert`; colour is added afterwards, here.
"""

import contextlib
import errno
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TextIO

from batchgen.errors import BatchgenError, StorageError
from batchgen.safetext import safe_text

__all__ = ["Ink", "Line", "ReaderGoneError", "Screen", "Tint", "clip", "columns", "inert", "one_line"]

Tint = Literal["green", "yellow", "red", "cyan", "bold", "dim"]

_SGR: Mapping[Tint, str] = {"green": "32", "yellow": "33", "red": "31", "cyan": "36", "bold": "1", "dim": "2"}
_NO_LIMIT = 1_000_000
_TABS = {0x09: " "}
# C0 without tab and newline, DEL and C1; bidi and zero-width controls; line and paragraph separators; lone surrogates.
_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True)
class Ink:
    """A piece of a line with a colour; without a terminal only the text is left."""

    text: str
    tint: Tint


Line = tuple[str | Ink, ...]
"""One line of output, as pieces. Renderers return these; only `Screen` turns them into bytes."""


def inert(text: str) -> str:
    r"""`text` with everything a terminal would obey written as `\xNN` or `\uNNNN`; newlines stay, tabs become spaces.

    A tab keeps its width of one, so that a caret under a source line still points at the right column.
    """
    return _ACTIVE.sub(_spelled, text.translate(_TABS))


def _spelled(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004  two digits hold Latin-1


def one_line(text: str) -> str:
    """`text` as one printable line of any length: a value from outside may not start a line of its own."""
    return safe_text(text, limit=_NO_LIMIT)


def columns(text: str) -> int:
    """How many terminal cells `text` takes: two for wide East Asian characters, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def clip(text: str, width: int) -> str:
    """`text` in at most `width` cells; what is cut off leaves an ellipsis."""
    if columns(text) <= width:
        return text
    kept, used = [], 0
    for character in text:
        used += _cells(character)
        if used > width - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


class ReaderGoneError(BatchgenError):
    """Whoever read the results has stopped (`batchgen ls JOB | head`). Ends the command without a word."""

    exit_code = 141  # what a shell reports of any tool that SIGPIPE ended


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as problem:
        raise ReaderGoneError from problem
    except OSError as problem:
        # What a pipe calls broken is an input/output error at a terminal that was closed.
        if problem.errno == errno.EIO:
            raise ReaderGoneError from problem
        message = f"stdout cannot be written: {problem.strerror}"
        raise StorageError(message) from problem


class Screen:
    """Where the command line writes.

    `out` takes results, `err` progress and errors. Colour is on only for a terminal, without `NO_COLOR` (any non-empty
    value, no-color.org) and unless `--no-color` was given. Writing results raises ReaderGoneError when the reader
    went away (the error boundary ends quietly) and StorageError when the disk is full; writing to `err` never fails,
    because nobody is left to tell.
    """

    def __init__(self, *, out: TextIO, err: TextIO, environ: Mapping[str, str]) -> None:
        self.out = out
        self.err = err
        self.colour_allowed = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self._columns = environ.get("COLUMNS", "")

    @property
    def interactive(self) -> bool:
        """Whether a person can be shown a bar."""
        return self.err.isatty()

    @property
    def width(self) -> int:
        """Columns: `COLUMNS`, else those of the terminal now, else 80; never under 40, where no table is readable."""
        if self._columns.isdecimal() and int(self._columns) > 0:
            return max(40, int(self._columns))
        with contextlib.suppress(OSError, ValueError):
            measured = os.get_terminal_size((self.err if self.err.isatty() else self.out).fileno()).columns
            return max(40, measured or 80)
        return 80

    def line(self, *pieces: str | Ink) -> None:
        """One line of results."""
        with _reported():
            self.out.write(self._joined(pieces, self.out) + "\n")

    def lines(self, *lines: Line) -> None:
        """Several lines of results."""
        for pieces in lines:
            self.line(*pieces)

    def raw(self, text: str) -> None:
        """A machine's line (NDJSON, YAML, JSON Schema), escaped by its own format; flushed so that a reader sees it."""
        with _reported():
            self.out.write(text + "\n")
            self.out.flush()

    def flush(self) -> None:
        """Make sure that the results were really written."""
        with _reported():
            self.out.flush()

    def note(self, *pieces: str | Ink) -> None:
        """One line for the person watching, on stderr."""
        with contextlib.suppress(OSError, ValueError):
            self.err.write(self._joined(pieces, self.err) + "\n")
            self.err.flush()

    def _joined(self, pieces: Line, stream: TextIO) -> str:
        colour = self.colour_allowed and stream.isatty()
        return "".join(_printed(piece, colour=colour) for piece in pieces)


def _printed(piece: str | Ink, *, colour: bool) -> str:
    if isinstance(piece, str):
        return inert(piece)
    return f"\x1b[{_SGR[piece.tint]}m{inert(piece.text)}\x1b[0m" if colour else inert(piece.text)
