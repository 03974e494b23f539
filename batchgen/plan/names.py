"""The names that templates see, for one row and one combination.

Later ones win: variables of the job, of the prompt, axes, variables of matching extend rules, and then the reserved
names `job`, `prompt`, `row`, `take` and `period`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from batchgen.manifest.rows import Row
from batchgen.manifest.template import TemplateError
from batchgen.plan.combine import Combination
from batchgen.plan.recipe import Recipe
from batchgen.plan.report import RenderError
from batchgen.plan.values import Variable

__all__ = ["Names"]


class Names:
    """Makes the names of one recipe; `has_rendered` tells whether any of its variables may change with the take.

    Variables that nothing uses are not rendered: they may use what is not there.
    """

    def __init__(self, recipe: Recipe, job: str, period: str | None) -> None:
        self._recipe = recipe
        self._needed = recipe.body_names | recipe.path_names
        self._reserved: dict[str, Any] = {"job": job, "prompt": {"id": recipe.id}}
        if period is not None:
            self._reserved["period"] = period
        self._layers: dict[tuple[int, ...], _Layers] = {}
        self.has_rendered = any(
            variable.name in self._needed and not variable.value.is_constant
            for variable in (*recipe.variables, *(one for rule in recipe.extends for one in rule))
        )

    def of(self, row: Row | None, combination: Combination, take: int) -> dict[str, Any]:
        """The names for one request.

        Raises:
            RenderError: A variable that is needed cannot be rendered.
        """
        layers = self._layers.get(combination.extends)
        if layers is None:
            layers = self._layers[combination.extends] = self._layered(combination.extends)
        names = dict(layers.below)
        for name, option in zip(self._recipe.matrix.names, combination.options, strict=True):
            names[name] = option.value
        names |= layers.above
        names |= self._reserved
        if row is not None:
            names["row"] = row.values
        names["take"] = take
        for variable in layers.rendered:
            try:
                names[variable.name] = variable.value.render(names)
            except TemplateError as error:
                raise RenderError(variable.keys, error.message) from None
        return names

    def _layered(self, extends: tuple[int, ...]) -> "_Layers":
        above = [variable for index in extends for variable in self._recipe.extends[index]]
        return _Layers(self._recipe.variables, above, self._needed)


class _Layers:
    """The variables for one set of extend rules: constants below and above the axes, and those to render, in order."""

    def __init__(self, below: Sequence[Variable], above: Sequence[Variable], needed: frozenset[str]) -> None:
        ordered = [*below, *above]
        # A constant that comes later hides a template of the same name, which must then not be rendered over it.
        last_constant = {variable.name: place for place, variable in enumerate(ordered) if variable.value.is_constant}
        self.rendered = tuple(
            variable
            for place, variable in enumerate(ordered)
            if not variable.value.is_constant
            and variable.name in needed
            and place > last_constant.get(variable.name, -1)
        )
        self.below = _constants(below)
        self.above = _constants(above)


def _constants(variables: Sequence[Variable]) -> Mapping[str, Any]:
    return {variable.name: variable.value.render({}) for variable in variables if variable.value.is_constant}
