"""What a provider would refuse, found before anything is sent. Pure.

A finding is (field, message): `field` is the parameter, or `images` or `mask`. Findings of `check` are errors; those of
`notes` and `provider_notes` are worth a line on the screen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from batchgen.provider.definition import OWN_PARAMS, ModelRules, Provider, near
from batchgen.provider.encode import sent_params
from batchgen.provider.endpoint import has_version, is_loopback
from batchgen.provider.layers import shipped
from batchgen.provider.sizes import SizePolicy, size_problem
from batchgen.request import Request

__all__ = ["Finding", "check", "notes", "provider_notes", "size_policy"]

Finding = tuple[str, str]

_GROWING = frozenset({"quality", "background", "moderation"})
"""Values that vendors add with new models: a model that is not listed may have more of them."""

_LOSSY = frozenset({"jpeg", "webp", "auto"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A request at a provider: `asked` is what the manifest wants sent and checked, `sent` what goes out in the end."""

    provider: Provider
    request: Request
    asked: Mapping[str, Any]
    sent: Mapping[str, Any]
    rules: tuple[ModelRules, ...]

    @property
    def model(self) -> str:
        return str(self.sent.get("model", ""))

    @property
    def unlisted(self) -> bool:
        """Whether the provider's data names models, and this is none of them."""
        return bool(self.provider.models) and not self.rules


def _case(provider: Provider, request: Request) -> _Case:
    sent = sent_params(provider, request.params)
    left_alone = request.unchecked | provider.drop
    asked = {name: value for name, value in request.params.items() if name not in left_alone}
    return _Case(
        provider=provider,
        request=request,
        asked=asked,
        sent={name: value for name, value in sent.items() if name not in request.unchecked},
        rules=_rules(provider, str(sent.get("model", ""))),
    )


def _rules(provider: Provider, model: str) -> tuple[ModelRules, ...]:
    """What is special to this model: its own entry before the patterns that match it."""
    matching = [name for name in provider.models if name == model or fnmatchcase(model, name)]
    return tuple(provider.models[name] for name in sorted(matching, key=lambda name: name != model))


def check(provider: Provider, request: Request) -> tuple[Finding, ...]:
    """Everything about operation, parameters and number of inputs that this provider would refuse; each with a remedy.

    Requests with the same operation, `params`, `unchecked`, number of images and presence of a mask get the same
    answer, so one of them stands for all. Parameters named in `drop` are never sent and pass; those of `request.extra`
    pass unless batchgen writes them itself.
    """
    case = _case(provider, request)
    parts = (_own_params, _not_taken, _model, _size, _values, _combinations, _inputs)
    return tuple(finding for part in parts for finding in part(case))


def _own_params(case: _Case) -> Iterator[Finding]:
    for name in case.request.params:
        if name in OWN_PARAMS:
            remedy = "; for several images of one prompt use repeat" if name == "n" else ""
            yield name, f"'{name}' is written by batchgen itself; remove it{remedy}"


def _not_taken(case: _Case) -> Iterator[Finding]:
    provider, operation = case.provider, case.request.operation
    remedy = "remove it, or name it in provider.drop: then it counts for the id and is not sent"
    for name, value in case.asked.items():
        if not provider.takes(operation, name) and name not in OWN_PARAMS:
            taken = ", ".join(sorted(provider.accepts[operation] or ()))
            known = f" ({provider.notes[name]})" if name in provider.notes else ""
            kind = "edits" if operation == "edit" else "generations"
            yield name, f"{value!r} is not taken by {provider.name} for {kind} (expected {taken}){known}; {remedy}"
        elif any(name in rules.refuses for rules in case.rules):
            yield name, f"{value!r} is not taken by model {case.model}; {remedy}"


def _model(case: _Case) -> Iterator[Finding]:
    for rules in case.rules:
        if rules.retired:
            there = [name for name, other in case.provider.models.items() if not other.retired and "*" not in name]
            yield "model", f"'{case.model}' was shut down on {rules.retired}; use for instance {there[0]}"


def size_policy(provider: Provider, request: Request) -> SizePolicy:
    """The sizes this request may have: the model's own, else the provider's for the operation."""
    return _size_policy(_case(provider, request))


def _size_policy(case: _Case) -> SizePolicy:
    operation = case.request.operation
    own = (rules.sizes[operation] for rules in case.rules if operation in rules.sizes)
    return next(own, case.provider.sizes[operation])


def _size(case: _Case) -> Iterator[Finding]:
    size = case.sent.get("size")
    if size is not None and (problem := size_problem(_size_policy(case), str(size))):
        by_now = f"; if {case.provider.name} takes it by now, add it to provider.sizes"
        yield "size", problem if case.provider.sandbox else problem + by_now


