"""Provider data as plain mappings: the shipped file, the user's file, and how one is laid over another."""

import functools
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from batchgen.errors import InputError, Problem

__all__ = ["laid_over", "read_user_file", "shipped", "spread"]

_MAX_BYTES = 1 << 20
_WHOLE_FIELDS = frozenset({"prices", "faults"})
_OPERATIONS = ("generate", "edit")


class _Loader(yaml.CSafeLoader):
    """YAML 1.2 scalars: under 1.1 the preset `16:9` would be the number 969 and `no` would be false."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012  declared so by the base class

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  the base class's signature
        """As the base class, but a key given twice is refused: one of the two would be lost without a word."""
        seen: set[Any] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                problem = f"'{key.value}' is given twice" if isinstance(key, yaml.ScalarNode) else "a key is no text"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-+0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


@functools.cache
def shipped() -> Mapping[str, Mapping[str, Any]]:
    """The providers that come with batchgen, by name, unread. Shared: never change it."""
    data = resources.files("batchgen").joinpath("data", "providers.yaml").read_bytes()
    providers: dict[str, dict[str, Any]] = yaml.load(data, Loader=_Loader)  # noqa: S506  a safe loader
    return providers


def read_user_file(path: Path) -> dict[str, dict[str, Any]]:
    """The user's own providers, by name, unread; empty when there is no such file.

    Raises InputError when the file cannot be read, is no YAML, or is not a mapping of mappings.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}; allow it, or move it away") from None
    if len(data) > _MAX_BYTES:
        raise _wrong(path, "is larger than 1 MiB (expected a few providers)")
    return _checked(path, _parsed(path, data))


def _parsed(path: Path, data: bytes) -> Any:
    try:
        return yaml.load(data, Loader=_Loader)  # noqa: S506  a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = {} if mark is None else {"line": mark.line + 1, "column": mark.column + 1}
        raise _wrong(path, f"is no YAML here: {error.problem}", **place) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _wrong(path, "is no YAML text in UTF-8") from None


def _checked(path: Path, content: Any) -> dict[str, dict[str, Any]]:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise _wrong(path, "is no mapping (expected provider names, each with its fields)")
    for name, fields in content.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise _wrong(path, f"'{name}' cannot name a provider; use letters, digits, dots and dashes")
        if not isinstance(fields, dict):
            raise _wrong(path, "holds no fields (expected for instance base_url: ...)", key=name)
    return content


def _wrong(path: Path, message: str, **place: Any) -> InputError:
    return InputError(problems=[Problem(file=str(path), message=message, **place)])


def laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the fields of `over`: mappings are merged deeply, everything else is replaced, null takes away.

    `prices` and `faults` are replaced whole: half of one price list with half of another would be no price list.
    """
    return _merged(spread(base), spread(over))


def spread(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with `accepts` and `sizes` per operation: written once, they stand for both."""
    spread = dict(fields)
    for name in ("accepts", "sizes"):
        value = spread.get(name)
        if value is not None and not (isinstance(value, Mapping) and value.keys() & set(_OPERATIONS)):
            spread[name] = dict.fromkeys(_OPERATIONS, value)
    return spread


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping) and name not in _WHOLE_FIELDS:
            merged[name] = _merged(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged
