import errno
import inspect
import socket

import aiohttp
import pytest
from aiohttp import client_exceptions
from aiohttp.client_reqrep import ConnectionKey

from batchgen.provider.failure import EXCEPTIONS, from_exception
from batchgen.safetext import Scrubber

CLIENT_EXCEPTIONS = [
    found
    for _, found in inspect.getmembers(client_exceptions, inspect.isclass)
    if issubclass(found, aiohttp.ClientError)
]


@pytest.mark.parametrize("found", CLIENT_EXCEPTIONS, ids=lambda found: found.__name__)
def test_every_client_exception_is_described(found):
    """Each exception of the HTTP client has words of its own; a new one fails here until it has."""
    assert found.__name__ in EXCEPTIONS


def test_there_are_client_exceptions_to_describe():
    """The list that the test above walks is not empty."""
    assert len(CLIENT_EXCEPTIONS) > 20


@pytest.mark.parametrize(
    "error", [OSError(104, "reset"), TimeoutError(), aiohttp.ServerDisconnectedError(), ValueError("x")]
)
def test_only_the_header_event_decides(error):
    """Whatever the exception: free before the headers left, in doubt after."""
    before, after = from_exception(error, headers_sent=False), from_exception(error, headers_sent=True)
    assert (before.kind, before.billed) == ("not_sent", "no")
    assert (after.kind, after.billed) == ("in_doubt", "maybe")


def test_status_of_an_exception_is_ignored():
    """The client calls an unreadable answer status 400; that is no refusal of the server."""
    error = aiohttp.ClientResponseError(None, (), status=400, message="Got more than 128 headers")
    failure = from_exception(error, headers_sent=True)
    assert (failure.kind, failure.status) == ("in_doubt", None)


@pytest.mark.parametrize("error", [aiohttp.InvalidURL("x"), aiohttp.InvalidUrlClientError("x")])
def test_unusable_address_is_no_outage(error):
    """An address that cannot be asked is the manifest's fault and not worth a retry."""
    failure = from_exception(error, headers_sent=False)
    assert failure.kind == "bad_request"
    assert "check base_url" in failure.message


def test_message_holds_no_secret_and_no_raw_bytes():
    """Neither a key nor bytes of the answer come out of an exception's text."""
    error = ValueError("header 'Bearer sk-1234567890' in b'\\x89PNG raw'")
    message = from_exception(error, headers_sent=True, scrub=Scrubber(["sk-1234567890"])).message
    assert message == "ValueError (header 'Bearer ***' in)"


def test_unknown_exception_keeps_its_name():
    """An exception nobody foresaw is named."""
    assert from_exception(KeyError("x"), headers_sent=True).message.startswith("KeyError")


HERE = ConnectionKey("gateway.example", 443, True, True, None, None, None)  # noqa: FBT003  the client's own order


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            aiohttp.ClientPayloadError("Response payload is not completed: <ContentLengthError: 400, message='Not'>"),
            "the answer was cut short",
        ),
        (ConnectionResetError(errno.ECONNRESET, "x"), "the connection broke (connection reset by peer)"),
        (aiohttp.ClientConnectionResetError("Cannot write to closing transport"), "the connection was reset"),
        (aiohttp.ServerDisconnectedError(), "the server closed the connection without an answer"),
        (
            aiohttp.ClientResponseError(None, (), status=400, message="Bad status line"),
            "the answer is not readable http",
        ),
        (
            aiohttp.ClientConnectorError(HERE, OSError(errno.ECONNREFUSED, "Connect call failed ('1.2.3.4', 443)")),
            "no connection to the server (gateway.example:443: connection refused)",
        ),
        (
            aiohttp.ClientConnectorDNSError(HERE, OSError(socket.EAI_NONAME, "Name or service not known")),
            "the server's name cannot be resolved (gateway.example:443: name or service not known)",
        ),
        (
            ConnectionError("the answer stopped being readable http"),
            "the connection broke (the answer stopped being readable http)",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_message_is_plain_words_without_the_clients_own(error, message):
    """Who was asked and what the system said; no class name, no made-up status, no text of the library."""
    assert from_exception(error, headers_sent=True).message == message
