"""Slots: the readable names of wanted images, `hero/mug/de-DE/square/v1`."""

from collections.abc import Iterable
from typing import Final

from batchgen.manifest.naming import clean_part, fingerprint, slug

__all__ = ["generated_id", "slot_name", "slot_part"]

_HASH_DIGITS: Final = 4


def generated_id(text: str) -> str:
    """The id of a prompt that has none, from its unrendered text: reordering prompts changes no slot."""
    bare = text.strip()
    return f"{slug(bare) or 'prompt'}-{fingerprint(bare, _HASH_DIGITS)}"


def slot_name(parts: Iterable[str], take: int) -> str:
    """The slot of cleaned parts: bucket, prompt id, row key and axis ids, as far as there are any."""
    return "/".join((*parts, f"v{take}"))


def slot_part(text: str) -> str:
    """`text` as a part of a slot."""
    return clean_part(text.strip()) or "-"
