"""What no two requests may share: the request id, the slot, the output path."""

from array import array
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise

from batchgen.plan.paths import path_key
from batchgen.plan.report import PlanReport
from batchgen.request import Request

__all__ = ["check_unique"]

Say = Callable[[Request, Request], str]


def check_unique(requests: Sequence[Request], report: PlanReport) -> None:
    """Report requests that share an id, a slot or a path, with both places. Each request is reported once."""
    for key, say in ((_id, _same_image), (_slot, _same_slot), (_path, _same_path)):
        repeated = _repeated(requests, key)
        for first, second in repeated:
            report.add(("prompts", second.prompt_index), say(first, second))
        if repeated:
            reported = {id(second) for _, second in repeated}
            requests = [request for request in requests if id(request) not in reported]


def _repeated(requests: Sequence[Request], key: Callable[[Request], Hashable]) -> list[tuple[Request, Request]]:
    """Pairs of the first request with a key and a later one.

    Looks at sorted hashes first, and at the keys only if two hashes agree: a set of a million paths takes 200 MB.
    """
    hashes = sorted(array("q", (hash(key(request)) for request in requests)))
    suspects = {one for one, other in pairwise(hashes) if one == other}
    del hashes
    if not suspects:
        return []
    firsts: dict[Hashable, Request] = {}
    alike = ((key(request), request) for request in requests)
    pairs = ((firsts.setdefault(name, request), request) for name, request in alike if hash(name) in suspects)
    return [(first, request) for first, request in pairs if first is not request]


def _id(request: Request) -> str:
    return request.id


def _slot(request: Request) -> str:
    return request.slot


def _path(request: Request) -> str:
    return path_key(request.path)


def _same_image(first: Request, second: Request) -> str:
    return f"{_named(second)} asks for the same image as {_named(first)}; for more takes of one prompt use `repeat`"


def _same_slot(first: Request, second: Request) -> str:
    return f"{_named(second)} and {_place(first)} have one slot; give prompts, rows or axis values another id"


def _same_path(first: Request, second: Request) -> str:
    both = f"'{second.path}'" if first.path == second.path else f"'{first.path}' and '{second.path}' (one file)"
    return f"{_named(first)} and {_named(second)} go to {both}; add what differs to the path, such as ${{{{ take }}}}"


def _named(request: Request) -> str:
    return f"'{request.slot}' ({_place(request)})"


def _place(request: Request) -> str:
    place = f"prompts.{request.prompt_index}"
    return f"{place}, {request.source}" if request.source else place
