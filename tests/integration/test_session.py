"""The session against a server that says byte for byte what it is told. Each fault leads to the kind that is right."""

import asyncio
import base64
import gzip
import hashlib
import json
import resource
import socket
import ssl
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from fakes.raw_server import Flood, Hang, Pause, RawServer, ReadRequest, Reset, Trickle, http
from fakes.sinks import MemorySink

from batchgen.provider.answer import Answer
from batchgen.provider.definition import Provider
from batchgen.provider.encode import FilePart, Outgoing
from batchgen.provider.failure import Failure
from batchgen.provider.session import Session

KEY = "sk-canary-0123456789abcdef"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
DOCUMENT = json.dumps({"created": 1, "data": [{"b64_json": base64.b64encode(PNG).decode()}], "size": "8x8"}).encode()
STREAM = b'event: image_generation.completed\ndata: {"b64_json": "%b"}\n\ndata: [DONE]\n\n' % base64.b64encode(PNG)
GENERATE = Outgoing(
    url_path="/images/generations",
    headers={"Idempotency-Key": "id-1", "X-Client-Request-Id": "id-1-1"},
    json={"model": "m", "prompt": "a cat", "n": 1},
)
OPEN = http(200, framing="close")
GZIP = {"Content-Encoding": "gzip"}
TLS = Path(__file__).parents[1] / "fakes" / "tls"


def error(message: str, **more) -> bytes:
    return json.dumps({"error": {"message": message, **more}}).encode()


async def post(
    server: RawServer | str,
    *,
    outgoing=GENERATE,
    sink=None,
    deadline: float = 5,
    max_bytes: int = 1 << 20,
    key=KEY,
    **data,
) -> Answer | Failure:
    provider = Provider(**{"name": "raw", "base_url": server if isinstance(server, str) else server.url, **data})
    async with Session(provider, key=key) as session:
        return await session.post(outgoing, sink or MemorySink(), deadline_seconds=deadline, max_bytes=max_bytes)


def played(*steps, sink: MemorySink | None = None, **options) -> tuple[Answer | Failure, MemorySink, RawServer]:
    sink = sink or MemorySink()

    async def play() -> tuple:
        async with RawServer(*steps) as server:
            return await post(server, sink=sink, **options), sink, server

    return asyncio.run(play())


def fetched(
    *steps, path: str = "/1.png", deadline: float = 5, max_bytes: int = 1 << 20
) -> tuple[Answer | Failure, RawServer]:
    async def play() -> tuple:
        async with (
            RawServer(*steps) as server,
            Session(Provider(name="raw", base_url=server.url + "/v1"), key=KEY) as session,
        ):
            url = path if "://" in path else server.url + path
            return await session.fetch(url, MemorySink(), deadline_seconds=deadline, max_bytes=max_bytes), server

    return asyncio.run(play())


GOOD = {
    "with a length": [http(200, DOCUMENT)],
    "chunked": [http(200, DOCUMENT, framing="chunked")],
    "until the connection closes": [http(200, DOCUMENT, framing="close")],
    "connection left open": [http(200, DOCUMENT, framing="close"), Hang],
    "byte by byte": [http(200, DOCUMENT[:0], {"X": "y"}, framing="close"), Trickle(DOCUMENT[:300], 0), DOCUMENT[300:]],
    "keep-alive whitespace": [http(200, framing="close"), b"  \n", Pause(0.05), b" ", DOCUMENT],
    "whole before a broken end": [http(200, DOCUMENT, framing="close"), Reset],
    "shorter than announced": [http(200, framing="none")[:-2] + b"Content-Length: 999999\r\n\r\n" + DOCUMENT],
    "second response on the wire": [http(200, DOCUMENT) + http(200, b"{}")],
    "event stream": [http(200, STREAM, {"Content-Type": "text/event-stream"})],
    "event stream not announced": [http(200, STREAM)],
    "json announced as a stream": [http(200, DOCUMENT, {"Content-Type": "text/event-stream"})],
    "stream left open": [http(200, STREAM, framing="close"), Hang],
    "raw image": [http(200, PNG, {"Content-Type": "application/json"})],
    "gzip": [http(200, gzip.compress(DOCUMENT), GZIP)],
    "deflate": [http(200, zlib.compress(DOCUMENT), {"Content-Encoding": "deflate"})],
    "after early hints": [b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + http(200, DOCUMENT)],
    "talkative headers": [http(200, DOCUMENT, {f"X-Trace-{i}": "v" * 40 for i in range(500)})],
    "long header": [http(200, DOCUMENT, {"X-Policy": "v" * 40_000})],
    "status 201": [http(201, DOCUMENT)],
}


