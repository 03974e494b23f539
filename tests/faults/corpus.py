"""Good answers of every form, as bytes on the wire: what the fuzzer damages."""

import json

from fakes.raw_server import http
from faults.bodies import JPEG, OTHER, PNG, USAGE, WEBP, chunked, complaint, document, event, items, packed, page, text

PARTIAL = event("image_generation.partial_image", OTHER, partial_image_index=0)
STREAM = PARTIAL + event(usage=USAGE) + b"data: [DONE]\n\n"
JSON = {"Content-Type": "application/json", "x-request-id": "req-1"}

CORPUS: dict[str, bytes] = {
    "document": http(200, document(), JSON),
    "document, chunked": http(200, document(), JSON, framing="chunked"),
    "document, small chunks": chunked(document(), piece=97, extension=b";a=b", trailer=b"X-Sum: 1\r\n"),
    "document, until close": http(200, document(), JSON, framing="close"),
    "document, gzip": packed(document()),
    "document, deflate": packed(document(), "deflate", 15),
    "document, pretty": http(200, json.dumps(json.loads(document()), indent=2).encode()),
    "document, url-safe": http(200, items({"b64_json": text().translate(str.maketrans("+/", "-_")).rstrip("=")})),
    "document, escaped": http(200, document().replace(b"/", b"\\/").replace(b"+", b"\\u002b")),
    "document, data url": http(200, items({"url": f"data:image/png;base64,{text()}"})),
    "document, two images": http(200, items({"b64_json": text()}, {"b64_json": text(OTHER)})),
    "document, keep-alive": http(200, b"\n \n" + document(), framing="chunked"),
    "document, after 102": b"HTTP/1.1 102 Processing\r\n\r\n" + http(200, document(), JSON),
    "document, jpeg": http(200, document(JPEG)),
    "document, webp": http(200, document(WEBP)),
    "stream": http(200, STREAM, {"Content-Type": "text/event-stream"}),
    "stream, chunked": http(200, STREAM, framing="chunked"),
    "stream, until close": http(200, STREAM, framing="close"),
    "stream, crlf": http(200, STREAM.replace(b"\n", b"\r\n")),
    "stream, comments": http(200, b": ping\n\n" * 5 + STREAM),
    "stream, data lines": http(200, STREAM.replace(b', "', b',\ndata: "')),
    "raw png": http(200, PNG, {"Content-Type": "image/png"}),
    "raw jpeg": http(200, JPEG, framing="chunked"),
    "raw webp": http(200, WEBP, framing="close"),
    "error 400": http(400, complaint("no", code="invalid_value", type="invalid_request_error"), JSON),
    "error 429": http(429, complaint("Please try again in 1s."), {"Retry-After": "1"}),
    "error 500": http(500, complaint("boom", type="server_error")),
    "error 502": http(502, page("Bad Gateway")),
    "error in a 200": http(200, complaint("upstream said no")),
    "error in a stream": http(
        200, PARTIAL + b"event: error\ndata: " + complaint("odd", code="moderation_blocked") + b"\n\n"
    ),
}
"""Addresses are not among them: damage would make names of other hosts."""
