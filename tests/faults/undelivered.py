"""Answers that leave it open whether the image was made and billed, and good statuses that bring nothing usable."""

import json

from fakes.pictures import png_header
from fakes.raw_server import Flood, Hang, Pause, ReadRequest, Reset, Trickle, http
from faults.bodies import (
    JPEG,
    OTHER,
    PNG,
    WEBP,
    bad,
    chunked,
    complaint,
    compressed,
    document,
    doubt,
    drawn,
    event,
    items,
    packed,
    page,
    text,
)
from faults.case import SOON, Case

DOCUMENT = document()
OPEN = http(200, framing="close")
STREAM = event()
PARTIAL = event("image_generation.partial_image", OTHER, partial_image_index=0)
GZIP = {"Content-Encoding": "gzip"}


def hangs(*steps, **more) -> Case:
    """The case of a server that never comes to an end."""
    return doubt(*steps, deadline_seconds=SOON, **more)


def endless(*steps, words: str, **more) -> Case:
    """The case of a body without an end, or any other that needs more than one step, and brings no usable image."""
    return Case(kind="bad_answer", billed="maybe", steps=steps, words=words, **more)


CONNECTION = {
    "closed without an answer": doubt(ReadRequest(), words="closed the connection"),
    "closed after the head of the request": doubt(ReadRequest(whole=False)),
    "reset without an answer": doubt(ReadRequest(), Reset),
    "reset after the head of the request": doubt(ReadRequest(whole=False), Reset),
    "black hole": hangs(Hang, words="deadline"),
    "half a status line": doubt(b"HTTP/1.1 20"),
    "half a status line, then nothing": hangs(b"HTTP/1.1 20", Hang),
    "head without an end": hangs(b"HTTP/1.1 200 OK\r\nX-A: b\r\n", Hang),
    "garbage": doubt(b"\x00\xff garbage\r\n\r\n", words="not readable http"),
    "a tls record": doubt(b"\x15\x03\x01\x00\x02\x02\x28"),
    "html without a head": doubt(page("Bad Gateway")),
    "json without a head": doubt(DOCUMENT),
    "a status of letters": doubt(b"HTTP/1.1 abc What\r\n\r\n"),
    "a status of four digits": doubt(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
    "http/9.9": doubt(b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
    "3000 headers": doubt(http(200, DOCUMENT, {f"X-{number}": "v" for number in range(3000)})),
    "a header of 200 kB": doubt(http(200, DOCUMENT, {"X": "v" * 200_000})),
    "a nul in a header": doubt(http(200, DOCUMENT, {"X": "a\x00b"})),
    "a header without a colon": doubt(b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n" + DOCUMENT),
    "a negative length": doubt(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + DOCUMENT),
    "a length of letters": doubt(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + DOCUMENT),
    "two lengths": doubt(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n" + DOCUMENT),
    "a length and chunks": doubt(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "endless headers": doubt(b"HTTP/1.1 200 OK\r\n", Flood(b"X-A: b\r\n" * 1000)),
    "one endless header": doubt(b"HTTP/1.1 200 OK\r\nX-A: ", Flood(b"b" * 8000)),
    "an endless status line": doubt(b"HTTP/1.1 200 ", Flood(b"O" * 8000)),
    "a flood of 100 Continue": hangs(Flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 500)),
    "a trickle of 102 Processing": hangs(Trickle(b"HTTP/1.1 102 Processing\r\n\r\n", 0.002, endless=True)),
    "switching protocols": doubt(b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "an answer of the year 1991": doubt(b"<html>hello</html>"),
}

CUT = {
    "cut with a length": doubt(http(200, DOCUMENT)[:-100], words="cut short"),
    "cut before the last bracket": doubt(http(200, DOCUMENT)[:-1], rejected=True),
    "cut chunk": doubt(http(200, DOCUMENT, framing="chunked")[:-200]),
    "cut between chunks": doubt(chunked(DOCUMENT, piece=500)[:-900]),
    "cut before close": doubt(OPEN + DOCUMENT[:-1], words="cut short", rejected=True),
    "cut at a multiple of four letters": doubt(OPEN + DOCUMENT[: DOCUMENT.index(text()[:64].encode()) + 64]),
    "cut at the start": doubt(OPEN + b'{"da', words="cut short"),
    "cut in whitespace": bad(b" \n\n ", "empty"),
    "cut in an escape": doubt(OPEN + b'{"data":[{"b64_json":"QUJD\\u00'),
    "reset in the body": doubt(http(200, DOCUMENT)[:-100], Pause(0.05), Reset),
    "hang in the body": hangs(http(200, DOCUMENT)[:-100], Hang, words="deadline"),
    "a byte now and then": hangs(OPEN, Trickle(b" ", 0.02, endless=True), words="deadline"),
    "a letter of the image now and then": hangs(OPEN + b'{"b64_json":"', Trickle(b"QUJD", 0.02, endless=True)),
    "a comment now and then": hangs(OPEN, Trickle(b": x\n", 0.02, endless=True)),
    "a chunk size of letters": doubt(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "a chunk size of letters later on": doubt(
        chunked(DOCUMENT[:500], piece=250)[:-5], Pause(0.1), b"zz\r\n", Hang, words="stopped being readable"
    ),
    "a negative chunk size": doubt(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n"),
    "a chunk size of 20 digits": doubt(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\nx"),
    "a chunk longer than it says": doubt(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n" + DOCUMENT),
    "an endless chunk extension": doubt(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", Flood(b"x" * 60_000, limit=4 << 20)
    ),
    "a transfer coding nobody knows": doubt(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, nonsense\r\n\r\n" + DOCUMENT[:200]
    ),
    "cut raw image": doubt(http(200, PNG)[:-5]),
    "cut gzip": doubt(http(200, compressed(DOCUMENT)[:-30], GZIP), rejected=True),
    "not gzip at all": doubt(http(200, DOCUMENT, GZIP)),
    "gzip with a wrong checksum": doubt(http(200, compressed(b"x" * 90)[:-8] + bytes(8), GZIP)),
    "brotli that is none": doubt(http(200, b"\x8b\x00\x80", {"Content-Encoding": "br"})),
    "a stream without completed": doubt(http(200, b"data: [DONE]\n\n")),
    "a stream of nothing but comments": doubt(http(200, b": ping\n\n" * 9)),
    "a stream of partial ones": doubt(http(200, PARTIAL * 3)),
    "a stream of partial ones and the end mark": doubt(http(200, PARTIAL + b"data: [DONE]\n\n")),
    "a stream cut in completed": doubt(http(200, STREAM[:-50])),
    "a stream cut, with a length": doubt(http(200, PARTIAL + STREAM)[:-50]),
    "a stream that hangs after a partial one": hangs(OPEN + PARTIAL, Hang),
}

DAMAGED_JPEG = JPEG[: len(JPEG) // 2]


def one(letters: str) -> bytes:
    """An answer with this text in place of base64."""
    return items({"b64_json": letters})


USELESS = {
    "empty": bad(b"", "empty", rejected=False),
    "no content": endless(b"HTTP/1.1 204 No\r\n\r\n", words="empty", rejected=False),
    "html": bad(page("Hi"), "Hi"),
    "text": bad(b"OK", "neither json nor"),
    "an empty object": bad(b"{}", "without an image"),
    "an empty array": bad(b"[]", "without an image"),
    "a bare null": bad(b"null", "neither json nor"),
    "a bare number": bad(b"42", "neither json nor"),
    "a bare text": bad(b'"hello"', "neither json nor"),
    "no data": bad(b'{"created":1}', "without an image"),
    "null data": bad(b'{"data":null}', "without an image"),
    "empty data": bad(b'{"data":[]}', "without an image"),
    "data of nulls": bad(b'{"data":[null,null]}', "without an image"),
    "data of text": bad(b'{"data":"soon"}', "without an image"),
    "an empty image": bad(one(""), "without an image"),
    "a null image": bad(b'{"data":[{"b64_json":null}]}', "without an image"),
    "an image that is a number": bad(b'{"data":[{"b64_json":12}]}', "without an image"),
    "an image that is a list": bad(b'{"data":[{"b64_json":["QUJD"]}]}', "without an image"),
    "an image under another name": bad(items({"image": text()}), "without an image"),
    "an empty url": bad(items({"url": ""}), "without an image"),
    "a task id in place of an image": bad(b'{"task_id":"t-1","status":"queued"}', "without an image"),
    "a chat in place of an image": bad(b'{"choices":[{"message":{"content":"Sure!"}}]}', "without an image"),
    "an unknown error": bad(complaint("upstream said no", type="upstream_error"), "upstream said no"),
    "an error that is a text": bad(b'{"error":"something broke"}', "something broke"),
    "an error after keep-alive whitespace": bad(b" \n" * 90 + complaint("late failure"), "late failure"),
    "an error in a stream": bad(b"event: error\ndata: " + complaint("odd") + b"\n\n", "odd"),
    "an error in a stream under no name": bad(b"data: " + complaint("odd") + b"\n\n", "odd"),
    "an error after a partial one": bad(PARTIAL + b"event: error\ndata: " + complaint("odd") + b"\n\n", "odd"),
    "an error event that is a text": bad(b"event: error\ndata: boom\n\n"),
    "100,000 levels": bad(b"[" * 100_000 + b"]" * 100_000, "without an image"),
    "100,000 levels of objects": bad(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "without an image"),
    "5000 digits and nothing else": bad(b'{"a":' + b"9" * 5000 + b"}", "without an image"),
    "utf-16": bad(json.dumps({"data": []}).encode("utf-16"), "neither json nor"),
    "nul bytes": bad(bytes(500), "neither json nor"),
    "brackets that do not match": bad(b'{"data":]}', ""),
    "foreign letters in base64": bad(one("QUJD!QUJD"), "not base64"),
    "a line break in base64": bad(one(text()[:76] + "\n" + text()[76:]), "not base64"),
    "a space in base64": bad(one("QUJD QUJD"), "not base64"),
    "padding inside": bad(one("YQ==YQ=="), "after the padding"),
    "one letter too many": bad(one(text(PNG + b"xy")[:-1] + "AA"), ""),
    "too much padding": bad(one("QUJD===="), "padding"),
    "a letter of another script": bad(one("QUJDé"), "not base64"),
    "an escape that is none": bad(b'{"data":[{"b64_json":"QU\\qJD"}]}', ""),
    "four letters missing": bad(one(text()[:400] + text()[404:]), "not a whole image"),
    "the second half missing": bad(one(text()[: len(text()) // 8 * 4]), "not a whole image"),
    "letters exchanged": bad(one(text()[:400] + text()[404:408] + text()[400:404] + text()[408:]), "whole image"),
    "text as an image": bad(document(b"hello"), "not a whole image"),
    "html as an image": bad(document(page("Not found")), "not a whole image"),
    "json as an image": bad(document(DOCUMENT), "not a whole image"),
    "svg": bad(document(b"<svg xmlns='http://www.w3.org/2000/svg' onload='x'/>"), "not a whole image"),
    "gif": bad(document(drawn("GIF")), "not a whole image"),
    "tiff": bad(document(drawn("TIFF")), "not a whole image"),
    "bmp": bad(document(drawn("BMP")), "not a whole image"),
    "ico": bad(document(drawn("ICO")), "not a whole image"),
    "eps": bad(document(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "not a whole image"),
    "pdf": bad(document(b"%PDF-1.4\n"), "not a whole image"),
    "zip": bad(document(b"PK\x03\x04" + bytes(60)), "not a whole image"),
    "cut png": bad(document(PNG[: len(PNG) // 2]), "not a whole image"),
    "png header only": bad(document(PNG[:33]), "not a whole image"),
    "png signature only": bad(document(PNG[:8]), "not a whole image"),
    "png without a header": bad(document(PNG[:8] + PNG[33:]), "not a whole image"),
    "png with a flipped bit": bad(document(PNG[:900] + bytes([PNG[900] ^ 1]) + PNG[901:]), "not a whole image"),
    "png with a hole": bad(document(PNG[:900] + bytes(400) + PNG[1300:]), "not a whole image"),
    "png of no size": bad(document(png_header(0, 0)), "not a whole image"),
    "cut jpeg": bad(document(DAMAGED_JPEG), "not a whole image"),
    "jpeg without its end": bad(document(JPEG[:-40]), "not a whole image"),
    "jpeg of zeros at the end": bad(document(JPEG[:20] + bytes(500)), "not a whole image"),
    "cut webp": bad(document(WEBP[: len(WEBP) // 2]), "not a whole image"),
    "webp header only": bad(document(WEBP[:12]), "not a whole image"),
    "png that claims 100,000 pixels square": bad(document(png_header(100_000, 100_000)), ""),
    "png that claims 5000 pixels square": bad(document(png_header(5000, 5000)), "claims 5000x5000"),
    "raw text called an image": bad(b"GIF89a" + bytes(40), "neither json nor"),
    "raw png that is broken": bad(PNG[:900] + bytes(20) + PNG[920:], "not a whole image"),
    "riff that is sound": bad(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(30), "neither json nor"),
    "twice gzip": endless(packed(compressed(DOCUMENT)), words="neither json nor"),
}

ENDLESS = {
    "endless whitespace": endless(OPEN, Flood(b" " * 65536), words="around the image"),
    "endless comments": endless(OPEN, Flood(b": x" * 20_000 + b"\n\n"), words="around the image"),
    "endless text": endless(OPEN, Flood(b"x" * 65536), words="neither json nor"),
    "endless page": endless(OPEN + b"<html>", Flood(b"<p>x</p>" * 8192), words="neither json nor"),
    "endless image": endless(OPEN + b'{"data":[{"b64_json":"', Flood(b"QUJD" * 16384), words="more than 1048576"),
    "endless padding": endless(OPEN + b'{"data":[{"b64_json":"', Flood(b"=" * 65536), words="around the image"),
    "endless raw image": endless(OPEN + PNG, Flood(bytes(65536)), words="more than 1048576"),
    "endless data url": endless(
        OPEN + b'{"data":[{"url":"data:image/png;base64,', Flood(b"QUJD" * 16384), words="more than 1048576"
    ),
    "endless url": endless(OPEN + b'{"data":[{"url":"https://', Flood(b"x" * 65536), words="around the image"),
    "endless key": endless(OPEN + b'{"', Flood(b"x" * 65536), words="around the image"),
    "endless opening brackets": endless(OPEN, Flood(b"[" * 65536), words="around the image"),
    "endless images": endless(OPEN + b"[", Flood(b'{"b64_json":"QUJD"},' * 999), words="not a whole image"),
    "endless partial images": endless(OPEN, Flood(PARTIAL * 4), words="more than 32 pictures"),
    "endless data line": endless(OPEN + b"data: ", Flood(b"x" * 65536), words="around the image"),
    "endless carriage returns": endless(OPEN + b":\r", Flood(b"\r" * 65536), words="around the image"),
    "an image of one byte too many": bad(document(bytes((1 << 20) + 1)), "more than 1048576"),
}

UNDELIVERED = {
    f"{group}: {name}": case
    for group, cases in {
        "connection": CONNECTION,
        "cut": CUT,
        "useless": USELESS,
        "endless": ENDLESS,
    }.items()
    for name, case in cases.items()
}
