"""HTTP to one provider: the only module that imports the aiohttp client.

One connection per request, one total deadline, no redirects, no cookies, no environment, no retries: what happened to a
request is decided here once, and what follows from it elsewhere. Every exception of the client becomes a `Failure`.
"""

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult
from yarl import URL

from batchgen.clock import Clock, SystemClock
from batchgen.provider.address import UnsafeAddressError, address_problem, is_public, is_same_origin
from batchgen.provider.answer import Answer, Sink
from batchgen.provider.authorize import auth_headers, scrubber
from batchgen.provider.body import Body, ChangedFileError, measure
from batchgen.provider.call import Call
from batchgen.provider.decode import MAX_IMAGE_BYTES, Decoder
from batchgen.provider.definition import Provider
from batchgen.provider.encode import Outgoing
from batchgen.provider.failure import Failure, from_exception
from batchgen.provider.intake import NoSink
from batchgen.provider.judge import BillingRules
from batchgen.provider.outcome import Received, first_of_each, is_success, lost, not_fetched, settle, settle_fetched
from batchgen.provider.receive import receive
from batchgen.provider.sockets import is_connected, keepalive_socket, tls_context

__all__ = ["Session"]

CONNECT_SECONDS, CLEANUP_SECONDS = 15.0, 1.0
SHORTEST_SECONDS = 0.001  # the client takes a total of 0 for no deadline at all
HEADER_BYTES = 64 << 10
HEADERS = 1024
READ_BYTES = 128 << 10


@dataclass(slots=True, kw_only=True)
class _Wire:
    """What is known of one request's way: set by the header event, the only proof that nothing was sent."""

    headers_sent: bool = False


