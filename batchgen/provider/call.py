"""One HTTP request as the transport takes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from batchgen.provider.body import Body

__all__ = ["Call"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request: what, where to, and how long and how much at most.

    The headers hold the secret, the address may be signed and the proxy may carry a password, so none of them is shown.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    deadline_seconds: float
    max_bytes: int
    body: Body | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
