import json

from batchgen.provider.base64text import Base64Text
from batchgen.provider.scan import DEPTH, ENVELOPE_BYTES, JsonScanner


class Strings:
    def __init__(self) -> None:
        self.found: list[bytes] = []

    def open(self) -> Base64Text:
        self.found.append(b"")
        return Base64Text(self._add)

    def close(self, text: Base64Text) -> None:
        text.finish()

    def _add(self, data: bytes) -> None:
        self.found[-1] += data


def scan(text: bytes, step: int = 0) -> tuple[JsonScanner, list[bytes], int]:
    strings = Strings()
    scanner, end = JsonScanner(strings), 0
    for start in range(0, len(text), step or len(text)):
        end = scanner.feed(text, start, min(len(text), start + (step or len(text))))
    return scanner, strings.found, end


def test_only_image_strings_leave_the_envelope():
    """Everything but the content of `b64_json` stays as it was."""
    text = b'{"a": [1, "b64_json", {"b64_json": "QUJD", "x": "\\\\"}], "b64_json": ["QUJD"]}'
    for step in (0, 1, 5):
        scanner, found, _ = scan(text, step)
        assert found == [b"ABC"]
        assert bytes(scanner.envelope) == text.replace(b'"b64_json": "QUJD"', b'"b64_json": ""')


def test_end_of_document_is_located():
    """What follows the closing bracket is not touched."""
    scanner, _, end = scan(b'{"a": {"b": "}"}} tail')
    assert (scanner.complete, end) == (True, 17)


def test_escaped_quotes_do_not_end_a_string():
    """Only an unescaped quote closes a string, whatever piles up before it."""
    value = '\\"' * 3 + "\\" * 4 + '"}]'
    for step in (0, 1, 2, 3):
        scanner, _, _ = scan(json.dumps({"a": value}).encode(), step)
        assert json.loads(scanner.envelope) == {"a": value}


def test_depth_is_counted_not_stacked():
    """A document of 200,000 levels is scanned to its end and marked as not to be parsed."""
    scanner, _, _ = scan(b"[" * 200_000 + b"]" * 200_000)
    assert scanner.complete
    assert scanner.too_deep
    assert not scan(b"[" * DEPTH + b"]" * DEPTH)[0].too_deep


def test_envelope_is_capped():
    """Text around the image is kept up to the cap and then passed over."""
    scanner, found, _ = scan(b'{"a": "' + b"x" * ENVELOPE_BYTES + b'", "b64_json": "QUJD"}', 65536)
    assert scanner.overflow
    assert len(scanner.envelope) <= ENVELOPE_BYTES
    assert found == [b"ABC"]


def test_type_is_read_at_the_top_only():
    """A `type` inside another object says nothing of the event."""
    assert scan(b'{"error": {"type": "x"}, "type": "image_edit.completed"')[0].type == b"image_edit.completed"


def test_many_strings_take_linear_time():
    """A megabyte of escaped quotes, or of short strings, in one chunk is no quadratic search."""
    assert scan(b'{"a": "' + b'\\"' * 500_000 + b'"}')[0].complete
    assert scan(b"[" + b'"",' * 100_000 + b"0]")[0].complete
