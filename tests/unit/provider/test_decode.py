import base64
import json
import random

import pytest
from fakes.sinks import MemorySink

from batchgen.provider.decode import AROUND_BYTES, TEXT_BYTES, Decoder, Envelope
from batchgen.provider.intake import PICTURES

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3 + b"end"
OTHER = b"\x89PNG\r\n\x1a\nanother one"
B64 = base64.b64encode(PNG).decode()
USAGE = {"total_tokens": 204, "output_tokens_details": {"image_tokens": 196}}


def document(**fields) -> bytes:
    return json.dumps({"created": 1, "data": [{"b64_json": B64}], "usage": USAGE, **fields}).encode()


def event(name: str, **fields) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


PARTIAL = event("image_generation.partial_image", b64_json=base64.b64encode(OTHER).decode(), partial_image_index=0)
COMPLETED = event("image_generation.completed", b64_json=B64, usage=USAGE)


def decode(body: bytes, *, step: int = 0, cut: bool = False, max_bytes: int = 1 << 20) -> tuple[Envelope, MemorySink]:
    sink = MemorySink()
    decoder = Decoder(sink, max_bytes=max_bytes)
    step = step or len(body) or 1
    for start in range(0, len(body), step):
        decoder.feed(body[start : start + step])
    return decoder.finish(cut=cut), sink


def summary(envelope: Envelope, sink: MemorySink) -> tuple:
    pictures = [(picture.kind, picture.index, bytes(picture.data), picture.whole) for picture in sink.pictures]
    return envelope, pictures


def spaced(text: bytes) -> bytes:
    return text.replace(b'"data": [{"b64_json"', b' \r\n "data" :\t[ { "b64_json"')


WHOLE = {
    "plain": document(),
    "keep_alive_whitespace": b" \n\r\n\t" * 50 + document(),
    "byte_order_mark": b"\xef\xbb\xbf" + document(),
    "spaces_between_tokens": spaced(document()),
    "escaped_slashes": document().replace(b"/", b"\\/"),
    "escaped_letters": document().replace(b"A", b"\\u0041").replace(b"+", b"\\u002b"),
    "upper_case_escapes": document().replace(b"+", b"\\u002B").replace(b"=", b"\\u003D"),
    "escaped_key": document().replace(b"b64_json", b"b64\\u005fjson"),
    "data_url": document(data=[{"b64_json": "data:image/png;base64," + B64}]),
    "data_url_with_parameters": document(data=[{"b64_json": "DATA:image/png;charset=x;Base64," + B64}]),
    "data_url_in_url": document(data=[{"url": "data:image/png;base64," + B64}]),
    "url_safe_letters": document(data=[{"b64_json": B64.replace("+", "-").replace("/", "_")}]),
    "unpadded": document(data=[{"b64_json": B64.rstrip("=")}]),
    "empty_url_beside": document(data=[{"url": "", "b64_json": B64, "revised_prompt": ""}]),
    "empty_image_beside": document(data=[{"b64_json": ""}, {"b64_json": B64}]),
    "null_image_beside": document(data=[{"b64_json": None}, {"b64_json": B64}]),
    "top_level": document(data=[], b64_json=B64),
    "nested": document(data={"data": [{"b64_json": B64}]}),
    "in_an_array": b"[" + document() + b"]",
    "quotes_and_brackets_in_text": document(note='a "quoted" } ] \\', last="\\"),
    "not_a_number": document().replace(b'"created": 1', b'"created": NaN, "x": 1e999'),
    "five_thousand_digits": document().replace(b'"created": 1', b'"created": ' + b"7" * 5000),
    "lone_surrogate": document().replace(b'"created": 1', b'"revised_prompt": "\\ud800"'),
    "duplicate_keys": document().replace(b'"created": 1', b'"created": 1, "created": 2'),
    "broken_utf8": document().replace(b'"created": 1', b'"note": "\xff\xfe"'),
    "control_characters": document().replace(b'"created": 1', b'"note": "\x00\x1b\n"'),
    "deeply_nested": document().replace(b'"created": 1', b'"deep": ' + b"[" * 5000 + b"]" * 5000),
    "raw_image": PNG,
    "raw_image_after_whitespace": b"\r\n " + PNG,
    "stream": PARTIAL + COMPLETED + b"data: [DONE]\n\n",
    "stream_with_crlf": (PARTIAL + COMPLETED).replace(b"\n", b"\r\n"),
    "stream_with_cr": (PARTIAL + COMPLETED).replace(b"\n", b"\r"),
    "stream_with_comments": b": hello\n\n:\n" + PARTIAL + b": ping\n\n" + COMPLETED,
    "stream_without_event_lines": PARTIAL.partition(b"\n")[2] + COMPLETED.partition(b"\n")[2],
    "stream_without_spaces": COMPLETED.replace(b"data: ", b"data:"),
    "stream_with_ids": b"id: 7\nretry: 100\n" + COMPLETED,
    "stream_without_last_blank_line": PARTIAL + COMPLETED.rstrip(),
    "stream_of_an_edit": event("image_edit.partial_image", b64_json="QU") + event("image_edit.completed", b64_json=B64),
    "stream_with_type_last": b'data: {"b64_json": "' + B64.encode() + b'", "type": "image_edit.completed"}\n\n',
    "stream_with_event_line_last": b'data: {"b64_json": "' + B64.encode() + b'"}\nevent: image_edit.completed\n\n',
    "stream_in_several_data_lines": b'data: {"type":\ndata: "x.completed",\ndata: "b64_json": "%b"}\n\n' % B64.encode(),
    "stream_of_a_plain_document": b"data: " + document() + b"\n\ndata: [DONE]\n\n",
    "stream_with_heartbeat_documents": b'data: {"ping": 1}\n\n' + COMPLETED,
    "stream_with_message_events": b"event: message\ndata: " + document() + b"\n\n",
    "stream_with_an_empty_event": b"event: keepalive\n\ndata:\n\ndata\n\n" + COMPLETED,
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_image_arrives_in_every_form(name):
    """Whatever dialect a gateway speaks, the image's bytes come out exactly."""
    envelope, sink = decode(WHOLE[name])
    assert sink.whole() == [PNG]
    assert envelope.complete
    assert envelope.has_image
    assert not envelope.problem


@pytest.mark.parametrize("name", WHOLE)
def test_chunk_borders_do_not_matter(name):
    """Split into single bytes, at every small step or at random, an answer decodes to the same result."""
    body, expected = WHOLE[name], None
    rng = random.Random(name)  # noqa: S311  a seeded fuzz
    expected = summary(*decode(body))
    for step in (1, 2, 3, 5, 7, 64):
        assert summary(*decode(body, step=step)) == expected, step
    for _ in range(20):
        assert summary(*in_pieces(body, sorted(rng.sample(range(len(body)), 5)))) == expected


def in_pieces(body: bytes, cuts: list[int]) -> tuple[Envelope, MemorySink]:
    sink = MemorySink()
    decoder = Decoder(sink)
    for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True):
        decoder.feed(body[start:stop])
    return decoder.finish(), sink


