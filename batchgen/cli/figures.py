"""Numbers as people read them: money, time, sizes, counts."""

__all__ = ["amount", "duration", "money", "money_range", "rough_duration", "size"]

_MINUTE, _HOUR = 60, 3600
_CENT, _WHOLE_DOLLARS = 0.01, 10


def amount(count: int, noun: str) -> str:
    """`1 image`, `1,200 images`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def money(usd: float | None) -> str:
    """Dollars with cents, with three digits below one cent; an unknown price is never shown as 0."""
    if usd is None:
        return "price unknown"
    return f"${usd:.3f}" if 0 < usd < _CENT else f"${usd:,.2f}"


def money_range(low: float | None, high: float | None) -> str:
    """`$14-17`, `$0.42-0.51`, `$0.42`: whole dollars where cents would pretend to know."""
    if low is None or high is None:
        return "price unknown"
    if money(low) == money(high):
        return money(high)
    if high >= _WHOLE_DOLLARS:
        return f"${low:,.0f}-{high:,.0f}" if round(low) != round(high) else f"${high:,.0f}"
    return f"{money(low)}-{money(high)[1:]}"


def duration(seconds: float) -> str:
    """`41s`, `5m51s`, `2h05m`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"


def rough_duration(seconds: float) -> str:
    """An estimate, without seconds it cannot know: `under a minute`, `12 min`, `2 h 05 min`."""
    minutes = round(seconds / _MINUTE)
    if seconds < _MINUTE:
        return "under a minute"
    if minutes < _HOUR // _MINUTE:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: int) -> str:
    """Bytes in units of 1000: `812 B`, `2.0 MB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":  # noqa: PLR2004  SI
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError
