"""What error codes and error texts mean: the tables that `judge` reads.

They hold what OpenAI documents and what gateways of the one-api and new-api family send in its place. A code is listed
only if it says on its own what happened; `server_error` or `upstream_error` say too little.
"""

import re

from batchgen.provider.failure import FailureKind

__all__ = [
    "CODES",
    "KEY",
    "NO_CHANNEL",
    "NO_MONEY",
    "NUMERIC_IN_200",
    "RANK",
    "REUSED",
    "STILL_RUNNING",
    "STOPPED_CODE",
    "UNSAFE",
    "USER_ERROR",
]

_REFUSED = """
    moderation_blocked content_policy_violation content_filter contentfilter content_filtered
    sensitive_words_detected prompt_blocked responsibleaipolicyviolation responsible_ai_policy_violation
    safety_violation content_moderation_failed
"""
_STOPPED = """
    invalid_api_key invalid_token invalid_authentication authentication_error permission_error
    permission_denied access_denied account_deactivated account_suspended insufficient_quota
    insufficient_user_quota insufficient_balance pre_consume_token_quota_failed quota_exceeded model_not_found
    model_not_available get_channel_failed unsupported_country_region_territory ip_not_authorized
    organization_not_verified organization_verification_required
"""
_THROTTLED = """
    rate_limit_exceeded rate_limit_error rate_limit_reached too_many_requests slow_down server_is_overloaded
    overloaded_error engine_overloaded concurrency_limit_exceeded idempotency_key_in_use
    idempotency_in_progress request_in_progress
"""
_BAD_REQUEST = """
    invalid_value invalid_type unknown_parameter missing_required_parameter unsupported_parameter
    unsupported_value invalid_image invalid_image_file invalid_image_format image_too_large image_parse_error
    unsupported_file_mimetype invalid_size invalid_request string_above_max_length context_length_exceeded
    invalid_prompt
"""
_SERVER_ERROR = """
    image_generation_failed image_generation_server_error bad_response_status_code read_request_body_failed
"""
_IN_DOUBT = "do_request_failed bad_response_body empty_response request_timeout upstream_timeout gateway_timeout"

_BY_KIND: dict[FailureKind, str] = {
    "in_doubt": _IN_DOUBT,
    "server_error": _SERVER_ERROR,
    "bad_request": _BAD_REQUEST,
    "throttled": _THROTTLED,
    "refused": _REFUSED,
    "stopped": _STOPPED,
}
CODES = {code: kind for kind, codes in _BY_KIND.items() for code in codes.split()}
# No money outweighs "too fast", a refusal outweighs "bad request": an error's code and type may name both.
RANK: tuple[FailureKind, ...] = ("stopped", "refused", "throttled", "bad_request", "in_doubt", "server_error")
# Blames the request, but not for what: where a gateway drops `moderation_blocked`, this stays beside the text.
USER_ERROR = "image_generation_user_error"
STOPPED_CODE = re.compile(r"(?:billing_|credit_|channel:).+|.+_(?:spend|usage)_limit_exceeded")
NUMERIC_IN_200: dict[str, FailureKind] = {"401": "stopped", "402": "stopped", "403": "stopped", "429": "throttled"}

# The IETF draft on the Idempotency-Key header: 422 for a key with another payload, 409 while the first request runs.
KEY = re.compile(r"idempoten", re.IGNORECASE)
REUSED = re.compile(r"re-?us|different|mismatch|already (?:been )?used|another (?:request|payload)", re.IGNORECASE)
STILL_RUNNING = re.compile(
    r"in[ _-]?progress|in[ _-]?use|still (?:running|processing)|concurrent|already being", re.IGNORECASE
)
NO_CHANNEL = re.compile(r"no available (?:channel|key|account)|无可用(?:渠道|密钥)", re.IGNORECASE)
NO_MONEY = re.compile(
    r"exceeded your current quota|billing hard limit"
    r"|insufficient[ _](?:\w+[ _])?(?:quota|balance|credits?|funds)|(?:out of|not enough|no) (?:credits?|balance|quota)"
    r"|(?:quota|balance) (?:is )?(?:not enough|insufficient|exhausted)|余额不足|额度不足|额度已用尽",
    re.IGNORECASE,
)
UNSAFE = re.compile(
    r"safety[ _](?:system|violations)|content[ _](?:policy|filter)|moderation_blocked"
    r"|(?:blocked|flagged|rejected) by .{0,30}(?:moderation|safety)"
    r"|may (?:not meet the|violate) .{0,30}(?:guidelines|polic)"
    r"|violat\w+ .{0,40}(?:guidelines|polic(?:y|ies)|terms of)"
    r"|sensitive words|内容(?:违规|审核)|敏感词",
    re.IGNORECASE,
)