@pytest.mark.parametrize("name", GOOD)
def test_image_arrives(name):
    """A whole image is taken, however the server frames it and whatever it does afterwards."""
    answer, sink, _ = played(*GOOD[name])
    assert isinstance(answer, Answer), answer
    assert sink.whole() == [PNG]
    assert sink.drains


FAULTS = {
    # name: (steps, kind, words of the message)
    "closed without an answer": ([ReadRequest()], "in_doubt", "closed the connection"),
    "reset without an answer": ([ReadRequest(), Reset], "in_doubt", ""),
    "reset after the headers of the request": ([ReadRequest(whole=False), Reset], "in_doubt", ""),
    "black hole": ([Hang], "in_doubt", "deadline"),
    "half a status line": ([b"HTTP/1.1 20"], "in_doubt", ""),
    "garbage": ([b"\x00\xff garbage\r\n\r\n"], "in_doubt", "not readable http"),
    "bad status": ([b"HTTP/1.1 abc What\r\n\r\n"], "in_doubt", ""),
    "too many headers": ([http(200, DOCUMENT, {f"X-{i}": "v" for i in range(3000)})], "in_doubt", ""),
    "header too long": ([http(200, DOCUMENT, {"X": "v" * 200_000})], "in_doubt", ""),
    "endless headers": ([b"HTTP/1.1 200 OK\r\n", Flood(b"X-A: b\r\n" * 1000)], "in_doubt", ""),
    "flood of interim responses": ([Flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 500)], "in_doubt", ""),
    "cut with a length": ([http(200, DOCUMENT)[:-100]], "in_doubt", "cut short"),
    "cut chunk": ([http(200, DOCUMENT, framing="chunked")[:-200]], "in_doubt", ""),
    "cut before close": ([http(200, DOCUMENT[:-1], framing="close")], "in_doubt", "cut short"),
    "cut at the start": ([http(200, b"", framing="close") + b'{"da'], "in_doubt", "cut short"),
    "reset in the body": ([http(200, DOCUMENT)[:-100], Pause(0.05), Reset], "in_doubt", ""),
    "hang in the body": ([http(200, DOCUMENT)[:-100], Hang], "in_doubt", "deadline"),
    "byte by byte for ever": ([OPEN, Trickle(b" ", 0.02, endless=True)], "in_doubt", "deadline"),
    "bad chunk size": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], "in_doubt", ""),
    "cut raw image": ([http(200, PNG)[:-5]], "in_doubt", ""),
    "cut gzip": ([http(200, gzip.compress(DOCUMENT)[:-30], GZIP)], "in_doubt", ""),
    "not gzip at all": ([http(200, DOCUMENT, GZIP)], "in_doubt", ""),
    "unknown compression": ([http(200, b"\x8b\x00\x80", {"Content-Encoding": "br"})], "in_doubt", ""),
    "stream without completed": ([http(200, b"data: [DONE]\n\n")], "in_doubt", ""),
    "endless whitespace": ([OPEN, Flood(b" " * 65536)], "bad_answer", "around the image"),
    "endless comments": ([OPEN, Flood(b": x" * 20000 + b"\n\n")], "bad_answer", "around the image"),
    "endless text": ([OPEN, Flood(b"x" * 65536)], "bad_answer", "neither json nor"),
    "endless image": (
        [OPEN + b'{"data":[{"b64_json":"', Flood(b"QUJD" * 16384)], "bad_answer", "more than 1048576"
    ),
    "gzip bomb": (
        [http(200, gzip.compress(bytes(200 << 20), 1), GZIP)], "bad_answer", "neither json nor"
    ),
    "gzip bomb inside the image": (
        [http(200, gzip.compress(b'{"b64_json":"' + b"QUJD" * (20 << 20), 1), GZIP)],
        "bad_answer",
        "more than 1048576",
    ),
    "empty": ([http(200)], "bad_answer", "empty"),
    "no content": ([b"HTTP/1.1 204 No Content\r\n\r\n"], "bad_answer", "empty"),
    "html": ([http(200, b"<html><title>Hi</title>")], "bad_answer", "Hi"),
    "double gzip": (
        [http(200, gzip.compress(gzip.compress(DOCUMENT)), GZIP)], "bad_answer", "neither json nor"
    ),
    "502 page": ([http(502, b"<html>")], "in_doubt", "http 502"),
    "504 at 60 seconds": ([http(504, b"<html><title>504 Gateway Time-out</title>")], "in_doubt", "Gateway Time-out"),
    "524 page": ([http(524, b"<html>")], "in_doubt", "http 524"),
    "500 without json": ([http(500, b"oops")], "in_doubt", "oops"),
    "500 cut": ([http(500, error("x" * 50))[:-20]], "in_doubt", "http 500"),
    "500 hanging body": ([http(500, error("x" * 50))[:-20], Hang], "in_doubt", "http 500"),
    "500 with json": ([http(500, error("boom"))], "server_error", "boom"),
    "503 with json": ([http(503, error("busy"), {"Retry-After": "3"})], "server_error", "busy"),
    "503 with an image": ([http(503, DOCUMENT)], "in_doubt", "http 503"),
    "400 cut": ([http(400, error("x" * 50))[:-20]], "bad_request", "http 400"),
    "400 moderation": ([http(400, error("no", code="moderation_blocked"))], "refused", "no"),
    "401": ([http(401, error("Incorrect API key provided"))], "stopped", "Incorrect"),
    "402": ([http(402, error("pay"))], "stopped", "pay"),
    "403": ([http(403, b"")], "stopped", "http 403"),
    "413": ([http(413, b"<html>")], "bad_request", "http 413"),
    "429": ([http(429, error("slow down"))], "throttled", "slow down"),
    "429 quota": ([http(429, error("x", code="insufficient_quota"))], "stopped", "x"),
    **{f"{status} redirect": ([http(status, b"", {"Location": "/elsewhere"})], "in_doubt", f"http {status}")
       for status in (301, 302, 303, 307, 308)},
    "101 switching": ([b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], "in_doubt", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_fault_leads_to_its_kind(name):
    """Whatever the server does, the attempt ends soon, as the kind that its money demands, after one connection."""
    steps, kind, words = FAULTS[name]
    started = time.monotonic()
    failure, _, server = played(*steps, deadline=1)
    assert isinstance(failure, Failure), failure
    assert failure.kind == kind, failure
    assert failure.billed == ("maybe" if kind in {"in_doubt", "bad_answer"} else "no")
    assert words in failure.message
    assert time.monotonic() - started < 20
    assert server.connections == 1


NEVER_SENT = {
    "refused": {"base_url": "http://127.0.0.1:1"},
    "unknown name": {"base_url": "http://nowhere.localhost:1"},
    "proxy refused": {"proxy": "http://127.0.0.1:1"},
}


@pytest.mark.parametrize("name", NEVER_SENT)
def test_nothing_sent_is_free(name):
    """Without a connection nothing can have been bought."""
    data = NEVER_SENT[name]
    failure = asyncio.run(post(data.get("base_url", "http://127.0.0.1:2"), proxy=data.get("proxy")))
    assert (failure.kind, failure.billed) == ("not_sent", "no")


def test_no_descriptor_left_means_not_sent():
    """Where no socket can be opened nothing was sent, and the attempt is free."""

    async def play() -> Failure:
        async with RawServer(http(200, DOCUMENT)) as server:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            # A socket gets the lowest free number: with the limit there, none is left.
            with socket.socket() as lowest:
                resource.setrlimit(resource.RLIMIT_NOFILE, (lowest.fileno() + 1, hard))
                try:
                    return await post(server)
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    failure = asyncio.run(play())
    assert (failure.kind, failure.billed) == ("not_sent", "no")


class SleepingResolver(aiohttp.abc.AbstractResolver):
    async def resolve(self, *_, **__):
        await asyncio.sleep(3600)

    async def close(self):
        pass


class FixedResolver(aiohttp.abc.AbstractResolver):
    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts

    async def resolve(self, host, port=0, *_, **__):
        return [
            {"hostname": host, "host": found, "port": port, "proto": 0, "flags": socket.AI_NUMERICHOST,
             "family": socket.AF_INET6 if ":" in found else socket.AF_INET}
            for found in self.hosts
        ]  # fmt: skip

    async def close(self):
        pass


async def resolved(resolver, url: str) -> Answer | Failure:
    async with Session(Provider(name="x", base_url=url), key=None, resolver=resolver) as session:
        return await session.post(GENERATE, MemorySink(), deadline_seconds=0.3)


def test_hanging_name_resolution_meets_the_deadline():
    """A resolver that never answers is cut off by the deadline, and nothing was sent."""
    assert asyncio.run(resolved(SleepingResolver(), "http://api.example:80")).kind == "not_sent"


def test_second_address_is_tried():
    """When the first address of a name is dead, the next one is used."""

    async def play() -> Answer | Failure:
        async with RawServer(http(200, DOCUMENT)) as server:
            return await resolved(FixedResolver("127.0.0.2", "127.0.0.1"), f"http://api.example:{server.port}")

    assert isinstance(asyncio.run(play()), Answer)


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    return context


@pytest.mark.parametrize(("ca_file", "kind"), [(str(TLS / "cert.pem"), Answer), (None, Failure)])
def test_certificate_must_be_trusted(ca_file, kind):
    """A self-signed server is refused before anything is sent, unless its certificate was given."""

    async def play() -> Answer | Failure:
        async with RawServer(http(200, DOCUMENT), tls=tls()) as server:
            return await post(server, ca_file=ca_file)

    result = asyncio.run(play())
    assert isinstance(result, kind), result
    assert isinstance(result, Answer) or (result.kind == "not_sent" and "certificate" in result.message)


def test_tls_to_a_plain_server_is_not_sent():
    """A handshake that fails leaves nothing in doubt."""

    async def play() -> Answer | Failure:
        async with RawServer(http(200, DOCUMENT), scripts=lambda _: (b"nonsense", Hang)) as server:
            return await post(server.url.replace("http:", "https:"), deadline=1)

    assert asyncio.run(play()).kind == "not_sent"


def test_request_is_what_the_provider_expects():
    """One POST with the key in its form, the idempotency headers, a length, and no compression asked for."""
    _, _, server = played(http(200, DOCUMENT))
    (heard,) = server.heard
    assert (heard.method, heard.target) == ("POST", "/images/generations")
    assert json.loads(heard.body) == GENERATE.json
    wanted = {"authorization": f"Bearer {KEY}", "idempotency-key": "id-1", "x-client-request-id": "id-1-1"}
    wanted |= {"content-type": "application/json", "accept-encoding": "identity", "connection": "close"}
    assert wanted.items() <= heard.headers.items()
    assert "transfer-encoding" not in heard.headers


@pytest.mark.parametrize(("auth", "header"), [("raw", KEY), ("none", None)])
def test_key_goes_out_in_the_providers_form(auth, header):
    """A gateway may want the bare key, or none."""
    _, _, server = played(http(200, DOCUMENT), auth=auth)
    assert server.heard[0].headers.get("authorization") == header


def test_environment_has_no_say(monkeypatch, tmp_path):
    """Neither proxy variables nor a netrc change where a request goes or what it carries."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login canary password canary")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    answer, _, server = played(http(200, DOCUMENT), key=None)
    assert isinstance(answer, Answer)
    assert "authorization" not in server.heard[0].headers


def test_cookies_are_not_kept():
    """What one answer sets is not sent with the next request; each has a connection of its own."""

    async def play() -> list:
        async with RawServer(http(200, DOCUMENT, {"Set-Cookie": "a=b"})) as server:
            # A name, because no client keeps the cookies of a bare address.
            provider = Provider(name="raw", base_url=f"http://api.example:{server.port}")
            async with Session(provider, key=None, resolver=FixedResolver("127.0.0.1")) as session:
                for _ in range(2):
                    await session.post(GENERATE, MemorySink(), deadline_seconds=5)
            return [*(heard.headers for heard in server.heard), server.connections]

    first, second, connections = asyncio.run(play())
    assert "cookie" not in first | second
    assert connections == 2


ECHOES = [
    KEY,
    f"Bearer {KEY}",
    base64.b64encode(f"x:{KEY}".encode()).decode(),
    KEY.replace("-", "%2D"),
    "".join(f"\\u{ord(letter):04x}" for letter in KEY),
]


@pytest.mark.parametrize("echo", [*ECHOES[:3], ECHOES[4]])
@pytest.mark.parametrize("status", [200, 400, 401, 500, 502])
def test_echoed_key_is_struck(echo, status):
    """A server that echoes the key puts it into no failure, in none of the usual encodings."""
    body = b'{"error": {"message": "bad key %b", "code": "%b"}}' % (echo.encode(), echo.encode())
    failure, _, _ = played(http(status, body, {"x-request-id": KEY}))
    assert KEY not in repr(failure)
    assert base64.b64encode(KEY.encode()).decode()[4:-4] not in repr(failure)


def test_echoed_key_in_an_answer_is_struck():
    """The facts of a good answer are scrubbed as well."""
    body = DOCUMENT[:-1] + b', "revised_prompt": "%b", "quality": "%b"}' % (KEY.encode(), KEY.encode())
    answer, _, _ = played(http(200, body, {"x-request-id": KEY}))
    assert isinstance(answer, Answer)
    assert KEY not in repr(answer)


def test_key_in_an_unreadable_answer_is_struck():
    """The client quotes what it cannot parse; a key in it stays out of the message."""
    failure, _, _ = played(f"HTTP/1.1 200 OK\r\nBroken header {KEY}\r\n\r\n".encode())
    assert failure.kind == "in_doubt"
    assert KEY not in repr(failure)


def test_session_does_not_show_its_secrets():
    """Nothing that may be logged of a session contains the key."""
    session = Session(Provider(name="raw", base_url="http://127.0.0.1:1"), key=KEY)
    assert KEY not in repr(session)
    assert KEY not in str(session)


def test_answer_carries_its_facts():
    """Usage, ids, echoed parameters and size of the body come with the image."""
    body = DOCUMENT[:-1] + b', "usage": {"total_tokens": 7}, "quality": "low"}'
    answer, _, _ = played(http(200, body, {"X-Request-Id": "req_1", "x-request-id": "req_2"}))
    assert answer.usage == {"total_tokens": 7}
    assert answer.echoed == {"size": "8x8", "quality": "low"}
    assert answer.provider_request_id == "req_1"
    assert answer.bytes_received == len(body)


def test_error_beside_the_image_is_a_warning():
    """A paid image is not thrown away for an error that stands beside it."""
    answer, sink, _ = played(http(200, DOCUMENT[:-1] + b', "error": {"code": "moderation_blocked"}}'))
    assert sink.whole() == [PNG]
    assert "an error stands beside the image" in answer.warnings[0]


def test_retry_after_date_is_read_against_the_servers_clock():
    """A server whose clock is years off still gets the wait it means."""
    headers = {"Date": "Thu, 01 Jan 1970 00:00:00 GMT", "Retry-After": "Thu, 01 Jan 1970 00:00:30 GMT"}
    failure, _, _ = played(http(429, error("x"), headers))
    assert failure.retry_after_seconds == 30


def part(path: Path, data: bytes) -> FilePart:
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return FilePart(field="image", path=str(path), sha256=digest, filename="a.png", content_type="image/png")


def edit(*files: FilePart) -> Outgoing:
    return Outgoing(url_path="/images/edits", headers={}, fields=(("prompt", "x"),), files=files)


def test_files_are_uploaded_whole(tmp_path):
    """A multipart body arrives byte for byte, with its length announced."""
    data = bytes(range(256)) * 8000
    answer, _, server = played(http(200, DOCUMENT), outgoing=edit(part(tmp_path / "a", data)))
    assert isinstance(answer, Answer)
    assert data in server.heard[0].body
    assert server.heard[0].headers["content-type"].startswith("multipart/form-data; boundary=")


def test_inline_image_is_uploaded_whole(tmp_path):
    """A reference image inside JSON arrives as its base64."""
    data = bytes(range(256)) * 4000
    outgoing = Outgoing(
        url_path="/x", headers={}, json={"n": 1}, inline_images=(part(tmp_path / "a", data),), inline_field="image"
    )
    _, _, server = played(http(200, DOCUMENT), outgoing=outgoing)
    assert base64.b64decode(json.loads(server.heard[0].body)["image"]) == data


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"new"), lambda path: path.unlink()])
def test_changed_file_is_not_sent(tmp_path, change):
    """An input that changed since the plan sends nothing at all."""
    file = part(tmp_path / "a", b"old")
    change(tmp_path / "a")
    failure, _, server = played(http(200, DOCUMENT), outgoing=edit(file))
    assert (failure.kind, failure.billed) == ("bad_request", "no")
    assert server.connections == 0


@pytest.mark.parametrize(("status", "kind"), [(401, "stopped"), (413, "bad_request")])
def test_early_answer_to_an_upload_wins(tmp_path, status, kind):
    """A server that refuses while the body still uploads is heard, not taken for a broken connection."""
    file = part(tmp_path / "a", bytes(8 << 20))
    steps = [ReadRequest(whole=False), http(status, error("no")), Pause(0.3)]
    failure, _, _ = played(*steps, outgoing=edit(file))
    assert failure.kind == kind, failure


def test_reset_during_the_upload_is_in_doubt(tmp_path):
    """A connection that breaks while the body uploads proves nothing."""
    file = part(tmp_path / "a", bytes(8 << 20))
    failure, _, _ = played(ReadRequest(whole=False), Pause(0.05), Reset, outgoing=edit(file))
    assert failure.kind == "in_doubt"


def test_file_that_changes_during_the_upload_is_never_sent_whole(tmp_path):
    """The announced length is never reached, so the server cannot take the request for complete."""
    file = part(tmp_path / "a", bytes(16 << 20))

    async def play() -> tuple:
        async with RawServer(ReadRequest(whole=False), Pause(0.3), ReadRequest()) as server:
            sending = asyncio.create_task(post(server, outgoing=edit(file)))
            await server.first_heard.wait()
            (tmp_path / "a").write_bytes(bytes(1 << 20))
            return await sending, server

    failure, server = asyncio.run(play())
    assert failure.kind == "in_doubt"
    assert "changed while it was sent" in failure.message
    assert server.heard[0].body == b""


def test_deadline_holds_while_the_server_does_not_read(tmp_path):
    """An upload that nobody takes ends at the deadline."""
    file = part(tmp_path / "a", bytes(32 << 20))
    failure, _, _ = played(ReadRequest(whole=False), Hang, outgoing=edit(file), deadline=0.5)
    assert failure.kind == "in_doubt"


def test_cancellation_passes_through():
    """Who cancels a request gets the cancellation, not a failure."""

    async def play() -> None:
        async with RawServer(Hang) as server:
            sending = asyncio.create_task(post(server))
            await server.first_heard.wait()
            sending.cancel()
            await sending

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(play())


class FullDisk(MemorySink):
    async def drain(self) -> None:
        raise OSError(28, "No space left on device")


def test_error_of_the_sink_passes_through():
    """A full disk is not taken for a broken connection."""
    with pytest.raises(OSError, match="No space left"):
        played(http(200, DOCUMENT), sink=FullDisk())


class SlowDisk(MemorySink):
    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    async def drain(self) -> None:
        self.most = max(self.most, sum(len(picture.data) for picture in self.pictures))
        await asyncio.sleep(0.005)


def test_slow_sink_slows_the_reading():
    """While the sink drains nothing more is read: a slow disk cannot fill the memory."""
    sink = SlowDisk()
    sent = 0

    async def play() -> None:
        nonlocal sent
        body = [b'{"b64_json":"', *[b"QUJD" * 16384] * 400]

        class Counting(RawServer):
            async def _play(self, step, reader, writer):
                nonlocal sent
                await super()._play(step, reader, writer)
                sent += len(step) if isinstance(step, bytes) else 0

        async with Counting(http(200, framing="close"), *body, Hang) as server:
            sending = asyncio.create_task(post(server, sink=sink, deadline=30, max_bytes=64 << 20))
            await asyncio.sleep(0.1)
            assert sent < 16 << 20
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(play())
    assert 0 < sink.most < 16 << 20


def proxied(*steps, base_url: str) -> tuple[Failure | Answer, RawServer]:
    async def play() -> tuple:
        async with RawServer(*steps) as proxy:
            login = proxy.url.replace("://", "://user:proxypassword1@")
            return await post(base_url, proxy=login, deadline=2), proxy

    return asyncio.run(play())


def test_proxy_that_refuses_the_tunnel_means_not_sent():
    """A tunnel that is refused carried nothing, and the proxy's password is not told."""
    failure, proxy = proxied(http(407, b"proxypassword1"), base_url="https://api.example")
    assert (failure.kind, failure.billed) == ("not_sent", "no")
    assert "proxypassword1" not in repr(failure)
    assert proxy.heard[0].method == "CONNECT"
    assert "authorization" not in proxy.heard[0].headers


def test_proxy_carries_plain_requests():
    """A plain request goes to the proxy with its full address."""
    answer, proxy = proxied(http(200, DOCUMENT), base_url="http://127.0.0.1:9/v1")
    assert isinstance(answer, Answer)
    assert proxy.heard[0].target == "http://127.0.0.1:9/v1/images/generations"


def test_url_answer_names_its_address():
    """An answer without bytes says where they are."""
    answer, _, _ = played(http(200, b'{"data": [{"url": "https://cdn.example/1.png", "b64_json": ""}]}'))
    assert (answer.has_image, answer.url) == (False, "https://cdn.example/1.png")


def test_own_address_is_fetched_without_secrets():
    """An image at the provider's own origin is fetched, and the key stays home."""
    answer, server = fetched(http(200, PNG))
    assert answer.has_image
    assert server.heard[0].method == "GET"
    assert KEY not in str(server.heard[0].headers)
    assert "idempotency-key" not in server.heard[0].headers


NOT_FETCHED = {
    "404": ([http(404)], True),
    "403": ([http(403)], True),
    "410": ([http(410)], True),
    "redirect": ([http(302, b"", {"Location": "http://127.0.0.1:1/"})], True),
    "too large": ([http(200, PNG * 200)], True),
    "500": ([http(500)], False),
    "503": ([http(503)], False),
    "429": ([http(429)], False),
    "408": ([http(408)], False),
    "page": ([http(200, b"<html>")], False),
    "empty": ([http(200)], False),
    "cut": ([http(200, PNG)[:-9]], False),
    "silence": ([Hang], False),
    "closed": ([ReadRequest()], False),
    "reset": ([ReadRequest(), Reset], False),
}


@pytest.mark.parametrize("name", NOT_FETCHED)
def test_image_that_cannot_be_fetched_is_in_doubt(name):
    """A paid image is never called unbought; what is lost for good is held, what may come can be asked for again."""
    steps, hold = NOT_FETCHED[name]
    failure, _ = fetched(*steps, deadline=0.5)
    assert (failure.kind, failure.billed, failure.hold) == ("in_doubt", "maybe", hold), failure


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example.com/1.png",
        "https://127.0.0.1:1/1.png",
        "https://[::ffff:127.0.0.1]/1.png",
        "https://169.254.169.254/latest/meta-data",
        "https://１２７.０.０.１/",
        "https://localhost/1.png",
        "https://user@cdn.example.com/1.png",
        "https://[::1",
        "",
    ],
)
def test_foreign_address_is_refused(url):
    """An address that leads into a network, or is no public https one, is never asked."""

    async def play() -> Failure:
        async with Session(Provider(name="x", base_url="https://api.example/v1"), key=KEY) as session:
            return await session.fetch(url, MemorySink(), deadline_seconds=2)

    failure = asyncio.run(play())
    assert (failure.kind, failure.hold) == ("in_doubt", True)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"])
