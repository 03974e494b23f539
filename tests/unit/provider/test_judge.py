import json
from datetime import UTC, datetime

import pytest
from fakes.sinks import MemorySink

from batchgen.provider.decode import Decoder
from batchgen.provider.failure import Failure
from batchgen.provider.judge import BillingRules, judge
from batchgen.safetext import Scrubber

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
HTML = b"<html><head><title>Gateway trouble</title></head><body>nginx</body></html>"


def judged(
    status: int, body: bytes | dict = b"", *, cut: bool = False, headers=None, rules=None, scrub=None
) -> Failure | None:
    decoder = Decoder(MemorySink())
    decoder.feed(body if isinstance(body, bytes) else json.dumps(body).encode())
    envelope = decoder.finish(cut=cut)
    return judge(status=status, headers=headers or {}, envelope=envelope, now=NOW, rules=rules, scrub=scrub)


def error(message: str = "no", *, code=None, type=None, **more) -> dict:  # noqa: A002  the field's name
    return {"error": {"message": message, "type": type, "param": None, "code": code, **more}}


def sse(body: dict, name: str = "error") -> bytes:
    return f"event: {name}\ndata: {json.dumps(body)}\n\n".encode()


VERDICTS = {
    # A 200 that brings no image.
    "200 empty": (200, b"", "bad_answer"),
    "200 whitespace": (200, b"  \n ", "bad_answer"),
    "200 null": (200, b"null", "bad_answer"),
    "200 empty object": (200, {}, "bad_answer"),
    "200 empty list": (200, b"[]", "bad_answer"),
    "200 empty data": (200, {"data": []}, "bad_answer"),
    "200 data null": (200, {"data": None}, "bad_answer"),
    "200 data with empty strings": (200, {"data": [{"url": "", "b64_json": "", "revised_prompt": ""}]}, "bad_answer"),
    "200 url that is no address": (200, {"data": [{"url": "not an address"}]}, "bad_answer"),
    "200 url of a file": (200, {"data": [{"url": "file:///etc/passwd"}]}, "bad_answer"),
    "200 broken base64": (200, {"data": [{"b64_json": "QUJD!"}]}, "bad_answer"),
    "200 html": (200, HTML, "bad_answer"),
    "200 plain text": (200, b"upstream error", "bad_answer"),
    "200 unreadable json": (200, b'{"data": [}]', "bad_answer"),
    "200 deep json": (200, b"[" * 100_000 + b"]" * 100_000, "bad_answer"),
    "200 unknown error": (200, error("something odd"), "bad_answer"),
    "200 error text": (200, {"error": "something odd"}, "bad_answer"),
    "200 generic server error": (200, error("oops", code="server_error"), "bad_answer"),
    "200 upstream error": (200, error("Upstream request failed", type="upstream_error"), "bad_answer"),
    "200 url beside an unknown error": (200, {"error": "odd", "data": [{"url": "https://a.example/b"}]}, "bad_answer"),
    "202 task": (202, {"id": "t1", "polling_url": "/t1", "status": "pending"}, "bad_answer"),
    "204 nothing": (204, b"", "bad_answer"),
    # A known code decides, also in a 200.
    "200 moderation": (200, error(code="moderation_blocked", type="image_generation_user_error"), "refused"),
    "200 quota": (200, error(code="insufficient_quota"), "stopped"),
    "200 rate limit": (200, error(code="rate_limit_exceeded"), "throttled"),
    "200 numeric 429": (200, error("slow", code=429), "throttled"),
    "200 numeric 401 without error": (200, {"code": 401, "message": "bad key", "type": "error"}, "stopped"),
    "200 numeric 500": (200, error("odd", code="500"), "bad_answer"),
    "200 generation failed": (200, error(code="image_generation_failed"), "server_error"),
    "200 invalid value": (200, error(code="invalid_value"), "bad_request"),
    "200 safety text": (200, error("rejected as a result of our safety system"), "refused"),
    "200 quota text": (200, error("You exceeded your current quota, please check your plan"), "stopped"),
    # Streams.
    "stream moderation": (200, sse({"type": "error", "error": {"code": "moderation_blocked"}}), "refused"),
    "stream generation failed": (
        200,
        sse({"type": "error", "error": {"type": "image_generation_server_error", "code": "image_generation_failed"}}),
        "server_error",
    ),
    "stream unknown error": (200, sse({"error": {"message": "x"}}, "whatever"), "bad_answer"),
    "stream error text": (200, b"event: error\ndata: boom\n\n", "bad_answer"),
    "stream without completed": (200, sse({"b64_json": "QUJD"}, "image_edit.partial_image"), "in_doubt"),
    "stream with end mark only": (200, b"data: [DONE]\n\n", "in_doubt"),
    "stream of comments": (200, b": ping\n\n: ping\n\n", "in_doubt"),
    "stream completed without image": (200, sse({"usage": {}}, "image_generation.completed"), "bad_answer"),
    "stream completed with broken image": (200, sse({"b64_json": "!!!!"}, "image_edit.completed"), "bad_answer"),
    # Refusals.
    "400 moderation": (400, error(code="moderation_blocked", type="image_generation_user_error"), "refused"),
    "400 content policy": (400, error(code="content_policy_violation"), "refused"),
    "400 azure filter": (400, error(code="contentFilter"), "refused"),
    "400 azure inner": (400, error(code="BadRequest", innererror={"code": "ResponsibleAIPolicyViolation"}), "refused"),
    "400 sensitive words": (400, error(code="sensitive_words_detected", type="new_api_error", param=""), "refused"),
    "400 prompt blocked": (400, error(code="prompt_blocked"), "refused"),
    "400 numeric type": (400, {"error": {"message": "Input may not meet the guidelines", "type": "503"}}, "refused"),
    "400 numeric type, other text": (400, {"error": {"message": "x", "type": "503"}}, "refused"),
    "400 safety text": (400, error("rejected by the safety system", type="invalid_request_error"), "refused"),
    "400 user error, safety text": (400, error("our safety system", type="image_generation_user_error"), "refused"),
    "200 user error": (200, error("size", type="image_generation_user_error"), "bad_request"),
    "400 violations text": (400, error("... safety_violations=[sexual]"), "refused"),
    "422 moderation": (422, error(code="moderation_blocked"), "refused"),
    "403 moderation": (403, error(code="content_policy_violation"), "refused"),
    "500 moderation": (500, error(code="moderation_blocked"), "refused"),
    "502 moderation": (502, error(code="moderation_blocked"), "refused"),
    "500 sensitive words text": (500, error("sensitive words detected"), "refused"),
    # Bad requests.
    "400 bare": (400, b"", "bad_request"),
    "400 html": (400, HTML, "bad_request"),
    "400 invalid value": (400, error(code="invalid_value", type="image_generation_user_error"), "bad_request"),
    "400 unknown parameter": (400, error("Unknown parameter: 'moderation'.", code="unknown_parameter"), "bad_request"),
    "400 invalid image": (400, error("Invalid image file or mode", code="invalid_image_file"), "bad_request"),
    "400 user error": (400, error(type="image_generation_user_error"), "bad_request"),
    "400 no code": (400, error("something"), "bad_request"),
    "404 html": (404, HTML, "bad_request"),
    "405": (405, b"", "bad_request"),
    "411": (411, b"", "bad_request"),
    "413": (413, HTML, "bad_request"),
    "415": (415, error("no"), "bad_request"),
    "422 detail list": (422, {"detail": [{"loc": ["body", "image"], "msg": "field required"}]}, "bad_request"),
    "431": (431, b"", "bad_request"),
    "418": (418, b"", "bad_request"),
    # Nothing more to send.
    "401": (401, error(code="invalid_api_key"), "stopped"),
    "401 bare": (401, b"", "stopped"),
    "401 html": (401, HTML, "stopped"),
    "402": (402, error("pay"), "stopped"),
    "402 text": (402, b"payment required", "stopped"),
    "403 unverified": (403, error("Your organization must be verified to use the model"), "stopped"),
    "403 balance": (403, {"error": {"message": "forbidden or no balance", "type": "403"}}, "stopped"),
    "403 user quota": (403, error(code="insufficient_user_quota", type="new_api_error"), "stopped"),
    "403 token quota": (403, error(code="pre_consume_token_quota_failed"), "stopped"),
    "429 quota code": (429, error(code="insufficient_quota", type="insufficient_quota"), "stopped"),
    "429 quota type": (429, error(code="rate_limit_exceeded", type="insufficient_quota"), "stopped"),
    "429 user quota": (429, error(code="insufficient_user_quota"), "stopped"),
    "429 credit": (429, error(code="credit_balance_exhausted"), "stopped"),
    "429 spend limit": (429, error(code="project_spend_limit_exceeded"), "stopped"),
    "429 usage limit": (429, error(code="organization_usage_limit_exceeded"), "stopped"),
    "429 quota text": (429, error("You exceeded your current quota, please check your plan and billing"), "stopped"),
    "429 chinese balance": (429, error("用户余额不足"), "stopped"),
    "400 billing limit": (400, error(code="billing_hard_limit_reached"), "stopped"),
    "400 billing inactive": (400, error(code="billing_not_active"), "stopped"),
    "404 model": (404, error(code="model_not_found"), "stopped"),
    "503 model": (503, error(code="model_not_found", type="new_api_error"), "stopped"),
    "503 no channel text": (503, error("No available channel for model gpt-image-2 under group default"), "stopped"),
    "500 no channel code": (500, error(code="get_channel_failed"), "stopped"),
    "500 no key in channel": (500, error(code="channel:no_available_key"), "stopped"),
    # Too fast.
    "429": (429, error(code="rate_limit_exceeded"), "throttled"),
    "429 bare": (429, b"", "throttled"),
    "429 html": (429, HTML, "throttled"),
    "429 limit text": (429, error("Rate limit reached: Limit 5, Used 5. Please try again in 12s."), "throttled"),
    "425": (425, b"", "throttled"),
    "409 in progress": (409, error("A request with this Idempotency-Key is still in progress"), "throttled"),
    "409 bare": (409, b"", "throttled"),
    "503 slow down": (503, error(code="slow_down"), "throttled"),
    "503 overloaded": (503, error(code="server_is_overloaded"), "throttled"),
    # The server failed and says so in the API's own form.
    "500 json": (500, error("The server had an error", type="server_error"), "server_error"),
    "500 error text": (500, {"error": "boom"}, "server_error"),
    "500 msg": (500, {"msg": "boom"}, "server_error"),
    "500 header": (500, {"header": {"message": "boom"}}, "server_error"),
    "500 nested": (500, {"response": {"error": {"message": "boom"}}}, "server_error"),
    "500 numeric code": (500, error("litellm.APIError", code="500"), "server_error"),
    "500 bad status upstream": (500, error(code="bad_response_status_code"), "server_error"),
    "501 json": (501, error("no"), "server_error"),
    "503 json": (503, error("Service Unavailable"), "server_error"),
    "507 json": (507, error("no"), "server_error"),
    # Nobody knows.
    "500 bare": (500, b"", "in_doubt"),
    "500 html": (500, HTML, "in_doubt"),
    "500 text": (500, b"Internal Server Error", "in_doubt"),
    "500 json without error": (500, {"status": "odd", "data": []}, "in_doubt"),
    "500 cut json": (500, b'{"error": {"message": "bo', "in_doubt"),
    "500 upstream request": (500, error(code="do_request_failed"), "in_doubt"),
    "500 upstream body": (500, error(code="bad_response_body"), "in_doubt"),
    "503 html": (503, HTML, "in_doubt"),
    "408": (408, error("timeout"), "in_doubt"),
    "499": (499, b"", "in_doubt"),
    "502 html": (502, HTML, "in_doubt"),
    "502 json": (502, error("Upstream request failed", type="upstream_error"), "in_doubt"),
    "502 safety text": (502, error("rejected by the safety system"), "in_doubt"),
    "504 no channel text": (504, error("No available channel for model"), "in_doubt"),
    "502 generation failed": (502, error(code="image_generation_failed"), "in_doubt"),
    "504 json": (504, error("timeout"), "in_doubt"),
    **{f"{status}": (status, HTML, "in_doubt") for status in (504, *range(520, 530))},
    **{f"{status} json": (status, error("cloudflare"), "in_doubt") for status in (520, 521, 523, 524, 525, 526)},
    **{f"{status}": (status, b"", "in_doubt") for status in (300, 301, 302, 303, 304, 307, 308)},
    "101": (101, b"", "in_doubt"),
    "600": (600, b"", "in_doubt"),
    "999 json": (999, error("odd"), "in_doubt"),
}  # fmt: skip


