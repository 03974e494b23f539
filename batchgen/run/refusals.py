"""What the providers of a job would refuse, each at its place in the manifest."""

from collections.abc import Sequence

from batchgen.manifest.load import Manifest
from batchgen.manifest.schema import Document
from batchgen.provider.catalog import Provider
from batchgen.provider.check import check
from batchgen.request import Request

__all__ = ["Keys", "Refusals", "distinction", "place_of"]

Keys = tuple[str | int, ...]
"""A place in the manifest: `("request", "size")`."""

_INPUTS = {"images", "mask"}


class Refusals:
    """Judges requests for all providers of a job. Each distinct set of parameters is judged once."""

    def __init__(self, manifest: Manifest, providers: Sequence[Provider]) -> None:
        self._document = manifest.document
        self._providers = providers
        self._known: dict[tuple[object, ...], tuple[Request, tuple[tuple[Keys, str], ...]]] = {}

    def __call__(self, request: Request) -> tuple[tuple[Keys, str], ...]:
        """What any provider would refuse about a request, with the place of its cause."""
        key = distinction(request)
        known = self._known.get(key)
        if known is None:
            # The request is kept, or a later mapping of parameters could get the identity of this one's.
            known = self._known[key] = request, self._judged(request)
        return known[1]

    def _judged(self, request: Request) -> tuple[tuple[Keys, str], ...]:
        found = (
            (place_of(self._document, request, field), message)
            for provider in self._providers
            for field, message in check(provider, request)
        )
        return tuple(dict.fromkeys(found))


def distinction(request: Request) -> tuple[object, ...]:
    """What requests have in common that no provider judges differently, while one of them is kept."""
    inputs = tuple(image.sha256 for image in request.images) if request.images else ()
    # Requests that render alike share one params mapping, so its identity stands for its content.
    return request.operation, id(request.params), request.unchecked, inputs, request.mask, request.prompt_index


def place_of(document: Document, request: Request, field: str) -> Keys:
    """Where a parameter was written: in the prompt's own request block, else in the job's."""
    prompt = document.prompts[request.prompt_index]
    if field == "prompt":
        return ("prompts", request.prompt_index)
    if field in _INPUTS:
        return ("prompts", request.prompt_index, field)
    inner = ("extra", field) if field in request.unchecked else (field,)
    own = None if isinstance(prompt, str) else prompt.request
    is_own = own is not None and (getattr(own, field, None) is not None or field in own.extra)
    return ("prompts", request.prompt_index, "request", *inner) if is_own else ("request", *inner)
