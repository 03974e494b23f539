"""The leaf: one attempt as a function of plain data. It sends, decodes into a temp file, verifies and syncs.

Everything that decides stays outside: order, gates, budget, retries, ledger, publishing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from batchgen.clock import Clock
from batchgen.images.arrival import Arrival, Arrived, LostBytesError
from batchgen.images.picture import BadImageError
from batchgen.provider.decode import Answer, Sink
from batchgen.provider.encode import Outgoing
from batchgen.provider.failure import Failure

__all__ = ["Call", "Locate", "Transport", "perform"]

_FETCHES = 4
_FETCH_WAIT_SECONDS = 2.0


class Transport(Protocol):
    """What the leaf asks of a provider's session."""

    async def post(
        self, outgoing: Outgoing, sink: Sink, *, deadline_seconds: float, max_bytes: int = ...
    ) -> Answer | Failure:
        """Send one request and stream the answer's image into `sink`."""
        ...

    async def fetch(self, url: str, sink: Sink, *, deadline_seconds: float, max_bytes: int = ...) -> Answer | Failure:
        """Fetch a paid image from the address that an answer named."""
        ...


class Locate(Protocol):
    """Makes the address of a paid image durable before it is fetched."""

    async def __call__(self, url: str) -> None:
        """Record `url`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One attempt as it is sent. `outgoing` is None when a paid image only has to be fetched again from `url`."""

    outgoing: Outgoing | None
    url: str = ""
    deadline_seconds: float
    max_bytes: int


async def perform(
    call: Call, transport: Transport, arrival: Arrival, *, locate: Locate, landing: Callable[[], None], clock: Clock
) -> tuple[Arrived, Answer] | Failure:
    """Carry out one attempt. OSError leaves when the disk fails; everything the server can do is a Failure.

    `landing` is called when the answer is complete: from then on a stop must let it finish, for it is paid.
    """
    if call.outgoing is None:
        fetched = await _fetch(call.url, call, transport, arrival, clock)
        if not isinstance(fetched, Failure):
            landing()
        return fetched
    answer = await transport.post(
        call.outgoing, arrival, deadline_seconds=call.deadline_seconds, max_bytes=call.max_bytes
    )
    if isinstance(answer, Failure):
        return answer
    if not answer.has_image and answer.url is not None:
        await locate(answer.located or answer.url)
        fetched = await _fetch(answer.url, call, transport, arrival, clock)
        if isinstance(fetched, Failure):
            return fetched
        landing()
        return fetched[0], answer
    landing()
    return await _verified(arrival, answer)


async def _fetch(
    url: str, call: Call, transport: Transport, arrival: Arrival, clock: Clock
) -> tuple[Arrived, Answer] | Failure:
    """Fetch a paid image, several times if need be: the GET is free, and buying again would not be.

    A Failure without `hold`: it may still be fetched later. A picture that stays damaged is lost for good.
    """
    failure = Failure(kind="in_doubt", billed="maybe", message="not fetched")
    for number in range(_FETCHES):
        await clock.sleep(_FETCH_WAIT_SECONDS * number)
        answer = await transport.fetch(url, arrival, deadline_seconds=call.deadline_seconds, max_bytes=call.max_bytes)
        outcome = answer if isinstance(answer, Failure) else await _verified(arrival, answer)
        if not isinstance(outcome, Failure) or outcome.hold:
            return outcome
        failure = outcome
    return replace(failure, hold=failure.kind == "bad_answer")


async def _verified(arrival: Arrival, answer: Answer) -> tuple[Arrived, Answer] | Failure:
    try:
        return await arrival.finish(), answer
    except BadImageError as problem:
        return Failure(
            kind="bad_answer",
            billed="maybe",
            message=f"the answer is {problem}",
            provider_request_id=answer.provider_request_id,
        )
    except LostBytesError as problem:
        return Failure(
            kind="in_doubt",
            billed="maybe",
            message=f"the answer came and {problem}",
            provider_request_id=answer.provider_request_id,
        )
