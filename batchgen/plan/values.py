"""Values of the manifest that may hold templates at any depth, and the variables made of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchgen.manifest import template
from batchgen.plan.report import Keys

__all__ = ["Value", "Variable", "closure", "compile_value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A compiled value: the variables it uses, and the function that renders it (TemplateError as in Template)."""

    names: frozenset[str]
    render: Callable[[Mapping[str, Any]], Any]
    is_constant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable of the job, of a prompt or of an extend rule, with its place in the manifest."""

    name: str
    value: Value
    keys: Keys


def compile_value(value: Any) -> Value:
    """Compile every text in a value. Raises TemplateError."""
    if isinstance(value, str):
        text = template.compile(value)
        return Value(names=text.names, render=text.render, is_constant=text.is_constant)
    if isinstance(value, Mapping):
        return _compiled_mapping({key: compile_value(member) for key, member in value.items()}, value)
    if isinstance(value, list | tuple):
        return _compiled_list([compile_value(member) for member in value], value)
    return _constant(value)


def _constant(value: Any) -> Value:
    return Value(names=frozenset(), render=lambda _: value, is_constant=True)


def _compiled_mapping(members: Mapping[Any, Value], source: Any) -> Value:
    if all(member.is_constant for member in members.values()):
        return _constant(source)
    return Value(
        names=frozenset().union(*(member.names for member in members.values())),
        render=lambda names: {key: member.render(names) for key, member in members.items()},
        is_constant=False,
    )


def _compiled_list(members: Sequence[Value], source: Any) -> Value:
    if all(member.is_constant for member in members):
        return _constant(source)
    return Value(
        names=frozenset().union(*(member.names for member in members)),
        render=lambda names: [member.render(names) for member in members],
        is_constant=False,
    )


def closure(names: Iterable[str], variables: Sequence[Variable]) -> frozenset[str]:
    """`names` and every name that the variables among them use. A variable sees only those before it."""
    needed = set(names)
    for variable in reversed(variables):
        if variable.name in needed:
            needed |= variable.value.names
    return frozenset(needed)
