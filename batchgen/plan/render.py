"""One row and one combination of a prompt -> its Requests."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from batchgen.manifest.rows import Row
from batchgen.manifest.template import RESULT_LIMIT, TemplateError
from batchgen.plan.axes import Axes, PromptAxes
from batchgen.plan.combine import Combination, Option
from batchgen.plan.identity import request_id
from batchgen.plan.inputs import InputFiles, UnusableInputError
from batchgen.plan.names import Names
from batchgen.plan.params import PARAMETERS, coerce
from batchgen.plan.paths import PathError, default_path, extension, templated_path
from batchgen.plan.recipe import Placed, Recipe
from batchgen.plan.report import Keys, PlanReport, RenderError
from batchgen.plan.slots import slot_name, slot_part
from batchgen.request import InputFile, Operation, Request

__all__ = ["Judge", "Redo", "Renderer"]

Judge = Callable[[Request], Iterable[tuple[Keys, str]]]
"""What a provider would refuse about the parameters and inputs of a request, each with its place in the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redo:
    """A decision to make an image again: the redo count, text put after the prompt, and parameters to replace."""

    count: int
    prompt_suffix: str = ""
    sets: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """What is sent, but for the take."""

    operation: Operation
    prompt: str
    params: Mapping[str, Any]
    unchecked: frozenset[str]
    images: tuple[InputFile, ...]
    mask: InputFile | None


