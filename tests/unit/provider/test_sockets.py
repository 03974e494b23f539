import socket

import pytest

from batchgen.provider.sockets import keepalive_socket, tls_context


def test_socket_probes_a_silent_connection():
    """A connection that a router forgot is noticed within about a minute and a half."""
    with keepalive_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle = getattr(socket, "TCP_KEEPIDLE", None) or socket.TCP_KEEPALIVE
        waits = [
            made.getsockopt(socket.IPPROTO_TCP, option) for option in (idle, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        ]
    assert waits[0] + waits[1] * waits[2] == 90


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_unusable_ca_file_is_an_error(tmp_path, content):
    """A certificate file that is missing or no such thing is reported, never passed over."""
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with pytest.raises(OSError):  # noqa: PT011  the system words it
        tls_context(str(path))
