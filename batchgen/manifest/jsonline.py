"""One line of a jsonl file, to a record's values or to what is wrong with it in plain words."""

import json
from collections import Counter
from typing import Any, Final, NoReturn

__all__ = ["LineError", "read_line"]

_SHOWN: Final = 40
_STARTS: Final = ("{", "[", '"')
_FAULTS: Final = (
    ("Expecting property name", "a key in double quotes is expected here; is there a comma too many?"),
    ("Illegal trailing comma", "a comma too many; take it out"),
    ("Expecting ':'", "a colon is missing between key and value; write it"),
    ("Expecting ','", 'a comma is missing here, or a quote inside a text; write "," between members, \\" for a quote'),
    ("Expecting value", "a value is expected here; put text in double quotes"),
    ("Unterminated string", "the text that begins here is not closed; end it with a double quote"),
    ("Invalid control character", "a tab or another control character stands in a text; write \\t for a tab"),
    ("Invalid \\", "a backslash that escapes nothing; write \\\\ for a backslash"),
    ("Extra data", "something follows the end of the object; write one object per line"),
)
"""What the standard library's decoder says, by its first words, and what we say."""


class LineError(ValueError):
    """A line that is no record. `column` counts from 1; None when it is the line as a whole."""

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


def read_line(text: str) -> dict[str, Any]:
    """The record on a line: an object as it is, a JSON string as `{"prompt": ...}`.

    Raises:
        LineError: Anything else. Bare text is refused rather than guessed at: a quote forgotten in an object would make
            a paid image of broken JSON.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise _unreadable(text, error) from None
    except RecursionError:
        message = "is nested too deeply; a record is a flat object"
        raise LineError(message) from None
    if isinstance(value, str):
        return {"prompt": value}
    if isinstance(value, dict):
        return value
    message = f"'{_short(text.strip())}' is neither an object nor a text (expected {{...}}, or a prompt in quotes)"
    raise LineError(message)


def _unreadable(text: str, error: json.JSONDecodeError) -> LineError:
    bare = text.strip()
    column = len(text) - len(text.lstrip()) + 1
    if not bare.startswith(_STARTS):
        quoted = json.dumps(_short(bare), ensure_ascii=False)
        return LineError(
            f"is no JSON (expected an object or a text in double quotes); for a prompt write {quoted}", column
        )
    said = next((words for start, words in _FAULTS if error.msg.startswith(start)), error.msg.lower())
    return LineError(f"is no valid JSON: {said}", error.pos + 1)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is no number in JSON; write null, or a text in quotes"
    raise LineError(message)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        message = f"'{twice}' is given twice; keep one"
        raise LineError(message)
    return values
