"""One HTTP answer -> nothing wrong, or a `Failure`: by the error's code, then the body, then the status.

Pure; the tables are in `codes`.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime

from batchgen.provider.answer import Envelope
from batchgen.provider.codes import (
    CODES,
    KEY,
    NO_CHANNEL,
    NO_MONEY,
    NUMERIC_IN_200,
    RANK,
    REUSED,
    STILL_RUNNING,
    STOPPED_CODE,
    UNSAFE,
    USER_ERROR,
)
from batchgen.provider.complaint import Complaint, read_complaint
from batchgen.provider.facts import image_url
from batchgen.provider.failure import Billed, Failure, FailureKind
from batchgen.provider.pace import retry_after
from batchgen.safetext import Scrubber

__all__ = ["BillingRules", "judge", "request_id"]

_OK = range(200, 300)
_CLIENT_ERRORS, _SERVER_ERRORS = range(400, 500), range(500, 600)
_DOUBTFUL = frozenset({408, 499, 502, 504, *range(520, 530), *range(300, 400)})
_STOPPING, _THROTTLING = frozenset({401, 402, 403}), frozenset({409, 425, 429})
_REQUEST_IDS = ("x-request-id", "x-oneapi-request-id", "request-id", "x-correlation-id", "x-amzn-requestid", "cf-ray")


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingRules:
    """Where one provider differs, as its data say.

    `retried`: client-error statuses that it tells clients to send again. `maybe_billed`: statuses whose JSON errors it
    may charge for all the same.
    """

    retried: Container[int] = ()
    maybe_billed: Container[int] = ()


def judge(
    *,
    status: int,
    headers: Mapping[str, str],
    envelope: Envelope,
    now: datetime,
    scrub: Scrubber | None = None,
    rules: BillingRules | None = None,
) -> Failure | None:
    """What this answer means; None when it brought a whole image or says where to fetch one.

    `headers` has lower-case names; `now` reads a Retry-After date when the answer has no `Date` of its own. A whole
    image in a good answer wins over any error beside it: it is paid for.
    """
    scrub, rules = scrub or Scrubber(), rules or BillingRules()
    if status in _OK and _is_usable(envelope):
        return None
    complaint = read_complaint(envelope, scrub)
    kind, hold = _kind(status, envelope, complaint, rules)
    message = _message(status, envelope, complaint, kind)
    return Failure(
        kind=kind,
        billed=_billed(kind, status, rules),
        message=scrub.text(message),
        status=status,
        code=complaint.code if complaint else None,
        provider_request_id=request_id(headers, scrub) or (complaint.request_id if complaint else None),
        retry_after_seconds=_wait(kind, headers, message, now),
        hold=hold,
        evidence=scrub.raw(envelope.evidence) if kind == "bad_answer" else b"",
    )


def request_id(headers: Mapping[str, str], scrub: Scrubber) -> str | None:
    """The provider's own name for this request, for support tickets; never relied on."""
    found = next((headers[name] for name in _REQUEST_IDS if headers.get(name)), "")
    return scrub.text(found, limit=128) or None


def _is_usable(envelope: Envelope) -> bool:
    has_url = envelope.body is not None and image_url(envelope.body) is not None and not envelope.body.get("error")
    return envelope.complete and (envelope.has_image or has_url)


def _kind(
    status: int, envelope: Envelope, complaint: Complaint | None, rules: BillingRules
) -> tuple[FailureKind, bool]:
    if complaint is not None and _is_reused_key(status, complaint):
        return "in_doubt", True
    known = _known(status, complaint)
    if known is None and status not in _DOUBTFUL:
        known = _by_message(status, complaint)
    if known is not None:
        return known, False
    if status in _OK:
        is_over = envelope.complete or envelope.problem or (complaint is not None and complaint.is_json)
        return ("bad_answer" if is_over else "in_doubt"), False
    return _by_status(status, complaint, rules), False


