"""What `batchgen init` learns from a data file: its rows, its columns, a key, and the column that names a thing."""

import glob
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchgen.cli.starter import column
from batchgen.errors import UsageError
from batchgen.manifest.records import separator
from batchgen.manifest.rows import Row, read_rows
from batchgen.manifest.schema import RowsBlock

__all__ = ["DATA_EXPECTED", "PROMPT_COLUMNS", "REQUEST_COLUMNS", "SAMPLE", "DataFile", "look_at"]

DATA_EXPECTED = "expected none, sample, a .csv, .jsonl or .txt file, or a folder of images"
PROMPT_COLUMNS = ("prompt", "text")
"""Columns that hold whole prompts, the first choice first."""
REQUEST_COLUMNS = ("model", "size", "quality", "background", "output_format", "moderation")
"""Columns of the `generate-batch` shape that are request parameters."""

_KINDS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "text"}
_PICTURES = "*.[pPjJwW][nNpPeE][gGeEbB]*"
_NAMING = ("name", "title", "product", "product_name", "item", "text", "description", "prompt")
_DESCRIBING = frozenset({"finish", "material", "colour", "color", "style", "variant"})
_IDENTIFYING = frozenset({"sku", "id", "key", "code", "ean", "gtin", "isbn"})
_LONGEST_KEY = 64
_FIGURE = re.compile(r"[^\w\s]?\s*\d[\d.,'\s-]*(?:[^\w\s]|[A-Za-z]{1,3})?\Z")
"""A number, a price, a measure or a date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A data file: its kind in `rows:`, its path as the manifest names it, and what its rows hold.

    `shown` is the path as the user gave it, for messages. `filled` are the columns that no row leaves empty, `subject`
    those that say what a row is about. `notes` are for the user.
    """

    kind: str
    name: str
    shown: str = ""
    rows: tuple[Row, ...] = ()
    columns: tuple[str, ...] = ()
    filled: frozenset[str] = frozenset()
    key: str = ""
    subject: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def described(self, what: str) -> str:
        """A prompt out of the describing columns and the user's words; words that name columns stand for themselves."""
        subject = ", ".join(column(name) for name in self.subject)
        return what if "${{" in what or not subject else f"{subject}. {what}"


SAMPLE = DataFile(kind="csv", name="data/products.csv", key="sku", subject=("name", "finish"))
"""The data file that `starter.SAMPLE_CSV` is."""


def look_at(path: Path, name: str) -> DataFile:
    """Read a data file, or a folder of images.

    `name` is the path as the manifest will name it. Raises UsageError for what is not there, of no known kind or
    without rows, ManifestError with the lines that cannot be read.
    """
    if path.is_dir():
        return _folder(path, name)
    kind = _KINDS.get(path.suffix.lower())
    if kind is None or not path.exists():
        problem = "is no data file" if path.exists() else "does not exist"
        message = f"data: '{path}' {problem} ({DATA_EXPECTED})"
        raise UsageError(message)
    rows = read_rows(RowsBlock.model_validate({kind: str(path)}), Path()).passed
    if not rows:
        message = f"data: '{path}' holds no rows; add one for each image"
        raise UsageError(message)
    values = [row.values for row in rows]
    columns = tuple(dict.fromkeys(name for row in values for name in row))
    filled = frozenset(name for name in columns if all(_is_filled(row.get(name)) for row in values))
    key = _key(columns, filled, values)
    return DataFile(
        kind=kind,
        name=name,
        shown=str(path),
        rows=rows,
        columns=columns,
        filled=filled,
        key=key,
        subject=_subject([name for name in columns if name in filled], key, values),
        notes=_notes(path, kind),
    )


def _folder(path: Path, name: str) -> DataFile:
    if not glob.glob(_PICTURES, root_dir=path):  # noqa: PTH207  the manifest's pattern, taken as `rows` takes it
        message = f"data: the folder '{path}' holds no images (expected .png, .jpg, .jpeg or .webp)"
        raise UsageError(message)
    return DataFile(kind="images", name=f"{glob.escape(name)}/{_PICTURES}", shown=str(path))


def _notes(path: Path, kind: str) -> tuple[str, ...]:
    if kind != "csv" or separator(path) == ",":
        return ()
    return (f"'{path}' is separated by semicolons, because its header has no comma",)


def _is_filled(value: Any) -> bool:
    return value is not None and str(value).strip() != ""


def _key(columns: Sequence[str], filled: Collection[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The column that tells the rows apart and is short enough for a name; prompts, file names and prices are not."""
    others = {*PROMPT_COLUMNS, *REQUEST_COLUMNS, "out"}
    for name in sorted(columns, key=lambda name: name.lower() not in _IDENTIFYING):
        values = {str(row.get(name)).strip() for row in rows}
        is_name = name in filled and name not in others and max(map(len, values)) <= _LONGEST_KEY
        if is_name and len(values) == len(rows) and not _are_prices(values):
            return name
    return ""


def _subject(filled: Sequence[str], key: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The column that names a thing, by its name or as the first one of words, and those known to describe it."""
    wordy = [name for name in filled if not all(_FIGURE.match(str(row[name]).strip()) for row in rows)]
    by_name = {name.lower(): name for name in reversed(wordy)}
    naming = next((by_name[name] for name in _NAMING if name in by_name), None)
    naming = naming or next((name for name in wordy if name != key), key)
    describing = [name for name in wordy if name.lower() in _DESCRIBING and name != naming]
    return tuple(name for name in (naming, *describing[:2]) if name)


def _are_prices(values: Iterable[str]) -> bool:
    """Whether all are figures and one is no plain number, as article numbers are."""
    texts = list(values)
    return all(map(_FIGURE.match, texts)) and not all(text.isdecimal() for text in texts)