@pytest.mark.parametrize("name", VERDICTS)
def test_answer_leads_to_its_kind(name):
    """Each answer that gateways were seen to give leads to the one kind that is right for the user's money."""
    status, body, kind = VERDICTS[name]
    failure = judged(status, body)
    assert failure.kind == kind
    assert failure.billed == ("maybe" if kind in {"in_doubt", "bad_answer"} else "no")
    assert failure.status == status
    assert failure.message
    assert not failure.hold


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, error(code="idempotency_key_reuse")),
        (422, error("Idempotency-Key was already used with another payload")),
        (409, error("Keys for idempotent requests can only be used with the same parameters: this one is different")),
        (409, error(code="idempotency_key_reused")),
    ],
)
def test_reused_key_is_held(status, body):
    """A key that was used before speaks of an earlier purchase: no repetition can settle it."""
    failure = judged(status, body)
    assert (failure.kind, failure.billed, failure.hold) == ("in_doubt", "maybe", True)


IMAGE = {"data": [{"b64_json": "QUJD"}]}


@pytest.mark.parametrize("body", [IMAGE, {**IMAGE, "error": None}, {**IMAGE, "error": {"code": "moderation_blocked"}}])
def test_whole_image_in_a_good_answer_wins(body):
    """An image that is there is paid for, whatever stands beside it."""
    assert judged(200, body) is None


