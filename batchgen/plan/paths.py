"""Where an image goes: paths below `images/` that are safe on every file system, whatever a template says.

Values are cleaned before they are inserted (`naming.clean_part`), so only the template's own text can make folders;
then the whole path is checked. Sources of the rules: Microsoft, "Naming Files, Paths, and Namespaces"; the advisories
on templates that became paths in youtube-dl (GHSA-22fp-mf44-f2mq).
"""

import re
import unicodedata
from typing import Any, Final

__all__ = ["PATH_LIMIT", "PathError", "default_path", "extension", "path_key", "templated_path"]

ROOT: Final = "images"
"""The folder of the masters, relative to the job folder."""

PATH_LIMIT: Final = 180
"""Bytes of UTF-8 in a path relative to the job folder: room for a job folder below Windows' 260."""

_EXTENSIONS: Final = {"png": "png", "jpeg": "jpg", "jpg": "jpg", "webp": "webp"}
_WRITTEN_EXTENSION: Final = re.compile(r"\.(png|jpe?g|webp|avif|gif)\Z", re.IGNORECASE)
_RESERVED_NAMES: Final = r"con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]"
_ORDINARY: Final = re.compile(
    rf"(?:(?!(?:{_RESERVED_NAMES})[./])[a-z0-9_-](?:[a-z0-9_.-]*[a-z0-9_-])?/)+", re.ASCII | re.IGNORECASE
)
"""What nearly every path is, once a `/` is put after it; the rest is looked at part by part."""
_FORBIDDEN: Final = re.compile(r'[<>:"|?*\\]')
_RESERVED: Final = re.compile(rf"(?:{_RESERVED_NAMES})\Z", re.IGNORECASE)


class PathError(ValueError):
    """A path that cannot be used; the message names it, the problem and the remedy."""


def extension(output_format: Any) -> str:
    """The extension of a requested format; png when the provider chooses. The real one follows the bytes."""
    return _EXTENSIONS.get(str(output_format).lower(), "png")


def default_path(slot: str, suffix: str) -> str:
    """The path that follows from a slot: its take is part of the file name.

    Raises:
        PathError: A part of the slot cannot be a file name, or the path is too long.
    """
    folder, _, take = slot.rpartition("/")
    return _checked(f"{folder}-{take}", suffix)


def templated_path(rendered: str, suffix: str, bucket: str | None = None) -> str:
    """The path that a template gave, with the extension of the requested format and below the bucket's folder.

    Raises:
        PathError: The path leaves `images/`, or is no portable file name.
    """
    bare = _WRITTEN_EXTENSION.sub("", unicodedata.normalize("NFC", rendered.strip()))
    return _checked(f"{bucket}/{bare}" if bucket and bare else bare, suffix)


def path_key(path: str) -> str:
    """What two paths share when some file system, or another format of the same image, would make them one."""
    bare = path.rpartition(".")[0]
    if bare.isascii():
        return bare.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", bare).casefold())


def _checked(bare: str, suffix: str) -> str:
    path = f"{ROOT}/{bare}.{suffix}"
    problem = "" if _ORDINARY.fullmatch(f"{bare}/") else _problem(bare)
    length = len(path) if path.isascii() else len(path.encode("utf-8", "surrogatepass"))
    if not problem and length > PATH_LIMIT:
        problem = f"has {length} bytes (at most {PATH_LIMIT}); shorten ids or keys, or set output.path"
    if problem:
        message = f"'{_shown(bare)}' {problem}"
        raise PathError(message)
    return path


def _problem(bare: str) -> str:
    if not bare:
        return "is empty; give the file a name"
    if not bare.replace(" ", "").isprintable():
        return "holds a control character or an invisible one; remove it"
    if bare.startswith("/"):
        return "is absolute; paths are relative to images/"
    if found := _FORBIDDEN.search(bare):
        return f"holds {found.group()}, which no file name may hold on Windows"
    return next((problem for part in bare.split("/") if (problem := _part_problem(part))), "")


def _part_problem(part: str) -> str:
    if part in {"", ".", ".."}:
        return f"has a part '{part}'; every part needs a name of its own"
    if part[0] in ".~ ":
        return f"has a part that begins with '{part[0]}', which is kept for other uses"
    if part[-1] in ". ":
        return f"has a part that ends in '{part[-1]}', which Windows drops"
    stem = part.partition(".")[0].rstrip()
    if _RESERVED.match(stem):
        return f"has the part '{part}', a device on Windows; use another name"
    return ""


def _shown(bare: str) -> str:
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in bare)
    return text if len(text) <= PATH_LIMIT else f"{text[:PATH_LIMIT]}..."
