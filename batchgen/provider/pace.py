"""How long a server asks to wait: headers and message, in every dialect, as seconds."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["LONGEST_WAIT_SECONDS", "retry_after"]

LONGEST_WAIT_SECONDS = 86_400.0
_EPOCH_FROM = 1e9  # a larger "number of seconds" is a point in time

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_NUMBER = r"\d{1,15}(?:\.\d{0,9})?"
_SPAN = re.compile(rf"(?:{_NUMBER}(?:ms|[smhd]))+\Z")
_SPAN_PART = re.compile(rf"({_NUMBER})(ms|[smhd])")
_TRY_AGAIN = re.compile(
    rf"(?:try|retry|wait)[^.\d]{{0,40}}?\b(?:in|after|for)\s+({_NUMBER})\s*(ms|milliseconds?|s|sec(?:ond)?s?|m|min(?:ute)?s?|h|hours?)\b",
    re.IGNORECASE,
)
_RESET = re.compile(r"x-ratelimit-reset-?(.*)\Z")


def retry_after(headers: Mapping[str, str], message: str, *, now: datetime) -> float | None:
    """Seconds that the server asks the client to wait, between 0 and one day, or None if it does not say.

    `headers` has lower-case names. First that speaks: `retry-after-ms`; `retry-after` (seconds, or a date that is read
    against the answer's own `date`, because a server's clock may be years off: RFC 9110, 10.2.3); "try again in 12s" in
    the message; `x-ratelimit-reset-*` of the buckets that are empty.
    """
    sources: tuple[Callable[[], float | None], ...] = (
        lambda: _scaled(_number(headers.get("retry-after-ms", "")), 0.001),
        lambda: _header(headers, now),
        lambda: _said(message),
        lambda: _resets(headers, now),
    )
    for source in sources:
        seconds = source()
        if seconds is not None:
            return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)
    return None


def _header(headers: Mapping[str, str], now: datetime) -> float | None:
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is not None:
        return seconds
    then = _date(text)
    return None if then is None else (then - (_date(headers.get("date", "")) or now)).total_seconds()


def _said(message: str) -> float | None:
    match = _TRY_AGAIN.search(message)
    if match is None:
        return None
    unit = match[2].lower()
    return float(match[1]) * _UNIT_SECONDS["ms" if unit.startswith(("ms", "mil")) else unit[0]]


def _resets(headers: Mapping[str, str], now: datetime) -> float | None:
    found = []
    for name, value in headers.items():
        match = _RESET.match(name)
        if match and headers.get(f"x-ratelimit-remaining-{match[1]}", "0").strip() in {"0", "0.0"}:
            found.append(_reset(value.strip(), now))
    return max((seconds for seconds in found if seconds is not None), default=None)


def _reset(text: str, now: datetime) -> float | None:
    if _SPAN.match(text):
        return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _SPAN_PART.findall(text))
    seconds = _number(text)
    return seconds - now.timestamp() if seconds is not None and seconds >= _EPOCH_FROM else seconds


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
