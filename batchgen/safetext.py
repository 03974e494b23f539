"""Foreign text made fit for a terminal, a ledger line and a log: no control bytes, no direction tricks, no secrets."""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

__all__ = ["MESSAGE_CHARACTERS", "Scrubber", "safe_text"]

MESSAGE_CHARACTERS = 300
_STRUCK = "***"
_SHORTEST_SECRET = 6  # a shorter form would also strike ordinary words
_WINDOW = 64 * 1024

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\|$)|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]", re.DOTALL
)
# C0, DEL and C1 controls, line and paragraph separators.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Zero-width and soft characters, bidirectional controls, tag characters; lone surrogates, which UTF-8 cannot hold.
_HIDDEN = re.compile(
    "[\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]+"
)
_SPACES = re.compile(r"\s+")


def safe_text(text: str, *, limit: int = MESSAGE_CHARACTERS) -> str:
    """`text` as one printable line of at most `limit` characters.

    Terminal escape sequences, direction controls and invisible characters vanish, other controls become one space, and
    a longer text ends in `...`. The result can always be encoded as UTF-8.
    """
    shown = _HIDDEN.sub("", _ESCAPE.sub("", text[:_WINDOW]))
    shown = _SPACES.sub(" ", _CONTROL.sub(" ", shown)).strip()
    return shown if len(shown) <= limit else shown[: limit - 3].rstrip() + "..."


class Scrubber:
    """Takes secrets out of text and bytes, in every form in which a server or a library echoes them.

    Known forms: as it is, URL-quoted, JSON-escaped, hexadecimal, and base64 (both alphabets) at any offset. The
    secrets appear in no representation of this object.
    """

    __slots__ = ("_bytes", "_text")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST_SECRET}
        longest_first = sorted(forms, key=len, reverse=True)
        self._text = re.compile("|".join(map(re.escape, longest_first))) if forms else None
        encoded = b"|".join(re.escape(form.encode()) for form in longest_first)
        self._bytes = re.compile(encoded) if forms else None

    def __repr__(self) -> str:
        return "Scrubber(...)"

    def text(self, text: str, *, limit: int = MESSAGE_CHARACTERS) -> str:
        """`safe_text(text)` without secrets. Strikes before cleaning and after: cleaning may join the halves of one."""
        return safe_text(self._strike(safe_text(self._strike(text[:_WINDOW]), limit=_WINDOW)), limit=limit)

    def raw(self, data: bytes) -> bytes:
        """`data` without secrets, otherwise unchanged."""
        return data if self._bytes is None else self._bytes.sub(_STRUCK.encode(), data)

    def _strike(self, text: str) -> str:
        return text if self._text is None else self._text.sub(_STRUCK, text)


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "replace")
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), raw.hex(), raw.hex().upper()}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    forms |= escaped | {form.replace("/", "\\/") for form in escaped}
    for offset in range(3):
        # Base64 inside a longer text: only the letters that the secret alone decides.
        letters = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        inner = letters[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {form for form in forms if form}
