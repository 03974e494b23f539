"""The parameters of a request: the job's and the prompt's, rendered, and coerced to the type of their field."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from batchgen.manifest.schema import RequestBlock
from batchgen.manifest.template import TemplateError
from batchgen.plan.report import Keys, RenderError
from batchgen.plan.values import Value, compile_value

__all__ = ["PARAMETERS", "Params", "coerce", "compile_params"]

PARAMETERS: Final = {name: None for name in RequestBlock.model_fields if name != "extra"}.keys()
"""The first-class parameters."""

_RESERVED: Final[Mapping[str, str]] = {
    "n": "write `repeat`: each take is its own request",
    "prompt": "the text of the prompt is sent",
    "image": "write `images` at the prompt",
    "images": "write `images` at the prompt",
    "image[]": "write `images` at the prompt",
    "mask": "write `mask` at the prompt",
}
_INTEGERS: Final[Mapping[str, tuple[int, int]]] = {"output_compression": (0, 100), "partial_images": (0, 3)}
_BOOLEANS: Final = frozenset({"stream", "watermark"})
_SWAYED_BY: Final[Mapping[str, str]] = {
    "output_compression": "output_format",
    "background": "output_format",
    "partial_images": "stream",
}
"""Parameters that another one makes right or wrong; the model does so with all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Param:
    name: str
    value: Value
    keys: Keys
    is_checked: bool


class Params:
    """The parameters of one prompt, compiled. What renders alike is one mapping.

    `is_whole` tells whether all that was written could be compiled.
    """

    def __init__(self, params: tuple[_Param, ...], *, is_whole: bool = True) -> None:
        self._is_whole = is_whole
        self._fixed = {param.name: param.value.render({}) for param in params if param.value.is_constant}
        self._rendered = tuple(param for param in params if not param.value.is_constant)
        self._known: dict[str, dict[str, Any]] = {}
        self.names = frozenset().union(*(param.value.names for param in params))
        self.unchecked = frozenset(param.name for param in params if not param.is_checked)

    @property
    def fixed(self) -> Mapping[str, Any] | None:
        """The parameters of every request, if they are known without any names."""
        return self._fixed if self._is_whole and not self._rendered else None

    def varies(self, name: str) -> bool:
        """Whether a template gives the parameter, or one that makes it right or wrong."""
        templated = {param.name for param in self._rendered}
        return not templated.isdisjoint((name, "model", _SWAYED_BY.get(name, name)))

    def sound(self, names: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Those parameters that can be rendered; None if one cannot that others are judged by."""
        rendered: dict[str, Any] = {}
        for param in self._rendered:
            try:
                rendered[param.name] = _render(param, names)
            except RenderError:
                if param.name in {"model", *_SWAYED_BY.values()}:
                    return None
        return self._shared(rendered)

    def flaws(self, names: Mapping[str, Any]) -> Iterator[RenderError]:
        """Everything that `render` would stop at."""
        for param in self._rendered:
            try:
                _render(param, names)
            except RenderError as error:
                yield error

    def render(self, names: Mapping[str, Any]) -> Mapping[str, Any]:
        """The parameters of one request; a shared mapping, not to be changed.

        Raises:
            RenderError: A template fails, or gives what the field does not take.
        """
        if not self._rendered:
            return self._fixed
        return self._shared({param.name: _render(param, names) for param in self._rendered})

    def _shared(self, rendered: Mapping[str, Any]) -> Mapping[str, Any]:
        key = repr(rendered)
        if key not in self._known:
            self._known[key] = {**self._fixed, **rendered}
        return self._known[key]


def _render(param: _Param, names: Mapping[str, Any]) -> Any:
    try:
        value = param.value.render(names)
        return coerce(param.name, value) if param.is_checked else value
    except TemplateError as error:
        raise RenderError(param.keys, error.message) from None
    except ValueError as error:
        raise RenderError(param.keys, str(error)) from None


def coerce(name: str, value: Any) -> Any:
    """A first-class parameter's text as its field's type; a value that is no text stays as it is.

    Raises:
        ValueError: The text is empty, or not what the field takes.
    """
    text = value.strip() if isinstance(value, str) else value
    if not isinstance(text, str):
        return value
    if name in _INTEGERS:
        return _integer(text, *_INTEGERS[name])
    if name in _BOOLEANS:
        return _boolean(text)
    if not text:
        message = "'' is empty; give a value, such as `${{ row.size | default('auto', true) }}`"
        raise ValueError(message)
    return text


def _integer(text: str, low: int, high: int) -> int:
    if text.isascii() and text.isdigit() and len(text) <= len(str(high)) and low <= int(text) <= high:
        return int(text)
    message = f"'{text[:60]}' is no whole number from {low} to {high}"
    raise ValueError(message)


def _boolean(text: str) -> bool:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    message = f"'{text[:60]}' is neither true nor false"
    raise ValueError(message)


def compile_params(job: RequestBlock, own: RequestBlock, index: int, report: Callable[[Keys, str], None]) -> Params:
    """The parameters of the prompt at `index`: its own hide the job's.

    `extra` is flattened into the rest. A template that cannot be compiled and a name that is taken are reported.
    """
    places: dict[str, tuple[Any, Keys]] = {}
    extra: dict[str, tuple[Any, Keys]] = {}
    for block, keys in ((job, ("request",)), (own, ("prompts", index, "request"))):
        given = [name for name in PARAMETERS if getattr(block, name) is not None]
        places |= {name: (getattr(block, name), (*keys, name)) for name in given}
        extra |= {name: (value, (*keys, "extra", name)) for name, value in block.extra.items()}
    taken = [name for name in extra if name in PARAMETERS or name in _RESERVED]
    for name in taken:
        remedy = _RESERVED.get(name, f"write it as request.{name}")
        report(extra[name][1], f"'{name}' cannot be given in extra; {remedy}")
    checked = [_compiled(name, *place, report, is_checked=True) for name, place in places.items()]
    unchecked = [_compiled(name, *place, report, is_checked=False) for name, place in extra.items()]
    compiled = [*checked, *unchecked]
    return Params(tuple(param for param in compiled if param), is_whole=all(compiled) and not taken)


def _compiled(
    name: str, value: Any, keys: Keys, report: Callable[[Keys, str], None], *, is_checked: bool
) -> _Param | None:
    try:
        return _Param(name=name, value=compile_value(value), keys=keys, is_checked=is_checked)
    except TemplateError as error:
        report(keys, error.message)
        return None
