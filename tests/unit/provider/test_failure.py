import inspect

import aiohttp
import pytest
from aiohttp import client_exceptions

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
