"""What the faults look like on the wire: canned answers, and connections that end badly.

The bodies follow what gateways were seen to send; the page of a gateway is HTML on purpose.
"""

import json
import socket
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from aiohttp import web

from batchgen.sandbox.ask import Ask
from batchgen.sandbox.faults import FaultRule

__all__ = ["drop", "refusal", "reset", "wrong_size"]

_PAGE = "<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n<body><h1>{title}</h1></body></html>\n"


def refusal(rule: FaultRule, ask: Ask) -> web.Response:
    """The answer of a fault that refuses instead of painting."""
    return _REFUSALS[rule.kind](rule, ask)


def _json(
    status: int, message: str, kind: str, code: str | None, headers: Mapping[str, str] | None = None
) -> web.Response:
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return web.Response(
        status=status, text=json.dumps(body), content_type="application/json", headers=dict(headers or {})
    )


def _html(status: int, title: str) -> web.Response:
    return web.Response(status=status, text=_PAGE.format(title=title), content_type="text/html")


def _throttle(rule: FaultRule, ask: Ask) -> web.Response:
    wait = f"{rule.retry_after:g}"
    message = f"Rate limit reached for {ask.model} on images per min. Please try again in {wait}s."
    moment = datetime.now(UTC) + timedelta(seconds=rule.retry_after)
    header = {"seconds": wait, "date": format_datetime(moment, usegmt=True), "message": ""}[rule.retry_style]
    return _json(429, message, "requests", "rate_limit_exceeded", {"Retry-After": header} if header else None)


def _quota(_rule: FaultRule, _ask: Ask) -> web.Response:
    message = "You exceeded your current quota, please check your plan and billing details."
    return _json(429, message, "insufficient_quota", "insufficient_quota")


def _error(_rule: FaultRule, _ask: Ask) -> web.Response:
    return _json(500, "Image generation failed", "image_generation_server_error", "image_generation_failed")


def _overloaded(_rule: FaultRule, _ask: Ask) -> web.Response:
    message = "The server is overloaded. Please slow down."
    return _json(503, message, "service_unavailable_error", "server_is_overloaded")


def _refused(_rule: FaultRule, _ask: Ask) -> web.Response:
    message = "Your request was rejected by the safety system. safety_violations=[sandbox]"
    return _json(400, message, "image_generation_user_error", "moderation_blocked")


def _unauthorized(_rule: FaultRule, _ask: Ask) -> web.Response:
    return _json(401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key")


def _empty(_rule: FaultRule, ask: Ask) -> web.Response:
    body = {"created": int(datetime.now(UTC).timestamp()), "data": [], "size": ask.size}
    return web.json_response(body)


def _error_in_200(_rule: FaultRule, _ask: Ask) -> web.Response:
    return _json(200, "Upstream request failed", "upstream_error", "bad_response_status_code")


_REFUSALS: Mapping[str, Callable[[FaultRule, Ask], web.Response]] = {
    "throttle": _throttle,
    "quota": _quota,
    "error": _error,
    "bad_gateway": lambda _rule, _ask: _html(502, "502 Bad Gateway"),
    "overloaded": _overloaded,
    "timeout": lambda _rule, _ask: _html(524, "524: A timeout occurred"),
    "refused": _refused,
    "unauthorized": _unauthorized,
    "empty": _empty,
    "error_in_200": _error_in_200,
    "html": lambda _rule, _ask: _html(200, "Welcome"),
}


def wrong_size(width: int, height: int) -> tuple[int, int]:
    """Pixels near the wanted ones, as web-backed pools return them (1254x1254 instead of 1024x1024)."""
    return max(16, width * 1254 // 1024), max(16, height * 1254 // 1024)


def drop(request: web.Request) -> None:
    """Close the connection without another byte."""
    if request.transport is not None:
        request.transport.abort()


def reset(request: web.Request) -> None:
    """Close the connection with RST: a zero linger time makes the kernel discard what is unsent (socket(7))."""
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
