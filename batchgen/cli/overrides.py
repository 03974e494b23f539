"""`--set request.NAME=VALUE` of a redo: parameters that a few images get and the manifest does not say."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batchgen.errors import UsageError
from batchgen.manifest.merge import Tree, apply_set
from batchgen.plan.params import PARAMETERS

__all__ = ["read_overrides"]

_EXTRA = "extra"


def read_overrides(sets: Sequence[str]) -> dict[str, Any]:
    """`{"request.quality": "high"}` from assignments as manifests take them; `request.extra.NAME` goes unchecked.

    Raises UsageError for what is no parameter of a request, ManifestError for what is no assignment.
    """
    found: dict[str, Any] = {}
    for text in sets:
        found.update(_parameters(text))
    return found


def _parameters(text: str) -> Iterator[tuple[str, Any]]:
    values = apply_set(Tree(value={}, node=0), text).value
    request = values.get("request")
    if set(values) != {"request"} or not isinstance(request, Mapping) or not request:
        message = f"--set {text}: a redo changes parameters alone (expected request.NAME=VALUE, such as quality)"
        raise UsageError(message)
    for name, value in request.items():
        if name == _EXTRA and isinstance(value, Mapping):
            yield from ((f"request.{inner}", item) for inner, item in value.items())
        elif name in PARAMETERS:
            yield f"request.{name}", value
        else:
            near = difflib.get_close_matches(name, PARAMETERS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "what a provider alone knows is request.extra.NAME"
            message = f"--set {text}: '{name}' is no parameter of a request; {hint}"
            raise UsageError(message)
