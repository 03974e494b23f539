"""The guards of conftest hold."""

import os
import socket
import threading
from pathlib import Path

import pytest
from fakes import guards

OUTSIDE = "192.0.2.1"  # RFC 5737: documentation, never routed


def test_connecting_outside_raises():
    """A test that connects to anything but the loopback fails at once."""
    with socket.socket() as connection, pytest.raises(guards.GuardError, match=OUTSIDE):
        connection.connect((OUTSIDE, 80))


def test_datagrams_outside_raise():
    """Nor does a datagram leave."""
    with socket.socket(type=socket.SOCK_DGRAM) as connection, pytest.raises(guards.GuardError, match=OUTSIDE):
        connection.sendto(b"x", (OUTSIDE, 53))


def test_looking_up_a_public_name_raises():
    """Nor is a public name looked up."""
    with pytest.raises(guards.GuardError, match=r"gateway\.example"):
        socket.getaddrinfo("gateway.example", 443)


def test_the_guard_holds_in_threads():
    """A thread is no way round it."""
    seen: list[BaseException] = []

    def reach() -> None:
        try:
            socket.create_connection((OUTSIDE, 80), timeout=1)
        except guards.GuardError as error:
            seen.append(error)

    thread = threading.Thread(target=reach)
    thread.start()
    thread.join()
    assert len(seen) == 1


def test_loopback_is_open():
    """A server on the loopback can be reached."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


@pytest.mark.parametrize("folder", ["/var/lib/no-such-folder", str(guards.REPOSITORY / "no-such-folder")])
@pytest.mark.parametrize("name", ["ledger.jsonl", "run.lock"])
def test_a_job_folder_outside_the_temporary_one_raises(folder, name):
    """A ledger or a lock in the repository or anywhere else that lasts is never made by a test."""
    with pytest.raises(guards.GuardError, match=name):
        os.close(os.open(f"{folder}/{name}", os.O_RDWR | os.O_CREAT))


def test_a_job_folder_in_the_temporary_one_is_fine(tmp_path):
    """Where tests work, ledgers may be written."""
    (tmp_path / "ledger.jsonl").write_text("")
    assert (tmp_path / "ledger.jsonl").exists()


def test_no_key_is_in_the_environment():
    """Keys of the person who runs the tests are gone."""
    assert not [name for name in os.environ if name.endswith("_API_KEY")]


def test_home_is_temporary(tmp_path_factory):
    """The user's own configuration is out of reach."""
    base = tmp_path_factory.getbasetemp()
    assert Path.home().is_relative_to(base)
    assert Path(os.environ["XDG_CONFIG_HOME"]).is_relative_to(base)
