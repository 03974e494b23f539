"""One HTTP exchange, as far as it came -> the caller's `Answer` or `Failure`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from batchgen.provider.answer import Answer, Envelope
from batchgen.provider.facts import echoed, image_url, revised_prompt, usage
from batchgen.provider.failure import MESSAGE_CHARACTERS, Failure, from_exception
from batchgen.provider.judge import BillingRules, judge, request_id
from batchgen.provider.pace import retry_after
from batchgen.safetext import Scrubber

__all__ = ["Received", "first_of_each", "is_success", "lost", "not_fetched", "settle", "settle_fetched"]

_OK = range(200, 300)
_KILOBYTE = 1000
_WORTH_ASKING_AGAIN = frozenset({408, 425, 429, *range(500, 600)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One HTTP answer as far as it came; `headers` has lower-case names, `broken` is the exception that cut it."""

    status: int
    headers: Mapping[str, str]
    envelope: Envelope
    broken: Exception | None


def first_of_each(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by lower-case name; of a repeated one the first counts."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        found.setdefault(name.lower(), value)
    return found


def is_success(status: int) -> bool:
    """Whether an image in an answer of this status is ours."""
    return status in _OK


def settle(received: Received, *, now: datetime, scrub: Scrubber, rules: BillingRules) -> Answer | Failure:
    """What a request for an image came to."""
    failure = judge(
        status=received.status,
        headers=received.headers,
        envelope=received.envelope,
        now=now,
        scrub=scrub,
        rules=rules,
    )
    if failure is None:
        return _answer(received, scrub)
    if received.broken is not None and failure.kind == "in_doubt" and is_success(received.status):
        why = from_exception(received.broken, headers_sent=True, scrub=scrub)
        return replace(failure, message=f"{why.message}{_so_far(received.envelope.bytes_received)}")
    return failure


def _so_far(count: int) -> str:
    """How much of an answer came, for whoever wonders whether anything was made."""
    size = f"{count / 1000:.0f} kB" if count >= _KILOBYTE else f"{count} bytes"
    return f"; {size if count else 'nothing'} of the answer had come"


def settle_fetched(received: Received, *, now: datetime, scrub: Scrubber) -> Answer | Failure:
    """What fetching an image came to. Every failure is in doubt; `hold` says that asking again is useless."""
    envelope, status = received.envelope, received.status
    if is_success(status):
        if envelope.has_image and envelope.complete:
            return Answer(has_image=True, warnings=envelope.warnings, bytes_received=envelope.bytes_received)
        if received.broken is not None:
            return not_fetched(from_exception(received.broken, headers_sent=True, scrub=scrub))
        # A page in place of the picture may be a guard that lets the next one pass; a picture too large stays so.
        problem = envelope.problem or "something that is no image"
        return replace(lost(f"its address gave {problem}"), status=status, hold=bool(envelope.problem))
    return replace(
        lost(f"its address answered http {status}"),
        status=status,
        hold=status not in _WORTH_ASKING_AGAIN,
        retry_after_seconds=retry_after(received.headers, "", now=now),
    )


def lost(reason: str) -> Failure:
    """A paid image that cannot be fetched, now or ever."""
    return Failure(kind="in_doubt", billed="maybe", message=f"the image cannot be fetched: {reason}", hold=True)


def not_fetched(failure: Failure) -> Failure:
    """A failure of the transport while fetching: free to repeat, whatever was sent."""
    return replace(lost(failure.message[: MESSAGE_CHARACTERS - 40]), hold=False)


def _answer(received: Received, scrub: Scrubber) -> Answer:
    envelope = received.envelope
    body = envelope.body or {}
    warnings = list(envelope.warnings)
    if envelope.problem:
        warnings.append(envelope.problem)
    if body.get("error"):
        warnings.append("an error stands beside the image; the image is used")
    url = None if envelope.has_image else image_url(body)
    return Answer(
        has_image=envelope.has_image,
        url=url,
        located=scrub.raw(url.encode()).decode() if url is not None else None,
        usage=usage(body, scrub),
        revised_prompt=revised_prompt(body, scrub),
        provider_request_id=request_id(received.headers, scrub),
        echoed=echoed(body, scrub),
        warnings=tuple(warnings),
        bytes_received=envelope.bytes_received,
    )
