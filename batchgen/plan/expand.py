"""A manifest's prompts x rows x combinations x takes, as Requests in the order of the manifest.

The product is counted before anything is rendered. Every problem is collected, so that one pass names them all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from batchgen.errors import PlanError
from batchgen.manifest.load import Manifest
from batchgen.plan.explain import Shape, explanation
from batchgen.plan.identity import is_bucket
from batchgen.plan.inputs import InputFiles
from batchgen.plan.recipe import Recipe, compile_recipes
from batchgen.plan.render import Redo, Renderer
from batchgen.plan.report import PlanReport
from batchgen.plan.slots import slot_part
from batchgen.plan.unique import check_unique
from batchgen.request import Request

__all__ = ["REQUESTS_LIMIT", "Plan", "Redo", "expand"]

REQUESTS_LIMIT: Final = 1_000_000
"""Requests in a plan without `limits.max_images`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a manifest asks for: its requests in manifest order. `period` is the bucket of a job that has one."""

    job: str
    requests: tuple[Request, ...]
    period: str | None
    shapes: tuple[Shape, ...]

    @property
    def explanation(self) -> str:
        """How the number of requests comes about: `4 x 3 x 4 - 3, x 2 takes`."""
        return explanation(self.shapes)


def expand(manifest: Manifest, *, period: str | None = None, redos: Mapping[str, Redo] | None = None) -> Plan:
    """The plan of a manifest. `period` is the bucket of this run, `redos` the decisions in force, by base id.

    Reads data rows, prompt files and input images. Blocks; call it outside the event loop, or in a thread.

    Raises:
        PlanError: With every problem found, each with its place and, where one is to blame, its data row.
    """
    report = PlanReport(manifest)
    _check_period(manifest, period)
    recipes = compile_recipes(manifest, report)
    _check_size(recipes, manifest, report)
    files = InputFiles(manifest.folder)
    requests: list[Request] = []
    shapes: list[Shape] = []
    for recipe in recipes:
        renderer = Renderer(
            recipe, job=manifest.document.name, period=period, redos=redos or {}, files=files, report=report
        )
        shapes.append(_extend(requests, recipe, renderer))
    report.raise_any()
    check_unique(requests, report)
    report.raise_any()
    return Plan(job=manifest.document.name, requests=tuple(requests), period=period, shapes=tuple(shapes))


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


def _check_size(recipes: Sequence[Recipe], manifest: Manifest, report: PlanReport) -> None:
    """Refuse a product that nobody meant, before it is made."""
    limit = max(REQUESTS_LIMIT, manifest.document.limits.max_images or 0)
    total = sum(_size(recipe) for recipe in recipes)
    if total <= limit:
        return
    largest = max(recipes, key=_size)
    factors = _shape(largest, largest.matrix.size, 0, _size(largest)).factors
    takes = f", x {largest.takes} takes" if largest.takes > 1 else ""
    message = (
        f"the plan has up to {total:,} images (at most {limit:,}), {_size(largest):,} of this prompt "
        f"({factors}{takes}); take values out, or set limits.max_images to at least {total:,}"
    )
    report.add(("prompts", largest.index), message)
    report.raise_any()


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
