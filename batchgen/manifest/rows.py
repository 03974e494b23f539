"""Data rows: the records that a manifest's `rows` names, filtered by `where`, each with a unique key."""

import json
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

__all__ = ["Row", "read_rows"]

_HASH_DIGITS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One data row: `values` by column, its source (`catalogue.csv line 2`) and its key, unique among the rows."""

    values: Mapping[str, Any]
    source: str
    key: str


def read_rows(spec: RowsBlock, folder: Path) -> tuple[Row, ...]:
    """The rows for which `where` holds, in the order of the file. `folder` is the manifest's.

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

    def rows(self) -> tuple[Row, ...]:
        rows: list[Row] = []
        sources: dict[str, str] = {}
        for record in self._chosen():
            source = self._source(record)
            key = self._key(record)
            first = sources.setdefault(key, source) if key else source
            if first is not source:
                remedy = "keys are unique" if self._spec.key else "take one out, or name a column as `key`"
                self._refuse(record, f"'{key}' is already the key of {first}; {remedy}", "rows.key")
            rows.append(Row(values=record.values, source=source, key=key))
        if self._findings:
            raise ManifestError(problems=self._findings.problems())
        return tuple(rows)

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


def _own_key(values: Mapping[str, Any]) -> str:
    """The key of a row that names none: an image's stem, else a slug of its first value and a hash of them all."""
    if "stem" in values and "path" in values:
        return str(values["stem"])
    canonical = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    named = next((slug(value) for value in values.values() if isinstance(value, str) and slug(value)), "row")
    return f"{named}-{fingerprint(canonical, _HASH_DIGITS)}"