def _is_reused_key(status: int, complaint: Complaint) -> bool:
    """The key was used before with another result: an earlier request was accepted, and no repetition can settle it."""
    text = " ".join((*complaint.codes, complaint.message))
    if not KEY.search(text) or STILL_RUNNING.search(text):
        return False
    return status == 422 or (status == 409 and bool(REUSED.search(text)))  # noqa: PLR2004  the draft's two statuses


def _known(status: int, complaint: Complaint | None) -> FailureKind | None:
    if complaint is None:
        return None
    found = {kind for code in complaint.codes if (kind := _code(code, status)) is not None}
    kind = next((kind for kind in RANK if kind in found), None)
    # "The generation failed" behind a gateway's time-out says nothing of the gateway's own retries: the doubt stays.
    return None if kind == "server_error" and status in _DOUBTFUL else kind


def _code(code: str, status: int) -> FailureKind | None:
    if STOPPED_CODE.fullmatch(code):
        return "stopped"
    if code == "503" and status == 400:  # noqa: PLR2004  GPTProto's content refusal: type "503" under status 400
        return "refused"
    return CODES.get(code) or (NUMERIC_IN_200.get(code) if status in _OK else None)


def _by_message(status: int, complaint: Complaint | None) -> FailureKind | None:
    if complaint is None or not complaint.is_json:
        return None
    if NO_CHANNEL.search(complaint.message) or NO_MONEY.search(complaint.message):
        return "stopped"
    if status != 401 and UNSAFE.search(complaint.message):  # noqa: PLR2004  a wrong key
        return "refused"
    return "bad_request" if USER_ERROR in complaint.codes else None


def _by_status(status: int, complaint: Complaint | None, rules: BillingRules) -> FailureKind:
    if status in _STOPPING:
        return "stopped"
    if status in _THROTTLING:
        return "throttled"
    if status in _DOUBTFUL:
        return "in_doubt"
    if status in _CLIENT_ERRORS:
        return "server_error" if status in rules.retried else "bad_request"
    has_error = status in _SERVER_ERRORS and complaint is not None and complaint.is_json
    return "server_error" if has_error else "in_doubt"


def _billed(kind: FailureKind, status: int, rules: BillingRules) -> Billed:
    if kind in {"in_doubt", "bad_answer"} or (kind == "server_error" and status in rules.maybe_billed):
        return "maybe"
    return "no"


def _wait(kind: FailureKind, headers: Mapping[str, str], message: str, now: datetime) -> float | None:
    if kind == "throttled":
        return retry_after(headers, message, now=now)
    # Rate-limit headers come with every answer; outside a rate limit only an explicit request to wait counts.
    asked = {name: value for name, value in headers.items() if not name.startswith("x-ratelimit-")}
    return retry_after(asked, "", now=now) if kind in {"server_error", "in_doubt"} else None


def _message(status: int, envelope: Envelope, complaint: Complaint | None, kind: FailureKind) -> str:
    said = complaint.message if complaint else ""
    if status in _OK:
        if kind == "in_doubt" and not (complaint and complaint.is_json):
            return "the answer was cut short"
        problem = envelope.problem or _WITHOUT_IMAGE[envelope.form]
        return f"{problem}: {said}" if envelope.form == "text" else said or problem
    if complaint is None or not complaint.is_json:
        # The title of a gateway's page often begins with the status itself.
        known = f"http {said}" if said.startswith(str(status)) else f"http {status}: {said}"
        said = known if said else f"http {status} without an explanation"
    if status == 404 and kind == "bad_request":  # noqa: PLR2004  the usual cause
        said += "; check base_url, which usually ends in /v1"
    return said or f"http {status}"


_WITHOUT_IMAGE = {
    "empty": "an empty answer",
    "json": "an answer without an image",
    "events": "a stream without an image",
    "image": "an image that is not whole",
    "text": "a page or text came, neither json nor an image",
}