def _wrong_values(case: _Case) -> Iterator[tuple[str, str]]:
    """Parameters whose value is not among those the data allows, with the message."""
    for name, value in case.sent.items():
        tables = [rules.values for rules in case.rules if name in rules.values] + [case.provider.values]
        allowed = tables[0].get(name)
        if allowed is None or value in allowed:
            continue
        whose = case.model if case.model and name in _GROWING else case.provider.name
        choices = tuple(map(str, allowed))
        close = near(str(value), choices)
        hint = close if close.startswith(",") else "; use one of these"
        yield name, f"{value!r} is no {name} of {whose} (expected {', '.join(choices)}){hint}"


def _values(case: _Case) -> Iterator[Finding]:
    for name, message in _wrong_values(case):
        if not (case.unlisted and name in _GROWING):
            yield name, message


def _combinations(case: _Case) -> Iterator[Finding]:
    sent, output_format = case.sent, case.sent.get("output_format")
    if sent.get("background") == "transparent" and output_format == "jpeg":
        yield "background", "'transparent' does not fit jpeg, which has no transparency; use output_format png or webp"
    compression = sent.get("output_compression")
    if compression is not None and output_format not in _LOSSY:
        given = f"output_format {output_format}" if output_format else "png, the default output_format"
        yield "output_compression", f"{compression!r} does not fit {given}; use jpeg or webp, or remove it"
    if sent.get("partial_images") and sent.get("stream") is not True:
        yield "partial_images", f"{sent['partial_images']!r} needs a stream; add stream: true, or remove it"


def _inputs(case: _Case) -> Iterator[Finding]:
    provider, request = case.provider, case.request
    if request.mask is not None and not request.images:
        yield "mask", f"'{request.mask.name}' masks nothing; add the image it belongs to"
    if request.operation == "generate":
        return
    if provider.edits == "none":
        yield "images", f"{provider.name} takes no input images; remove them, or use another provider"
    elif request.mask is not None and provider.edits == "json":
        yield "mask", f"'{request.mask.name}' is not taken: {provider.name} has no masks; remove it"
    if len(request.images) > provider.max_images:
        yield (
            "images",
            f"{len(request.images)} images are too many (expected at most {provider.max_images}); remove some",
        )


def notes(provider: Provider, request: Request) -> tuple[Finding, ...]:
    """What is allowed and still worth knowing: models and values nobody listed, and the provider's own caveats."""
    case = _case(provider, request)
    found = [(name, f"{message}; sent as it is") for name, message in _wrong_values(case) if case.unlisted]
    found = [(name, message) for name, message in found if name in _GROWING]
    if case.unlisted:
        listed = ", ".join(name for name, rules in provider.models.items() if not rules.retired)
        found.append(
            ("model", f"'{case.model}' is not among the known models ({listed}); sent as it is, price unknown")
        )
    found += (("model", rules.note) for rules in case.rules if rules.note)
    found += ((name, provider.notes[name]) for name in case.asked if name in provider.notes)
    valued = ((name, provider.notes.get(f"{name}={value}")) for name, value in case.sent.items())
    found += ((name, note) for name, note in valued if note)
    if request.operation == "edit" and "edit" in provider.notes:
        found.append(("images", provider.notes["edit"]))
    return tuple(found)


def provider_notes(provider: Provider, *, timeout_seconds: float | None = None) -> tuple[Finding, ...]:
    """What looks odd about the provider as configured, whatever is asked of it."""
    found: list[Finding] = []
    if provider.base_url and not has_version(provider.base_url):
        found.append(("base_url", f"'{provider.base_url}' has no version in it; most gateways want /v1 at the end"))
    if _borrows_a_key(provider):
        host = urlsplit(provider.base_url).hostname
        found.append(
            ("key_env", f"the key in {provider.key_env} goes to {host}; name another variable if it has its own")
        )
    if timeout_seconds is not None and timeout_seconds < provider.min_timeout_seconds:
        least = f"{provider.min_timeout_seconds:g} s"
        reason = f"{provider.name} asks for more than {least}"
        text = f"{timeout_seconds:g} s may be too short ({reason}); what is cut off may be billed all the same"
        found.append(("request_timeout", text))
    return tuple(found)


def _borrows_a_key(provider: Provider) -> bool:
    """Whether a shipped provider's key goes to an address that is not that provider's."""
    origin = shipped().get(provider.name, {})
    home = origin.get("base_url")
    if not home or provider.auth == "none" or origin.get("key_env") != provider.key_env:
        return False
    return urlsplit(home).hostname != urlsplit(provider.base_url).hostname and not is_loopback(provider.base_url)
