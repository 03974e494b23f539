"""What YAML's own complaints mean to somebody who writes prompts."""

import yaml

__all__ = ["explain"]

_QUOTE = "put the whole text in quotes, or in a `>-` block on the lines below"
_BRACKETS = "text with `${{ }}`, brackets, braces or a comma must be in quotes inside `{ }` and `[ ]`"
_TAB = "a tab; indent with spaces"

_MEANINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        f"a colon and space inside plain text, or a line indented too far; {_QUOTE}",
        ("mapping values are not allowed",),
    ),
    (f"a sign that cannot begin plain text; {_QUOTE}", ("cannot start any token", "scanning a directive")),
    (f"plain text cannot begin with `*` or `&`; {_QUOTE}", ("expected alphabetic or numeric character",)),
    (
        'an unknown escape inside "..."; double the backslash, or use single quotes',
        ("unknown escape character", "escape sequence of", "did not find expected hexdecimal number"),
    ),
    (
        "a quote that is never closed; add the closing quote",
        ("unexpected end of stream", "unexpected document indicator"),
    ),
    (
        "text right after `|` or `>`; begin it on the next line, or put it in quotes",
        ("comment or line break", "comment or a line break", "chomping or indentation"),
    ),
    (f"the `{{ }}` does not go on or end here (expected ',' or '}}'); {_BRACKETS}", ("expected ',' or '}'",)),
    (f"the `[ ]` does not go on or end here (expected ',' or ']'); {_BRACKETS}", ("expected ',' or ']'",)),
    (
        "a line that is neither `key: value` nor part of a text; indent it, or add the colon",
        ("could not find expected ':'",),
    ),
    (
        "a `- ` where no list can start; begin the list on its own line, or use quotes",
        ("sequence entries are not allowed",),
    ),
    (
        "the indentation or a quote is off here; line keys up, and put text that goes on after a quote in quotes",
        ("block end", "expected key"),
    ),
    ("a list whose items do not line up; give each `- ` the same indentation", ("expected '-' indicator",)),
    ("a value is missing or cannot begin with this sign; put text in quotes", ("expected the node", "expected node")),
    (
        "the text before this line is one whole value; line keys up, and put text with a colon in quotes",
        ("document start",),
    ),
    (
        "a tag (`!`), which manifests do not have; put text that begins with `!` in quotes",
        ("tag handle", "scanning a tag"),
    ),
    ("a YAML version that nobody reads; remove the %YAML line", ("incompatible", "YAML directive")),
)


def explain(error: yaml.MarkedYAMLError, sign: str) -> str:
    """The message for a syntax error: what is there, and what to do. `sign` is the character at its place.

    Both of PyYAML's parsers are understood; wording that neither is known to use is passed on.
    """
    if sign == "\t":
        return f"not valid YAML: {_TAB}"
    said = f"{error.problem or ''} {error.context or ''}"
    meanings = (meaning for meaning, parts in _MEANINGS if any(part in said for part in parts))
    return f"not valid YAML: {next(meanings, said.strip())}"
