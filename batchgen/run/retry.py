"""What to do after a failed attempt: pure arithmetic, no clock and no sleeping."""

from dataclasses import dataclass
from typing import Literal

from batchgen.provider.failure import Failure

__all__ = ["Again", "GiveUp", "RetryPolicy", "StopRun", "Verdict", "backoff_seconds", "decide"]

_JITTER = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how soon. `attempts` counts every send within one run, throttled ones not.

    `waits_seconds` are used in order, then the last one doubles up to `max_wait_seconds`. `resends` bounds how many
    times a request in doubt may be sent again since the last decision, over all runs.
    """

    attempts: int = 6
    waits_seconds: tuple[float, ...] = (3.0, 8.0, 15.0)
    max_wait_seconds: float = 60.0
    give_up_after_seconds: float = 1200.0
    in_doubt: Literal["resend", "hold"] = "resend"
    resends: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Send it again after `wait_seconds`."""

    wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """This run does not send it again. `is_held`: no run does, until somebody decides."""

    reason: str
    is_held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRun:
    """Nothing more is sent to this provider."""

    reason: str


Verdict = Again | GiveUp | StopRun


def decide(
    policy: RetryPolicy, failure: Failure, *, sends: int, doubts: int, jitter: float, is_outage: bool = False
) -> Verdict:
    """The verdict on `failure`.

    `sends` counts this run's sends of the request, this one included; `doubts` its maybe-billed attempts since the last
    decision, this one included; `jitter` is random in [0, 1). During an outage nobody is failed for trying.
    """
    match failure.kind:
        case "stopped":
            return StopRun(reason=failure.message)
        case "refused" | "bad_request":
            return GiveUp(reason=failure.message)
        case "throttled":
            return Again(wait_seconds=_wait(policy, failure, sends, jitter))
    if failure.billed == "maybe" or failure.hold:
        held = failure.hold or policy.in_doubt == "hold" or doubts > policy.resends
        if held:
            return GiveUp(reason=failure.message, is_held=True)
    if sends >= policy.attempts and not is_outage:
        return GiveUp(reason=f"{failure.message} (after {sends} tries)")
    return Again(wait_seconds=_wait(policy, failure, sends, jitter))


def backoff_seconds(policy: RetryPolicy, sends: int, jitter: float) -> float:
    """The wait after the `sends`-th send: the listed waits, then doubling, at most `max_wait_seconds`.

    Up to a quarter less at random, so that requests that failed together do not come back together.
    """
    listed = policy.waits_seconds or (1.0,)
    number = max(sends, 1) - 1
    # The exponent is capped: 2.0 ** 1100 overflows, and long before that the longest wait is reached.
    doubled = listed[-1] * 2.0 ** min(number - len(listed) + 1, 64)
    wait = listed[number] if number < len(listed) else doubled
    return min(wait, policy.max_wait_seconds) * (1 - _JITTER * jitter)


def _wait(policy: RetryPolicy, failure: Failure, sends: int, jitter: float) -> float:
    own = backoff_seconds(policy, sends, jitter)
    asked = failure.retry_after_seconds
    # Above the limit the provider as a whole pauses instead (see `limits.Gate`).
    return own if asked is None or asked > policy.max_wait_seconds else max(own, asked)
