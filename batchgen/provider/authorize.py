"""The secret on its way into request headers, and out of everything else."""

from urllib.parse import unquote, urlsplit

from batchgen.provider.definition import Provider
from batchgen.safetext import Scrubber

__all__ = ["auth_headers", "scrubber"]

_SHORTEST_HEADER_SECRET = 12


def auth_headers(provider: Provider, key: str | None) -> dict[str, str]:
    """The header that carries `key` in the provider's form: `bearer` (RFC 6750), `raw`, or none."""
    if key is None or provider.auth == "none":
        return {}
    return {"Authorization": f"Bearer {key}" if provider.auth == "bearer" else key}


def scrubber(provider: Provider, key: str | None) -> Scrubber:
    """Strikes the key, the proxy's password and the values of the provider's own headers, which may be keys too."""
    found = [key] if key else []
    found += [value for value in provider.headers.values() if len(value) >= _SHORTEST_HEADER_SECRET]
    password = urlsplit(provider.proxy).password if provider.proxy else None
    return Scrubber([*found, *([password, unquote(password)] if password else [])])
