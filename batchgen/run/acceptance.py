"""What the providers of a job would refuse, and what is worth knowing, each at its place in the manifest."""

from collections.abc import Callable, Iterable, Iterator

from batchgen.errors import Problem
from batchgen.plan.price import expected_seconds
from batchgen.provider.catalog import Provider
from batchgen.provider.check import check, notes, provider_notes
from batchgen.provider.encode import sent_params
from batchgen.request import Request
from batchgen.run.job import Job

__all__ = ["image_seconds", "refusals", "warnings"]

_Judge = Callable[[Provider, Request], tuple[tuple[str, str], ...]]
_LIMITS = {"request_timeout"}
_INPUTS = {"images", "mask"}


def refusals(job: Job, requests: Iterable[Request]) -> list[Problem]:
    """What any provider of the job would refuse. Each distinct set of parameters is judged once."""
    return _placed(job, requests, check)


def warnings(job: Job, requests: Iterable[Request]) -> list[Problem]:
    """What is allowed and still worth knowing before paying for it."""
    found = _placed(job, requests, notes)
    for provider in job.providers:
        timeout = job.limits.request_timeout_seconds
        for field, message in provider_notes(provider, timeout_seconds=timeout):
            keys = ("limits", field) if field in _LIMITS else ("provider", field)
            found.append(job.manifest.problem(keys, message))
    return [*found, *_short_drain(job, requests)]


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


def _placed(job: Job, requests: Iterable[Request], judge: _Judge) -> list[Problem]:
    problems: dict[str, Problem] = {}
    for request in _distinct(requests):
        for provider in job.providers:
            for field, message in judge(provider, request):
                problem = job.manifest.problem(_place(job, request, field), message)
                problems.setdefault(str(problem), problem)
    return list(problems.values())


def _distinct(requests: Iterable[Request]) -> Iterator[Request]:
    """One request for each combination that a provider could judge differently."""
    seen: set[tuple[object, ...]] = set()
    for request in requests:
        inputs = tuple(image.sha256 for image in request.images)
        # Requests that render alike share one params mapping, so its identity stands for its content.
        key = (request.operation, id(request.params), request.unchecked, inputs, request.mask, request.prompt_index)
        if key not in seen:
            seen.add(key)
            yield request


def _place(job: Job, request: Request, field: str) -> tuple[str | int, ...]:
    """Where a parameter was written: in the prompt's own request block, else in the job's."""
    prompt = job.manifest.document.prompts[request.prompt_index]
    if field == "prompt":
        return ("prompts", request.prompt_index)
    if field in _INPUTS:
        return ("prompts", request.prompt_index, field)
    inner = ("extra", field) if field in request.unchecked else (field,)
    own = None if isinstance(prompt, str) else prompt.request
    is_own = own is not None and (getattr(own, field, None) is not None or field in own.extra)
    return ("prompts", request.prompt_index, "request", *inner) if is_own else ("request", *inner)
