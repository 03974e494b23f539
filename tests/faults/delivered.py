"""Answers that bring the image, in every way that servers and the gateways in front of them are known to write them."""

import json

from fakes.pictures import picture
from fakes.raw_server import Hang, Pause, ReadRequest, Reset, Trickle, http
from faults.bodies import (
    ANIMATIONS,
    JPEG,
    OTHER,
    PNG,
    USAGE,
    WEBP,
    chunked,
    complaint,
    document,
    drawn,
    event,
    image,
    items,
    packed,
    png_with,
    said,
    text,
)

DOCUMENT = document()
OPEN = http(200, framing="close")
STREAM = event(usage=USAGE)

FRAMING = {
    "length": image(http(200, DOCUMENT)),
    "chunked": image(http(200, DOCUMENT, framing="chunked")),
    "chunks of one byte": image(chunked(DOCUMENT, piece=1)),
    "chunk extensions": image(chunked(DOCUMENT, piece=700, extension=b";name=value")),
    "chunk sizes in capitals": image(chunked(DOCUMENT, piece=700, form=b"%X")),
    "chunk sizes with zeros in front": image(chunked(DOCUMENT, piece=700, form=b"%08x")),
    "trailers after the last chunk": image(chunked(DOCUMENT, piece=700, trailer=b"X-Sum: 1\r\n")),
    "until the connection closes": image(OPEN + DOCUMENT),
    "connection left open": image(OPEN + DOCUMENT, Hang),
    "length that is never reached": image(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + DOCUMENT),
    "last chunk missing": image(chunked(DOCUMENT, piece=700)[:-5]),
    "reset right after the document": image(OPEN + DOCUMENT, Pause(0.05), Reset),
    "byte by byte": image(OPEN, Trickle(DOCUMENT[:200], 0), DOCUMENT[200:]),
    "second response on the wire": image(http(200, DOCUMENT) + http(500, complaint())),
    "answered before the request was read": image(ReadRequest(whole=False), http(200, DOCUMENT)),
    "HTTP/1.0": image(b"HTTP/1.0 200 OK\r\n\r\n" + DOCUMENT),
    "no reason phrase": image(b"HTTP/1.1 200 \r\n\r\n" + DOCUMENT),
    "a reason phrase that says 400": image(b"HTTP/1.1 200 400 Bad Request\r\n\r\n" + DOCUMENT),
    "bare line feeds in the head": image(b"HTTP/1.1 200 OK\nX: y\nContent-Type: a/b\n\n" + DOCUMENT),
    "status 201": image(http(201, DOCUMENT)),
    "status 203": image(http(203, DOCUMENT)),
    "interim 100": image(b"HTTP/1.1 100 Continue\r\n\r\n" + http(200, DOCUMENT)),
    "interim 102 as keep-alive": image(b"HTTP/1.1 102 Processing\r\n\r\n" * 3, Pause(0.05), http(200, DOCUMENT)),
    "interim 103 hints": image(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + http(200, DOCUMENT)),
    "500 headers": image(http(200, DOCUMENT, {f"X-Trace-{number}": "v" * 40 for number in range(500)})),
    "a header of 40 kB": image(http(200, DOCUMENT, {"X-Policy": "v" * 40_000})),
    "a header of raw bytes": image(http(200, DOCUMENT, {"X-Odd": "\xe9\xff\x80"})),
    "cookies": image(http(200, DOCUMENT, {"Set-Cookie": "a=b; Domain=.example.com", "set-cookie": "c=d"})),
    "a date years off": image(http(200, DOCUMENT, {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"})),
    "a wait beside the image": image(http(200, DOCUMENT, {"Retry-After": "3600"})),
    "request id twice": image(http(200, DOCUMENT, {"x-request-id": "a", "X-Request-Id": "b"})),
    "request id of escapes": image(http(200, DOCUMENT, {"x-request-id": "\x9b31m" + "r" * 5000})),
    "gzip": image(packed(DOCUMENT)),
    "zlib as deflate": image(packed(DOCUMENT, "deflate", 15)),
    "bare deflate": image(packed(DOCUMENT, "deflate", -15)),
    "identity": image(http(200, DOCUMENT, {"Content-Encoding": "identity"})),
    "a charset nobody knows": image(http(200, DOCUMENT, {"Content-Type": "application/json; charset=klingon"})),
    "json called html": image(http(200, DOCUMENT, {"Content-Type": "text/html"})),
    "json called a stream": image(http(200, DOCUMENT, {"Content-Type": "text/event-stream"})),
    "json called a picture": image(http(200, DOCUMENT, {"Content-Type": "image/png"})),
    "whitespace before the json": image(OPEN, b"  \n", Pause(0.05), b" \t", DOCUMENT),
    "50 kB of whitespace before the json": image(OPEN + b"\n" * 50_000 + DOCUMENT),
    "a byte order mark": said(b"\xef\xbb\xbf" + DOCUMENT),
    "a byte order mark in pieces": image(OPEN, b"\xef", Pause(0.02), b"\xbb\xbf", DOCUMENT),
    "junk after the document": said(DOCUMENT + b"<!-- served by x -->", warns="after the end"),
    "a second document": said(DOCUMENT + document(OTHER), warns="after the end"),
}


def shaped(item: str) -> bytes:
    """An answer whose only entry is this JSON text."""
    return b'{"created":1,"data":[' + item.encode() + b"]}"


URL_SAFE = text().translate(str.maketrans("+/", "-_"))

SHAPES = {
    "pretty printed": said(json.dumps(json.loads(DOCUMENT), indent=4).encode()),
    "usage first": said(json.dumps({"usage": USAGE, "data": [{"b64_json": text()}]}).encode()),
    "nothing but data": said(items({"b64_json": text()})),
    "empty url beside it": said(items({"url": "", "b64_json": text(), "revised_prompt": ""})),
    "null url beside it": said(items({"b64_json": text(), "url": None, "revised_prompt": None})),
    "a url beside it": said(items({"b64_json": text(), "url": "https://cdn.example.com/x.png"})),
    "empty image, then the image": said(shaped(f'{{"b64_json":"","b64_json":"{text()}"}}')),
    "null image, then the image": said(items({"b64_json": None}, {"b64_json": text()})),
    "data is one object": said(json.dumps({"data": {"b64_json": text()}}).encode()),
    "images in place of data": said(json.dumps({"images": [{"b64_json": text()}]}).encode()),
    "the image at the top": said(json.dumps({"b64_json": text()}).encode()),
    "an array at the top": said(json.dumps([{"b64_json": text()}]).encode()),
    "escaped slashes": said(shaped(f'{{"b64_json":"{text().replace("/", chr(92) + "/")}"}}')),
    "letters as escapes": said(shaped('{"b64_json":"' + "".join(f"\\u{ord(c):04x}" for c in text()) + '"}')),
    "the key as an escape": said(shaped(f'{{"\\u00620"  :1, "b64\\u005fjson":"{text()}"}}')),
    "space round the colon": said(shaped(f'{{"b64_json" \n:\t "{text()}"}}')),
    "data url": said(items({"b64_json": f"data:image/png;base64,{text()}"})),
    "data url in capitals": said(items({"b64_json": f"DATA:image/png;charset=x;BASE64,{text()}"})),
    "data url as url": said(items({"url": f"data:image/png;base64,{text()}"})),
    "url-safe letters": said(items({"b64_json": URL_SAFE})),
    "no padding": said(items({"b64_json": text(PNG + b"x")[:-1].rstrip("=")}), PNG + b"x", warns="does not end"),
    "usage of nonsense": said(document(usage={"total_tokens": "many", "input_tokens": None, "x": [1]})),
    "usage of zeros": said(document(usage={"total_tokens": 0})),
    "usage is a list": said(document(usage=[1, 2])),
    "no number": said(DOCUMENT[:-1] + b',"a":NaN,"b":-Infinity,"c":1e999}'),
    "an integer of 5000 digits": said(DOCUMENT[:-1] + b',"a":' + b"9" * 5000 + b"}"),
    "a lone surrogate": said(items({"b64_json": text(), "revised_prompt": "\ud800"})),
    "broken utf-8 beside it": said(DOCUMENT[:-1] + b',"a":"\xff\xfe\xc3"}'),
    "a nul byte beside it": said(DOCUMENT[:-1] + b',"a":"\x00"}'),
    "100,000 levels beside it": said(
        DOCUMENT[:-1] + b',"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", warns="cannot be read as json"
    ),
    "2 MB beside it": said(DOCUMENT[:-1] + b',"a":"' + b"x" * (2 << 20) + b'"}', warns="cannot be read as json"),
    "a prompt of 900 kB": said(items({"b64_json": text(), "revised_prompt": "x" * 900_000})),
    "an error beside it": said(document(error={"message": "partly"}), warns="an error stands beside"),
    "a null error beside it": said(document(error=None)),
    "an empty error beside it": said(document(error={})),
    "two images": said(items({"b64_json": text()}, {"b64_json": text(OTHER)}), warns="2 images"),
    "thirty images": said(items({"b64_json": text()}, *[{"b64_json": text(OTHER)}] * 29), warns="30 images"),
    "an image and a broken one": said(items({"b64_json": text()}, {"b64_json": "!!!"})),
    "a broken one and an image": said(items({"b64_json": "!!!"}, {"b64_json": text()}), warns="not base64"),
    "a cut one and an image": said(items({"b64_json": text()[:101]}, {"b64_json": text()}), warns="last group"),
}

PICTURES = {
    "jpeg for png": said(document(JPEG), JPEG),
    "webp for png": said(document(WEBP), WEBP),
    "another size": said(document(picture(size=(17, 3)), size="1024x1024"), picture(size=(17, 3))),
    "one pixel": said(document(picture(size=(1, 1))), picture(size=(1, 1))),
    "animated png": said(document(ANIMATIONS["PNG"]), ANIMATIONS["PNG"]),
    "animated webp": said(document(ANIMATIONS["WEBP"]), ANIMATIONS["WEBP"]),
    "progressive jpeg": said(document(drawn("JPEG", progressive=True)), drawn("JPEG", progressive=True)),
    "cmyk jpeg": said(document(drawn("JPEG", "CMYK")), drawn("JPEG", "CMYK")),
    "grey jpeg": said(document(drawn("JPEG", "L")), drawn("JPEG", "L")),
    "png with a palette": said(document(drawn("PNG", "P")), drawn("PNG", "P")),
    "png with alpha": said(document(drawn("PNG", "RGBA")), drawn("PNG", "RGBA")),
    "png of 16 bits": said(document(drawn("PNG", "I;16")), drawn("PNG", "I;16")),
    "png of one bit": said(document(drawn("PNG", "1")), drawn("PNG", "1")),
    "script in a png's text": said(
        document(png_with((b"tEXt", b"Comment\0<script>alert(1)</script>"))),
        png_with((b"tEXt", b"Comment\0<script>alert(1)</script>")),
    ),
    "an unknown chunk": said(document(png_with((b"blOb", b"x" * 900))), png_with((b"blOb", b"x" * 900))),
    "png and html": said(document(PNG + b"<html><script>"), PNG + b"<html><script>", warns="does not end"),
    "png and zip": said(document(PNG + b"PK\x05\x06" + bytes(18)), PNG + b"PK\x05\x06" + bytes(18)),
    "jpeg and junk": said(document(JPEG + b"<?php"), JPEG + b"<?php", warns="does not end"),
    "webp and junk": said(document(WEBP + b"junk"), WEBP + b"junk", warns="does not end"),
    "raw png": said(PNG),
    "raw jpeg": said(JPEG, JPEG),
    "raw webp": said(WEBP, WEBP),
    "raw png, chunked": image(http(200, PNG, framing="chunked")),
    "raw png called json": image(http(200, PNG, {"Content-Type": "application/json"})),
    "raw png in slow pieces": image(OPEN, PNG[:3], Pause(0.03), PNG[3:9], Pause(0.03), PNG[9:]),
    "raw webp in slow pieces": image(OPEN, WEBP[:6], Pause(0.03), WEBP[6:], data=WEBP),
    "raw png, compressed": image(packed(PNG)),
}

PARTIAL = event("image_generation.partial_image", OTHER, partial_image_index=0)
SSE = {"Content-Type": "text/event-stream"}
BARE = b"data: " + json.dumps({"data": [{"b64_json": text()}]}).encode() + b"\n\n"

STREAMS = {
    "completed": image(http(200, STREAM, SSE)),
    "completed and the end mark": image(http(200, STREAM + b"data: [DONE]\n\n", SSE)),
    "two partial ones first": image(http(200, PARTIAL * 2 + STREAM, SSE)),
    "a partial one as large as it gets": image(http(200, event("image_edit.partial_image", JPEG) + STREAM, SSE)),
    "an edit's name on a generation": image(http(200, event("image_edit.completed"), SSE)),
    "not announced": said(STREAM),
    "carriage returns": said(STREAM.replace(b"\n", b"\r")),
    "carriage return and line feed": said(STREAM.replace(b"\n", b"\r\n")),
    "no space after the colon": said(STREAM.replace(b": ", b":", 2)),
    "data over several lines": said(STREAM.replace(b', "b64_json"', b',\ndata: "b64_json"')),
    "comments between": said(b": ping\n\n" * 40 + STREAM),
    "an empty keep-alive event": said(b"event: keep-alive\n\n" + b"data: \n\n" + STREAM),
    "a heartbeat document": said(b'data: {"type":"heartbeat"}\n\n' + STREAM),
    "an unnamed heartbeat document": said(b'data: {"ok":true}\n\n' + STREAM),
    "other fields": said(b"id: 7\nretry: 10\nfoo: bar\nfoo\n" + STREAM),
    "a byte order mark before a stream": said(b"\xef\xbb\xbf" + STREAM),
    "no blank line at the end": said(STREAM.rstrip(b"\n")),
    "no event line": said(STREAM.partition(b"\n")[2]),
    "message as event line": said(b"event: message\n" + STREAM.partition(b"\n")[2]),
    "no type": said(STREAM.replace(b'"type": "image_generation.completed", ', b"")),
    "a document as unnamed event": said(BARE),
    "a document and the end mark": said(BARE + b"data: [DONE]\n\n"),
    "left open after completed": image(OPEN + STREAM, Hang),
    "reset after completed": image(OPEN + STREAM, Pause(0.05), Reset),
    "completed twice": said(STREAM + event(data=OTHER), warns="2 images"),
    "an error after completed": said(STREAM + b"event: error\ndata: " + complaint() + b"\n\n"),
    "byte by byte as stream": image(OPEN, Trickle(STREAM[:300], 0), STREAM[300:]),
    "a stream, compressed": image(packed(STREAM)),
}

DELIVERED = {
    f"{group}: {name}": case
    for group, cases in {"framing": FRAMING, "shape": SHAPES, "picture": PICTURES, "stream": STREAMS}.items()
    for name, case in cases.items()
}
