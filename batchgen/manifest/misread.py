"""What jinja2's own complaints about an expression mean to somebody who writes prompts."""

import re

from jinja2 import TemplateSyntaxError

__all__ = ["ALONE", "IN_TEXT", "explain"]

IN_TEXT = "before '}}'"
"""Where an expression in a text ends."""
ALONE = "at its end"
"""Where a condition ends."""

_TOO_SHORT = "it ends too early, something is missing {end}"
_MEANINGS: tuple[tuple[str, str], ...] = (
    (r"Expected an expression, got 'end of", "nothing stands in it; write a name, such as `row.name`"),
    (r"unexpected ('}'|end of template), expected '(?P<sign>[])}])'", "a bracket is never closed (expected '{sign}')"),
    (r"(unexpected|got) '?end of|expected name or number", _TOO_SHORT),
    (r"unexpected char [\"'][\"']", "a quote is never closed; add the closing quote"),
    (r"unexpected char '&'", "`&&` is not known; write `and`"),
    (r"unexpected char '!'", "`!` is not known; write `not`"),
    (r"unexpected char '\$'", "`${{{{` cannot stand inside an expression; write the name alone"),
    (r"got '\|'", "`||` is not known; write `or`"),
    (r"'='$", "`=` compares nothing; write `==`"),
    (r"(unexpected|got) '(?P<word>AND|OR|NOT)'", "'{word}' is not known; write it in small letters"),
    (r"expected token 'end of print statement', got", "{said}; join values with `~`, and put text in quotes"),
)
_END = re.compile(r"end of (print statement|template)")


def explain(error: TemplateSyntaxError, end: str) -> str:
    """What is wrong with an expression and what to do; `end` says where it ends.

    Wording of jinja2 that nobody has met yet is passed on.
    """
    said = (error.message or "it cannot be read").rstrip(".")
    if end == IN_TEXT and "unexpected end of template" in said:
        return "an expression is not closed; it ends in '}}'"
    for pattern, meaning in _MEANINGS:
        if found := re.search(pattern, said):
            said = meaning.format(end=end, said=_END.sub("}}", said), **found.groupdict())
            break
    return f"is no valid expression: {_END.sub('}}', said)}"
