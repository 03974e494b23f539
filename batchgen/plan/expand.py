"""A manifest's prompts x rows x combinations x takes, as Requests in the order of the manifest.

The product is counted before anything is rendered. Every problem is collected, so that one pass names them all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from batchgen.errors import PlanError, Problem
from batchgen.manifest.load import Manifest
from batchgen.plan.explain import Shape, explanation
from batchgen.plan.identity import is_bucket
from batchgen.plan.inputs import InputFiles
from batchgen.plan.recipe import Recipe, compile_recipes
from batchgen.plan.render import Judge, Redo, Renderer
from batchgen.plan.report import Keys, PlanReport
from batchgen.plan.slots import slot_part
from batchgen.plan.unique import check_unique
from batchgen.request import Request

__all__ = ["MOST_REQUESTS", "REQUESTS_LIMIT", "Judge", "Plan", "Redo", "expand"]

REQUESTS_LIMIT: Final = 1_000_000
"""Requests in a plan without `limits.max_images`."""
MOST_REQUESTS: Final = 10_000_000
"""Requests in any plan: more would not fit into memory, whatever somebody allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a manifest asks for: its requests in manifest order. `period` is the bucket of a job that has one.

    `warnings` say why there may be less than somebody meant: a `where` that no row passes.
    """

    job: str
    requests: tuple[Request, ...]
    period: str | None
    shapes: tuple[Shape, ...]
    warnings: tuple[Problem, ...] = ()

    @property
    def explanation(self) -> str:
        """How the number of requests comes about: `4 x 3 x 4 - 3, x 2 takes`."""
        return explanation(self.shapes)


def _lenient(_request: Request) -> Sequence[tuple[Keys, str]]:
    return ()


def expand(
    manifest: Manifest,
    *,
    period: str | None = None,
    redos: Mapping[str, Redo] | None = None,
    judge: Judge = _lenient,
) -> Plan:
    """The plan of a manifest. `period` is the bucket of this run, `redos` the decisions in force, by base id.

    `judge` says what a provider would refuse. It also sees the parameters of requests that cannot be made, so that
    one pass names all that is wrong: those requests have no id, slot, prompt and path. Reads data rows, prompt files
    and input images. Blocks; call it outside the event loop, or in a thread.

    Raises:
        PlanError: With every problem found, each with its place and, where one is to blame, its data row.
    """
    report = PlanReport(manifest)
    _check_period(manifest, period)
    recipes = compile_recipes(manifest, report)
    files = InputFiles(manifest.folder)
    is_small = _is_small([recipe for recipe in recipes if recipe.is_sound], manifest, report)
    requests: list[Request] = []
    shapes: list[Shape] = []
    for recipe in recipes:
        renderer = Renderer(
            recipe,
            job=manifest.document.name,
            period=period,
            redos=redos or {},
            files=files,
            judge=judge,
            report=report,
        )
        if is_small and recipe.is_sound:
            shapes.append(_extend(requests, recipe, renderer))
        else:
            renderer.judge_fixed()
    check_unique(requests, {recipe.index: recipe for recipe in recipes}, report)
    report.raise_any()
    return Plan(
        job=manifest.document.name,
        requests=tuple(requests),
        period=period,
        shapes=tuple(shapes),
        warnings=tuple(report.warnings),
    )


def _extend(requests: list[Request], recipe: Recipe, renderer: Renderer) -> Shape:
    """Append the requests of one prompt, rows outside and combinations inside."""
    before, made = len(requests), 0
    rows = [None] if recipe.rows is None else recipe.rows
    combinations = recipe.matrix.combinations()
    # Only a second row needs them again; one pass over a million must not hold them all.
    again = tuple(combinations) if len(rows) > 1 else ()
    for row in rows:
        row_part = None if row is None else slot_part(row.key)
        made = 0
        for combination in again or combinations:
            requests.extend(renderer.requests(row, row_part, combination))
            made += 1
    return _shape(recipe, made if rows else recipe.matrix.size, renderer.skipped, len(requests) - before)


def _check_period(manifest: Manifest, period: str | None) -> None:
    kind = manifest.document.period
    if kind is None and period is None:
        return
    if kind is None:
        raise PlanError(problems=[manifest.problem(("period",), f"the job has no period, so there is no '{period}'")])
    if period is None or not is_bucket(kind, period):
        raise PlanError(problems=[manifest.problem(("period",), f"'{period}' is no bucket of a {kind} job")])


def _is_small(recipes: Sequence[Recipe], manifest: Manifest, report: PlanReport) -> bool:
    """Whether the product can be made; one that nobody meant is reported before that."""
    limit = min(max(REQUESTS_LIMIT, manifest.document.limits.max_images or 0), MOST_REQUESTS)
    total = sum(_size(recipe) for recipe in recipes)
    if total <= limit:
        return True
    largest = max(recipes, key=_size)
    factors = _shape(largest, largest.matrix.size, 0, _size(largest)).factors
    takes = f", x {largest.takes} takes" if largest.takes > 1 else ""
    raised = f", or set limits.max_images to at least {total:,}" if total <= MOST_REQUESTS else ""
    message = (
        f"the plan has up to {total:,} images (at most {limit:,}), {_size(largest):,} of this prompt "
        f"({factors}{takes}); take values out{raised}"
    )
    report.add(("prompts", largest.index), message)
    return False


def _size(recipe: Recipe) -> int:
    rows = 1 if recipe.rows is None else len(recipe.rows)
    return rows * recipe.matrix.size * recipe.takes


def _shape(recipe: Recipe, combinations: int, skipped: int, requests: int) -> Shape:
    matrix = recipe.matrix
    return Shape(
        rows=None if recipe.rows is None else len(recipe.rows),
        axes=matrix.factors,
        excluded=matrix.size - combinations,
        added=len(matrix.added),
        skipped=skipped,
        takes=recipe.takes,
        requests=requests,
    )
