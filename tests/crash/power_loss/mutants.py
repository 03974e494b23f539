"""Ways to break the order of writing: a line of the program dropped, swapped or weakened, as `mutants.diff` lists them.

Each is named after `#`, then says what finds it: `states` (a state drawn from a log breaks a promise), `recovery`
(recovery of one does), `rules` (the log breaks a rule of the order), these `in` some scenes, or a protocol check. Then
a file of the program with the lines that go (`-`), come (`+`) and stay around them; `...` separates two places.

A mutant's code is put in place of the real one for as long as it is looked at, in this process and nowhere else.
"""

import importlib
import inspect
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("mutants.diff")


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` occurs once in a module of the program; `new` stands there instead. Both are whole lines."""

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to be wrong. `scenes` are where to look for it."""

    name: str
    found_by: str
    scenes: tuple[str, ...]
    edits: tuple[Edit, ...]


class DriftError(AssertionError):
    """The program no longer has the lines that a mutant changes."""


def listed(text: str) -> dict[str, Mutant]:
    """The mutants of a list, by name."""
    mutants = [_mutant(block) for block in text.split("\n\n") if block.strip()]
    return {mutant.name: mutant for mutant in mutants}


def _mutant(block: str) -> Mutant:
    name, found, *rest = block.strip("\n").split("\n")
    found_by, _, scenes = found.removeprefix("# found by ").partition(" in ")
    return Mutant(name.removeprefix("# "), found_by, tuple(scenes.split(", ")) if scenes else (), tuple(_edits(rest)))


def _edits(lines: list[str]) -> Iterator[Edit]:
    module = ""
    old: list[str] = []
    new: list[str] = []
    for line in [*lines, "..."]:
        if line[:1] in {" ", "-", "+"}:
            old += [line[1:]] if line[0] != "+" else []
            new += [line[1:]] if line[0] != "-" else []
            continue
        if old or new:
            yield Edit(module, _whole(old), _whole(new))
            old, new = [], []
        if line != "...":
            module = line.removesuffix(".py").replace("/", ".")


def _whole(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """Run the program with a mutant's changes, in this process. Raises DriftError."""
    swaps: list[tuple[types.FunctionType, types.CodeType]] = []
    try:
        for name in sorted({edit.module for edit in mutant.edits}):
            swaps += _swapped(name, [edit for edit in mutant.edits if edit.module == name])
        yield
    finally:
        for function, code in reversed(swaps):
            function.__code__ = code


def _swapped(name: str, edits: list[Edit]) -> list[tuple[types.FunctionType, types.CodeType]]:
    """Change the functions of a module; returns them with the code that they had."""
    module = importlib.import_module(name)
    ours, theirs = dict(_functions(module)), dict(_functions(_twin(module, edits)))
    changed = [key for key, function in ours.items() if _essence(function.__code__) != _essence(theirs[key].__code__)]
    if not changed:
        message = f"{name}: the change is in no function"
        raise DriftError(message)
    swaps = [(ours[key], ours[key].__code__) for key in changed]
    for key in changed:
        ours[key].__code__ = theirs[key].__code__
    return swaps


def _twin(module: types.ModuleType, edits: list[Edit]) -> types.ModuleType:
    """The module as it would be with the edits."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    for edit in edits:
        if f"\n{source}".count(f"\n{edit.old}") != 1:
            message = f"{module.__name__} has not exactly one place for this mutant (see {LIST.name}):\n{edit.old}"
            raise DriftError(message)
        source = f"\n{source}".replace(f"\n{edit.old}", f"\n{edit.new}")[1:]
    twin = types.ModuleType(module.__name__)
    twin.__file__ = module.__file__
    exec(compile(source, str(module.__file__), "exec"), vars(twin))  # noqa: S102  the program with a line changed
    return twin


def _functions(module: types.ModuleType) -> Iterator[tuple[str, types.FunctionType]]:
    """Every function and method that is written in a module."""
    own = [thing for thing in vars(module).values() if isinstance(thing, type) and thing.__module__ == module.__name__]
    for holder in (module, *own):
        for thing in vars(holder).values():
            inner = thing.fget if isinstance(thing, property) else getattr(thing, "__func__", thing)
            plain = inspect.unwrap(inner) if callable(inner) else None
            if isinstance(plain, types.FunctionType) and plain.__code__.co_filename == module.__file__:
                yield plain.__qualname__, plain


def _essence(code: types.CodeType) -> tuple[object, ...]:
    """What a function does, wherever it stands."""
    constants = tuple(_essence(thing) if isinstance(thing, types.CodeType) else repr(thing) for thing in code.co_consts)
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars


MUTANTS = listed(LIST.read_text(encoding="utf-8"))
