"""Provider: how one gateway speaks, as plain data, and the reader that makes one from a mapping."""

import difflib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from batchgen.provider import readers
from batchgen.provider.endpoint import read_base_url, read_proxy
from batchgen.provider.priceform import Prices, read_prices
from batchgen.provider.readers import Reader, WrongValueError
from batchgen.provider.sizeform import read_size_policy
from batchgen.provider.sizes import SizePolicy
from batchgen.request import Operation

__all__ = ["FIELDS", "OWN_PARAMS", "ModelRules", "Provider", "near", "read_fields"]

Auth = Literal["bearer", "raw", "none"]
Edits = Literal["multipart", "json", "none"]
Idempotency = Literal["none", "replay", "reject"]

OWN_PARAMS = frozenset({"prompt", "n", "image", "image[]", "images", "mask"})
"""What batchgen writes into the body itself; nobody else may."""

_KEY_WORDS = frozenset({"key", "api_key", "apikey", "api_token", "token", "access_key", "secret", "password"})
_STATUSES = range(300, 600)
_OWN_HEADERS = frozenset(
    {"authorization", "content-length", "content-type", "host", "idempotency-key", "transfer-encoding"}
    | {"x-client-request-id", "cookie", "connection", "accept-encoding"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRules:
    """What is special to the models whose name matches a pattern.

    `sizes` and `values` replace the provider's, `refuses` names parameters the model does not take, `retired` is the
    day it was shut down, `note` is shown when it is used.
    """

    sizes: Mapping[Operation, SizePolicy] = field(default_factory=dict)
    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    refuses: frozenset[str] = frozenset()
    retired: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """How one gateway speaks.

    `base_url` has no slash at the end; it is empty only for the sandbox that a run starts itself. `accepts` names the
    parameters per operation (None: any), `values` the allowed values of some. `params` go out with every request unless
    the request says otherwise; `drop` never goes out. `image_field` is `auto` or a field name. `retry` are the statuses
    the provider's document tells clients to retry, `maybe_billed` those whose JSON errors may still have been charged.
    `prices` None means unknown, never free. `rpm` is requests per minute. `min_timeout_seconds` is the least the
    document asks clients to wait, `expected_seconds` what one image takes when the document says so. The mappings
    are shared: never change them.
    """

    name: str
    base_url: str = ""
    key_env: str = ""
    key_file: str = ""
    key_cmd: tuple[str, ...] = field(default=(), repr=False)
    auth: Auth = "bearer"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, Any] = field(default_factory=dict)
    accepts: Mapping[Operation, frozenset[str] | None] = field(default_factory=lambda: dict(_ANY_PARAMETER))
    sizes: Mapping[Operation, SizePolicy] = field(default_factory=lambda: dict(_ANY_SIZE))
    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    models: Mapping[str, ModelRules] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()
    edits: Edits = "multipart"
    image_field: str = "auto"
    idempotency: Idempotency = "none"
    retry: frozenset[int] = frozenset()
    maybe_billed: frozenset[int] = frozenset()
    prices: Prices = None
    rpm: float | None = None
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    max_images: int = 16
    max_image_bytes: int = 50_000_000
    max_prompt_characters: int = 32_000
    input_formats: tuple[str, ...] = ("png", "jpeg", "webp")
    min_timeout_seconds: float = 0.0
    expected_seconds: float | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    source: tuple[str, ...] = ()
    sandbox: bool = False
    faults: Any = ()
    seed: int = 0
    latency: Any = None

    def takes(self, operation: Operation, name: str) -> bool:
        """Whether the provider takes this parameter."""
        accepted = self.accepts[operation]
        return accepted is None or name in accepted

    @property
    def embedded(self) -> bool:
        """Whether a run has to start this provider itself."""
        return self.sandbox and not self.base_url


_ANY_PARAMETER: dict[Operation, frozenset[str] | None] = {"generate": None, "edit": None}
_ANY_SIZE: dict[Operation, SizePolicy] = {"generate": SizePolicy(free=True), "edit": SizePolicy(free=True)}


def _names(value: Any) -> frozenset[str]:
    return frozenset(readers.items_of(readers.text, "a list of parameter names")(value))


def _accepted(value: Any) -> frozenset[str] | None:
    return None if value == "any" else _names(value)


def _per_operation(reader: Reader[Any]) -> Reader[dict[str, Any]]:
    return readers.mapping_of(reader, key=readers.choice("generate", "edit"))


def _variable(value: Any) -> str:
    """The message must not repeat the value: people paste the key itself here."""
    if isinstance(value, str) and value.isascii() and value.isidentifier():
        return value
    message = "is no name of an environment variable (expected for instance OPENAI_API_KEY); the key itself stays out"
    raise WrongValueError(message)


def _command(value: Any) -> tuple[str, ...]:
    """A command and its arguments; text is split as a shell would, but no shell ever sees it."""
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError:
        words = None
    if isinstance(words, list | tuple) and words and all(isinstance(word, str) and word for word in words):
        return tuple(words)
    message = "is no command (expected for instance 'pass show openai')"
    raise WrongValueError(message)


def _header_name(value: Any) -> str:
    name = readers.pattern(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "a header name")(value)
    if name.lower() in _OWN_HEADERS:
        message = f"'{name}' is written by batchgen; for the key use key_env and auth"
        raise WrongValueError(message)
    return name


def _header_value(value: Any) -> str:
    """RFC 9110 5.5: visible characters, spaces and tabs. The value may be a secret and is never repeated."""
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value.strip()
    message = "is not printable ASCII text; put it in quotes and leave out line breaks"
    raise WrongValueError(message)


def _params(value: Any) -> dict[str, Any]:
    params = readers.mapping_value(value)
    own = [((name,), f"'{name}' is written by batchgen; take it out") for name in params if name in OWN_PARAMS]
    if own:
        raise WrongValueError(own)
    return params


def _scalar(value: Any) -> Any:
    if isinstance(value, str | int | float):
        return value
    raise readers.misfit(value, "text, a number, true or false")


def _statuses(value: Any) -> frozenset[int]:
    """HTTP statuses; `5xx` stands for all of its class."""
    spelled = readers.items_of(_status, "a list of statuses such as [429, 5xx]")(value)
    return frozenset(status for group in spelled for status in group)


def _status(value: Any) -> range:
    if isinstance(value, str) and value in {"3xx", "4xx", "5xx"}:
        return range(int(value[0]) * 100, int(value[0]) * 100 + 100)
    if isinstance(value, int) and not isinstance(value, bool) and value in _STATUSES:
        return range(value, value + 1)
    raise readers.misfit(value, "a status from 300 to 599, or 5xx")


def _anything(value: Any) -> Any:
    return value


def _latency(value: Any) -> Any:
    """How long the sandbox takes: `real`, or seconds."""
    return value if value is None or value == "real" else _seconds(value)


def _seconds(value: Any) -> float:
    try:
        return readers.number()(value)
    except WrongValueError:
        raise readers.misfit(value, "real, or seconds from 0 on") from None


_MODEL_FIELDS: dict[str, Reader[Any]] = {
    "sizes": _per_operation(read_size_policy),
    "values": readers.mapping_of(readers.items_of(_scalar)),
    "refuses": _names,
    "retired": readers.text,
    "note": readers.text,
}

FIELDS: dict[str, Reader[Any]] = {
    "base_url": read_base_url,
    "key_env": _variable,
    "key_file": readers.text,
    "key_cmd": _command,
    "auth": readers.choice("bearer", "raw", "none"),
    "headers": readers.mapping_of(_header_value, key=_header_name),
    "params": _params,
    "accepts": _per_operation(_accepted),
    "sizes": _per_operation(read_size_policy),
    "values": readers.mapping_of(readers.items_of(_scalar)),
    "models": readers.mapping_of(lambda value: ModelRules(**read_fields(value, _MODEL_FIELDS))),
    "drop": _names,
    "edits": readers.choice("multipart", "json", "none"),
    "image_field": readers.pattern(r"[A-Za-z_][A-Za-z0-9_.-]*(\[\])?", "auto or the name of a form field"),
    "idempotency": readers.choice("none", "replay", "reject"),
    "retry": _statuses,
    "maybe_billed": _statuses,
    "prices": read_prices,
    "rpm": readers.number(above=0),
    "proxy": read_proxy,
    "ca_file": readers.text,
    "max_images": readers.whole(1),
    "max_image_bytes": readers.whole(1),
    "max_prompt_characters": readers.whole(1),
    "input_formats": readers.items_of(readers.choice("png", "jpeg", "webp")),
    "min_timeout_seconds": readers.number(),
    "expected_seconds": readers.number(above=0),
    "notes": readers.mapping_of(readers.text),
    "faults": _anything,
    "seed": readers.whole(0),
    "latency": _latency,
    "source": readers.as_list(readers.text),
    "sandbox": readers.flag,
}
"""Every field of a provider and how it is read. `source` and `sandbox` belong to the shipped data alone."""


def read_fields(value: Any, fields: Mapping[str, Reader[Any]]) -> dict[str, Any]:
    """The fields of a mapping, read. Raises WrongValueError with a finding for every unknown key and wrong value."""
    members = readers.mapping_value(value)
    findings = readers.refuse_unknown(members, fields, lambda key: _meant(key, fields))
    known = [(name, item, fields[name]) for name, item in members.items() if name in fields]
    try:
        read = readers.read_each(known)
    except WrongValueError as error:
        raise WrongValueError((*findings, *error.findings)) from None
    if findings:
        raise WrongValueError(findings)
    return {str(name): item for name, item in read.items()}


def _meant(name: str, fields: Mapping[str, Any]) -> str:
    if "key_env" in fields and name.lower().replace("-", "_") in _KEY_WORDS:
        return "; a key never stands here: name its variable with key_env, or put it into .env or keys.json"
    return near(name, fields)


def near(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """`, did you mean '...'?` when a known name is close, else the names there are."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean '{close[0]}'?" if close else f" (expected one of {', '.join(sorted(known))})"
