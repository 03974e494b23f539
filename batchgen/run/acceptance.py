"""What is allowed and still worth knowing before a job is paid for, each at its place in the manifest."""

from collections.abc import Iterable, Iterator

from batchgen.errors import Problem
from batchgen.manifest.schema import PromptBlock
from batchgen.plan.bare import bare_reference
from batchgen.plan.price import expected_seconds
from batchgen.provider.catalog import Provider
from batchgen.provider.check import notes, provider_notes
from batchgen.provider.encode import sent_params
from batchgen.request import Request
from batchgen.run.job import Job
from batchgen.run.refusals import distinction, place_of

__all__ = ["image_seconds", "warnings"]

_LIMITS = {"request_timeout"}


def warnings(job: Job, requests: Iterable[Request]) -> list[Problem]:
    """What is allowed and still worth knowing before paying for it."""
    found = _placed(job, requests)
    for provider in job.providers:
        timeout = job.limits.request_timeout_seconds
        for field, message in provider_notes(provider, timeout_seconds=timeout):
            keys = ("limits", field) if field in _LIMITS else ("provider", field)
            found.append(job.manifest.problem(keys, message))
    return [*found, *_bare_names(job, requests), *_short_drain(job, requests)]


def image_seconds(request: Request, provider: Provider) -> float:
    """About how long one image takes, in seconds: as the provider's document says, else by model, size and quality."""
    if provider.expected_seconds:
        return provider.expected_seconds
    params = sent_params(provider, request.params)
    return expected_seconds(str(params.get("model") or ""), params, images=len(request.images))


def _short_drain(job: Job, requests: Iterable[Request]) -> Iterator[Problem]:
    """A drain cut to a service manager's grace that no image can make in time turns every stop into doubts."""
    if job.manifest.document.limits.drain is None or job.providers[0].embedded:
        return
    drain = job.limits.drain_seconds
    longest = max((image_seconds(request, job.providers[0]) for request in _distinct(requests)), default=0.0)
    if drain < longest:
        message = (
            f"{drain:g} s is shorter than an image takes (about {longest:.0f} s), so a stopped run leaves what it has "
            "sent in doubt; allow more, and the service manager as much before it kills"
        )
        yield job.manifest.problem(("limits", "drain"), message)


def _placed(job: Job, requests: Iterable[Request]) -> list[Problem]:
    problems: dict[str, Problem] = {}
    for request in _distinct(requests):
        for provider in job.providers:
            for field, message in notes(provider, request):
                problem = job.manifest.problem(place_of(job.manifest.document, request, field), message)
                problems.setdefault(str(problem), problem)
    return list(problems.values())


def _distinct(requests: Iterable[Request]) -> Iterator[Request]:
    """One request for each combination that a provider could judge differently."""
    seen: set[tuple[object, ...]] = set()
    for request in requests:
        key = distinction(request)
        if key not in seen:
            seen.add(key)
            yield request


def _bare_names(job: Job, requests: Iterable[Request]) -> Iterator[Problem]:
    """Prompts that hold a known name in braces and no dollar: it would be sent, and paid for, as it is written."""
    document = job.manifest.document
    firsts: dict[int, Request] = {}
    for request in requests:
        firsts.setdefault(request.prompt_index, request)
    for index, request in firsts.items():
        block = document.prompts[index]
        own = PromptBlock(text=block) if isinstance(block, str) else block
        columns = [name.removeprefix("row.") for name in request.axes if name.startswith("row.")]
        bare = bare_reference(own.text or request.prompt, (*request.axes, *document.vars, *own.vars), columns)
        if bare is not None:
            message = f"`{bare[0]}` is sent as it is written; for the value write `{bare[1]}`"
            yield job.manifest.problem(
                ("prompts", index) if isinstance(block, str) else ("prompts", index, "text"), message
            )
