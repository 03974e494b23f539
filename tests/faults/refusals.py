"""Errors in every dialect: by the code that a gateway sends, by its text, by its status, and how long to wait."""

from fakes.raw_server import Hang, ReadRequest, http
from faults.bodies import bad, complaint, document, doubt, free, page
from faults.case import KEY, SOON, Case

OPENAI_USER = "image_generation_user_error"
NO_CHANNEL = "No available channel for model gpt-image-2 under group default"


def coded(status: int, code: object, message: str = "no", **more: object) -> tuple[int, bytes]:
    """Status and body of an error with a code."""
    return status, complaint(message, code=code, **more)


STOPPED = {
    "a wrong key": free("stopped", *coded(401, "invalid_api_key", "Incorrect API key provided")),
    "a wrong key in a page": free("stopped", 401, page("401 Authorization Required")),
    "no body at 401": free("stopped", 401, b""),
    "no money, openai": free("stopped", *coded(429, "insufficient_quota", type="insufficient_quota")),
    "no money, as type only": free("stopped", 429, complaint("x", type="insufficient_quota", code=None)),
    "no credit": free("stopped", *coded(429, "credit_balance_exhausted", type="insufficient_quota")),
    "an organisation's limit": free("stopped", *coded(429, "organization_spend_limit_exceeded")),
    "a project's limit": free("stopped", *coded(429, "project_spend_limit_exceeded")),
    "a usage limit": free("stopped", *coded(429, "organization_usage_limit_exceeded")),
    "a billing limit as 429": free("stopped", *coded(429, "billing_hard_limit_reached")),
    "a billing limit as 400": free("stopped", *coded(400, "billing_hard_limit_reached", type=OPENAI_USER)),
    "billing that is off": free("stopped", *coded(429, "billing_not_active")),
    "no money, new-api": free("stopped", *coded(403, "insufficient_user_quota", type="new_api_error")),
    "no money, laozhang": free("stopped", *coded(429, "insufficient_user_quota", type="one_api_error")),
    "no money, reserved before": free("stopped", *coded(403, "pre_consume_token_quota_failed")),
    "no money, bettertoken": free("stopped", 402, complaint("Insufficient balance")),
    "no money, gptproto": free("stopped", 403, b'{"message":"forbidden or no balance"}'),
    "no money in a 200": free("stopped", *coded(200, "insufficient_user_quota")),
    "no money in a 500": free("stopped", *coded(500, "insufficient_quota")),
    "no money in chinese": free("stopped", 429, complaint("用户额度不足, 剩余额度: 0")),
    "402 in a page": free("stopped", 402, page("Payment Required")),
    "not verified": free("stopped", 403, complaint("Your organization must be verified to use the model gpt-image-2")),
    "a country": free("stopped", *coded(403, "unsupported_country_region_territory")),
    "403 of a firewall": free("stopped", 403, page("Access denied")),
    "no such model": free("stopped", *coded(404, "model_not_found")),
    "no such model, as 503": free("stopped", *coded(503, "model_not_found", NO_CHANNEL, type="new_api_error")),
    "no channel, as 503": free("stopped", 503, complaint(NO_CHANNEL, type="new_api_error", param="")),
    "no key in the channel": free("stopped", *coded(500, "channel:no_available_key", type="new_api_error")),
    "no channel got": free("stopped", *coded(500, "get_channel_failed")),
    "a code 401 in a 200": free("stopped", 200, b'{"code":401,"message":"bad token","type":"error"}'),
    "a code 401 as text in a 200": free("stopped", 200, b'{"error":{"code":"401","message":"bad token"}}'),
    "an early 401 while the body goes out": Case(
        kind="stopped", steps=(ReadRequest(whole=False), http(401, complaint("Incorrect API key")))
    ),
}

