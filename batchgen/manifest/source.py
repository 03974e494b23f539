"""YAML 1.2 with line marks: bytes of a manifest to plain values, and where each of them stands."""

from dataclasses import dataclass
from typing import Any

import yaml

from batchgen.errors import Problem
from batchgen.manifest.compose import Composer
from batchgen.manifest.decode import decode
from batchgen.manifest.marks import Marks
from batchgen.manifest.syntax import explain

__all__ = ["Source", "parse"]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C parser where PyYAML has it: ten times as fast, with the same events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A parsed manifest.

    `problems` are findings that did not stop the parser; what they concern is left out of `values`. `cut` holds the
    offsets of plain texts that a comment follows on the same line.
    """

    values: dict[str, Any]
    marks: Marks
    problems: tuple[Problem, ...]
    cut: frozenset[int]


def parse(data: bytes, *, file: str, loader: Any = _LOADER) -> Source:
    """Parse the bytes of a manifest; `file` is how messages call it.

    Raises ManifestError for what leaves nothing to go on with: too large, not text, not YAML, nested too deeply, too
    many aliases, several documents, no mapping at the top.
    """
    text = decode(data, file)
    composer = Composer(file=file, text=text)
    try:
        for event in yaml.parse(text, Loader=loader):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        offset = mark.index if mark else 0
        raise composer.fatal(offset, explain(error, text[offset : offset + 1])) from None
    values, root = composer.root
    if not isinstance(values, dict):
        found = "empty" if values is None else "a list" if isinstance(values, list) else "plain text"
        raise composer.fatal(0, f"the manifest is {found} (expected keys such as `version: 1`, `name:`, `prompts:`)")
    return Source(
        values=values,
        marks=composer.marks.grafted(root),
        problems=tuple(composer.problems),
        cut=frozenset(composer.cut),
    )
