"""`${NAME}`, `${NAME:-default}` and `${NAME:?message}`, in the sense of compose files.

Only names that the manifest lists in `env` are read, and never inside prompt texts. `$${` stands for a literal `${`;
`${{ }}` belongs to the templates and is left alone, inside too.
(https://docs.docker.com/reference/compose-file/interpolation/)
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn

from batchgen.manifest.marks import Keys

__all__ = ["Finding", "interpolate", "substitute"]

_REFERENCE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:[-?])(.*))?", re.DOTALL)
_UNTOUCHED = frozenset({"env", "profiles"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong at a place of the manifest."""

    keys: Keys
    message: str


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)


def interpolate(
    values: Mapping[str, Any], *, env: Collection[str], environ: Mapping[str, str]
) -> tuple[dict[str, Any], list[Finding]]:
    """The values with their references replaced, and a finding for each that could not be.

    `env` holds the names that the manifest may read, `environ` what they mean.
    """
    findings: list[Finding] = []

    def replaced(text: str, keys: Keys) -> str:
        try:
            return substitute(text, env=env, environ=environ)
        except ValueError as error:
            findings.append(Finding(keys=keys, message=str(error)))
            return text

    done = {name: value if name in _UNTOUCHED else _walked(value, (name,), replaced) for name, value in values.items()}
    return done, findings


def substitute(text: str, *, env: Collection[str], environ: Mapping[str, str]) -> str:
    """One text with its references replaced.

    Raises ValueError with a message for the user.
    """
    parts: list[str] = []
    start = 0
    while (dollar := text.find("$", start)) >= 0:
        parts.append(text[start:dollar])
        if text.startswith("${{", dollar):
            end = text.find("}}", dollar)
            start = len(text) if end < 0 else end + 2
            parts.append(text[dollar:start])
        elif text.startswith("$${", dollar) and not text.startswith("$${{", dollar):
            parts.append("${")
            start = dollar + 3
        elif text.startswith("${", dollar):
            end = text.find("}", dollar)
            if end < 0:
                _refuse(f"'{text[dollar : dollar + 40]}' is never closed; add '}}', or write '$${{' for the signs")
            parts.append(_resolved(text[dollar + 2 : end], env, environ))
            start = end + 1
        else:
            parts.append("$")
            start = dollar + 1
    return "".join(parts) + text[start:] if parts else text


def _resolved(body: str, env: Collection[str], environ: Mapping[str, str]) -> str:
    match = _REFERENCE.fullmatch(body)
    if not match:
        message = f"'${{{body[:40]}}}' is no reference (expected NAME, NAME:-default or NAME:?message)"
        _refuse(f"{message}; write '$${{' for the signs themselves")
    name, operator, rest = match.groups()
    if name not in env:
        near = get_close_matches(name, env, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; add it: env: [{', '.join([*sorted(env), name])}]"
        _refuse(f"'{name}' is not listed in env{hint}")
    value = environ.get(name)
    if operator == ":-":
        return _checked(name, value) if value else rest
    if operator == ":?" and not value:
        _refuse(f"environment variable '{name}' is not set: {rest or 'it is required'}")
    if value is None:
        _refuse(f"environment variable '{name}' is not set; set it, or write ${{{name}:-default}}")
    return _checked(name, value)


def _checked(name: str, value: str) -> str:
    """The environment is data: what comes from it must not turn into a template."""
    if "${{" in value or "\0" in value:
        _refuse(f"the value of environment variable '{name}' holds a template; give plain text")
    return value


def _walked(value: Any, keys: Keys, replaced: Callable[[str, Keys], str]) -> Any:
    """The value with every string replaced; parts in which nothing changes stay the same objects."""
    if isinstance(value, str):
        return replaced(value, keys) if "${" in value and not _is_prompt_text(keys) else value
    if isinstance(value, dict):
        members = {name: _walked(item, (*keys, name), replaced) for name, item in value.items()}
        return members if any(members[name] is not value[name] for name in value) else value
    if isinstance(value, list):
        items = [_walked(item, (*keys, place), replaced) for place, item in enumerate(value)]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _is_prompt_text(keys: Keys) -> bool:
    return keys[0] == "prompts" and (len(keys) == 2 or (len(keys) == 3 and keys[2] == "text"))  # noqa: PLR2004  prompts.0.text
