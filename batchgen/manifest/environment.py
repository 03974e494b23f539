"""The sandbox that expressions run in: jinja2's, hardened.

No calls, no attributes of Python objects, no operator that makes much out of little, nothing global, strict undefined
values that know where they were looked for. Source: jinja2's documentation, "Sandbox", security considerations.
"""

import contextlib
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, ClassVar, Final

from jinja2 import StrictUndefined, Undefined, UndefinedError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from batchgen.manifest.filters import FILTERS, TESTS, add, concat
from batchgen.manifest.naming import CleanPath

__all__ = ["AbsentError", "Escape", "HardenedEnvironment", "Names", "hardened", "listed"]

Escape = Callable[[str], str]

_SHOWN: Final = 30


class AbsentError(UndefinedError):
    """A name or a key that is not there, with what is needed to say which ones are."""

    def __init__(self, owner: Any, name: Any, message: str | None) -> None:
        super().__init__(message)
        self.owner = owner
        self.name = name


class _Absent(StrictUndefined):
    """An undefined value that remembers where it was looked for."""

    __slots__ = ()

    def __init__(self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None) -> None:
        del exc
        super().__init__(hint, obj, name, partial(AbsentError, obj, name))  # type: ignore[arg-type]

    def fail(self) -> None:
        """Raise the error that any use of this value raises."""
        self._fail_with_undefined_error()


class _Code(CodeGenerator):
    """jinja2's code generator with a measured `~`, which is no interceptable operator there."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  the base class dispatches on it
        self.write("environment.concatenated((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class HardenedEnvironment(ImmutableSandboxedEnvironment):
    """The hardened sandbox. `escape` is applied to every value that an expression inserts, but for a CleanPath."""

    code_generator_class = _Code
    intercepted_binops: ClassVar[frozenset[str]] = frozenset({"*", "**", "%", "+"})  # type: ignore[misc]
    concatenated = staticmethod(concat)

    def __init__(self, escape: Escape | None) -> None:
        # NUL cannot be written in YAML text, and compile() refuses it: these delimiters never occur.
        super().__init__(
            variable_start_string="${{",
            variable_end_string="}}",
            block_start_string="\0{%",
            block_end_string="%\0}",
            comment_start_string="\0{#",
            comment_end_string="#\0}",
            keep_trailing_newline=True,
            undefined=_Absent,
            autoescape=False,
            finalize=_printed if escape is None else partial(_escaped, escape),
        )
        self.globals.clear()
        self.evaluation = EvalContext(self)
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)

    def is_safe_callable(self, obj: Any) -> bool:
        """Nothing may be called."""
        del obj
        return False

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Only `+` is left of the operators that can make much out of little."""
        del context
        if operator != "+":
            message = f"`{operator}` is not allowed"
            raise SecurityError(message)
        return add(left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of a mapping, never an attribute."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A key of a mapping, or an element or a slice of a list or a text."""
        if type(obj) is dict and type(argument) is str and argument in obj:
            return obj[argument]
        if isinstance(obj, _Absent):
            obj.fail()
        if isinstance(obj, Mapping) or (isinstance(obj, str | list | tuple) and isinstance(argument, int | slice)):
            with contextlib.suppress(LookupError, TypeError):
                return obj[argument]
        return self.undefined(obj=obj, name=argument)


class Names(Context):
    """The names of one rendering. The base class copies blocks and globals, which are off here, at twice the cost."""

    def __init__(self, environment: HardenedEnvironment, names: Mapping[str, Any]) -> None:
        self.environment = environment
        self.parent = names  # type: ignore[assignment]
        self.vars = {}
        self.exported_vars = set()
        self.name = None
        self.blocks = {}
        self.eval_ctx = environment.evaluation


@lru_cache(maxsize=8)
def hardened(escape: Escape | None) -> HardenedEnvironment:
    """The environment for one way to escape inserted values; made once."""
    return HardenedEnvironment(escape)


def _printed(value: Any) -> Any:
    """A value as text: null is empty, booleans as YAML writes them; what has no plain form is an error."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        return ""
    return _unprintable(value)


def _unprintable(value: Any) -> Any:
    if isinstance(value, _Absent):
        value.fail()
    if isinstance(value, Undefined):  # an inline if without else: the one undefined value that jinja2 lets through
        return ""
    if isinstance(value, Mapping):
        message = f"is an object, not a text; name one of its keys: {listed(value)}"
        raise TypeError(message)
    if isinstance(value, list | tuple):
        message = "is a list, not a text; write `| join(', ')`"
        raise TypeError(message)
    message = "is no text and no number"
    raise TypeError(message)


def _escaped(escape: Escape, value: Any) -> str:
    return str(value) if isinstance(value, CleanPath) else escape(_printed(value))


def listed(known: Mapping[str, Any]) -> str:
    """Names for a message, at most 30 of them."""
    shown = [str(name) for name in known][:_SHOWN]
    return ", ".join(shown) + (", ..." if len(known) > len(shown) else "") if shown else "none"
