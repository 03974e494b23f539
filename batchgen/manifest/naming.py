"""Readable names: slugs, and the parts that slots and paths are made of."""

import hashlib
import re
import unicodedata

__all__ = ["CleanPath", "clean_part", "clean_path", "fingerprint", "slug"]

_CLEAN = re.compile(r"[\w-](?:[\w.-]*[\w-])?", re.ASCII)
_NOT_PART = re.compile(r"[^\w.-]")
_NOT_WORD = re.compile(r"[\W_]+")
_ABSOLUTE = re.compile(r"/|[A-Za-z]:")


class CleanPath(str):
    """A path whose parts are clean, each on its own: what cleans inserted values leaves it as it is."""

    __slots__ = ()


def slug(text: str, limit: int = 40) -> str:
    """Lower-case words joined by `-`, at most `limit` characters, cut at a word's end where there is one."""
    words = _NOT_WORD.sub("-", unicodedata.normalize("NFC", text).lower()).strip("-")
    if len(words) <= limit:
        return words
    head = words[: limit + 1]
    return head.rpartition("-")[0] or words[:limit]


def clean_part(text: str) -> str:
    """`text` as one part of a slot or of a path: NFC, and what is not letter, digit, `.`, `_` or `-` becomes `-`.

    A leading dot would hide the file or meet a folder of batchgen's own, a trailing one is dropped by Windows: both
    become `-`. An empty text stays empty.
    """
    if _CLEAN.fullmatch(text):
        return text
    part = _NOT_PART.sub("-", unicodedata.normalize("NFC", text))
    body = part.strip(".")
    if len(body) == len(part):
        return part
    lead = len(part) - len(part.lstrip("."))
    return "-" * len(part) if not body else f"{'-' * lead}{body}{'-' * (len(part) - lead - len(body))}"


def clean_path(text: str) -> CleanPath:
    r"""`text` as a relative path: `/` and `\` make folders, each part is cleaned; `.` and empty parts fall away.

    Raises ValueError for an absolute path and for `..`.
    """
    written = text.strip().replace("\\", "/")
    parts = [part for part in written.split("/") if part not in {"", "."}]
    if _ABSOLUTE.match(written):
        message = f"'{text}' is an absolute path (expected one below images/); take its beginning out"
        raise ValueError(message)
    if ".." in parts:
        message = f"'{text}' climbs with '..' (expected a path below images/); take it out"
        raise ValueError(message)
    return CleanPath("/".join(map(clean_part, parts)))


def fingerprint(text: str, digits: int) -> str:
    """The first hex digits of the text's SHA-256, to tell names apart whose slugs are alike."""
    encoded = unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")
    return hashlib.sha256(encoded).hexdigest()[:digits]