REFUSED = {
    "moderation": free("refused", *coded(400, "moderation_blocked", type=OPENAI_USER)),
    "moderation with details": free(
        "refused",
        *coded(400, "moderation_blocked", moderation_details={"moderation_stage": "output", "categories": ["x"]}),
    ),
    "moderation in a 200": free("refused", *coded(200, "moderation_blocked")),
    "moderation in a stream": free(
        "refused", 200, b'event: error\ndata: {"type":"error","error":{"code":"moderation_blocked","message":"m"}}\n\n'
    ),
    "moderation after keep-alive": free("refused", 200, b"\n\n  " + complaint("m", code="moderation_blocked")),
    "the older code": free("refused", *coded(400, "content_policy_violation")),
    "new-api's words": free("refused", *coded(400, "sensitive_words_detected", type="new_api_error")),
    "new-api's block": free("refused", *coded(400, "prompt_blocked")),
    "gptproto's numeric type": free("refused", 400, complaint("Input may not meet the guidelines", type="503")),
    "the safety system's text": free(
        "refused", 400, complaint("rejected by the safety system. safety_violations=[violence]", type=OPENAI_USER)
    ),
    "the code in capitals": free("refused", *coded(400, "MODERATION_BLOCKED")),
    "azure's inner error": free(
        "refused", 400, b'{"error":{"code":"x","innererror":{"code":"ResponsibleAIPolicyViolation"},"message":"m"}}'
    ),
    "moderation in a 500": free("refused", *coded(500, "moderation_blocked")),
}

BAD_REQUEST = {
    "a value": free("bad_request", *coded(400, "invalid_value", param="size")),
    "a size": free("bad_request", 400, complaint("must both be divisible by 16", type=OPENAI_USER, param="size")),
    "a parameter": free("bad_request", *coded(400, "unknown_parameter", "Unknown parameter: 'response_format'.")),
    "an image file": free("bad_request", *coded(400, "invalid_image_file")),
    "a mimetype": free("bad_request", *coded(400, "unsupported_file_mimetype")),
    "400 in a page": free("bad_request", 400, page("Bad Request")),
    "400 without a body": free("bad_request", 400, b""),
    "400 cut": Case(kind="bad_request", steps=(http(400, complaint("x" * 50))[:-20],)),
    "400 that hangs": Case(
        kind="bad_request", steps=(http(400, complaint("x" * 50))[:-9], Hang), deadline_seconds=SOON
    ),
    "400 with an image": free("bad_request", 400, document()),
    "a missing page": free("bad_request", 404, page("Not Found"), words="base_url"),
    "405": free("bad_request", 405, b""),
    "413 of a front end": free("bad_request", 413, page("413 Request Entity Too Large")),
    "an early 413": Case(kind="bad_request", steps=(ReadRequest(whole=False), http(413, page("too large")))),
    "415": free("bad_request", 415, complaint("unsupported")),
    "litellm's field": free(
        "bad_request", 422, b'{"detail":[{"type":"missing","loc":["body","image"],"msg":"Field required"}]}',
        words="body.image: Field required",
    ),
    "451": free("bad_request", 451, complaint("not here")),
    "418": free("bad_request", 418, b"teapot"),
}  # fmt: skip

THROTTLED = {
    "429": free("throttled", *coded(429, "rate_limit_exceeded", "Rate limit reached")),
    "429 without a code": free("throttled", 429, complaint("busy")),
    "429 in a page": free("throttled", 429, page("Too Many Requests")),
    "429 in a 200": free("throttled", 200, b'{"error":{"code":"429","message":"busy"}}'),
    "425": free("throttled", 425, b""),
    "overload as 503": free("throttled", *coded(503, "server_is_overloaded", type="service_unavailable_error")),
    "slow down as 503": free("throttled", *coded(503, "slow_down")),
    "the same key is at work": free("throttled", *coded(409, "idempotency_key_in_use", "still processing")),
    "409": free("throttled", 409, complaint("conflict")),
}

