"""Defaults from the user's config.yaml: below everything a manifest says, above what is built in."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from batchgen.errors import ManifestError, Problem
from batchgen.manifest.schema import Block, Document, LimitsBlock, OutputBlock, ProviderUse, RetryBlock
from batchgen.manifest.source import parse
from batchgen.manifest.wording import problems_of

__all__ = ["Settings", "read_settings"]

_BLOCKS = ("limits", "retry", "output")


class _Defaults(Block):
    """What config.yaml may say: the parts of a manifest that are about the person, not about the pictures."""

    provider: str | ProviderUse | list[str | ProviderUse] | None = None
    limits: LimitsBlock = LimitsBlock()
    retry: RetryBlock = RetryBlock()
    output: OutputBlock = OutputBlock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values of config.yaml as written, checked by the manifest's own rules."""

    values: dict[str, Any] = field(default_factory=dict)

    def sets_for(self, document: Document) -> tuple[str, ...]:
        """Assignments (`limits.rpm=30`) for what `document` leaves open."""
        return tuple(self._open(document))

    def _open(self, document: Document) -> Iterator[str]:
        if "provider" in self.values and "provider" not in document.model_fields_set:
            yield f"provider={json.dumps(self.values['provider'])}"
        for block in _BLOCKS:
            said = getattr(document, block).model_fields_set
            for name, value in (self.values.get(block) or {}).items():
                if name not in said:
                    yield f"{block}.{name}={json.dumps(value)}"


def read_settings(path: Path) -> Settings:
    """The user's defaults; none when there is no such file.

    `output.dir` is relative to the file's folder and may begin with `~`. Raises ManifestError with every problem.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as problem:
        message = f"cannot be read: {(problem.strerror or str(problem)).lower()}"
        raise ManifestError(problems=[Problem(file=str(path), message=message)]) from problem
    if all(line.strip()[:1] in {b"", b"#"} for line in data.splitlines()):
        return Settings()
    source = parse(data, file=str(path))
    problems = list(source.problems)
    try:
        _Defaults.model_validate(source.values)
    except ValidationError as error:
        problems += problems_of(error, source.marks)
    if problems:
        raise ManifestError(problems=problems)
    return Settings(values=_with_absolute_output(source.values, path))


def _with_absolute_output(values: dict[str, Any], path: Path) -> dict[str, Any]:
    output = values.get("output") or {}
    if not output.get("dir"):
        return values
    folder = path.parent.absolute() / Path(output["dir"]).expanduser()
    return values | {"output": output | {"dir": str(folder)}}