class Session:
    """One provider's HTTP: `async with Session(provider, key=...) as session`.

    `key` is the secret for the provider's `auth`, None if it takes none. It leaves this object only in request headers,
    and is struck from everything that a server or the client says. `resolver` replaces name resolution.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        key: str | None,
        clock: Clock | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._provider = provider
        self._clock = clock or SystemClock()
        self._resolver = resolver
        self._headers = {**_COMMON_HEADERS, **auth_headers(provider, key)}
        self._scrub = scrubber(provider, key)
        self._rules = BillingRules(retried=provider.retry, maybe_billed=provider.maybe_billed)
        self._clients: dict[str, aiohttp.ClientSession] = {}

    def __repr__(self) -> str:
        return f"Session({self._provider.name!r})"

    async def __aenter__(self) -> Self:
        """Open the clients. Raises OSError or ssl.SSLError when `ca_file` cannot be used."""
        context = await asyncio.to_thread(tls_context, self._provider.ca_file) if self._provider.ca_file else None
        public = _PublicResolver(self._resolver or aiohttp.DefaultResolver())
        for name, resolver in (("api", self._resolver), ("own", self._resolver), ("public", public)):
            self._clients[name] = _client(_connector(context, resolver))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        while self._clients:
            await self._clients.popitem()[1].close()

    async def post(
        self, outgoing: Outgoing, sink: Sink, *, deadline_seconds: float, max_bytes: int = MAX_IMAGE_BYTES
    ) -> Answer | Failure:
        """Send one request and decode its answer into `sink`.

        `deadline_seconds` bounds it all, reading the input files included. Exceptions of the sink and cancellation pass
        through; the picture that was open then gets no `end`.
        """
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(deadline_seconds, SHORTEST_SECONDS)):
                body = await measure(outgoing)
        except ChangedFileError as error:
            return Failure(kind="bad_request", billed="no", message=self._scrub.text(str(error)))
        except TimeoutError:
            return Failure(
                kind="not_sent", billed="no", message="the input files could not be read before the deadline"
            )
        left = deadline_seconds - (asyncio.get_running_loop().time() - started)
        call = Call(
            method="POST",
            url=self._provider.base_url + outgoing.url_path,
            headers={**outgoing.headers, **self._headers, "Content-Type": body.content_type},
            body=body,
            proxy=self._provider.proxy,
            deadline_seconds=left,
            max_bytes=max_bytes,
        )
        received = await self._exchange("api", call, sink)
        if isinstance(received, Failure):
            return received
        return settle(received, now=self._clock.now(), scrub=self._scrub, rules=self._rules)

    async def fetch(
        self, url: str, sink: Sink, *, deadline_seconds: float, max_bytes: int = MAX_IMAGE_BYTES
    ) -> Answer | Failure:
        """Fetch the image of a `url` answer: from the provider's own origin or a public https address, without secrets.

        Every failure is `in_doubt`, for the image is paid for. `hold` means that it is lost for good: the address is
        refused, forbidden, gone, or leads elsewhere. Without `hold` asking again may help and costs nothing.
        """
        try:
            address = str(URL(url))  # as the client will read it, so that nothing is judged by another reading
        except ValueError:
            return lost("its address is none")
        is_own = is_same_origin(address, self._provider.base_url)
        problem = "" if is_own else address_problem(address)
        if problem:
            return lost(f"its address {problem}")
        call = Call(
            method="GET",
            url=address,
            headers={"Accept": "image/*", **_COMMON_HEADERS},
            proxy=self._provider.proxy,
            deadline_seconds=deadline_seconds,
            max_bytes=max_bytes,
        )
        received = await self._exchange("own" if is_own else "public", call, sink)
        if isinstance(received, Failure):
            return received if received.hold else not_fetched(received)
        return settle_fetched(received, now=self._clock.now(), scrub=self._scrub)

    async def _exchange(self, client: str, call: Call, sink: Sink) -> Received | Failure:
        upload = _upload(call.body)
        try:
            return await self._attempt(client, call, upload, sink)
        finally:
            if isinstance(upload, _Upload):
                await upload.closed()

    async def _attempt(
        self, client: str, call: Call, upload: "bytes | _Upload | None", sink: Sink
    ) -> Received | Failure:
        wire = _Wire()
        request = self._clients[client].request(
            call.method,
            call.url,
            headers=call.headers,
            data=upload,
            proxy=call.proxy,
            allow_redirects=False,
            timeout=_deadline(call.deadline_seconds),
            trace_request_ctx=wire,
        )
        try:
            response = await request
        except Exception as error:  # noqa: BLE001  whatever the client raises is this attempt's outcome, never a crash
            changed = upload.problem if isinstance(upload, _Upload) else None
            return self._from_exception(changed or error, headers_sent=wire.headers_sent)
        try:
            decoder = Decoder(sink if is_success(response.status) else NoSink(), max_bytes=call.max_bytes)
            broken = await receive(response.content, decoder, sink, is_open=lambda: is_connected(response))
        finally:
            response.close()
        return Received(
            status=response.status,
            headers=first_of_each(response.headers),
            envelope=decoder.finish(cut=broken is not None),
            broken=broken,
        )

    def _from_exception(self, error: Exception, *, headers_sent: bool) -> Failure:
        failure = from_exception(error, headers_sent=headers_sent, scrub=self._scrub)
        if isinstance(_cause(error), UnsafeAddressError):
            return lost("its address does not lead to a public address")
        return failure


class _Upload(aiohttp.Payload):
    """A body for the client: known length, streamed from files. `problem` says why it was broken off."""

    def __init__(self, body: Body) -> None:
        super().__init__(body, content_type=body.content_type)
        self._body = body
        self._size = body.length
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self.problem: ChangedFileError | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        message = "a streamed body has no text"
        raise TypeError(message, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        self._is_idle.clear()
        try:
            async with contextlib.aclosing(self._body.stream()) as pieces:
                async for piece in pieces:
                    await writer.write(piece)
        except ChangedFileError as error:
            self.problem = error
            raise
        finally:
            self._is_idle.set()

    async def closed(self) -> None:
        """Wait until a write that the client gave up has closed its file; the client itself does not wait for it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLEANUP_SECONDS):
                await self._is_idle.wait()


class _PublicResolver(AbstractResolver):
    """Resolves names to public addresses only, at the moment of connecting: a name may change what it leads to."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        public = [result for result in found if is_public(result["host"])]
        if found and not public:
            raise UnsafeAddressError
        return public

    async def close(self) -> None:
        await self._inner.close()


_COMMON_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "batchgen"}


def _upload(body: Body | None) -> bytes | _Upload | None:
    if body is None:
        return None
    pieces = [piece for piece in body.pieces if isinstance(piece, bytes)]
    return b"".join(pieces) if len(pieces) == len(body.pieces) else _Upload(body)


def _deadline(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=max(seconds, SHORTEST_SECONDS), sock_connect=CONNECT_SECONDS)


def _cause(error: BaseException) -> BaseException | None:
    return getattr(error, "os_error", None) or error.__cause__


def _client(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_mark_headers_sent)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        raise_for_status=False,
        # The defaults turn a paid answer behind a talkative gateway into a parse error.
        max_line_size=HEADER_BYTES,
        max_field_size=HEADER_BYTES,
        max_headers=HEADERS,
        read_bufsize=READ_BYTES,
        trace_configs=[trace],
    )


def _connector(context: ssl.SSLContext | None, resolver: AbstractResolver | None) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(
        force_close=True,  # a stale kept-alive connection is a doubt that need not exist
        limit=0,  # the workers are the bound; a queue in here would run inside the deadline
        ssl=context or True,
        resolver=resolver,
        socket_factory=keepalive_socket,
    )


async def _mark_headers_sent(
    _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestHeadersSentParams
) -> None:
    context.trace_request_ctx.headers_sent = True
