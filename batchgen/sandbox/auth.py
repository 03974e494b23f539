"""Who may ask: the key, if the sandbox was started with one."""

import hmac

from aiohttp import web

from batchgen.sandbox.ask import RefusedError

__all__ = ["authorise"]

_CLIENT_ID_LIMIT = 512


def authorise(request: web.Request, secret: str | None) -> None:
    """Check the headers of a request; the key may come as `Bearer KEY` or bare.

    Raises `RefusedError`: 401 for a wrong or missing key, 400 for an X-Client-Request-Id over 512 characters (a limit
    of OpenAI's API overview).
    """
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if secret is not None and not hmac.compare_digest(_bytes(given), _bytes(secret)):
        message = "Incorrect API key provided." if given else "You didn't provide an API key."
        raise RefusedError(message, status=401, code="invalid_api_key")
    if len(request.headers.get("X-Client-Request-Id", "")) > _CLIENT_ID_LIMIT:
        message = "X-Client-Request-Id is longer than 512 characters."
        raise RefusedError(message, code="invalid_header")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