def test_image_under_an_error_status_is_no_answer():
    """What comes with an error status is judged as the error it says it is."""
    assert judged(500, {**IMAGE, "error": {"message": "x"}}).kind == "server_error"


@pytest.mark.parametrize("body", [{"data": [{"url": "https://a.example/b.png"}]}, {"url": "HTTP://a.example/b"}])
def test_address_is_an_answer(body):
    """An answer may say where the image is."""
    assert judged(200, body) is None


@pytest.mark.parametrize("body", [b"", b'{"data": [', json.dumps(IMAGE).encode()[:-1], HTML, b"\x89PNG cut"])
def test_cut_answer_is_in_doubt(body):
    """A good answer that was cut is in doubt, whatever had come of it."""
    failure = judged(200, body, cut=True)
    assert (failure.kind, failure.message) == ("in_doubt", "the answer was cut short")


def test_bad_answer_keeps_its_evidence_without_the_key():
    """The raw body of a bad answer is kept, and an echoed key struck from it."""
    failure = judged(200, {"odd": "sk-secret-1234567890"}, scrub=Scrubber(["sk-secret-1234567890"]))
    assert failure.evidence == b'{"odd": "***"}'


def test_other_failures_keep_no_evidence():
    """Only an answer that may be paid for is worth keeping."""
    assert judged(400, error("no")).evidence == b""


