"""Where a provider lives: the form of its `base_url`, and that no key leaves over a readable line. Pure."""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from batchgen.provider.readers import WrongValueError

__all__ = ["has_version", "is_loopback", "read_base_url", "read_proxy", "transport_problem"]

_EXAMPLE = "expected for instance https://api.example.com/v1"
_ENDPOINTS = ("/images/generations", "/images/edits", "/chat/completions", "/models")


def read_base_url(value: object) -> str:
    """The address in front of `/images/...`, without a slash at the end.

    Raises WrongValueError for anything but a plain http or https address. A user name or password in it is never
    repeated in the message.
    """
    parts = _split(value, "base_url")
    if parts.query or parts.fragment:
        message = f"holds a query or a fragment ({_EXAMPLE}); leave out everything from the '?' or '#' on"
        raise WrongValueError(message)
    path = parts.path.rstrip("/")
    for endpoint in _ENDPOINTS:
        if path.endswith(endpoint):
            message = f"'{value}' names an endpoint; leave out {endpoint}"
            raise WrongValueError(message)
    return f"{parts.scheme}://{parts.netloc}{path}"


def read_proxy(value: object) -> str:
    """The address of an http proxy. It may hold a user name and a password."""
    parts = _split(value, "proxy", credentials=True)
    return f"{parts.scheme}://{parts.netloc}"


def _split(value: object, what: str, *, credentials: bool = False) -> SplitResult:
    parts = _parsed(value)
    message = f"holds a user name; take it out of the {what} and use key_env"
    if parts is None:
        message = f"is no http or https address ({_EXAMPLE})"
    elif credentials or parts.username is None:
        return parts
    raise WrongValueError(message)


def _parsed(value: object) -> SplitResult | None:
    """The parts of an http or https address; None for anything else, without a word of what it was."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or set(value) & set(" \\"):
        return None
    try:
        parts = urlsplit(value)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if fits else None


def is_loopback(base_url: str) -> bool:
    """Whether the address stays on this machine: `localhost`, 127.0.0.0/8 or ::1 (RFC 6761, RFC 1122)."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def has_version(base_url: str) -> bool:
    """Whether some part of the path looks like an API version (`v1`); gateways answer HTML pages without it."""
    parts = urlsplit(base_url).path.split("/")
    return any(part[:1] == "v" and part[1:2].isdigit() for part in parts)


def transport_problem(base_url: str, *, auth: str) -> str:
    """Why a key may not go there; empty when it may. Everybody on the way can read plain http."""
    if auth == "none" or not base_url or base_url.startswith("https://") or is_loopback(base_url):
        return ""
    return f"'{base_url}' would carry the key over plain http (allowed only to this machine); use https"
