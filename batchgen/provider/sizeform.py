"""How a size policy is written in provider data: `any`, a list, or a mapping with a rule."""

from typing import Any

from batchgen.provider import readers
from batchgen.provider.readers import Reader, WrongValueError
from batchgen.provider.sizes import SizePolicy, SizeRule

__all__ = ["read_size_policy"]

_SIZE = r"[1-9]\d{0,4}x[1-9]\d{0,4}"
_size = readers.pattern(_SIZE, "a size such as 1024x1024")
_listed = readers.items_of(readers.text, "a list of sizes")

_RULE: dict[str, Reader[Any]] = {
    "multiple_of": readers.whole(1),
    "min_edge": readers.whole(1),
    "max_edge": readers.whole(1),
    "max_ratio": readers.number(above=0),
    "min_pixels": readers.whole(1),
    "max_pixels": readers.whole(1),
}
_LISTS: dict[str, Reader[Any]] = {"named": _listed, "presets": readers.mapping_of(_size)}


def read_size_policy(value: Any) -> SizePolicy:
    """A policy from `any`, from a list of sizes, or from a mapping.

    The mapping takes `named` (a list of sizes), `presets` (name to size), and the bounds of a rule: `multiple_of`,
    `min_edge`, `max_edge`, `max_ratio`, `min_pixels`, `max_pixels`. Raises WrongValueError.
    """
    if value == "any":
        return SizePolicy(free=True)
    if isinstance(value, list):
        return SizePolicy(named=_listed(value))
    members = readers.mapping_value(value)
    known = {**_LISTS, **_RULE}
    findings = readers.refuse_unknown(members, known, lambda _: f" (expected one of {', '.join(known)})")
    if findings:
        raise WrongValueError(findings)
    read = readers.read_each((name, item, known[name]) for name, item in members.items())
    bounds = {name: read[name] for name in _RULE if name in read}
    return SizePolicy(
        named=read.get("named", ()),
        presets=read.get("presets", {}),
        rule=SizeRule(**bounds) if bounds else None,
    )
