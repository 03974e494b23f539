"""Field types of the manifest: numbers that may come from the environment or a template, durations, names.

Each type checks a value and carries the JSON Schema that editors see. Text that spells a number counts as that number,
because `${NAME}` always yields text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, LiteralString, NoReturn

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from batchgen.manifest.scalars import resolve_scalar

__all__ = [
    "AXIS_NAMES",
    "DURATION",
    "LABEL",
    "NAME_PATTERN",
    "PLAIN",
    "SPELLED",
    "TEMPLATE",
    "URL_PATTERN",
    "WORD_PATTERN",
    "AxisName",
    "AxisValue",
    "EnvName",
    "Limit",
    "Name",
    "Text",
    "Url",
    "VarName",
    "parse_duration",
    "template_or_plain",
]

LABEL = "\0"
"""Starts the names of union branches in error locations: no YAML key can hold it."""
TEMPLATE = Tag(f"{LABEL}template")
PLAIN = Tag(f"{LABEL}plain")

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
URL_PATTERN = r"^https?://[^\s/]+"
WORD_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"

_KNOWN_TO_TEMPLATES = frozenset({"job", "take", "prompt", "row", "period", "vars"})
_MATRIX_RULES = frozenset({"exclude", "add", "extend"})
_EXPRESSION_WORDS = frozenset({"and", "else", "false", "if", "in", "is", "none", "not", "or", "true"})
_RESERVED_VARS = _KNOWN_TO_TEMPLATES | _EXPRESSION_WORDS
_RESERVED_AXES = _RESERVED_VARS | _MATRIX_RULES

_DURATION_PARTS = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_DURATION_PATTERN = r"^(?=.)(\d+(\.\d+)?d)?(\d+(\.\d+)?h)?(\d+(\.\d+)?m)?(\d+(\.\d+)?s)?$"
_UNIT_SECONDS = (86_400, 3_600, 60, 1)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d+)?)%")
_WHOLE_SHARE = 100.0
_SUBSTITUTION = r"\$\{"


def _refuse(message: str, *, kind: LiteralString = "refused") -> NoReturn:
    """Raise a finding in our own words: what follows "VALUE is"."""
    raise PydanticCustomError(kind, "{message}", {"message": message}) from None


@dataclass(frozen=True)
class _Reads:
    """Metadata: `read` sees the value before its type does, and editors accept text of this pattern too."""

    read: Callable[[Any], Any]
    pattern: str
    examples: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        text: dict[str, Any] = {"type": "string", "pattern": self.pattern}
        return {"anyOf": [handler(schema), text | ({"examples": list(self.examples)} if self.examples else {})]}


@dataclass(frozen=True, eq=False)
class _Published:
    """Metadata: what editors see in place of what pydantic would say."""

    schema: dict[str, Any]

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema)


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `10m`, `3h`, `1h30m`, `2d` or a bare number.

    Raises ValueError for anything else.
    """
    match = _DURATION_PARTS.fullmatch(text)
    if not match or not match[0]:
        number = resolve_scalar(text)
        if isinstance(number, str | bool) or number is None:
            raise ValueError(text)
        return float(number)
    return sum(float(part or 0) * unit for part, unit in zip(match.groups(), _UNIT_SECONDS, strict=True))


def template_or_plain(value: Any) -> str:
    """Which branch a value that may be templated belongs to."""
    return TEMPLATE.tag if isinstance(value, str) and "${{" in value else PLAIN.tag


def _spelled_out(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        resolved = resolve_scalar(value.strip())
    except ValueError:
        return value
    return value if resolved is None else resolved


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value.strip())
    except ValueError:
        _refuse("not a duration (expected seconds, or such as 90s, 10m, 1h30m)")


def _limit(value: Any) -> int | str:
    limit = _spelled_out(value)
    if isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0:
        return limit
    share = _SHARE.fullmatch(limit) if isinstance(limit, str) else None
    if share and float(share[1]) <= _WHOLE_SHARE:
        return share[0]
    _refuse("not a limit (expected a count such as 20, or a share from 0% to 100%)")


def _not_blank(value: str) -> str:
    if value.strip():
        return value
    _refuse("empty (expected some text); write it, or remove the key")


def _axis_name(name: str) -> str:
    if name in _RESERVED_AXES:
        _refuse("a reserved name; choose another name for this axis", kind="reserved")
    return name


def _var_name(name: str) -> str:
    if name in _RESERVED_VARS:
        _refuse("a reserved name; choose another name for this variable", kind="reserved")
    return name


def _axis_value(value: Any) -> Any:
    if isinstance(value, dict) and "id" not in value:
        _refuse("without 'id' (expected such as { id: small, size: 1024x1024 }); give it one")
    name = value["id"] if isinstance(value, dict) else value
    if isinstance(name, bool | int | float) or (isinstance(name, str) and name.strip()):
        return value
    _refuse("no name for an axis value (expected text, a number, or a mapping with such an 'id')")


_SCALAR = {"type": ["string", "number", "boolean"]}
_AXIS_VALUE = {
    "anyOf": [
        _SCALAR,
        {
            "type": "object",
            "required": ["id"],
            "properties": {"id": _SCALAR | {"description": "The part of the slot that names this value."}},
        },
    ]
}


def _published_name(reserved: frozenset[str]) -> _Published:
    return _Published({"type": "string", "pattern": WORD_PATTERN, "not": {"enum": sorted(reserved)}})


SPELLED = _Reads(_spelled_out, _SUBSTITUTION)
"""Metadata for numbers and flags: text that spells the value counts as the value."""
DURATION = _Reads(_duration, rf"{_DURATION_PATTERN}|{_SUBSTITUTION}", ("90s", "10m", "1h30m"))
"""Metadata for floats that are seconds: `10m` counts as 600."""

Text = Annotated[str, AfterValidator(_not_blank), Field(json_schema_extra={"minLength": 1})]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
EnvName = Annotated[str, Field(pattern=WORD_PATTERN)]
Url = Annotated[
    str, Field(pattern=URL_PATTERN), _Published({"type": "string", "pattern": rf"{URL_PATTERN}|{_SUBSTITUTION}"})
]
Limit = Annotated[
    int | str,
    BeforeValidator(_limit),
    _Published(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d{1,3}(\.\d+)?%$|\$\{"}]}
    ),
]
VarName = Annotated[str, Field(pattern=WORD_PATTERN), AfterValidator(_var_name), _published_name(_RESERVED_VARS)]
AxisName = Annotated[str, Field(pattern=WORD_PATTERN), AfterValidator(_axis_name)]
AXIS_NAMES: dict[str, Any] = {"pattern": WORD_PATTERN, "not": {"enum": sorted(_RESERVED_VARS)}}
"""The published rule for the keys of a matrix, `exclude` and the like among them."""
AxisValue = Annotated[Any, AfterValidator(_axis_value), _Published(_AXIS_VALUE)]