@pytest.mark.parametrize("name", ["plain", "escaped_letters", "data_url_in_url", "stream", "stream_with_crlf"])
def test_every_single_cut_gives_the_same(name):
    """Cut in two at every offset there is, an answer decodes to the same result."""
    body = WHOLE[name]
    expected = summary(*decode(body))
    for at in range(len(body)):
        assert summary(*in_pieces(body, [at])) == expected, at


@pytest.mark.parametrize("name", ["plain", "escaped_slashes", "data_url", "stream", "stream_without_event_lines"])
def test_truncated_answer_is_never_complete(name):
    """An answer that ends early is not complete, wherever it ends: the document's end is the answer's end."""
    body = WHOLE[name].removesuffix(b"\n\ndata: [DONE]\n\n").rstrip()
    for at in range(0, len(body) - 1, 3):
        envelope, sink = decode(body[:at], step=50)
        assert not (envelope.complete and envelope.has_image), at
        assert all(picture.whole is not None for picture in sink.pictures)


def test_closed_string_in_cut_document_is_not_an_answer():
    """A whole image whose document was cut behind it is not reported as complete."""
    envelope, sink = decode(document()[:-1])
    assert sink.whole() == [PNG]
    assert not envelope.complete


BROKEN = {
    "foreign_letter": B64[:100] + "!" + B64[101:],
    "line_break": B64[:76] + "\n" + B64[76:],
    "space": B64[:80] + " " + B64[80:],
    "letters_after_padding": "QUJDRA==QUJD",
    "padding_in_front": "=QUJD",
    "too_much_padding": "QUI===",
    "padding_after_whole_groups": "QUJD=",
    "one_letter_left": "QUJDR",
    "not_base64_data_url": "data:image/png," + B64,
    "endless_data_url": "data:" + "x" * 300 + ";base64," + B64,
    "unknown_escape": "QUJD\u00e9",
    "backslash": "QUJD\\",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("step", [0, 1, 3])
def test_damaged_base64_is_no_image(name, step):
    """Base64 with anything that is not one of the three known departures is refused, whatever the chunks."""
    envelope, sink = decode(document(data=[{"b64_json": BROKEN[name]}]), step=step)
    assert sink.whole() == []
    assert envelope.complete
    assert not envelope.has_image
    assert envelope.problem


def test_second_image_is_surplus():
    """Two images though one was asked for: the first is the image, the other is kept apart, with a warning."""
    envelope, sink = decode(document(data=[{"b64_json": B64}, {"b64_json": "QUJD"}]))
    assert sink.whole() == [PNG]
    assert sink.whole("surplus") == [b"ABC"]
    assert "2 images" in envelope.warnings[0]


def test_whole_image_after_a_broken_one_is_used():
    """A picture that cannot be decoded does not hide the next one."""
    envelope, sink = decode(document(data=[{"b64_json": "QUJD!!!!"}, {"b64_json": B64}]))
    assert sink.whole() == [PNG]
    assert envelope.has_image


def test_partial_images_are_previews():
    """Partial images of a stream are previews, counted from 0, never the image."""
    _, sink = decode(PARTIAL + PARTIAL + COMPLETED)
    assert [(picture.kind, picture.index) for picture in sink.pictures] == [
        ("preview", 0),
        ("preview", 1),
        ("image", 0),
    ]


@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n"])
def test_stream_without_completed_event_is_not_complete(tail):
    """The last partial image is never taken for the result."""
    envelope, sink = decode(PARTIAL + tail)
    assert not envelope.complete
    assert sink.whole() == []


def test_late_partial_type_is_never_the_image():
    """A picture whose document says only at its end that it is partial is not taken for the image."""
    body = b'data: {"b64_json": "QUJD", "type": "image_edit.partial_image"}\n\n' + COMPLETED
    _, sink = decode(body)
    assert sink.whole() == [PNG]


@pytest.mark.parametrize(
    "body",
    [
        b'event: error\ndata: {"type":"error","error":{"code":"moderation_blocked"}}\n\n',
        b'data: {"error":{"code":"moderation_blocked"}}\n\n',
        b'event: error\ndata: {"code":"moderation_blocked"}\n\n' + COMPLETED[:50],
    ],
)
def test_error_event_becomes_the_body(body):
    """An error inside a stream is what the envelope reports, whatever the event is called."""
    envelope, _ = decode(PARTIAL + body)
    assert "moderation_blocked" in json.dumps(envelope.body)
    assert not envelope.complete


def test_error_event_that_is_not_json_keeps_its_text():
    """The text of an error event is kept even when it is not JSON."""
    envelope, _ = decode(b"event: error\ndata: upstream gave up\n\n")
    assert envelope.body == {"message": "upstream gave up"}


def test_completed_event_may_hold_an_address():
    """A completed event with a url instead of an image is complete."""
    envelope, _ = decode(event("image_generation.completed", url="https://cdn.example/1.png", b64_json=""))
    assert envelope.complete
    assert envelope.body["url"] == "https://cdn.example/1.png"


def test_image_strings_are_not_kept_in_the_envelope():
    """The parsed body has the image strings emptied, and everything else as it came."""
    envelope, _ = decode(document(size="1024x1024"))
    assert envelope.body == {"created": 1, "data": [{"b64_json": ""}], "usage": USAGE, "size": "1024x1024"}


def test_address_is_kept():
    """An ordinary url stays in the envelope, chunk by chunk as well."""
    body = document(data=[{"url": "https://cdn.example/d.png"}])
    for step in (0, 1, 4):
        assert decode(body, step=step)[0].body["data"] == [{"url": "https://cdn.example/d.png"}]


@pytest.mark.parametrize("junk", [b"}", b" x", b"{}", b"HTTP/1.1 200 OK\r\n\r\n{}"])
def test_junk_after_the_answer_is_a_warning(junk):
    """What follows the document is ignored, and said."""
    envelope, sink = decode(document() + junk)
    assert sink.whole() == [PNG]
    assert envelope.warnings == ("data after the end of the answer, ignored",)


def test_trailing_whitespace_is_no_junk():
    """A line break at the end is not worth a word."""
    assert decode(document() + b"\r\n \n")[0].warnings == ()


@pytest.mark.parametrize("body", [b"", b" \r\n ", b"\xef\xbb\xbf"])
def test_empty_body_is_empty(body):
    """Nothing but whitespace is an empty answer."""
    assert decode(body)[0].form == "empty"


@pytest.mark.parametrize("body", [b"<html><title>502", b"null", b"dat", b"RIFFnothing like it", b"\x1f\x8b\x08 gzip"])
def test_other_bodies_are_text(body):
    """A body that is neither JSON, nor a stream, nor an image is kept as text."""
    envelope, sink = decode(body, step=1)
    assert envelope.form == "text"
    assert not sink.pictures


@pytest.mark.parametrize("start", [b"\x89PNG\r\n", b"\xff\xd8\xff\xe0", b"RIFF\x10\0\0\0WEBPVP8 "])
def test_raw_images_are_known_by_their_first_bytes(start):
    """An image as the body is recognised whatever the content type says."""
    envelope, sink = decode(start + b" data ", step=1)
    assert envelope.form == "image"
    assert sink.whole() == [start + b" data "]


def test_cut_raw_image_is_not_whole():
    """A raw image whose announced length did not come is not whole."""
    envelope, sink = decode(PNG, cut=True)
    assert sink.whole() == []
    assert not envelope.complete


@pytest.mark.parametrize("body", [document(), PNG, COMPLETED])
def test_image_beyond_the_cap_is_refused(body):
    """An image larger than the cap ends the reading, and no more than the cap reaches the sink."""
    envelope, sink = decode(body, step=64, max_bytes=len(PNG) - 1)
    assert "more than" in envelope.problem
    assert not envelope.has_image
    assert all(len(picture.data) < len(PNG) for picture in sink.pictures)


def test_image_at_the_cap_is_taken():
    """An image of exactly the cap is whole."""
    assert decode(document(), max_bytes=len(PNG))[0].has_image


def test_picture_flood_is_bounded():
    """An answer with more pictures than anyone asked for stops being read, and its image is kept."""
    envelope, sink = decode(document(data=[{"b64_json": B64}] * (PICTURES + 9)))
    assert len(sink.pictures) == PICTURES
    assert envelope.has_image
    assert envelope.complete


@pytest.mark.parametrize("unit", [b" " * 65536, b'"' + b"x" * 65534 + b'"', b": ping\n\n" * 8192])
def test_endless_body_is_bounded(unit):
    """What is not picture is read up to a bound, and never held."""
    sink = MemorySink()
    decoder = Decoder(sink)
    decoder.feed(b"{" if unit[:1] == b'"' else b" ")
    fed = 0
    while not decoder.done:
        decoder.feed(unit)
        fed += len(unit)
        assert fed <= AROUND_BYTES + len(unit)
    assert "bytes around the image" in decoder.finish().problem


def test_long_text_stops_the_reading():
    """Of a page only the start is wanted."""
    sink = MemorySink()
    decoder = Decoder(sink)
    decoder.feed(b"<html>" + b"x" * TEXT_BYTES)
    assert decoder.done
    assert len(decoder.finish().evidence) == TEXT_BYTES


def test_large_envelope_is_dropped_and_the_image_kept():
    """Text around the image beyond its cap is not held; the image counts all the same."""
    envelope, sink = decode(document(note="x" * (1 << 21)), step=65536)
    assert sink.whole() == [PNG]
    assert envelope.complete
    assert envelope.body is None
    assert "cannot be read" in envelope.warnings[0]


def test_done_is_seen_at_the_end_of_the_answer():
    """The caller can stop reading at the closing bracket, without waiting for the connection to close."""
    decoder = Decoder(MemorySink())
    decoder.feed(document()[:-1])
    assert not decoder.done
    decoder.feed(b"}")
    assert decoder.done


def test_produced_bytes_are_told_once():
    """The caller learns when there is something to drain."""
    decoder = Decoder(MemorySink())
    decoder.feed(document())
    assert decoder.has_produced()
    decoder.feed(b" ")
    assert not decoder.has_produced()


def test_mutated_answers_never_raise():
    """Flipped, cut, doubled and spliced bytes never bring an exception out of the decoder."""
    rng = random.Random(20)  # noqa: S311  a seeded fuzz
    bodies = list(WHOLE.values())
    for _ in range(1500):
        body = bytearray(rng.choice(bodies)[: rng.randrange(2, 2500)])
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(body))
            body[at : at + rng.randrange(3)] = rng.choice([b"", b'"', b"\\", b"{", b"]", b"\n", b"=", rng.randbytes(3)])
            body = body or bytearray(b"{")
        envelope, sink = decode(bytes(body), step=rng.choice([1, 7, 100, 5000]))
        assert all(picture.whole is not None for picture in sink.pictures)
        assert envelope.has_image == bool(sink.whole())
