"""Where providers come from: the shipped data, the user's file, and the overrides of a manifest."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from batchgen.errors import InputError, Problem
from batchgen.provider.definition import FIELDS, ModelRules, Provider, near, read_fields
from batchgen.provider.endpoint import transport_problem
from batchgen.provider.layers import laid_over, read_user_file, shipped, spread
from batchgen.provider.readers import Finding, WrongValueError

__all__ = ["ModelRules", "Provider", "ProviderDataError", "names", "resolve"]

_SHIPPED_ONLY = frozenset({"sandbox", "source"})
_SANDBOX_ONLY = ("faults", "seed", "latency")
_OPEN_FIELDS = {name: reader for name, reader in FIELDS.items() if name not in _SHIPPED_ONLY}


class ProviderDataError(InputError):
    """Provider data is wrong.

    `findings` are (keys, message), the keys below the provider's block, for the caller to place. `file` is the user's
    file when the mistake is there, and empty when it is in the name or in the overrides.
    """

    def __init__(self, findings: Iterable[Finding], *, file: str = "") -> None:
        self.findings = tuple(findings)
        self.file = file
        super().__init__(
            problems=[
                Problem(file=file, key=".".join(map(str, keys)), message=message) for keys, message in self.findings
            ]
        )


def names(user_file: Path | None = None) -> tuple[str, ...]:
    """The providers there are, shipped ones first. Raises InputError for a user's file that cannot be read."""
    return tuple(dict.fromkeys((*shipped(), *_own(user_file))))


def resolve(use: str, overrides: Mapping[str, Any] | None = None, *, user_file: Path | None = None) -> Provider:
    """The provider called `use`: the shipped data, the user's file laid over it, `overrides` over both.

    A provider of the user's file may start from another one (`use: openai`). Raises ProviderDataError with every
    finding of a layer, or InputError when the user's file cannot be read.
    """
    own = _own(user_file)
    findings = _layer_findings(overrides or {})
    try:
        base = _below(use, own, user_file)
    except ProviderDataError as error:
        raise error if error.file else ProviderDataError([*error.findings, *findings]) from None
    if findings:
        raise ProviderDataError(findings)
    try:
        provider = Provider(name=use, **read_fields(laid_over(base, overrides or {}), FIELDS))
    except WrongValueError as error:
        raise ProviderDataError(error.findings) from None
    findings = _whole_findings(provider, overrides or {})
    if findings:
        raise ProviderDataError(findings)
    return provider


def _own(user_file: Path | None) -> dict[str, dict[str, Any]]:
    return {} if user_file is None else read_user_file(user_file)


def _below(use: str, own: Mapping[str, Mapping[str, Any]], user_file: Path | None) -> dict[str, Any]:
    """The fields under the overrides: the shipped data, and over it the user's layers that `use` leads through."""
    if use not in own and use not in shipped():
        raise ProviderDataError([(("use",), _unknown_provider(use, own))])
    chain = [use]
    while (start := _start(chain, own, user_file)) != chain[-1]:
        chain.append(start)
    merged = laid_over({}, shipped().get(chain[-1], {}))
    for name in reversed(chain):
        merged = laid_over(merged, {key: value for key, value in own.get(name, {}).items() if key != "use"})
    return merged


def _start(chain: list[str], own: Mapping[str, Mapping[str, Any]], user_file: Path | None) -> str:
    """What the last provider of the chain starts from: another one, or itself. Its layer is checked on the way."""
    name = chain[-1]
    fields = dict(own.get(name, {}))
    start = fields.pop("use", name)
    findings = _layer_findings(fields)
    if start != name:
        if not isinstance(start, str) or (start not in own and start not in shipped()):
            findings.append((("use",), _unknown_provider(start, own)))
        elif start in chain:
            findings.append((("use",), f"'{start}' starts from itself in the end; start from a shipped provider"))
    if findings:
        raise ProviderDataError((((name, *keys), message) for keys, message in findings), file=str(user_file))
    return str(start)


def _unknown_provider(name: Any, own: Mapping[str, Any]) -> str:
    there = tuple(dict.fromkeys((*shipped(), *own)))
    close = near(str(name), there)
    return f"'{name}' is no provider{close if close.startswith(',') else ''} (there are {', '.join(there)})"


def _layer_findings(fields: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with one layer alone. Null takes a field away and needs no reading."""
    given = {name: value for name, value in spread(fields).items() if value is not None}
    try:
        read_fields(_without_nulls(given), _OPEN_FIELDS)
    except WrongValueError as error:
        return list(dict.fromkeys((_as_written(keys, fields), message) for keys, message in error.findings))
    return []


def _without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_nulls(value) if isinstance(value, Mapping) else value
        for name, value in fields.items()
        if value is not None
    }


def _as_written(keys: tuple[str | int, ...], fields: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Keys as the user wrote them: without the operation that `spread` put in."""
    name = str(keys[0])
    put_in = len(keys) > 1 and name in fields and spread({name: fields[name]})[name] is not fields[name]
    return (name, *keys[2:]) if put_in else keys


def _whole_findings(provider: Provider, overrides: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with the provider as a whole, at the key that can mend it."""
    findings: list[Finding] = []
    if not provider.base_url and not provider.sandbox:
        findings.append((("base_url",), _missing_base_url(provider.name)))
    if problem := transport_problem(provider.base_url, auth=provider.auth):
        findings.append((("base_url",), problem))
    if not provider.sandbox:
        text = "only the sandbox provider misbehaves on request; remove it, or use: sandbox"
        findings += (((name,), text) for name in _SANDBOX_ONLY if name in overrides)
    return findings


def _missing_base_url(name: str) -> str:
    example = f"provider: {{ use: {name}, base_url: https://gateway.example.com/v1 }}"
    return f"'{name}' needs to know its address; write {example}"
