"""Recipes: one prompt of the manifest with everything that applies to it, compiled once before anything is rendered."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from batchgen.errors import ManifestError
from batchgen.manifest import template
from batchgen.manifest.load import Manifest
from batchgen.manifest.naming import clean_part
from batchgen.manifest.rows import Row, read_rows
from batchgen.manifest.schema import Document, MatrixBlock, PromptBlock, RowsBlock
from batchgen.manifest.template import Expression, Template, TemplateError
from batchgen.plan.combine import Matrix, build_matrix
from batchgen.plan.inputs import IMAGES_LIMIT
from batchgen.plan.params import Params, compile_params
from batchgen.plan.report import Keys, PlanReport
from batchgen.plan.slots import generated_id
from batchgen.plan.values import Variable, closure, compile_value

__all__ = ["Placed", "Recipe", "compile_recipes"]

_FEW: Final = 10_000
"""Combinations whose parameters can be remembered."""

_FILE_BYTES_LIMIT: Final = 1_000_000
"""A prompt file above this is no prompt: the longest prompt has 32,000 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A template and its place in the manifest."""

    template: Template
    keys: Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One prompt, compiled. `rows` is None without data; `variables` are those of job and prompt that nothing hides.

    `extends` holds the variables of each extend rule of the matrix, by its index. One that is not `sound` has been
    reported: nothing of it can be rendered, but what is the same for all its requests can still be judged.
    """

    index: int
    is_sound: bool
    id: str
    text: Placed
    params: Params
    images: tuple[Placed, ...]
    mask: Placed | None
    only_if: Expression | None
    path: Placed | None
    rows: tuple[Row, ...] | None
    matrix: Matrix
    variables: tuple[Variable, ...]
    extends: tuple[tuple[Variable, ...], ...]
    takes: int

    @property
    def body_names(self) -> frozenset[str]:
        """The variables that the request itself needs; the path's come on top."""
        placed = [self.text, *self.images, *([self.mask] if self.mask else [])]
        names = self.params.names.union(*(one.template.names for one in placed))
        return self.closed(names | (self.only_if.names if self.only_if else frozenset()))

    @property
    def path_names(self) -> frozenset[str]:
        """The variables that the path needs."""
        return self.closed(self.path.template.names) if self.path else frozenset()

    @property
    def parameter_axes(self) -> tuple[int, ...] | None:
        """The axes that alone decide the parameters, if they do and have few combinations."""
        names = self.closed(self.params.names)
        extended = {variable.name for rule in self.extends for variable in rule}
        if not names <= set(self.matrix.names) - extended:
            return None
        axes = tuple(index for index, name in enumerate(self.matrix.names) if name in names)
        count = math.prod(len(self.matrix.axes[axis]) if self.matrix.axes else _FEW + 1 for axis in axes)
        return axes if count <= _FEW else None

    def closed(self, names: frozenset[str]) -> frozenset[str]:
        """`names`, and those that their variables use."""
        return closure(names, [*self.variables, *(variable for rule in self.extends for variable in rule)])


def compile_recipes(manifest: Manifest, report: PlanReport) -> tuple[Recipe, ...]:
    """The recipes of a manifest in its order. Prompts with a problem are reported."""
    compiler = _Compiler(manifest, report)
    return tuple(compiler.recipe(index) for index in range(len(manifest.document.prompts)))


