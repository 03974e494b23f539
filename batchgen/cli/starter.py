"""The manifest that `batchgen init` writes: the text of a commented YAML file from a few answers. Pure."""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["SAMPLE_CSV", "Starter", "column", "manifest_text", "reference"]

SAMPLE_CSV = """\
sku,name,finish
MU-001,stoneware mug,sage green glaze
TE-001,"teapot, cast iron",matte charcoal
TR-001,serving tray,natural bamboo
"""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PLAIN = re.compile(r"(?:(?:\.{1,2}/)*[A-Za-z_][A-Za-z0-9./_-]*|[0-9]+x[0-9]+)\Z")
_MEANT_OTHERWISE = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Words that some YAML reader takes for a boolean or for nothing."""
_WIDTH = 100
_NOTE_COLUMN = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """What the manifest is made of.

    `folder` is the job folder, for a comment. `prompt` is the text, templates included. `rows` is `(kind, path)` such
    as `("csv", "data/products.csv")`, or None; `key` its unique column. `request` holds ready values, templates
    included. `schema` and the paths are relative to the manifest. `base_url` belongs to a provider that ships without
    one.
    """

    name: str
    folder: str
    prompt: str
    schema: str
    provider: str = "sandbox"
    base_url: str = ""
    takes: int = 1
    rows: tuple[str, str] | None = None
    key: str = ""
    images: Sequence[str] = ()
    request: Mapping[str, str] = field(default_factory=dict)
    path: str = ""


def manifest_text(starter: Starter) -> str:
    """The whole file. It loads as it is, whatever the answers hold: what they say is quoted or put in a block."""
    parts = [_modelines(starter), _head(starter), _request(starter), _rows(starter), _prompts(starter), _rest(starter)]
    return "\n".join(part for part in parts if part)


def column(name: str) -> str:
    """A template for a column: `${{ row.sku }}`, in brackets when the name is no plain word."""
    return f"${{{{ {reference(name)} }}}}"


def reference(name: str) -> str:
    """A column inside an expression."""
    return f"row.{name}" if _IDENTIFIER.match(name) else f"row[{json.dumps(name, ensure_ascii=False)}]"


def _modelines(starter: Starter) -> str:
    return f"# yaml-language-server: $schema={starter.schema}\n# $schema: {starter.schema}\n"


def _head(starter: Starter) -> str:
    if starter.base_url:
        provider = f"{{ use: {_quoted(starter.provider)}, base_url: {_quoted(starter.base_url)} }}"
    else:
        provider = _quoted(starter.provider)
    hint = "placeholder pictures, no key, no cost" if starter.provider == "sandbox" else "see `batchgen providers`"
    return "\n".join(
        (
            "version: 1",
            _noted(f"name: {_quoted(starter.name)}", f"the job folder is {starter.folder}"),
            _noted(f"provider: {provider}", hint),
            "",
        )
    )


def _noted(text: str, note: str) -> str:
    return f"{text:<{_NOTE_COLUMN}} # {note}"


def _request(starter: Starter) -> str:
    lines = [f"  {name}: {_quoted(value)}" for name, value in starter.request.items()]
    return "\n".join(["request:", *lines, ""]) if lines else ""


def _rows(starter: Starter) -> str:
    if starter.rows is None:
        return ""
    kind, path = starter.rows
    lines = [_noted("rows:", "one image per row"), f"  {kind}: {_quoted(path)}"]
    if starter.key:
        lines.append(_noted(f"  key: {_quoted(starter.key)}", "unique; it names the image"))
    return "\n".join([*lines, ""])


def _prompts(starter: Starter) -> str:
    lines = ["prompts:", "  - id: main"]
    if starter.images:
        lines.append(f"    images: [{', '.join(map(_quoted, starter.images))}]")
    return "\n".join([*lines, "    text: >-", _block(starter.prompt), ""])


def _rest(starter: Starter) -> str:
    lines = [
        _noted(f"repeat: {starter.takes}", "takes of each image: v1, v2, ..."),
        "",
        "limits:",
        _noted("  concurrency: 8", "requests at once"),
        _noted("  # budget_usd: 5", "a run stops before it spends more"),
        _noted("  # max_images: 200", "a run refuses to send more"),
    ]
    if starter.path:
        lines += ["", f"output: {{ path: {_quoted(starter.path)} }}"]
    return "\n".join([*lines, ""])


def _block(text: str) -> str:
    """A folded block of one paragraph: white space as single blanks, so that nothing in it can end the block."""
    words = "".join(character if character.isprintable() else " " for character in text).split()
    filled = textwrap.wrap(" ".join(words), _WIDTH - 6, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"      {line}" for line in filled)


def _quoted(value: str) -> str:
    """A YAML scalar: bare when it is plainly a word or a path, else in JSON quotes, which YAML reads alike."""
    if _PLAIN.match(value) and value.lower() not in _MEANT_OTHERWISE:
        return value
    return json.dumps(value, ensure_ascii=not value.isprintable())
