"""`{{ name }}` without its dollar: in a prompt that is plain text, and hardly ever meant."""

import re
from collections.abc import Collection

__all__ = ["bare_reference"]

_BARE = re.compile(r"(?<!\$)\{\{\s*([A-Za-z_]\w*)(\.\w+)?[^{}\n]*\}\}")
_GIVEN = frozenset({"job", "prompt", "take", "period"})


def bare_reference(text: str, names: Collection[str], columns: Collection[str]) -> tuple[str, str] | None:
    """What is written for the first known name that lacks its dollar, and what to write: `${{ row.name }}`.

    `names` are variables and axes; `columns` those of the rows, which also count without `row.`.
    """
    for found in _BARE.finditer(text):
        name, key = found.groups()
        if name in names or name in _GIVEN or (name == "row" and columns):
            return found.group(), f"${found.group()}"
        if name in columns and key is None:
            return found.group(), f"${{{{ row.{name} }}}}"
    return None
