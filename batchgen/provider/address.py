"""Which addresses an image may be fetched from: a server's answer must not point batchgen into somebody's network."""

import ipaddress
from urllib.parse import SplitResult, urlsplit

__all__ = ["UnsafeAddressError", "address_problem", "is_public", "is_same_origin"]

_PORTS = {"http": 80, "https": 443}
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home", ".corp", ".home.arpa", ".onion")
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")  # all that IANA gives out; the library takes fec0::/10 for public
_DOCUMENTATION_V6 = ipaddress.IPv6Network("3fff::/20")  # RFC 9637
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LAST_32_BITS = 0xFFFFFFFF


class UnsafeAddressError(OSError):
    """A name leads to an address that must not be asked."""

    def __init__(self) -> None:
        super().__init__("not a public address")


def is_public(address: str) -> bool:
    """Whether an IP address is a globally reachable unicast one (the IANA special-purpose registries).

    IPv4 addresses inside IPv6 (mapped, compatible, 6to4, Teredo, NAT64) count as what they lead to.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0].strip("[]"))
    except ValueError:
        return False
    inner = _embedded(ip) if isinstance(ip, ipaddress.IPv6Address) else None
    if inner is not None:
        return is_public(str(inner))
    if isinstance(ip, ipaddress.IPv6Address) and (ip not in _GLOBAL_V6 or ip in _DOCUMENTATION_V6):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or "%" in address)


def is_same_origin(url: str, base_url: str) -> bool:
    """Whether two addresses share scheme, host and port (RFC 6454)."""
    try:
        return _origin(urlsplit(url)) == _origin(urlsplit(base_url))
    except ValueError:
        return False


def address_problem(url: str) -> str:
    """Why `url`, which is not the provider's own, must not be fetched; empty if it may be tried.

    Names are judged again when they are resolved: only then is it known where they lead.
    """
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme != "https":
        return "is neither https nor the provider's own"
    if parts.username is not None or parts.password is not None:
        return "carries a user name"
    if not host or not host.isprintable() or " " in host:
        return "names no host"
    return _host_problem(host)


def _host_problem(host: str) -> str:
    if ":" in host or _looks_numeric(host):
        # Dotted decimal only: 0x7f.1, 2130706433 and 0177.0.0.1 are read differently by every library.
        return "" if is_public(host) else "does not lead to a public address"
    if host == "localhost" or host.endswith(_LOCAL_SUFFIXES) or "." not in host:
        return "names a host of a private network"
    return ""


def _looks_numeric(host: str) -> bool:
    last = host.rpartition(".")[2]
    return last.isdigit() or last.startswith("0x")


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    value = int(ip)
    is_compatible = value >> 32 == 0 and value > 1
    return ipaddress.IPv4Address(value & _LAST_32_BITS) if is_compatible or ip in _NAT64 else None


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    host = (parts.hostname or "").rstrip(".").lower()
    return parts.scheme, host, parts.port or _PORTS.get(parts.scheme)
