"""The one error boundary: everything raised below becomes a text or an `error` event, and an exit code."""

import contextlib
import os
import platform
import re
import tempfile
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from batchgen import __version__
from batchgen.cli.events import error_event
from batchgen.cli.screen import Ink, ReaderGoneError, Screen
from batchgen.errors import BatchgenError, Problem, StorageError
from batchgen.safetext import Scrubber

__all__ = ["Boundary", "TerminatedError", "scrub"]

_INTERRUPTED, _TERMINATED = 130, 143
_SHORTEST_SECRET = 8
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|AUTH", re.IGNORECASE)
_SECRET_SHAPE = re.compile(r"(?i)(bearer\s+|\bsk-)[A-Za-z0-9._~+/=-]{8,}")


class TerminatedError(KeyboardInterrupt):
    """SIGTERM came while nothing was in flight: as Ctrl-C, with the exit code that a service manager expects."""


def scrub(text: str, environ: Mapping[str, str], known: Iterable[str] = ()) -> str:
    """`text` without secrets: `known` ones, values of variables named like one, and what has a key's shape."""
    named = [value for name, value in environ.items() if _SECRET_NAME.search(name)]
    scrubbed = (
        Scrubber(value for value in (*known, *named) if len(value) >= _SHORTEST_SECRET)
        .raw(text.encode("utf-8", "backslashreplace"))
        .decode()
    )
    return _SECRET_SHAPE.sub("***", scrubbed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """What it takes to report an error.

    `log_folder` gets the traceback of what nobody expected, `secrets` are struck from it (the list may grow until
    then). `json` asks for the error event on stdout.
    """

    screen: Screen
    environ: Mapping[str, str]
    log_folder: Path
    secrets: Sequence[str] = ()
    json: bool = False

    def guard(self, action: Callable[[], int]) -> int:
        """Run `action` and return its exit code, or the one of what it raised (design of codes: `batchgen.errors`)."""
        code = 0
        try:
            code = action()
            self.screen.flush()
        except ReaderGoneError as error:
            # What a run came to outweighs that nobody read it to the end.
            code = code or error.exit_code
        except BatchgenError as error:
            code = self._expected(error)
        except click.exceptions.Abort:
            code = self._interrupted()
        except click.ClickException as error:
            code = self._misused(error)
        except TerminatedError:
            code = self._interrupted(_TERMINATED)
        except KeyboardInterrupt:
            code = self._interrupted()
        except Exception as error:  # noqa: BLE001  this is the last place that can say anything
            code = self._unexpected(error)
        return self._drained(code)

    def _expected(self, error: BatchgenError) -> int:
        self._say(error.problems or (Problem(message=error.message),), error.exit_code)
        if error.problems and error.message != "\n".join(map(str, error.problems)):
            self.screen.note(error.message)
        return error.exit_code

    def _misused(self, error: click.ClickException) -> int:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            self.screen.note(error.format_message())
            return 2
        self._say((Problem(message=_in_our_words(error)),), 2)
        return 2

    def _interrupted(self, code: int = _INTERRUPTED) -> int:
        self._say((Problem(message="interrupted"),), code)
        return code

    def _unexpected(self, error: Exception) -> int:
        log = self._written("".join(traceback.format_exception(error)))
        text = scrub(f"{type(error).__name__}: {error}", self.environ, self.secrets)[:300]
        where = f"; the traceback is in {log}" if log else ""
        self._say((Problem(message=f"internal error: {text}{where}"),), 1)
        return 1

    def _say(self, problems: Iterable[Problem], exit_code: int) -> None:
        found = tuple(problems)
        for problem in found:
            self.screen.note(Ink("error: ", "red"), str(problem))
        if self.json:
            with contextlib.suppress(ValueError, ReaderGoneError, StorageError):
                self.screen.raw(error_event(exit_code, found))

    def _written(self, report: str) -> Path | None:
        """The report in a file of its own (0600): in the log folder, else in the temporary one, else nowhere."""
        head = f"batchgen {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        text = scrub(head + report, self.environ, self.secrets)
        for folder in (self.log_folder, Path(tempfile.gettempdir())):
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                handle, name = tempfile.mkstemp(prefix="error-", suffix=".log", dir=folder)
                with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123  a descriptor
                    file.write(text)
                return Path(name)
        return None

    def _drained(self, code: int) -> int:
        """Flush; when the reader is gone, point stdout at nothing, or the interpreter complains while it exits."""
        try:
            self.screen.out.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, self.screen.out.fileno())
                os.close(nothing)
        return code


def _in_our_words(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        near = f"did you mean '{error.possibilities[0]}'?" if error.possibilities else ""
        message = "; ".join(filter(None, (f"no option '{error.option_name}'", near)))
    else:
        message = error.format_message()
        message = (message[:1].lower() + message[1:]).rstrip(".")
    context = getattr(error, "ctx", None)
    return message if context is None else f"{message}; see `{context.command_path} --help`"