def test_provider_data_make_an_error_billed():
    """A provider that charges for failed generations is believed."""
    assert judged(500, error("x"), rules=BillingRules(maybe_billed={500})).billed == "maybe"


def test_provider_data_make_a_status_worth_repeating():
    """A client-error status that the provider's document says to retry is no final failure."""
    assert judged(423, error("locked"), rules=BillingRules(retried={423})).kind == "server_error"


def test_provider_data_do_not_turn_a_refusal():
    """A refusal stays one, whatever statuses the provider's document lists."""
    assert judged(400, error(code="moderation_blocked"), rules=BillingRules(retried={400})).kind == "refused"


@pytest.mark.parametrize("name", ["x-request-id", "x-oneapi-request-id", "cf-ray"])
def test_request_id_comes_from_headers(name):
    """The provider's own id is kept for support tickets."""
    assert judged(500, error("x"), headers={name: "req_1"}).provider_request_id == "req_1"


def test_request_id_comes_from_the_message():
    """New-api puts its id into the message."""
    failure = judged(500, error("boom (request id: 2026112008000012345)"))
    assert failure.provider_request_id == "2026112008000012345"


def test_code_is_kept_as_written():
    """The code of the error is on record as the server wrote it."""
    assert judged(400, error(code="Invalid_Value")).code == "Invalid_Value"


def test_wait_is_read_only_where_it_matters():
    """A rate-limit header on another failure asks for nothing; a Retry-After does."""
    assert judged(500, error("x"), headers={"x-ratelimit-reset-requests": "9s"}).retry_after_seconds is None
    assert judged(503, error("x"), headers={"retry-after": "7"}).retry_after_seconds == 7
    assert judged(429, error("try again in 12s")).retry_after_seconds == 12
    assert judged(400, error("x"), headers={"retry-after": "7"}).retry_after_seconds is None


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (502, HTML, "http 502: Gateway trouble"),
        (524, b"<title>524: A timeout occurred</title>", "http 524: A timeout occurred"),
        (504, b"<title>504 Gateway Time-out</title>", "http 504 Gateway Time-out"),
        (500, b"", "http 500 without an explanation"),
        (200, b"", "an empty answer"),
        (200, HTML, "a page or text came, neither json nor an image: Gateway trouble"),
        (200, {"data": [{"b64_json": "Q!JD"}]}, "a character that is not base64"),
        (404, b"", "http 404 without an explanation; check base_url, which usually ends in /v1"),
        (400, {"error": {"message": ""}}, "http 400"),
    ],
)
def test_message_says_what_is_known(status, body, said):
    """Where the server explains nothing, the message says what was seen."""
    assert judged(status, body).message == said


def test_message_is_clean_and_short():
    """Control bytes and length of a foreign message never reach a terminal or the ledger."""
    failure = judged(400, error("\x1b[31mred\u202e\ud800 " + "x" * 999))
    assert len(failure.message) == 300
    assert failure.message.startswith("red xxx")