def test_name_that_leads_inside_is_refused(host):
    """A public name that resolves to a private address is refused at the moment of connecting."""

    async def play() -> tuple[Failure, int]:
        async with RawServer(http(200, PNG)) as server:
            provider = Provider(name="x", base_url="https://api.example/v1")
            async with Session(provider, key=KEY, resolver=FixedResolver(host)) as session:
                url = f"https://cdn.example.com:{server.port}/1.png"
                return await session.fetch(url, MemorySink(), deadline_seconds=2), server.connections

    failure, connections = asyncio.run(play())
    assert (failure.hold, connections) == (True, 0)
    assert "public address" in failure.message


def test_fetch_that_must_wait_says_so():
    """A CDN's Retry-After reaches the caller."""
    failure, _ = fetched(http(503, b"", {"Retry-After": "4"}))
    assert failure.retry_after_seconds == 4


def test_post_is_not_among_the_clients_own_retries():
    """The HTTP client repeats no POST by itself: there is one retry layer."""
    from aiohttp.client import IDEMPOTENT_METHODS  # noqa: PLC0415  the claim is about this very name

    assert "POST" not in IDEMPOTENT_METHODS


def test_wait_is_read_with_the_given_clock():
    """A Retry-After date without a Date header is read against the clock that was given."""

    class Clock:
        def now(self) -> datetime:
            return datetime(2026, 11, 20, 8, 0, tzinfo=UTC)

    async def play() -> Failure:
        throttle = http(429, b"", {"Retry-After": "Fri, 20 Nov 2026 08:00:45 GMT"})
        async with (
            RawServer(throttle) as server,
            Session(Provider(name="x", base_url=server.url), key=None, clock=Clock()) as session,
        ):
            return await session.post(GENERATE, MemorySink(), deadline_seconds=2)

    assert asyncio.run(play()).retry_after_seconds == 45
