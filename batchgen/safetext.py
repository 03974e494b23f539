"""Foreign text made fit for a terminal, a ledger line and a log: no control bytes, no direction tricks, no secrets."""

import base64
import re
from collections.abc import Iterable
from html.entities import codepoint2name

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

    Known forms: as it is, with any of its signs escaped as in URLs, JSON or HTML, hexadecimal, and base64 (both
    alphabets) at any offset. The secrets appear in no representation of this object.
    """

    __slots__ = ("_bytes", "_text")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        long_enough = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
        forms = {form for secret in long_enough for form in _encoded(secret) if len(form) >= _SHORTEST_SECRET}
        # The longest first: one secret may begin with another.
        found = [*map(_escaped, sorted(long_enough, key=len, reverse=True)), *sorted(forms, key=len, reverse=True)]
        self._text = re.compile("|".join(found)) if found else None
        self._bytes = re.compile("|".join(found).encode()) if found else None

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


def _escaped(secret: str) -> str:
    """A pattern for `secret` with any of its signs escaped: servers in every language echo what they were sent."""
    return "".join(
        sign if sign.isascii() and sign.isalnum() else f"(?:{'|'.join(_spellings(sign))})"
        for sign in secret.encode("utf-8", "replace").decode()
    )


def _spellings(sign: str) -> list[str]:
    raw = sign.encode()
    units = sign.encode("utf-16-be").hex()
    escapes = [
        "".join(f"%{byte:02x}" for byte in raw),  # RFC 3986, in either case
        "".join(rf"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)),  # RFC 8259; Go escapes & < > as well
        f"&#x0*{ord(sign):x};",
        f"&#0*{ord(sign)};",
        "&apos;" if sign == "'" else f"&{codepoint2name[ord(sign)]};" if ord(sign) in codepoint2name else "",
    ]
    shown = [re.escape(sign), rf"\\{re.escape(sign)}", *(r"\+" for _ in sign if sign == " ")]
    return [*shown, *(f"(?i:{escape})" for escape in escapes if escape)]


def _encoded(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "replace")
    forms = {raw.hex(), raw.hex().upper()}
    for offset in range(3):
        # Base64 inside a longer text: only the letters that the secret alone decides.
        letters = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        inner = letters[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]
        forms |= {re.escape(inner), re.escape(inner.replace("+", "-").replace("/", "_"))}
    return forms
