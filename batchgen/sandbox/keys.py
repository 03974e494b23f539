"""Idempotency keys: what was seen under each, and what may come of it again.

Pictures are deterministic, so a replay is painted anew from the same body instead of being kept: some 300 bytes per key
stay for the server's life, and no image. Semantics follow draft-ietf-httpapi-idempotency-key-header-07: 422 for another
body under a known key, 409 while the first is in progress.
"""

import time
from dataclasses import dataclass
from typing import Literal

from batchgen.sandbox.ask import RefusedError

__all__ = ["KeyRecord", "Keys", "Policy"]

Policy = Literal["replay", "none", "reject"]


@dataclass(slots=True, kw_only=True)
class KeyRecord:
    """What is known of one key. `billed`: its image is on the bill and belongs to it."""

    digest: str
    attempts: int = 0
    billed: bool = False
    open: bool = False
    created: int = 0
    fault: str = ""


class Keys:
    """The keys of one server under one policy: replay the answer, ignore keys, or reject a second use."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._records: dict[str, KeyRecord] = {}

    def __len__(self) -> int:
        return len(self._records)

    def count(self, key: str, digest: str) -> KeyRecord:
        """Note another attempt under a key (without a key, the body counts as one) and return its record."""
        record = self._records.setdefault(key or f"body {digest}", KeyRecord(digest=digest))
        record.attempts += 1
        return record

    def admit(self, key: str, digest: str, record: KeyRecord) -> bool:
        """Whether the answer is a replay; opens the record. Raises `RefusedError` with 409 or 422."""
        if not key or self.policy == "none":
            return False
        if record.digest != digest and (record.billed or record.open):
            message = "This idempotency key was used with a different request body."
            raise RefusedError(message, status=422, kind="idempotency_error", code="idempotency_key_reuse")
        if record.open:
            message = "A request with this idempotency key is still in progress."
            raise RefusedError(
                message,
                status=409,
                kind="idempotency_error",
                code="idempotency_key_in_progress",
                headers={"Retry-After": "1"},
            )
        if record.billed and self.policy == "reject":
            message = "This idempotency key has been used before."
            raise RefusedError(message, status=422, kind="idempotency_error", code="idempotency_key_reuse")
        record.digest, record.open = digest, True
        record.created = record.created or int(time.time())
        return record.billed
