import pytest

from batchgen.provider.sse import EventLines


class Taker:
    def __init__(self) -> None:
        self.events: list[tuple[bytes, bytes]] = []
        self._data = b""

    def data(self, _: bytes, chunk: bytes, start: int, end: int) -> None:
        self._data += chunk[start:end]

    def dispatch(self, name: bytes) -> None:
        self.events.append((name, self._data))
        self._data = b""


def events(text: bytes, step: int = 0) -> list[tuple[bytes, bytes]]:
    taker = Taker()
    lines = EventLines(taker)
    for start in range(0, len(text), step or len(text) or 1):
        lines.feed(text[start : start + (step or len(text))])
    lines.finish()
    return taker.events


CASES = [
    (b"data: a\n\n", [(b"", b"a")]),
    (b"data:a\n\n", [(b"", b"a")]),
    (b"data:  a \n\n", [(b"", b" a ")]),
    (b"event: x\ndata: a\n\n", [(b"x", b"a")]),
    (b"event:x\r\ndata:a\r\n\r\n", [(b"x", b"a")]),
    (b"event: x\rdata: a\r\rdata: b\r\r", [(b"x", b"a"), (b"", b"b")]),
    (b"data: a\nevent: x\n\n", [(b"x", b"a")]),
    (b"data: a\ndata: b\ndata:\ndata: c\n\n", [(b"", b"a\nb\n\nc")]),
    (b": comment\n:\ndata: a\n\n", [(b"", b"a")]),
    (b"id: 1\nretry: 5\nunknown-and-very-long-field-name: x\ndata: a\n\n", [(b"", b"a")]),
    (b"\n\n\ndata: a\n\n\n\n", [(b"", b"a")]),
    (b"data: a", [(b"", b"a")]),
    (b"data: a\n", [(b"", b"a")]),
    (b"event: x\n\ndata: a\n\n", [(b"x", b""), (b"", b"a")]),
    (b"data: a: b: c\n\n", [(b"", b"a: b: c")]),
    (b"dataset: a\n\ndata\n\n", []),
    (b"data: [DONE]\n\n", [(b"", b"[DONE]")]),
    (b"", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_events_are_split(text, expected, step):
    """Every line ending and field form gives the same events, however the stream is cut."""
    assert events(text, step) == expected


def test_long_line_is_passed_on_in_pieces():
    """A data line of many megabytes is never collected."""
    longest = 0

    class Longest(Taker):
        def data(self, _: bytes, __: bytes, start: int, end: int) -> None:
            nonlocal longest
            longest = max(longest, end - start)

    lines = EventLines(Longest())
    lines.feed(b"data: ")
    for _ in range(200):
        lines.feed(b"x" * 65536)
    assert longest == 65536


@pytest.mark.parametrize("line", [b"\r", b"\n", b"a\r", b":\r\n"])
def test_many_short_lines_take_linear_time(line):
    """A few hundred thousand short lines in one chunk is no quadratic search."""
    assert len(events(line * (300_000 // len(line)))) == 0
