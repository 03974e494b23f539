"""What no two requests may share: the request id, the slot, the output path."""

from array import array
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Final

from batchgen.plan.bare import bare_reference
from batchgen.plan.paths import path_key
from batchgen.plan.recipe import Recipe
from batchgen.plan.report import PlanReport
from batchgen.request import Request

__all__ = ["check_unique"]

_Pairs = Sequence[tuple[Request, Request]]
_Say = Callable[[_Pairs, Recipe], str]

_COMPARED: Final = 1_000
"""Pairs that are looked at for what differs."""


def check_unique(requests: Sequence[Request], recipes: Mapping[int, Recipe], report: PlanReport) -> None:
    """Report requests that share an id, a slot or a path, with both places. Each request is reported once.

    The cause is the same for all requests of two prompts, so those are one problem with a count. `recipes` are those
    of the requests, by the index of their prompt.
    """
    for key, say in ((_id, _same_image), (_slot, _same_slot), (_path, _same_path)):
        repeated = _repeated(requests, key)
        for (_, index), pairs in _by_prompts(repeated).items():
            message = say(pairs, recipes[index])
            for _ in pairs:
                report.add(("prompts", index), message)
        if repeated:
            reported = {id(second) for _, second in repeated}
            requests = [request for request in requests if id(request) not in reported]


def _by_prompts(pairs: _Pairs) -> dict[tuple[int, int], list[tuple[Request, Request]]]:
    found: dict[tuple[int, int], list[tuple[Request, Request]]] = {}
    for first, second in pairs:
        found.setdefault((first.prompt_index, second.prompt_index), []).append((first, second))
    return found


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


def _same_image(pairs: _Pairs, recipe: Recipe) -> str:
    first, second = pairs[0]
    both = f"{_named(second)} asks for the same image as {_named(first)}"
    if first.prompt_index != second.prompt_index:
        return f"{both}; for more takes of one prompt use `repeat`"
    columns = recipe.rows[0].values if recipe.rows else ()
    names = (*recipe.matrix.names, *(variable.name for variable in recipe.variables))
    bare = bare_reference(recipe.text.template.text, names, columns)
    if bare is not None:
        return f"{both}; `{bare[0]}` is plain text, write `{bare[1]}`"
    differing = _listed(_differing(pairs, recipe))
    return f"{both}; use what differs, such as {differing}, in the prompt; for more takes use `repeat`"


def _same_slot(pairs: _Pairs, _recipe: Recipe) -> str:
    first, second = pairs[0]
    return f"{_named(second)} and {_place(first)} have one slot; give prompts, rows or axis values another id"


def _same_path(pairs: _Pairs, recipe: Recipe) -> str:
    first, second = pairs[0]
    both = f"{_named(first)} and {_named(second)} go to"
    if first.path != second.path:
        remedy = "let the paths differ in more than case or ending"
        return f"{both} '{first.path}' and '{second.path}', which is one file on some disks; {remedy}"
    return f"{both} '{second.path}'; add what differs to the path, such as {_listed(_differing(pairs, recipe))}"


def _differing(pairs: _Pairs, recipe: Recipe) -> list[str]:
    """Names that tell the two requests of each pair apart, as templates write them."""
    if pairs[0][0].prompt_index != pairs[0][1].prompt_index:
        return ["prompt.id"]
    compared = [(first.axes, second.axes) for first, second in islice(pairs, _COMPARED)]

    def differ(name: str) -> list[bool]:
        return [one.get(name) != other.get(name) for one, other in compared]

    axes = [f"{name}.id" if _is_mapping(recipe, name) else name for name in recipe.matrix.names if any(differ(name))]
    columns = [name for name in compared[0][1] if name.startswith("row.") and any(differ(name))]
    # The column that tells most rows apart is most likely the one that names them.
    best = sorted(columns, key=lambda name: -sum(differ(name)))[:1]
    return [*best, *axes, *(["take"] if any(differ("take")) else [])] or ["take"]


def _is_mapping(recipe: Recipe, axis: str) -> bool:
    place = recipe.matrix.names.index(axis)
    options = recipe.matrix.axes[place] if recipe.matrix.axes else [added[place] for added in recipe.matrix.added]
    return any(isinstance(option.value, Mapping) for option in options)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"${{{{ {name} }}}}" for name in names)


def _named(request: Request) -> str:
    return f"'{request.slot}' ({_place(request)})"


def _place(request: Request) -> str:
    place = f"prompts.{request.prompt_index}"
    return f"{place}, {request.source}" if request.source else place
