"""Request: one wanted image, the value that everything else passes on. Always n=1."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["InputFile", "Operation", "Request"]

Operation = Literal["generate", "edit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A reference image or a mask as it was when the plan was made.

    `path` is absolute; `name` is how the manifest wrote it; `format` is `png`, `jpeg` or `webp`; `width` and `height`
    are pixels. Sending hashes the file again: one that changed since the plan is not sent.
    """

    path: str
    name: str
    sha256: str
    bytes: int
    format: str
    width: int
    height: int
    has_alpha: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One wanted image.

    `id` is the hash of what the API receives (see `batchgen.plan.identity`), 32 hex digits; `base_id` is the same with
    redo count 0. `slot` is its readable name. `params` are the parameters the manifest asks for, rendered and coerced,
    without the prompt; requests that render alike share one mapping, so never change it. `unchecked` names those that
    came from `request.extra`. `path` is relative to the job folder, with the extension of the requested format (the
    real one follows the bytes). `axes` holds what selectors see (`locale`, `row.sku`). `prompt_index` points into the
    manifest's `prompts`, for messages; `source` names the data row (`catalogue.csv line 2`), or is empty.
    """

    id: str
    base_id: str
    slot: str
    operation: Operation
    prompt: str
    params: Mapping[str, Any]
    path: str
    images: tuple[InputFile, ...] = ()
    mask: InputFile | None = None
    take: int = 1
    redo: int = 0
    unchecked: frozenset[str] = frozenset()
    axes: Mapping[str, str] = field(default_factory=dict)
    prompt_index: int = 0
    source: str = ""
