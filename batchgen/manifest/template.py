"""`${{ }}` expressions: jinja2's sandbox with everything off that a manifest does not need.

The sandbox stops code but not memory, so this module adds bounds: no calls, no multiplication, a length on every
expression, every filter's result and the whole text. Blocks and comments are switched off, so `{% %}`, `{# #}`,
`{{ }}`, `{x}` and `$x` stay literal text. Attributes of Python objects cannot be reached at all: `product.items` is the
key `items` or an error. Values are inserted as they are: a value that looks like a template is never rendered again.

Source of the hardening: jinja2's documentation, "Sandbox", security considerations.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.parser import Parser
from jinja2.runtime import Context

from batchgen.errors import ManifestError
from batchgen.manifest.absence import absent
from batchgen.manifest.environment import AbsentError, Escape, HardenedEnvironment, Names, hardened
from batchgen.manifest.filters import RESULT_LIMIT
from batchgen.manifest.misread import ALONE, IN_TEXT, explain

__all__ = ["RESULT_LIMIT", "Expression", "Template", "TemplateError", "compile", "compile_expression"]

EXPRESSION_LIMIT: Final = 1_000
"""Characters between `${{` and `}}`."""

TEMPLATE_LIMIT: Final = 4 * RESULT_LIMIT
"""Characters in a text that holds expressions."""

_ALLOWED: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem),
    *(nodes.Slice, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.CondExpr, nodes.Concat, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword),
    *(nodes.Add, nodes.Sub, nodes.Div, nodes.FloorDiv, nodes.Neg, nodes.Pos),
)
_REFUSED: Final[Mapping[type[nodes.Node], str]] = {
    nodes.Call: "calls are not allowed; use a filter, such as `name | upper`",
    nodes.Mul: "`*` is not allowed",
    nodes.Pow: "`**` is not allowed",
    nodes.Mod: "`%` is not allowed",
}

_RESULT: Final = "batchgen_result"

_Run = Callable[[Context], Iterator[str]]


class TemplateError(ManifestError):
    """A template or an expression that cannot be compiled, or not be rendered with the names it is given."""


class Template:
    """A compiled text. `names` are the variables it uses; without any it is constant and costs nothing to render."""

    __slots__ = ("_environment", "_run", "names", "text")

    def __init__(self, text: str, names: frozenset[str], environment: HardenedEnvironment, run: _Run | None) -> None:
        self.text = text
        self.names = names
        self._environment = environment
        self._run = run

    @property
    def is_constant(self) -> bool:
        """Whether every rendering gives `text`."""
        return self._run is None

    def render(self, names: Mapping[str, Any]) -> str:
        """The text with its expressions filled in.

        Raises:
            TemplateError: A name or key is missing, a value cannot be printed, or the result is too long.
        """
        if self._run is None:
            return self.text
        try:
            result = "".join(self._run(Names(self._environment, names)))
        except Exception as error:  # noqa: BLE001  whatever an expression raises is the manifest's mistake
            raise TemplateError(_said(error, self.text, names)) from None
        if len(result) > RESULT_LIMIT:
            message = f"gives {len(result):,} characters (at most {RESULT_LIMIT:,})"
            raise TemplateError(message)
        return result


class Expression:
    """A compiled condition, such as `status == 'new' and name`."""

    __slots__ = ("_environment", "_run", "names", "text")

    def __init__(self, text: str, names: frozenset[str], environment: HardenedEnvironment, run: _Run) -> None:
        self.text = text
        self.names = names
        self._environment = environment
        self._run = run

    @property
    def _wrapped(self) -> str:
        return self.text if "${{" in self.text else f"${{{{ {self.text} }}}}"

    def holds(self, names: Mapping[str, Any]) -> bool:
        """Whether the condition is true: an empty text, 0, null and an empty list are false.

        Raises:
            TemplateError: A name or key is missing, or values do not compare.
        """
        context = Names(self._environment, names)
        try:
            for _ in self._run(context):
                pass
            return bool(context.vars[_RESULT])
        except Exception as error:  # noqa: BLE001  as in Template.render
            raise TemplateError(_said(error, self._wrapped, names)) from None


@lru_cache(maxsize=4096)
def compile(text: str, escape: Escape | None = None) -> Template:  # noqa: A001  reads as template.compile, like re's
    """Compile a text once. `escape` is applied to every inserted value (`clean_part` for paths).

    Raises:
        TemplateError: The text is no valid template, or does what is not allowed.
    """
    environment = hardened(escape)
    if "${{" not in text:
        return Template(text, frozenset(), environment, None)
    _check_text(text, TEMPLATE_LIMIT)
    try:
        _check_lengths(environment, text)
        tree = environment.parse(text)
        _check_tree(tree)
        names = frozenset(meta.find_undeclared_variables(tree))
        return Template(text, names, environment, environment.from_string(tree).root_render_func)
    except TemplateError:
        raise
    except Exception as error:  # noqa: BLE001  deep nesting ends in RecursionError, MemoryError or SyntaxError
        raise TemplateError(_unparsed(error, IN_TEXT)) from None


@lru_cache(maxsize=512)
def compile_expression(text: str) -> Expression:
    """Compile a condition. One that is wrapped in `${{ }}` as a whole is taken without the wrapping.

    Raises:
        TemplateError: The text is no valid expression, or does what is not allowed.
    """
    bare = text.strip()
    if bare.startswith("${{") and bare.endswith("}}"):
        bare = bare[3:-2]
    _check_text(bare, EXPRESSION_LIMIT)
    environment = hardened(None)
    try:
        parser = Parser(environment, bare, state="variable")
        condition = parser.parse_expression()
        if not parser.stream.eos:
            parser.fail(f"unexpected {str(parser.stream.current)!r}", 1)
        _check_tree(condition)
        target = nodes.Name(_RESULT, "store", lineno=1)
        tree = nodes.Template([nodes.Assign(target, condition, lineno=1)], lineno=1)
        tree.set_environment(environment)
        names = frozenset(meta.find_undeclared_variables(tree))
        return Expression(text, names, environment, environment.from_string(tree).root_render_func)
    except TemplateError:
        raise
    except Exception as error:  # noqa: BLE001  as in compile
        raise TemplateError(_unparsed(error, ALONE)) from None


def _check_text(text: str, limit: int) -> None:
    if "\0" in text:
        message = "holds a NUL character"
        raise TemplateError(message)
    if len(text) > limit:
        message = f"has {len(text):,} characters (at most {limit:,} with expressions)"
        raise TemplateError(message)


def _check_lengths(environment: HardenedEnvironment, text: str) -> None:
    length = 0
    for _, kind, piece in environment.lexer.tokeniter(text, None):
        length = 0 if kind == "data" else length + len(piece)
        if length > EXPRESSION_LIMIT + len("${{}}"):
            message = f"has an expression of more than {EXPRESSION_LIMIT:,} characters; use vars for its parts"
            raise TemplateError(message)


def _check_tree(tree: nodes.Node) -> None:
    for node in (tree, *tree.find_all(nodes.Node)):
        if not isinstance(node, _ALLOWED):
            kind = type(node)
            raise TemplateError(_REFUSED.get(kind, f"{kind.__name__.lower()} is not allowed in an expression"))


def _unparsed(error: Exception, end: str) -> str:
    if isinstance(error, TemplateSyntaxError):
        return explain(error, end)
    if isinstance(error, RecursionError | MemoryError | SyntaxError):
        return "has an expression that is nested too deeply"
    return f"is no valid expression: {error}"


def _said(error: Exception, text: str, names: Mapping[str, Any]) -> str:
    if isinstance(error, AbsentError):
        return absent(error, text, names)
    if isinstance(error, TypeError) and "'str'" in str(error):
        return f"{error}; values of data files are text, write (name | int)"
    return str(error) or type(error).__name__
