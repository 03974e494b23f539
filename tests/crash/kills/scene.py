"""What a kill hit, as the disk shows it: a harness that only kills idle runs proves nothing."""

import json
from collections.abc import Iterator
from pathlib import Path


def scene(job_folder: Path) -> Iterator[str]:
    """What the kill hit, as the disk shows it."""
    path = job_folder / "ledger.jsonl"
    *lines, tail = path.read_bytes().split(b"\n") if path.exists() else [b""]
    if tail:
        yield "a torn line"
    entries = [json.loads(line) for line in lines]
    closed = {(one["request"], one["attempt"]) for one in entries if one["kind"] in {"attempt_failed", "image_saved"}}
    if any((one["request"], one["attempt"]) not in closed for one in entries if one["kind"] == "attempt_started"):
        yield "an attempt in flight"
    saved = {f".{one['request']}-{one['attempt']}.part" for one in entries if one["kind"] == "image_saved"}
    for part in (job_folder / "images").rglob(".*.part"):
        yield "a record before its rename" if part.name in saved else "an answer before its record"
    last = entries[-1] if entries else {"kind": "nothing"}
    if last["kind"] == "image_moved" and not (job_folder / last["to"]).exists():
        yield "a move before its rename"