RETRY_AFTER: dict[str, tuple[dict[str, str], str, float | None]] = {
    "seconds": ({"Retry-After": "12"}, "busy", 12),
    "a fraction": ({"Retry-After": "0.25"}, "busy", 0.25),
    "milliseconds": ({"Retry-After-Ms": "467", "Retry-After": "9"}, "busy", 0.467),
    "negative": ({"Retry-After": "-5"}, "busy", 0),
    "nan": ({"Retry-After": "NaN"}, "busy", None),
    "infinite": ({"Retry-After": "inf"}, "busy", 86_400),
    "minus infinite": ({"Retry-After": "-inf"}, "busy", 0),
    "30 years": ({"Retry-After": "1000000000"}, "busy", 86_400),
    "a thousand digits": ({"Retry-After": "9" * 1000}, "busy", 86_400),
    "empty": ({"Retry-After": ""}, "busy", None),
    "words": ({"Retry-After": "soon"}, "busy", None),
    "a superscript digit": ({"Retry-After": "\xb9"}, "busy", None),
    "a date against its own": (
        {"Retry-After": "Thu, 01 Jan 1970 00:00:30 GMT", "Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, "busy", 30,
    ),
    "a date gone by": (
        {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT", "Date": "Thu, 01 Jan 2060 00:00:00 GMT"}, "busy", 0,
    ),
    "a date that is none": ({"Retry-After": "Thu, 99 Foo 99999 00:00:00 GMT"}, "busy", None),
    "in the message": ({}, "Rate limit reached. Please try again in 12s.", 12),
    "in the message, in ms": ({}, "Please try again in 467ms.", 0.467),
    "in the message, absurd": ({}, "Please try again in 99999999999999999999s.", None),
    "when the images reset": (
        {"x-ratelimit-remaining-images": "0", "x-ratelimit-reset-images": "1m30s"}, "busy", 90,
    ),
    "when what is left resets": (
        {"x-ratelimit-remaining-tokens": "500", "x-ratelimit-reset-tokens": "6m0s"}, "busy", None,
    ),
}  # fmt: skip

SERVER_ERROR = {
    "500 with an error": free("server_error", 500, complaint("boom", type="server_error")),
    "a failed generation": free(
        "server_error", *coded(500, "image_generation_failed", type="image_generation_server_error")
    ),
    "a failed generation in a stream": free(
        "server_error", 200, b'event: error\ndata: {"type":"error","error":{"code":"image_generation_failed"}}\n\n'
    ),
    "503 with an error": free("server_error", 503, complaint("busy"), {"Retry-After": "3"}, wait_seconds=3.0),
    "501 with an error": free("server_error", 501, complaint("not yet")),
    "litellm's rewriting": free("server_error", *coded(500, "500", "litellm.APIError: x", type=None)),
    "a bare message": free("server_error", 500, b'{"message":"oops"}'),
    "a bare msg": free("server_error", 500, b'{"msg":"oops"}', words="oops"),
    "a bare err": free("server_error", 500, b'{"err":"oops"}', words="oops"),
    "a bare error_msg": free("server_error", 500, b'{"error_msg":"oops"}', words="oops"),
    "a message in a header": free("server_error", 500, b'{"header":{"message":"oops"}}', words="oops"),
    "a nested response": free("server_error", 500, b'{"response":{"error":{"message":"oops"}}}', words="oops"),
    "an error that is a text": free("server_error", 500, b'{"error":"oops"}', words="oops"),
    "a list of details": free("server_error", 500, b'{"detail":[{"loc":["x"],"msg":"oops"}]}', words="x: oops"),
    "a bill all the same": free(
        "server_error", 500, complaint("boom"), billed="maybe", provider={"maybe_billed": frozenset({500})}
    ),
}

DOUBTFUL = (
    {
        f"{status} {name}": doubt(http(status, body))
        for status in (408, 499, 502, 504, 520, 522, 524, 529)
        for name, body in {"in a page": page("Gateway Time-out"), "with an error": complaint("x")}.items()
    }
    | {
        "504 at 60 seconds": doubt(http(504, page("504 Gateway Time-out")), words="504 Gateway Time-out"),
        "500 without json": doubt(http(500, b"oops"), words="oops"),
        "500 without a body": doubt(http(500)),
        "500 in a page": doubt(http(500, page("Internal Server Error"))),
        "503 in a page": doubt(http(503, page("Service Unavailable"))),
        "500 with an empty object": doubt(http(500, b"{}")),
        "500 with an image": doubt(http(500, document())),
        "500 cut": doubt(http(500, complaint("x" * 50))[:-20]),
        "500 that hangs": doubt(http(500, complaint("x" * 50))[:-20], Hang, deadline_seconds=SOON),
        "599": doubt(http(599)),
        "a failed generation behind a gateway": doubt(http(504, complaint("x", code="image_generation_failed"))),
        "do_request_failed": doubt(http(500, complaint("x", code="do_request_failed", type="new_api_error"))),
        "bad_response_body": doubt(http(500, complaint("x", code="bad_response_body"))),
        "empty_response": doubt(http(500, complaint("x", code="empty_response"))),
        "a key used for something else, 422": doubt(http(422, complaint("idempotency key reused")), hold=True),
        "a key used for something else, 409": doubt(
            http(409, complaint("Idempotency-Key was used with a different payload")), hold=True
        ),
        "comfy's key reuse": doubt(http(422, complaint("x", code="idempotency_key_reuse")), hold=True),
        "a redirect to nowhere": doubt(http(307)),
        "a redirect to a page": doubt(http(302, page("moved"), {"Location": "{URL}/elsewhere"})),
    }
    | {
        f"{status} elsewhere": doubt(http(status, b"", {"Location": "http://127.0.0.1:9/steal"}))
        for status in (300, 301, 302, 303, 305, 307, 308)
    }
)

ODD = {
    "a code that is an object": free("server_error", 500, complaint("x", code={"a": 1})),
    "a code that is a list": free("server_error", 500, complaint("x", code=["moderation_blocked"])),
    "a code that is true": free("server_error", 500, complaint("x", code=True)),
    "a code that is a number": free("server_error", 500, complaint("x", code=12.5)),
    "a code of 9 kB": free("server_error", 500, complaint("x", code="c" * 9000)),
    "a message that is an object": free("server_error", 500, complaint({"a": {"message": "deep"}})),  # type: ignore[arg-type]
    "a message that is a list": free("server_error", 500, complaint(["a", {"msg": "b"}, None, 3])),  # type: ignore[arg-type]
    "a message of 3 MB": free("server_error", 500, complaint("x" * 900_000)),
    "a message of escapes": free("server_error", 500, complaint("\x1b]0;own\x07\x1b[2J\u202e gnp\r\nok"), words="ok"),
    "a lone surrogate in the message": free("server_error", 500, complaint("a\udc80b")),
    "an error in a list": doubt(http(500, b"[" + complaint("x") + b"]")),
    "an error of lists": free("server_error", 500, b'{"error":[[[["x"]]]]}'),
    "an error of 60 levels": free("server_error", 500, b'{"error":' + b'{"message":' * 60 + b'"x"' + b"}" * 61),
    "an error of 100,000 levels": doubt(http(500, b'{"error":' * 100_000 + b"1" + b"}" * 100_000)),
    "a page of tags": doubt(http(502, b"<" * 60_000)),
    "a page of scripts": doubt(http(502, b"<script>" * 8000)),
    "the key in the message": free("stopped", 401, complaint(f"Incorrect API key provided: {KEY}"), words="***"),
    "the key in a page": doubt(http(502, page(f"Bearer {KEY}"))),
    "the key in an unusable answer": bad(page(f"Bearer {KEY}"), "***"),
    "the key in the code": free("server_error", 500, complaint("x", code=KEY)),
    "the key as request id": free("server_error", 500, complaint("x"), {"x-request-id": KEY}),
}

REFUSALS = {
    f"{group}: {name}": case
    for group, cases in {
        "stopped": STOPPED,
        "refused": REFUSED,
        "bad request": BAD_REQUEST,
        "throttled": THROTTLED,
        "wait": {
            name: free("throttled", 429, complaint(message), headers, wait_seconds=seconds)
            for name, (headers, message, seconds) in RETRY_AFTER.items()
        },
        "server error": SERVER_ERROR,
        "doubtful": DOUBTFUL,
        "odd": ODD,
    }.items()
    for name, case in cases.items()
}
