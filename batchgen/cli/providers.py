"""`batchgen providers`: who can make images, with which sizes and parameters, and what their key is called."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import click

from batchgen.cli.options import screen_options
from batchgen.cli.screen import Ink, Line, one_line
from batchgen.cli.shell import Shell
from batchgen.provider.catalog import Provider, ProviderDataError, names, resolve
from batchgen.provider.sizes import SizePolicy, listed
from batchgen.request import Operation

__all__ = ["command"]

_OPERATIONS: tuple[Operation, ...] = ("generate", "edit")
_PLACEHOLDER = "https://gateway.example/v1"
_LABEL_WIDTH = 16


@click.command("providers")
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--sizes", is_flag=True, help="Only the sizes, one per line.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per provider.")
@screen_options
def command(shell: Shell, name: str | None, *, sizes: bool, as_json: bool) -> int:
    """List providers, shipped and your own, or show one in full.

    Your own live in providers.yaml in the configuration folder; a manifest can override any field of one.
    """
    wanted = [name] if name else list(names(shell.providers_file))
    found = [_known(each, shell) for each in wanted]
    if as_json:
        for provider in found:
            shell.screen.raw(json.dumps(_as_json(provider), separators=(",", ":")))
    elif sizes:
        shell.screen.lines(*(line for provider in found for line in _size_lines(provider, named=name is None)))
    elif name:
        shell.screen.lines(*_details(found[0], shell.screen.width))
    else:
        shell.screen.lines(*map(_row, found))
        shell.screen.note("one in full: batchgen providers NAME")
    return 0


def _known(name: str, shell: Shell) -> Provider:
    """The provider; one that ships without an address gets a placeholder, which is shown as missing."""
    try:
        return resolve(name, user_file=shell.providers_file)
    except ProviderDataError as error:
        if any(keys != ("base_url",) for keys, _ in error.findings):
            raise
    return resolve(name, {"base_url": _PLACEHOLDER}, user_file=shell.providers_file)


def _address(provider: Provider) -> str:
    if provider.sandbox and not provider.base_url:
        return "on this machine"
    return "needs a base_url" if provider.base_url == _PLACEHOLDER else provider.base_url


def _key(provider: Provider) -> str:
    return "no key" if provider.auth == "none" else provider.key_env or provider.key_file or "key_cmd"


def _cost(provider: Provider) -> str:
    match provider.prices:
        case None:
            return "price unknown"
        case "list":
            return "list price"
        case 0 | 0.0:
            return "cost 0"
    return "own prices"


def _row(provider: Provider) -> Line:
    return (
        Ink(f"{provider.name:<12}", "bold"),
        f" {one_line(_address(provider)):<30} {one_line(_key(provider)):<20} {_cost(provider)}",
    )


def _size_lines(provider: Provider, *, named: bool) -> Iterator[Line]:
    for operation in _OPERATIONS:
        head = f"{provider.name} {operation}" if named else operation
        for size in listed(provider, operation):
            yield (f"{head}  {size}",)


def _details(provider: Provider, width: int) -> Iterator[Line]:
    yield (Ink(provider.name, "bold"), f"   {_address(provider)}   {_cost(provider)}")
    yield from _entry("key", _key(provider) + ("" if provider.auth == "none" else f", sent as {provider.auth}"), width)
    yield from _entry("models", ", ".join(_offered(provider)), width)
    yield from _entry("sent by default", _assignments(provider.params), width)
    yield from _entry("never sent", ", ".join(sorted(provider.drop)), width)
    for operation in _OPERATIONS:
        yield from _operation(provider, operation, width)
    for name, values in provider.values.items():
        yield from _entry(name, ", ".join(map(str, values)), width)
    for subject, note in provider.notes.items():
        yield from _entry("note", f"{subject}: {note}", width)
    for source in provider.source:
        yield from _entry("source", source, width)


def _operation(provider: Provider, operation: Operation, width: int) -> Iterator[Line]:
    sent_as = f", {provider.edits}, up to {provider.max_images} images" if operation == "edit" else ""
    yield (f"  {operation}{sent_as}",)
    taken = provider.accepts[operation]
    yield from _entry("  sizes", ", ".join(listed(provider, operation)), width)
    yield from _entry("  or any with", _rule(provider.sizes[operation]), width)
    yield from _entry("  takes", "any parameter" if taken is None else ", ".join(sorted(taken)), width)


def _rule(policy: SizePolicy) -> str:
    if policy.free:
        return "no bounds"
    if policy.rule is None:
        return ""
    rule = policy.rule
    bounds = [f"edges up to {rule.max_edge}", f"{rule.min_pixels:,} to {rule.max_pixels:,} pixels"]
    if rule.multiple_of > 1:
        bounds.insert(0, f"edges in multiples of {rule.multiple_of}")
    if rule.max_ratio < rule.max_edge:
        bounds.append(f"long edge at most {rule.max_ratio:g} times the short one")
    return ", ".join(bounds)


def _offered(provider: Provider) -> list[str]:
    return [name for name, rules in provider.models.items() if not rules.retired]


def _assignments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _entry(label: str, text: str, width: int) -> Iterator[Line]:
    """A labelled paragraph; nothing when there is nothing to say."""
    for index, line in enumerate(textwrap.wrap(one_line(text), width - _LABEL_WIDTH - 2, break_on_hyphens=False)):
        yield (f"  {label if index == 0 else '':<{_LABEL_WIDTH}}{line}",)


def _as_json(provider: Provider) -> dict[str, Any]:
    return {
        "v": 1,
        "event": "provider",
        "name": provider.name,
        "base_url": None if provider.base_url in {"", _PLACEHOLDER} else provider.base_url,
        "auth": provider.auth,
        "key_env": provider.key_env or None,
        "models": _offered(provider),
        "params": dict(provider.params),
        "sizes": {operation: list(listed(provider, operation)) for operation in _OPERATIONS},
        "accepts": {operation: _names(provider.accepts[operation]) for operation in _OPERATIONS},
        "notes": dict(provider.notes),
    }


def _names(taken: frozenset[str] | None) -> list[str] | None:
    return None if taken is None else sorted(taken)
