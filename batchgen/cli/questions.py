"""The four questions of `batchgen init`: asked at a terminal until an answer can be used, else the defaults answer."""

import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import click

from batchgen.cli.datafile import DataFile
from batchgen.cli.screen import Ink, Screen
from batchgen.errors import InputError, Problem, UsageError
from batchgen.provider.catalog import Provider

__all__ = ["MOST_TAKES", "Answers", "Given", "Readers", "asked"]

MOST_TAKES = 100

_MARGIN = re.compile(r" *\d* \|")
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What options answered in advance; None was not given. With `has_source` the prompts and the data are known."""

    what: str | None
    takes: int | None
    data: str | None
    provider: str | None
    base_url: str | None
    has_source: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the user wants. `what` None: an example that fits the data. `base_url` is empty for the provider's own."""

    what: str | None
    takes: int
    data: DataFile | None
    provider: Provider
    base_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """How answers are read; both raise InputError for one that cannot be used.

    `data` gives None for no data. `provider` takes a name and an address, and gives None when only an address is
    missing.
    """

    data: Callable[[str], DataFile | None]
    provider: Callable[[str, str], Provider | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """Lines of explanation, the word before the answer, the default, and how the default is shown."""

    lines: tuple[str, ...]
    word: str
    default: str
    shown: str


_WHAT = _Question(
    lines=("What is in the pictures? This is the prompt; with data, the scene of every row.",),
    word="what",
    default="",
    shown="an example",
)
_TAKES = _Question(lines=(f"How many of each, 1 to {MOST_TAKES}?",), word="how many", default="1", shown="1")
_DATA = (
    "Which data, one image per row? none, sample (a small CSV is written), or the",
    "path of a .csv, .jsonl or .txt file, or of a folder of images.",
)
_PROVIDER = _Question(
    lines=("Which provider? sandbox needs no key and costs nothing; the others are", "listed by `batchgen providers`."),
    word="provider",
    default="sandbox",
    shown="sandbox",
)


def asked(given: Given, readers: Readers, screen: Screen, *, is_someone_there: bool) -> Answers:
    """Every answer, read and usable: what, how many, which data, which provider.

    Options are read before anything is asked, so that nobody answers in vain. Raises InputError for one that cannot be
    used, click.Abort for Ctrl-C.
    """
    ask = _Asking(screen) if is_someone_there else _Silent()
    data = readers.data(given.data) if given.data is not None else None
    provider = readers.provider(given.provider, given.base_url or "") if given.provider is not None else None
    what = given.what or (None if given.has_source else ask.read(_WHAT, str.strip) or None)
    takes = given.takes or ask.read(_TAKES, _count)
    if given.data is None and not given.has_source:
        # Somebody's own words do not go with the sample's teapots.
        default = "none" if what else "sample"
        data = ask.read(_Question(lines=_DATA, word="data", default=default, shown=default), readers.data)
    name = given.provider or ""
    if given.provider is None:
        name, provider = ask.read(_PROVIDER, lambda text: (text, readers.provider(text, given.base_url or "")))
    base_url = given.base_url or ""
    if provider is None:
        base_url, provider = ask.read(_address(name), lambda text: (text, _addressed(readers, name, text)))
    return Answers(what=what, takes=takes, data=data, provider=provider, base_url=base_url)


class _Silent:
    """Nobody is there: the defaults answer."""

    def read(self, question: _Question, reader: Callable[[str], _Read]) -> _Read:
        return reader(question.default)


class _Asking(_Silent):
    """Puts questions to the terminal. The lines are short, so that none breaks inside a word at 80 columns."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def read(self, question: _Question, reader: Callable[[str], _Read]) -> _Read:
        """Ask until the answer can be read; each time with the reason."""
        for line in question.lines:
            self._screen.note(line)
        shown = f" [{question.shown}]" if question.shown else ""
        while True:
            text = click.prompt(f"  {question.word}{shown}", default=question.default, show_default=False, err=True)
            try:
                return reader(str(text).strip())
            except InputError as error:
                self._refuse(error.problems or (Problem(message=error.message),))

    def _refuse(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._screen.note(Ink("  not so:", "red"))
            for line in (str(problem) if problem.file else problem.message).splitlines():
                # An excerpt and its caret are no words to wrap.
                is_excerpt = _MARGIN.match(line)
                for part in [line] if is_excerpt else textwrap.wrap(line, self._screen.width - 5):
                    self._screen.note(f"    {part}")


def _count(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= MOST_TAKES:
        return int(text)
    message = f"how many: '{text}' is no number of takes (expected 1 to {MOST_TAKES})"
    raise UsageError(message)


def _address(name: str) -> _Question:
    line = f"'{name}' ships without an address; such as https://gateway.example/v1"
    return _Question(lines=(line,), word="address", default="", shown="")


def _addressed(readers: Readers, name: str, address: str) -> Provider:
    provider = readers.provider(name, address) if address else None
    if provider is None:
        message = f"'{name}' ships without an address; give it with --base-url https://gateway.example/v1"
        raise UsageError(message)
    return provider
