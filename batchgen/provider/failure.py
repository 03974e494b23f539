"""Failure: what went wrong with one attempt, as a value, and whether it may have been billed."""

import errno
import re
import ssl
from dataclasses import dataclass
from typing import Literal

from batchgen.safetext import MESSAGE_CHARACTERS, Scrubber

__all__ = ["DEADLINE_PASSED", "EXCEPTIONS", "MESSAGE_CHARACTERS", "Billed", "Failure", "FailureKind", "from_exception"]

FailureKind = Literal[
    "not_sent", "throttled", "server_error", "in_doubt", "bad_answer", "refused", "bad_request", "stopped"
]
Billed = Literal["no", "maybe"]

DEADLINE_PASSED = "no whole answer before the deadline"
"""How the message begins when our own time limit for one request ended it."""
# What an exception of the HTTP client means to a reader, by class name: the client is imported in one place only.
EXCEPTIONS = {
    "ChangedFileError": "an input file changed",
    "ClientConnectionError": "the connection failed",
    "ClientConnectionResetError": "the connection was reset",
    "ClientConnectorCertificateError": "the server's certificate cannot be trusted",
    "ClientConnectorDNSError": "the server's name cannot be resolved",
    "ClientConnectorError": "no connection to the server",
    "ClientConnectorSSLError": "the tls handshake failed",
    "ClientError": "the request failed",
    "ClientHttpProxyError": "the proxy refused the connection",
    "ClientOSError": "the connection broke",
    "ClientPayloadError": "the answer was cut short",
    "ClientProxyConnectionError": "no connection to the proxy",
    "ClientResponseError": "the answer is not readable http",
    "ClientSSLError": "the tls handshake failed",
    "ConnectionError": "the connection broke",
    "ConnectionTimeoutError": "no connection in time",
    "ContentTypeError": "the answer has an unexpected content type",
    "InvalidURL": "not an address that can be asked",
    "InvalidUrlClientError": "not an address that can be asked",
    "InvalidUrlRedirectClientError": "a redirect to an address that cannot be asked",
    "NonHttpUrlClientError": "not an http address",
    "NonHttpUrlRedirectClientError": "a redirect to an address that is not http",
    "RedirectClientError": "a redirect that cannot be followed",
    "ServerConnectionError": "the server ended the connection",
    "ServerDisconnectedError": "the server closed the connection without an answer",
    "ServerFingerprintMismatch": "the server's certificate has another fingerprint",
    "ServerTimeoutError": "no answer in time",
    "SocketTimeoutError": "no answer in time",
    "TimeoutError": DEADLINE_PASSED,
    "TooManyRedirects": "too many redirects",
    "UnixClientConnectorError": "no connection to the socket",
    "UploadAbortedError": "the upload was broken off",
    "WSServerHandshakeError": "the server answered as a websocket",
}
_UNUSABLE_ADDRESS = frozenset({"InvalidURL", "InvalidUrlClientError", "NonHttpUrlClientError"})
# Raised or filled in here, or quoting what the user wrote: all other texts are the client's own affairs.
_TELLING_TEXTS = _UNUSABLE_ADDRESS | {
    "ChangedFileError",
    "ClientHttpProxyError",
    "ConnectionError",
    "InvalidUrlRedirectClientError",
    "NonHttpUrlRedirectClientError",
}
_SYSTEM_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by peer",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network is unreachable",
    errno.EPIPE: "broken pipe",
    errno.ETIMEDOUT: "connection timed out",
}
_BYTES_LITERAL = re.compile(r"b(['\"]).*?\1", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One attempt's failure.

    `message` is cleaned of control bytes and secrets and at most 300 characters. `retry_after_seconds` is what the
    server asked for, if it did. `hold` means: never sent again without a decision. `evidence` is the raw answer of a
    `bad_answer` (capped), for `images/.rejected/`; it never enters the ledger.
    """

    kind: FailureKind
    billed: Billed
    message: str
    status: int | None = None
    code: str | None = None
    provider_request_id: str | None = None
    retry_after_seconds: float | None = None
    hold: bool = False
    evidence: bytes = b""


def from_exception(exc: BaseException, *, headers_sent: bool, scrub: Scrubber | None = None) -> Failure:
    """What an exception of the transport means. Only `headers_sent` decides whether the request may have been billed.

    Neither the exception's class nor its `status` is proof of anything: the client reports an answer that it cannot
    parse as status 400, although the server saw the request and may have billed it.
    """
    message = (scrub or Scrubber()).text(_message(exc))
    if headers_sent:
        return Failure(kind="in_doubt", billed="maybe", message=message)
    if type(exc).__name__ in _UNUSABLE_ADDRESS:
        return Failure(kind="bad_request", billed="no", message=f"{message}; check base_url")
    return Failure(kind="not_sent", billed="no", message=message)


def _message(exc: BaseException) -> str:
    name = next((cls.__name__ for cls in type(exc).__mro__ if cls.__name__ in EXCEPTIONS), type(exc).__name__)
    known = EXCEPTIONS.get(name, name)
    is_telling = name not in EXCEPTIONS or type(exc).__name__ in _TELLING_TEXTS
    detail = _text(exc) if is_telling else _detail(exc)
    return f"{known} ({detail})" if detail else known


def _detail(exc: BaseException) -> str:
    """Who was asked and what the system said, as far as the exception knows."""
    host, port = getattr(exc, "host", None), getattr(exc, "port", None)
    where = f"{host}:{port}" if host and port else ""
    cause = getattr(exc, "certificate_error", None) or getattr(exc, "os_error", None) or exc
    return ": ".join(filter(None, (where, _reason(cause))))


def _reason(cause: BaseException) -> str:
    """A reason in the system's words; a number stands for whatever a library wrote beside it."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    if isinstance(cause, ssl.SSLError):
        return (cause.reason or "").replace("_", " ").lower()
    if not isinstance(cause, OSError) or cause.errno is None:
        return ""
    return _SYSTEM_REASONS.get(cause.errno, (cause.strerror or "").lower())


def _text(exc: BaseException) -> str:
    """What the exception says; `message` alone where there is one, for the client puts a made-up status beside it."""
    message = getattr(exc, "message", None)
    # The client quotes raw bytes of the answer in its texts; those may be parts of an image.
    return _BYTES_LITERAL.sub("", message if isinstance(message, str) else str(exc)).strip()
