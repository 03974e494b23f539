"""Server-sent events, pushed through without holding a line: one `data` line may be tens of megabytes."""

from typing import Protocol

__all__ = ["EventLines", "EventTaker"]

_LF, _CR, _SPACE = b"\n"[0], b"\r"[0], b" "[0]
_LONGEST_NAME = 16
_LONGEST_VALUE = 128


class EventTaker(Protocol):
    """Who takes the events apart."""

    def data(self, name: bytes, chunk: bytes, start: int, end: int) -> None:
        """A piece of the data of the event; `name` is what its `event` line said, if that came before."""
        ...

    def dispatch(self, name: bytes) -> None:
        """The event is over."""
        ...


class EventLines:
    """Splits an event stream as the HTML standard (section 9.2.6) says, in chunks of any size.

    Lines end in LF, CR or CRLF. Comments and fields other than `event` and `data` are passed over. Several `data` lines
    of one event are joined by a line feed.
    """

    __slots__ = ("_after_cr", "_event", "_field", "_has_data", "_name", "_taker", "_value")

    def __init__(self, taker: EventTaker) -> None:
        self._taker = taker
        self._name = bytearray()  # of the field, until its colon
        self._field = b""  # data, event, or anything else to pass over; empty while the name is still open
        self._value = bytearray()
        self._event = b""
        self._has_data = False
        self._after_cr = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        start, line_feed = 0, -2
        while start < len(chunk):
            if self._after_cr:
                self._after_cr = False
                start += chunk[start] == _LF
                continue
            # The next line feed is looked for once, not once per line: else a stream of bare CRs were quadratic.
            if -1 != line_feed < start:
                line_feed = chunk.find(b"\n", start)
            stop = line_feed if line_feed >= 0 else len(chunk)
            carriage_return = chunk.find(b"\r", start, stop)
            stop = carriage_return if carriage_return >= 0 else stop
            self._part(chunk, start, stop)
            if stop == len(chunk):
                return
            self._end_line()
            self._after_cr = chunk[stop] == _CR
            start = stop + 1

    def finish(self) -> None:
        """The stream is over. An event without its blank line counts: whether its data are whole, they say."""
        self._end_line()
        if self._has_data:
            self._dispatch()

    def _part(self, chunk: bytes, start: int, end: int) -> None:
        if not self._field:
            start = self._field_name(chunk, start, end)
        if start >= end:
            return
        if self._field == b"data":
            if not self._value:  # the one space after the colon; the mark in `_value` says that it was dealt with
                self._value += b"."
                start += chunk[start] == _SPACE
            self._taker.data(self._event, chunk, start, end)
        elif self._field == b"event":
            self._value += chunk[start : min(end, start + _LONGEST_VALUE - len(self._value))]

    def _field_name(self, chunk: bytes, start: int, end: int) -> int:
        colon = chunk.find(b":", start, end)
        stop = colon if colon >= 0 else end
        self._name += chunk[start : min(stop, start + _LONGEST_NAME - len(self._name))]
        if colon < 0:
            return end
        self._field = bytes(self._name) or b":"
        if self._field == b"data":
            self._start_data()
        return colon + 1

    def _start_data(self) -> None:
        if self._has_data:
            self._taker.data(self._event, b"\n", 0, 1)
        self._has_data = True

    def _end_line(self) -> None:
        if self._field == b"event":
            self._event = bytes(self._value).strip()
        elif not self._field and not self._name and (self._has_data or self._event):
            self._dispatch()
        self._field = b""
        self._name.clear()
        self._value.clear()

    def _dispatch(self) -> None:
        name, self._event, self._has_data = self._event, b"", False
        self._taker.dispatch(name)
