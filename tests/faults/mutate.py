"""Damage to an answer: bytes, pieces, tokens and framing, anywhere from the status line to the last byte."""

import random

TOKENS = (
    b"b64_json",
    b"url",
    b"data",
    b"error",
    b"type",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b",",
    b":",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\/",
    b"=",
    b"==",
    b"-",
    b"_",
    b"+",
    b"/",
    b" ",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"data: ",
    b"event: error\n",
    b"data: [DONE]\n\n",
    b"event: image_generation.completed\n",
    b"event: image_generation.partial_image\n",
    b"0\r\n\r\n",
    b"ffffffff\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"HTTP/1.1 100 x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"\x1b[31m",
    b"9" * 400,
    b"NaN",
    b"-1",
    b"1e999",
    b'"b64_json":"QUJD",',
    b"data:image/png,",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF",
    b"IEND\xaeB`\x82",
    b"\xff\xd9",
    b"\x1f\x8b",
)


def mutated(wire: bytes, rng: random.Random) -> bytes:
    """`wire` with one to six damages; now and then none at all."""
    for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 2, 3, 6))):
        wire = rng.choice(DAMAGES)(wire, rng) or wire[:1]
    return wire


def _place(wire: bytes, rng: random.Random) -> int:
    """Anywhere, but half of the time near the head's end, the start or the end, where the structure is."""
    head = wire.find(b"\r\n\r\n") + 4
    near = rng.choice((0, 0, head, head + 40, len(wire)))
    return rng.randrange(len(wire) + 1) if rng.random() < 0.5 else min(max(near + rng.randint(-40, 40), 0), len(wire))


def _flip(wire: bytes, rng: random.Random) -> bytes:
    at = min(_place(wire, rng), len(wire) - 1)
    return wire[:at] + bytes([wire[at] ^ (1 << rng.randrange(8))]) + wire[at + 1 :]


def _replace(wire: bytes, rng: random.Random) -> bytes:
    at = min(_place(wire, rng), len(wire) - 1)
    return wire[:at] + rng.randbytes(1) + wire[at + 1 :]


def _delete(wire: bytes, rng: random.Random) -> bytes:
    at = _place(wire, rng)
    return wire[:at] + wire[at + rng.choice((1, 2, 3, 4, 8, 64, 500)) :]


def _insert(wire: bytes, rng: random.Random) -> bytes:
    at = _place(wire, rng)
    return wire[:at] + rng.choice(TOKENS) + wire[at:]


def _junk(wire: bytes, rng: random.Random) -> bytes:
    at = _place(wire, rng)
    return wire[:at] + rng.randbytes(rng.choice((1, 4, 16, 300))) + wire[at:]


def _double(wire: bytes, rng: random.Random) -> bytes:
    at, length = _place(wire, rng), rng.choice((1, 4, 16, 100, 5000))
    return wire[: at + length] + wire[at : at + length] + wire[at + length :]


def _swap(wire: bytes, rng: random.Random) -> bytes:
    at, length = _place(wire, rng), rng.choice((1, 4, 40, 400))
    return wire[:at] + wire[at + length : at + 2 * length] + wire[at : at + length] + wire[at + 2 * length :]


def _cut(wire: bytes, rng: random.Random) -> bytes:
    return wire[: _place(wire, rng)]


def _zeros(wire: bytes, rng: random.Random) -> bytes:
    at, length = _place(wire, rng), rng.choice((4, 64, 512))
    return wire[:at] + bytes(min(length, len(wire) - at)) + wire[at + length :]


def _token(wire: bytes, rng: random.Random) -> bytes:
    old = rng.choice(TOKENS)
    count = wire.count(old)
    if not count:
        return wire
    pieces = wire.split(old)
    at = rng.randrange(count) + 1
    return old.join(pieces[:at]) + rng.choice(TOKENS) + old.join(pieces[at:])


def _length(wire: bytes, rng: random.Random) -> bytes:
    start = wire.find(b"Content-Length: ")
    if start < 0:
        return wire
    end = wire.find(b"\r\n", start)
    said = rng.choice((b"0", b"1", b"-1", b"99999", b"1000", b"", b"1e3", b"0x10", b"18446744073709551616"))
    return wire[: start + 16] + said + wire[end:]


def _status(wire: bytes, rng: random.Random) -> bytes:
    status = rng.choice(
        (
            100,
            101,
            199,
            200,
            204,
            206,
            226,
            299,
            301,
            304,
            307,
            400,
            401,
            404,
            408,
            409,
            422,
            425,
            429,
            500,
            502,
            503,
            524,
            599,
            600,
            999,
        )
    )
    return wire[:9] + str(status).encode() + wire[12:]


DAMAGES = (
    _flip,
    _flip,
    _replace,
    _delete,
    _insert,
    _insert,
    _junk,
    _double,
    _swap,
    _cut,
    _zeros,
    _token,
    _token,
    _length,
    _status,
)
