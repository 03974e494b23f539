"""Records as their files hold them: csv, jsonl, text, a glob of images, or rows written in the manifest.

Files are read line by line, as UTF-8 (a BOM is accepted: spreadsheet programs write one). A reader reports what is
wrong with a line and goes on, so that one pass names every problem. Values are kept as they are written: those of
csv and text files are text.

A csv file is separated by commas (RFC 4180), or by semicolons when its header has those and no comma: spreadsheet
programs write them where the comma is the decimal sign.
"""

import csv
import glob
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

from batchgen.errors import Problem
from batchgen.manifest.jsonline import LineError, read_line
from batchgen.manifest.marks import one_line

__all__ = ["Record", "Report", "read_csv", "read_images", "read_inline", "read_jsonl", "read_text", "separator"]

LINE_LIMIT: Final = 4 * 1024 * 1024
"""Characters in one line of a jsonl or text file."""

_LONGEST_EXCERPT: Final = 200

Report = Callable[[Problem], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record: `values` by column, and the 1-based line (or position) that it starts on."""

    values: Mapping[str, Any]
    line: int


def read_csv(folder: Path, name: str, report: Report) -> Iterator[Record]:
    """Records of a file of separated values with a header line; lines without any value are skipped."""
    return _guarded(_csv_records(folder / name, name, report), folder, name, "rows.csv", report)


def read_jsonl(folder: Path, name: str, report: Report) -> Iterator[Record]:
    """Records of a file with one JSON object per line; a JSON string is a record with a `prompt`.

    This is also the shape of `generate-batch` input: empty lines and lines that begin with `#` are skipped.
    """
    return _guarded(_jsonl_records(folder / name, name, report), folder, name, "rows.jsonl", report)


def read_text(folder: Path, name: str, report: Report) -> Iterator[Record]:
    """Records with a `text`: one per line; empty lines and lines that begin with `#` are skipped."""
    records = (Record(values={"text": text.strip()}, line=line) for line, text in _lines(folder / name, name, report))
    return _guarded(records, folder, name, "rows.text", report)


def read_images(folder: Path, pattern: str, report: Report) -> Iterator[Record]:
    """One record per file that the glob finds, sorted: `path` (as `images:` takes it), `name` and `stem`."""
    matches = glob.iglob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207  Path.glob takes no absolute pattern
    found = sorted(path for path in matches if (folder / path).is_file())
    if not found:
        report(Problem(message=f"'{pattern}' matches no file; the pattern is relative to {folder}", key="rows.images"))
    for number, path in enumerate(found, start=1):
        if not path.isprintable():
            report(Problem(message=f"{path!a} is no printable name; rename the file", key="rows.images"))
            continue
        pure = PurePath(path)
        yield Record(values={"path": pure.as_posix(), "name": pure.name, "stem": pure.stem}, line=number)


def read_inline(rows: Sequence[Mapping[str, Any]]) -> Iterator[Record]:
    """The rows that the manifest itself holds."""
    return (Record(values=values, line=number) for number, values in enumerate(rows, start=1))


def separator(path: Path) -> str:
    """What separates the columns of a csv file: `,`, or `;` when its header has those and no comma.

    Raises OSError and UnicodeDecodeError.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next((line for line in iter(lambda: file.readline(LINE_LIMIT), "") if line.strip()), "")
    return ";" if ";" in header and "," not in header else ","


def _guarded(records: Iterator[Record], folder: Path, name: str, key: str, report: Report) -> Iterator[Record]:
    """The records of a file; what keeps the file from being opened or read becomes a problem."""
    path = folder / name
    try:
        if path.is_file():
            yield from records
        else:
            problem = "is no regular file" if path.exists() else "does not exist"
            report(Problem(message=f"'{name}' {problem}; the path is relative to {folder}", key=key))
    except UnicodeDecodeError as error:
        byte = f"0x{error.object[error.start]:02x}"
        line = _undecodable_line(path)
        report(Problem(message=f"byte {byte} is not UTF-8; save the file as UTF-8", file=name, line=line))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        report(Problem(message=f"'{name}' cannot be read: {reason}", key=key))


def _undecodable_line(path: Path) -> int | None:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return None


def _csv_records(path: Path, name: str, report: Report) -> Iterator[Record]:
    header: list[str] = []
    delimiter = separator(path)
    for line, cells in _csv_lines(path, name, delimiter, report):
        if not header:
            header = [cell.strip() for cell in cells]
            messages = _header_problems(header)
            for message in messages:
                report(Problem(message=message, file=name, line=line))
            if messages:
                return
        elif len(cells) == len(header):
            yield Record(values=dict(zip(header, cells, strict=True)), line=line)
        else:
            report(Problem(message=_ragged(cells, header, delimiter), file=name, line=line))
    if not header:
        report(Problem(message="is empty (expected a line with the names of the columns)", file=name, line=1))


def _csv_lines(path: Path, name: str, delimiter: str, report: Report) -> Iterator[tuple[int, list[str]]]:
    """The lines that hold anything, each with the number of its first physical line."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        line = 1
        try:
            for cells in reader:
                if any(cells):
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            report(Problem(message=f"is no valid csv: {error}; look for a stray quote", file=name, line=line))


def _header_problems(header: Sequence[str]) -> list[str]:
    if len(header) == 1 and "\t" in header[0]:
        return ["tabs stand between the columns (expected commas or semicolons); save the file as csv"]
    unnamed = [f"column {number} has no name" for number, name in enumerate(header, start=1) if not name]
    doubled = [name for name, times in Counter(header).items() if times > 1 and name]
    return [*unnamed, *(f"column '{name}' is there twice; rename one" for name in doubled)]


def _ragged(cells: Sequence[str], header: Sequence[str], delimiter: str) -> str:
    columns, sign = ", ".join(header), "a comma" if delimiter == "," else "a semicolon"
    return f"has {len(cells)} cells (expected {len(header)}: {columns}); put a value that holds {sign} in quotes"


def _jsonl_records(path: Path, name: str, report: Report) -> Iterator[Record]:
    for line, text in _lines(path, name, report):
        try:
            yield Record(values=read_line(text), line=line)
        except LineError as error:
            is_shown = error.column is not None and error.column <= _LONGEST_EXCERPT
            excerpt = one_line(text[:_LONGEST_EXCERPT]) if is_shown else ""
            report(Problem(message=error.message, file=name, line=line, column=error.column, excerpt=excerpt))


def _lines(path: Path, name: str, report: Report) -> Iterator[tuple[int, str]]:
    """The lines that are neither empty nor comments, numbered, without the spaces at their end."""
    with path.open(encoding="utf-8-sig") as file:
        number = 0
        while line := file.readline(LINE_LIMIT + 1):
            number += 1
            if len(line) > LINE_LIMIT:
                report(Problem(message=f"is longer than {LINE_LIMIT:,} characters", file=name, line=number))
                return
            text = line.rstrip()
            if text and not text.lstrip().startswith("#"):
                yield number, text
