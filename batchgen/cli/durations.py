"""Times on the command line: `90`, `10m`, `1h30m`, and for a deadline also a time of day."""

import math
import re
from datetime import datetime, timedelta

import click

from batchgen.manifest.fields import parse_duration

__all__ = ["SECONDS", "STOP_BY", "seconds_of", "seconds_until"]


def seconds_of(text: str) -> float | None:
    """Seconds of a duration as in a manifest (`90`, `10m`, `1h30m`); None when it is none, or negative."""
    try:
        seconds = parse_duration(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def seconds_until(text: str, now: datetime) -> float | None:
    """Seconds from `now` (aware, local time) to `text`: `06:30` (the next one), an ISO date and time, or a duration.

    None when it is none of these or lies in the past.
    """
    lasting = seconds_of(text)
    if lasting is not None:
        return lasting or None
    try:
        moment = _moment(text.strip(), now)
    except ValueError:
        return None
    seconds = (moment - now).total_seconds()
    return seconds if seconds > 0 else None


def _moment(text: str, now: datetime) -> datetime:
    if re.fullmatch(r"\d{1,2}:\d{2}", text, re.ASCII):
        hour, minute = map(int, text.split(":"))
        today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return today + timedelta(days=today <= now)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


class _Seconds(click.ParamType[float]):
    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        seconds = seconds_of(str(value))
        if seconds is None:
            self.fail(f"'{value}' is no time (expected 90, 90s, 10m or 1h30m)", param, ctx)
        return seconds


class _StopBy(click.ParamType[float]):
    name = "when"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        seconds = seconds_until(str(value), datetime.now().astimezone())
        if seconds is None:
            self.fail(f"'{value}' is no time to come (expected 06:30, 2026-11-20T06:30 or 3h)", param, ctx)
        return seconds


SECONDS = _Seconds()
STOP_BY = _StopBy()
