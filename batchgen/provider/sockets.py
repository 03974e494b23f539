"""The socket and the TLS context under a request."""

import socket
import ssl
from typing import Any

__all__ = ["is_connected", "keepalive_socket", "tls_context"]

_KEEPALIVE_SECONDS = (("TCP_KEEPIDLE", 30), ("TCP_KEEPALIVE", 30), ("TCP_KEEPINTVL", 10))
_KEEPALIVE_PROBES = 6


def keepalive_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for a `getaddrinfo` result, whose silent death is noticed after about 90 s, not at the deadline.

    A router that forgets an idle connection answers nothing at all; only the kernel's probes find out (RFC 9293,
    3.8.4).
    """
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (*_KEEPALIVE_SECONDS, ("TCP_KEEPCNT", _KEEPALIVE_PROBES)):
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


def is_connected(response: Any) -> bool:
    """Whether the client's answer can still bring bytes; one that gave its connection back has brought all."""
    if response.connection is None:
        return True
    transport = response.connection.transport
    return transport is not None and not transport.is_closing()


def tls_context(ca_file: str) -> ssl.SSLContext:
    """The system's certificates and those in `ca_file`. Raises OSError when the file cannot be used. Reads the disk."""
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=ca_file)
    return context