class Renderer:
    """Makes the requests of one recipe. `skipped` counts those that `only_if` left out."""

    def __init__(
        self,
        recipe: Recipe,
        *,
        job: str,
        period: str | None,
        redos: Mapping[str, Redo],
        files: InputFiles,
        judge: Judge,
        report: PlanReport,
    ) -> None:
        self.skipped = 0
        self._recipe = recipe
        self._job = job
        self._period = period
        self._redos = redos
        self._files = files
        self._judge = judge
        self._report = report
        self._names = Names(recipe, job, period)
        self._body_varies = "take" in recipe.body_names
        self._path_varies = "take" in recipe.path_names
        self._path_bucket = None if "period" in recipe.path_names else period
        self._head = tuple(slot_part(part) for part in (period, recipe.id) if part is not None)
        self._axes = PromptAxes(prompt=recipe.id, names=recipe.matrix.names, period=period)
        self._memo_axes = recipe.parameter_axes
        self._memo: dict[tuple[Option, ...], Mapping[str, Any]] = {}

    def requests(self, row: Row | None, row_part: str | None, combination: Combination) -> Iterator[Request]:
        """The takes of one row and combination; what is wrong with them goes into the report."""
        parts = [*self._head, *(() if row_part is None else (row_part,)), *(one.part for one in combination.options)]
        source = row.source if row else "/".join(parts)
        try:
            for request in self._takes(row, combination, parts):
                self._judged(request, source)
                yield request
        except RenderError as error:
            for keys, message in self._flaws(error, row, combination, source):
                self._report.add(keys, message, source)

    def judge_fixed(self) -> None:
        """Judge what is the same for all requests, where none can be made."""
        if self._recipe.params.fixed is not None:
            self._judged(self._draft(self._recipe.params.fixed), "")

    def _judged(self, request: Request, source: str) -> None:
        for keys, message in self._judge(request):
            if source and self._recipe.params.varies(str(keys[-1])):
                self._report.add(keys, message, source)
            else:
                self._report.add_once(keys, message)

    def _flaws(
        self, error: RenderError, row: Row | None, combination: Combination, source: str
    ) -> Iterable[tuple[Keys, str]]:
        """All that is wrong with what stopped at `error`; parameters that can be rendered are judged on the way."""
        flaws = {(error.keys, error.message): None}

        def tried(make: Callable[[], Any]) -> Any:
            try:
                return make()
            except RenderError as flaw:
                flaws[flaw.keys, flaw.message] = None
                return None

        names = tried(partial(self._names.of, row, combination, 1))
        if names is None or not tried(partial(self._holds, names)):
            self.judge_fixed()
            return flaws
        recipe = self._recipe
        tried(partial(self._prompt, names))
        if recipe.path:
            tried(partial(self._rendered, recipe.path, names))
        images = [tried(partial(self._image, placed, names)) for placed in recipe.images]
        flaws |= {(flaw.keys, flaw.message): None for flaw in recipe.params.flaws(names)}
        params = recipe.params.sound(names)
        if params is not None:
            self._judged(self._draft(params, tuple(image for image in images if image)), source)
        return flaws

    def _draft(self, params: Mapping[str, Any], images: tuple[InputFile, ...] = ()) -> Request:
        """A request to judge: without id, slot, prompt and path."""
        recipe = self._recipe
        return Request(
            id="",
            base_id="",
            slot="",
            operation="edit" if recipe.images else "generate",
            prompt="",
            params=params,
            path="",
            images=images,
            unchecked=recipe.params.unchecked,
            prompt_index=recipe.index,
        )

    def _takes(self, row: Row | None, combination: Combination, parts: list[str]) -> Iterator[Request]:
        recipe = self._recipe
        names = self._names.of(row, combination, 1)
        body = self._body(names, combination)
        path = ""
        for take in range(1, recipe.takes + 1):
            if take > 1 and (self._body_varies or self._path_varies):
                names = self._names.of(row, combination, take) if self._names.has_rendered else {**names, "take": take}
            if take > 1 and self._body_varies:
                body = self._body(names, combination)
            if body is None:
                self.skipped += 1
                continue
            if recipe.path and (self._path_varies or not path):
                path = self._rendered(recipe.path, names)
            axes = Axes(self._axes, combination.options, row, take)
            yield self._request(body, take, path, slot=slot_name(parts, take), axes=axes, row=row)

    def _request(self, body: _Body, take: int, path: str, *, slot: str, axes: Axes, row: Row | None) -> Request:
        base_id = self._id(body, take, 0)
        redo = self._redos.get(base_id)
        if redo is not None:
            body = self._redone(body, redo)
        return Request(
            id=base_id if redo is None else self._id(body, take, redo.count),
            base_id=base_id,
            slot=slot,
            operation=body.operation,
            prompt=body.prompt,
            params=body.params,
            path=self._path(slot, path, extension(body.params.get("output_format"))),
            images=body.images,
            mask=body.mask,
            take=take,
            redo=0 if redo is None else redo.count,
            unchecked=body.unchecked,
            axes=axes,
            prompt_index=self._recipe.index,
            source=row.source if row else "",
        )

    def _id(self, body: _Body, take: int, redo: int) -> str:
        try:
            return request_id(
                job=self._job,
                operation=body.operation,
                prompt=body.prompt,
                params=body.params,
                image_hashes=[image.sha256 for image in body.images],
                mask_hash=body.mask.sha256 if body.mask else None,
                take=take,
                redo=redo,
                period=self._period,
            )
        except ValueError as error:
            raise RenderError(("prompts", self._recipe.index), str(error)) from None

    def _path(self, slot: str, rendered: str, suffix: str) -> str:
        placed = self._recipe.path
        try:
            if placed is None:
                return default_path(slot, suffix)
            return templated_path(rendered, suffix, self._path_bucket)
        except PathError as error:
            raise RenderError(placed.keys if placed else ("prompts", self._recipe.index), str(error)) from None

    def _body(self, names: Mapping[str, Any], combination: Combination) -> _Body | None:
        """What one combination sends; None if `only_if` leaves it out."""
        recipe = self._recipe
        if recipe.only_if and not self._holds(names):
            return None
        images = tuple(self._image(placed, names) for placed in recipe.images)
        return _Body(
            operation="edit" if images else "generate",
            prompt=self._prompt(names),
            params=self._params(names, combination),
            unchecked=recipe.params.unchecked,
            images=images,
            mask=self._mask(recipe.mask, names, images[0]) if recipe.mask else None,
        )

    def _holds(self, names: Mapping[str, Any]) -> bool:
        recipe = self._recipe
        try:
            return recipe.only_if is None or recipe.only_if.holds(names)
        except TemplateError as error:
            raise RenderError(("prompts", recipe.index, "only_if"), error.message) from None

    def _prompt(self, names: Mapping[str, Any]) -> str:
        text = self._recipe.text
        return _checked_prompt(self._rendered(text, names).strip(), text.keys)

    def _rendered(self, placed: Placed, names: Mapping[str, Any]) -> str:
        try:
            return placed.template.render(names)
        except TemplateError as error:
            raise RenderError(placed.keys, error.message) from None

    def _params(self, names: Mapping[str, Any], combination: Combination) -> Mapping[str, Any]:
        if self._memo_axes is None:
            return self._recipe.params.render(names)
        key = tuple(combination.options[axis] for axis in self._memo_axes)
        params = self._memo.get(key)
        if params is None:
            params = self._memo[key] = self._recipe.params.render(names)
        return params

    def _image(self, placed: Placed, names: Mapping[str, Any]) -> InputFile:
        try:
            return self._files.image(self._rendered(placed, names))
        except UnusableInputError as error:
            raise RenderError(placed.keys, str(error)) from None

    def _mask(self, placed: Placed, names: Mapping[str, Any], first: InputFile) -> InputFile:
        try:
            return self._files.mask(self._rendered(placed, names), first)
        except UnusableInputError as error:
            raise RenderError(placed.keys, str(error)) from None

    def _redone(self, body: _Body, redo: Redo) -> _Body:
        """The body with a decision's overrides: the suffix follows after a space."""
        keys: Keys = ("prompts", self._recipe.index)
        prompt = f"{body.prompt} {redo.prompt_suffix.strip()}".strip()
        sets = {name.removeprefix("request."): value for name, value in redo.sets.items()}
        try:
            params = {name: coerce(name, value) if name in PARAMETERS else value for name, value in sets.items()}
        except ValueError as error:
            raise RenderError(keys, f"the decision to redo it cannot be applied: {error}") from None
        return replace(
            body,
            prompt=_checked_prompt(prompt, keys),
            params={**body.params, **params} if params else body.params,
            unchecked=body.unchecked | (params.keys() - PARAMETERS),
        )


def _checked_prompt(prompt: str, keys: Keys) -> str:
    if not prompt:
        raise RenderError(keys, "is empty (expected a prompt); check the data that it takes its words from")
    if len(prompt) > RESULT_LIMIT:
        raise RenderError(keys, f"has {len(prompt):,} characters (at most {RESULT_LIMIT:,}); shorten it")
    if "\0" in prompt:
        raise RenderError(keys, "holds a NUL character; remove it")
    return prompt
