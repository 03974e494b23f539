"""What `batchgen init` learns from a data file: its columns, a key, and how a prompt and parameters come from them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchgen.cli.starter import column, reference
from batchgen.errors import UsageError
from batchgen.manifest.rows import read_rows
from batchgen.manifest.schema import RowsBlock

__all__ = ["PARAMETERS", "DataFile", "look_at", "request_from", "unused"]

_KINDS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "text"}
_PICTURES = "*.[pPjJwW][nNpPeE][gGeEbB]*"
_PROMPT_COLUMNS = ("prompt", "text")
_DEFAULTS: Mapping[str, str] = {
    "model": "gpt-image-2",
    "size": "1024x1024",
    "quality": "auto",
    "background": "auto",
    "output_format": "png",
    "moderation": "auto",
}
"""Parameters that a row may leave out, with what they are then."""
PARAMETERS = frozenset(_DEFAULTS)
"""The request parameters that `init` knows how to take over."""
_MOST_DESCRIBING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A data file's kind in `rows:`, its path as the manifest names it, its columns, and those filled in every row."""

    kind: str
    name: str
    columns: tuple[str, ...]
    filled: frozenset[str]
    key: str

    @property
    def prompt(self) -> str | None:
        """The template for the column that holds whole prompts, if there is one."""
        return next((column(name) for name in _PROMPT_COLUMNS if name in self.filled), None)

    def described(self, what: str) -> str:
        """A prompt out of the describing columns and the user's words."""
        telling = [name for name in self.columns if name in self.filled and name != self.key] or [self.key]
        subject = ", ".join(column(name) for name in telling[:_MOST_DESCRIBING] if name)
        return f"{subject}. {what}" if subject else what


def look_at(path: Path, name: str) -> DataFile:
    """Read a data file, or a folder of images.

    `name` is the path as the manifest will name it. Raises UsageError for a kind that is not known, ManifestError with
    the lines that cannot be read.
    """
    if path.is_dir():
        return DataFile(kind="images", name=f"{name}/{_PICTURES}", columns=(), filled=frozenset(), key="")
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        message = f"'{path}' is no data file (expected .csv, .jsonl, .txt or a folder of images)"
        raise UsageError(message)
    spec = RowsBlock.model_validate({kind: path.name})
    rows = [row.values for row in read_rows(spec, path.absolute().parent)]
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    filled = frozenset(name for name in names if all(_is_filled(row.get(name)) for row in rows))
    return DataFile(kind=kind, name=name, columns=names, filled=filled, key=_key(names, filled, rows))


def request_from(data: DataFile, accepted: Collection[str]) -> dict[str, str]:
    """The request parameters that the columns give: those the provider takes, with a default where a row has none."""
    chosen = {}
    for name, default in _DEFAULTS.items():
        if name not in data.columns or name not in accepted:
            continue
        chosen[name] = (
            column(name) if name in data.filled else f"${{{{ {reference(name)} | default('{default}', true) }}}}"
        )
    return chosen


def unused(data: DataFile, accepted: Collection[str]) -> list[str]:
    """Notes on columns of the `generate-batch` shape that the manifest does not take over."""
    notes = []
    if "n" in data.columns:
        notes.append("column 'n' is not used: each image is a request of its own; set `repeat` for more takes")
    if "out" in data.columns and "out" not in data.filled:
        notes.append("column 'out' is not used: some rows leave it empty; the images are named after their rows")
    notes += [
        f"column '{name}' is not used: the provider takes no {name}"
        for name in _DEFAULTS
        if name in data.columns and name not in accepted
    ]
    return notes


def _is_filled(value: Any) -> bool:
    return value is not None and str(value).strip() != ""


def _key(names: Sequence[str], filled: Collection[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The first column that tells the rows apart and is short enough for a name; prompts and file names are not."""
    for name in names:
        values = {str(row.get(name)) for row in rows}
        is_name = name not in {*_PROMPT_COLUMNS, *_DEFAULTS, "out"} and max(map(len, values), default=0) <= 64  # noqa: PLR2004
        if name in filled and is_name and len(values) == len(rows):
            return name
    return ""
