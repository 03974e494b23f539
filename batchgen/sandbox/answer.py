"""Answers in the documented shapes, as pieces that are encoded while they are sent."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pybase64

from batchgen.sandbox.ask import Ask
from batchgen.sandbox.usage import Usage

__all__ = ["Base64", "Piece", "chunks", "envelope", "event", "size_of"]

_SLICE = 3 * 64 * 1024
_HOLE = "\ue000"
"""Stands for the base64 text in a JSON skeleton; a private character that `json.dumps` keeps apart."""


@dataclass(frozen=True, slots=True)
class Base64:
    """Bytes that go out as base64 text. `broken` puts a character into it that base64 does not have."""

    data: bytes
    broken: bool = False


Piece = bytes | Base64


def size_of(pieces: Iterable[Piece]) -> int:
    """Bytes on the wire."""
    return sum(len(p) if isinstance(p, bytes) else (len(p.data) + 2) // 3 * 4 for p in pieces)


def chunks(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """The pieces as they go out, at most 256 KiB at a time: a big answer never exists as one text."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        broken_at = len(piece.data) // 2 // _SLICE * _SLICE if piece.broken else -1
        for start in range(0, len(piece.data), _SLICE):
            text = pybase64.b64encode(piece.data[start : start + _SLICE])
            half = len(text) // 2
            yield text[:half] + b"!" + text[half + 1 :] if start == broken_at else text


def envelope(ask: Ask, images: Sequence[Base64], urls: Sequence[str], *, created: int, usage: Usage) -> list[Piece]:
    """The JSON answer: `data` with base64 (or the urls), what was resolved, and the usage."""
    data: list[dict[str, Any]] = [{"url": url} for url in urls] if urls else [{"b64_json": _HOLE} for _ in images]
    skeleton = {"created": created, "data": data, **_resolved(ask), "usage": usage.as_json(details=True)}
    return _filled(json.dumps(skeleton), () if urls else images)


def event(
    ask: Ask, image: Base64, *, created: int, index: int | None = None, usage: Usage | None = None
) -> list[Piece]:
    """One server-sent event: a partial image with its `index`, or the completed one with the `usage`."""
    noun = "image_edit" if ask.operation == "edit" else "image_generation"
    kind = f"{noun}.completed" if index is None else f"{noun}.partial_image"
    fields: dict[str, Any] = {"type": kind, "b64_json": _HOLE, "created_at": created, **_resolved(ask)}
    if index is not None:
        fields["partial_image_index"] = index
    if usage is not None:
        fields["usage"] = usage.as_json(details=False)
    return [f"event: {kind}\ndata: ".encode(), *_filled(json.dumps(fields), [image]), b"\n\n"]


def _resolved(ask: Ask) -> dict[str, str]:
    return {"background": ask.background, "output_format": ask.format, "quality": ask.quality, "size": ask.size}


def _filled(skeleton: str, images: Sequence[Base64]) -> list[Piece]:
    first, *rest = skeleton.encode().split(json.dumps(_HOLE).strip('"').encode())
    pieces: list[Piece] = [first]
    for image, text in zip(images, rest, strict=True):
        pieces += [image, text]
    return pieces