class _Compiler:
    """Compiles prompts. What they share (rows and matrix of the job) is read once."""

    def __init__(self, manifest: Manifest, report: PlanReport) -> None:
        self._manifest = manifest
        self._document: Document = manifest.document
        self._report = report
        self._rows: dict[Keys, tuple[Row, ...] | None] = {}
        self._matrices: dict[Keys, Matrix | None] = {}
        self._has_failed = False

    def recipe(self, index: int) -> Recipe:
        self._has_failed = False
        block = self._document.prompts[index]
        keys: Keys = ("prompts", index)
        own = PromptBlock(text=block) if isinstance(block, str) else block
        text = self._text(own, keys if isinstance(block, str) else (*keys, "text"), keys)
        matrix = self._matrix(own, keys)
        recipe = Recipe(
            index=index,
            is_sound=True,
            id=own.id or generated_id(text.template.text if text else ""),
            # A prompt without a text has failed; the rest is compiled for what else is wrong with it.
            text=text or Placed(template=template.compile(""), keys=keys),
            params=compile_params(self._document.request, own.request, index, self._flaw),
            images=self._images(own, keys),
            mask=self._placed(own.mask, (*keys, "mask")) if own.mask else None,
            only_if=self._condition(own.only_if, (*keys, "only_if")),
            path=self._path(own, keys),
            rows=self._rows_of(own, keys),
            matrix=matrix,
            variables=self._variables(own, keys, matrix),
            extends=self._extends(own, keys),
            takes=own.repeat or self._document.repeat,
        )
        if own.mask and not own.images:
            self._flaw((*keys, "mask"), "is given without images; a mask belongs to the first of `images`")
        if len(own.images) > IMAGES_LIMIT:
            self._flaw((*keys, "images"), f"has {len(own.images)} images (at most {IMAGES_LIMIT}); take some out")
        return replace(recipe, is_sound=not self._has_failed)

    def _text(self, own: PromptBlock, keys: Keys, prompt_keys: Keys) -> Placed | None:
        if own.file is None:
            return self._placed(own.text or "", keys)
        keys = (*prompt_keys, "file")
        try:
            text = _read_text(self._manifest.folder / own.file)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._flaw(keys, f"'{own.file}' cannot be read: {reason}; the path is relative to the manifest")
            return None
        return self._placed(text, keys)

    def _placed(self, text: str, keys: Keys) -> Placed | None:
        try:
            return Placed(template=template.compile(text), keys=keys)
        except TemplateError as error:
            self._flaw(keys, error.message)
            return None

    def _images(self, own: PromptBlock, keys: Keys) -> tuple[Placed, ...]:
        placed = (self._placed(text, (*keys, "images", number)) for number, text in enumerate(own.images))
        return tuple(one or Placed(template=template.compile(""), keys=keys) for one in placed)

    def _condition(self, text: str | None, keys: Keys) -> Expression | None:
        if text is None:
            return None
        try:
            return template.compile_expression(text)
        except TemplateError as error:
            self._flaw(keys, error.message)
            return None

    def _path(self, own: PromptBlock, keys: Keys) -> Placed | None:
        text = own.path if own.path is not None else self._document.output.path
        keys = (*keys, "path") if own.path is not None else ("output", "path")
        if text is None:
            return None
        try:
            return Placed(template=template.compile(text, clean_part), keys=keys)
        except TemplateError as error:
            self._flaw(keys, error.message)
            return None

    def _flaw(self, keys: Keys, message: str) -> None:
        self._has_failed = True
        self._report.add_once(keys, message)

    def _rows_of(self, own: PromptBlock, keys: Keys) -> tuple[Row, ...] | None:
        if own.rows is False:
            return None
        block, place = (own.rows, (*keys, "rows")) if own.rows else (self._document.rows, ("rows",))
        if block is None:
            return None
        if place not in self._rows:
            self._rows[place] = self._read_rows(block, place)
        rows = self._rows[place]
        self._has_failed |= rows is None
        return rows

    def _read_rows(self, block: RowsBlock, place: Keys) -> tuple[Row, ...] | None:
        try:
            rows = read_rows(block, self._manifest.folder)
        except ManifestError as error:
            self._report.add_data(error, place)
            return None
        if rows.left_out:
            self._report.warn((*place, "where"), rows.left_out)
        return rows.passed

    def _matrix(self, own: PromptBlock, keys: Keys) -> Matrix:
        if own.matrix is False:
            return Matrix()
        block, place = (own.matrix, (*keys, "matrix")) if own.matrix else (self._document.matrix, ("matrix",))
        if block is None:
            return Matrix()
        if place not in self._matrices:
            self._matrices[place] = self._build_matrix(block, place)
        matrix = self._matrices[place]
        self._has_failed |= matrix is None
        return matrix or Matrix()

    def _build_matrix(self, block: MatrixBlock, place: Keys) -> Matrix | None:
        flaws: list[str] = []

        def report(inner: Keys, message: str) -> None:
            flaws.append(message)
            self._flaw((*place, *inner), message)

        matrix = build_matrix(block, lambda inner: self._manifest.marks.text(*place, *inner), report)
        return None if flaws else matrix

    def _variables(self, own: PromptBlock, keys: Keys, matrix: Matrix) -> tuple[Variable, ...]:
        """Those of the job, then those of the prompt; an axis hides a variable of its name."""
        job = self._compiled(self._document.vars, ("vars",))
        prompt = self._compiled(own.vars, (*keys, "vars"))
        return tuple(variable for variable in (*job, *prompt) if variable.name not in matrix.names)

    def _extends(self, own: PromptBlock, keys: Keys) -> tuple[tuple[Variable, ...], ...]:
        block, place = (own.matrix, (*keys, "matrix")) if own.matrix else (self._document.matrix, ("matrix",))
        if own.matrix is False or not block:
            return ()
        return tuple(
            self._compiled(rule.vars, (*place, "extend", index, "vars")) for index, rule in enumerate(block.extend)
        )

    def _compiled(self, values: Mapping[str, Any], keys: Keys) -> tuple[Variable, ...]:
        compiled: list[Variable] = []
        for name, value in values.items():
            try:
                compiled.append(Variable(name=name, value=compile_value(value), keys=(*keys, name)))
            except TemplateError as error:
                self._flaw((*keys, name), error.message)
        return tuple(compiled)


def _read_text(path: Path) -> str:
    if not path.is_file():
        message = "is no regular file" if path.exists() else "does not exist"
        raise ValueError(message)
    if path.stat().st_size > _FILE_BYTES_LIMIT:
        message = f"has more than {_FILE_BYTES_LIMIT:,} bytes"
        raise ValueError(message)
    return path.read_text(encoding="utf-8-sig")
