"""Data rows: the records that a manifest's `rows` names, filtered by `where`, each with a unique key."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

from batchgen.errors import ManifestError, Problem
from batchgen.manifest.findings import Findings
from batchgen.manifest.naming import fingerprint, slug
from batchgen.manifest.records import Record, read_csv, read_images, read_inline, read_jsonl, read_text
from batchgen.manifest.schema import RowsBlock
from batchgen.manifest.template import TemplateError, compile_expression

__all__ = ["Row", "Rows", "read_rows"]

_HASH_DIGITS: Final = 8
_VALUES_SHOWN: Final = 6
_LONGEST_SHOWN: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One data row: `values` by column, its source (`catalogue.csv line 2`) and its key, unique among the rows.

    `line` is the one it starts on, or its position where rows come from no file.
    """

    values: Mapping[str, Any]
    source: str
    key: str
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows that `where` let pass, in the order of the file.

    `left_out` is empty, or tells how many rows there were when none passed and what their columns hold.
    """

    passed: tuple[Row, ...]
    left_out: str = ""


def read_rows(spec: RowsBlock, folder: Path) -> Rows:
    """The rows of a `rows` block. `folder` is the manifest's.

    No row at all is no error: a nightly job may find nothing to do.

    Raises:
        ManifestError: With a Problem for each thing wrong. One of a line has the `file` as the manifest names it and
            the line; one of the block itself has a `key` (`rows.key`, `rows.where`) and no file.
    """
    return _Reading(spec, folder).rows()


class _Reading:
    """One pass over the records of one `rows` block."""

    def __init__(self, spec: RowsBlock, folder: Path) -> None:
        self._spec = spec
        self._folder = folder
        self._file = spec.csv or spec.jsonl or spec.text or ""
        self._name = PurePath(self._file).name
        self._findings = Findings()
        self._refused = _Refused(spec.where or "")

    def rows(self) -> Rows:
        rows: list[Row] = []
        sources: dict[str, str] = {}
        for record in self._chosen():
            source = self._source(record)
            key = self._key(record)
            first = sources.setdefault(key, source) if key else source
            if first is not source:
                remedy = "keys are unique" if self._spec.key else "take one out, or name a column as `key`"
                self._refuse(record, f"'{key}' is already the key of {first}; {remedy}", "rows.key")
            rows.append(Row(values=record.values, source=source, key=key, line=record.line))
        if self._findings:
            raise ManifestError(problems=self._findings.problems())
        return Rows(passed=tuple(rows), left_out=self._refused.told() if not rows else "")

    def _records(self) -> Iterator[Record]:
        spec, folder = self._spec, self._folder
        if spec.csv is not None:
            return read_csv(folder, spec.csv, self._report)
        if spec.jsonl is not None:
            return read_jsonl(folder, spec.jsonl, self._report)
        if spec.text is not None:
            return read_text(folder, spec.text, self._report)
        if spec.images is not None:
            return read_images(folder, spec.images, self._report)
        return read_inline(spec.inline or [])

    def _chosen(self) -> Iterator[Record]:
        if self._spec.where is None:
            yield from self._records()
            return
        try:
            where = compile_expression(self._spec.where)
        except TemplateError as error:
            self._report(Problem(message=error.message, key="rows.where"))
            return
        for record in self._records():
            try:
                if where.holds({"row": record.values, **record.values}):
                    yield record
                else:
                    self._refused.add(record.values)
            except TemplateError as error:
                self._refuse(record, error.message.replace("; names: row, ", "; columns: "), "rows.where")

    def _key(self, record: Record) -> str:
        """The row's key; empty after an error."""
        column = self._spec.key
        if column is None:
            return _own_key(record.values)
        if column not in record.values:
            self._refuse(record, f"no column '{column}'; columns: {', '.join(record.values)}", "rows.key")
            return ""
        value = record.values[column]
        if isinstance(value, dict | list) or value is None or not str(value).strip():
            self._refuse(record, f"the key '{column}' is empty (expected a text or a number)", "rows.key")
            return ""
        return str(value).strip()

    def _source(self, record: Record) -> str:
        return (
            f"{self._name} line {record.line}" if self._name else str(record.values.get("path", f"row {record.line}"))
        )

    def _report(self, problem: Problem) -> None:
        self._findings.add((problem.file, problem.key, problem.message), lambda: problem)

    def _refuse(self, record: Record, message: str, key: str) -> None:
        if self._file:
            self._report(Problem(message=message, file=self._file, line=record.line))
        else:
            source = self._source(record)
            self._findings.add((key, message), lambda: Problem(message=f"{source}: {message}", key=key))


class _Refused:
    """The rows that a condition refused: how many, and a few of the values in the columns that it names."""

    def __init__(self, where: str) -> None:
        self._words = frozenset(re.findall(r"\w+", where))
        self._where = where
        self._rows = 0
        self._values: dict[str, dict[str, None]] = {}

    def add(self, values: Mapping[str, Any]) -> None:
        """Count a row."""
        self._rows += 1
        for name, value in values.items():
            if name in self._words or (not name.isidentifier() and name in self._where):
                seen = self._values.setdefault(name, {})
                if len(seen) <= _VALUES_SHOWN:
                    seen.setdefault(_shown(value))

    def told(self) -> str:
        """`0 of 12 rows pass; status has: ready, draft`, or nothing when no row was refused."""
        if not self._rows:
            return ""
        columns = [f"{name} has: {_listed(seen)}" for name, seen in self._values.items()]
        return "; ".join((f"0 of {self._rows:,} rows pass", *columns))


def _listed(seen: Mapping[str, None]) -> str:
    return ", ".join([*seen][:_VALUES_SHOWN]) + (", ..." if len(seen) > _VALUES_SHOWN else "")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if not text.strip():
        return "(empty)"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _own_key(values: Mapping[str, Any]) -> str:
    """The key of a row that names none: an image's stem, else a slug of its first value and a hash of them all."""
    if "stem" in values and "path" in values:
        return str(values["stem"])
    canonical = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    named = next((slug(value) for value in values.values() if isinstance(value, str) and slug(value)), "row")
    return f"{named}-{fingerprint(canonical, _HASH_DIGITS)}"
