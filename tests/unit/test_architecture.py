"""The house rules that a machine can hold. The tables below are the documentation of them.

Imports go down only: a package may import what stands on a lower line of LAYERS, itself, and the neighbours
that SIDEWAYS names. The rules that are absences (who may print, who may open a connection) are in ABSENCES.
"""

import ast
import functools
import importlib
import re
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import batchgen

LAYERS = (
    ("__main__",),
    ("cli",),
    ("review", "sandbox"),
    ("run",),
    ("manifest", "plan", "provider", "ledger", "images"),
    ("request",),
    ("clock", "files", "safetext"),
    ("errors",),
)
SIDEWAYS = {"plan": {"manifest"}}
NEVER = {"ledger": {"request"}}  # it stores strings, so old ledgers outlive the code

PURE = (
    "plan.compare",
    "plan.identity",
    "plan.price",
    "plan.select",
    "ledger.state",
    "provider.failure",
    "run.retry",
    "run.events",
    "request",
    "errors",
)
CLOCKS_AND_IO = {
    "time",
    "os",
    "io",
    "socket",
    "asyncio",
    "pathlib",
    "aiofiles",
    "aiohttp",
    "random",
    "tempfile",
    "shutil",
}
CLOCK_CALLS = {
    "now",
    "utcnow",
    "today",
    "monotonic",
    "sleep",
    "open",
    "read_text",
    "read_bytes",
    "write_text",
}

PACKAGE_DATA = {"plan.price": {"read_bytes"}}  # reads the shipped price table, once, and nothing else

MODULE_LINES = 300
FUNCTION_LINES = 60

ROOT = Path(batchgen.__file__).parent


@functools.cache
def _modules() -> dict[str, tuple[Path, ast.Module]]:
    """Every module of the package by its dotted name below `batchgen` (the package itself is `batchgen`)."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__") or "batchgen"
        found[name] = (path, ast.parse(path.read_text(encoding="utf-8")))
    return found


def _each(*, outside: tuple[str, ...] = ()) -> list[str]:
    return [name for name in _modules() if not name.startswith(outside)] if outside else list(_modules())


def _tree(name: str) -> ast.Module:
    return _modules()[name][1]


def _imports(name: str) -> Iterator[tuple[str, int]]:
    """Absolute dotted names that a module imports, wherever in it, with the line."""
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno} imports relatively"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def _imported_modules(name: str) -> dict[str, int]:
    """Modules of batchgen that a module imports, by their name below `batchgen`, with the line."""
    found = {}
    for target, line in _imports(name):
        if target != "batchgen" and not target.startswith("batchgen."):
            continue
        below = target.removeprefix("batchgen").lstrip(".")
        module = below if below in _modules() else below.rpartition(".")[0] or "batchgen"
        if module != name:
            found[module] = line
    return found


def _package(module: str) -> str:
    return module.partition(".")[0]


def _layer(module: str) -> int:
    return next(number for number, row in enumerate(LAYERS) if _package(module) in row)


def _may_import(importer: str, imported: str) -> bool:
    above, below = _package(importer), _package(imported)
    if below in NEVER.get(above, set()):
        return False
    if above == below or below in SIDEWAYS.get(above, set()):
        return True
    return _layer(importer) < _layer(imported)


def test_every_package_has_a_layer():
    """A new package gets a place in the house before it gets users."""
    placed = {package for row in LAYERS for package in row}
    assert {_package(name) for name in _modules()} - {"batchgen"} <= placed


def test_the_layer_table_judges():
    """The judge of the next test says no where it should."""
    allowed = [
        ("cli.run", "run.runner"),
        ("plan.expand", "manifest.load"),
        ("provider.decode", "provider.failure"),
    ]
    refused = [
        ("run.runner", "cli.app"),
        ("manifest.load", "plan.expand"),
        ("ledger.entry", "request"),
        ("run", "sandbox"),
    ]
    assert [_may_import(*pair) for pair in allowed] == [True] * 3
    assert [_may_import(*pair) for pair in refused] == [False] * 4


@pytest.mark.parametrize("name", _each(outside=("batchgen",)))
def test_imports_go_down_only(name):
    """No module imports from above or from beside."""
    wrong = [
        f"line {line}: {name} imports {imported}"
        for imported, line in _imported_modules(name).items()
        if imported != "batchgen" and not _may_import(name, imported)
    ]
    assert not wrong


def test_no_modules_import_each_other():
    """The import graph has no cycle, lazy imports included."""
    graph = {name: set(_imported_modules(name)) - {"batchgen"} for name in _modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def _called(node: ast.AST) -> str:
    """The dotted name of what a call calls, as far as it is written out."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def _prints(node: ast.AST) -> bool:
    return _called(node) in {
        "print",
        "input",
        "sys.stdout.write",
        "sys.stderr.write",
        "click.echo",
        "tqdm.write",
    }


def _exits(node: ast.AST) -> bool:
    raised = isinstance(node, ast.Raise) and node.exc is not None and "SystemExit" in ast.unparse(node.exc)
    return raised or _called(node) in {"sys.exit", "exit", "quit", "os._exit", "os.abort"}


def _reads_environment(node: ast.AST) -> bool:
    attribute = isinstance(node, ast.Attribute) and ast.unparse(node) in {
        "os.environ",
        "os.environb",
        "os.getenv",
    }
    imported = isinstance(node, ast.ImportFrom) and node.module == "os" and "environ" in {a.name for a in node.names}
    return attribute or imported or _called(node) in {"os.path.expanduser", "Path.home"}


SERVER_HALF = {"web", "BodyPartReader"}


def _uses_http_client(node: ast.AST) -> bool:
    """Anything of aiohttp but its server half."""
    if isinstance(node, ast.Import):
        return any(re.match(r"aiohttp(\.|$)(?!web)", alias.name) for alias in node.names)
    if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("aiohttp"):
        return False
    return node.module not in {"aiohttp.web", "aiohttp.abc"} and not {alias.name for alias in node.names} <= SERVER_HALF


def _syncs_renames_or_locks(node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {getattr(node, "module", "") or ""} | {alias.name for alias in node.names}
        return bool(names & {"fcntl", "filelock", "fsync", "flock"})
    called = _called(node)
    if called.rpartition(".")[0].endswith("folder"):  # batchgen.files.Folder, which does it durably
        return False
    # str.replace takes two arguments and datetime.replace keywords; Path.replace takes exactly one.
    moves = isinstance(node, ast.Call) and called.endswith(".replace") and len(node.args) == 1 and not node.keywords
    return moves or called.endswith(
        (".fsync", ".fdatasync", ".rename", ".renames", "os.replace", "shutil.move", ".flock")
    )


ABSENCES: dict[str, tuple[Callable[[ast.AST], bool], tuple[str, ...]]] = {
    "below cli nothing prints": (_prints, ("cli",)),
    "below cli nothing exits": (_exits, ("cli", "__main__")),
    "below cli nothing reads the environment": (_reads_environment, ("cli",)),
    "only provider/session.py imports the HTTP client": (_uses_http_client, ("provider.session",)),
    "only files.py syncs, renames and locks": (_syncs_renames_or_locks, ("files",)),
}


@pytest.mark.parametrize("rule", ABSENCES)
def test_absences(rule):
    """What a rule forbids is found nowhere but where the rule allows it."""
    forbidden, allowed = ABSENCES[rule]
    wrong = [
        f"{name}:{getattr(node, 'lineno', '?')}"
        for name in _each(outside=allowed)
        for node in ast.walk(_tree(name))
        if forbidden(node)
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("below cli nothing prints", "print('x')"),
        ("below cli nothing exits", "raise SystemExit(1)"),
        ("below cli nothing exits", "sys.exit(1)"),
        ("below cli nothing reads the environment", "key = os.environ['KEY']"),
        ("below cli nothing reads the environment", "from os import environ"),
        ("only provider/session.py imports the HTTP client", "import aiohttp"),
        ("only provider/session.py imports the HTTP client", "from aiohttp import ClientSession"),
        ("only files.py syncs, renames and locks", "os.fsync(3)"),
        ("only files.py syncs, renames and locks", "path.rename(other)"),
        ("only files.py syncs, renames and locks", "path.replace(other)"),
        ("only files.py syncs, renames and locks", "import filelock"),
    ],
)
def test_absences_are_found(rule, code):
    """Each rule sees what it forbids: a rule that finds nothing in anything would hold nothing."""
    assert any(ABSENCES[rule][0](node) for node in ast.walk(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["from aiohttp import web", "text.replace('a', 'b')", "moment.replace(tzinfo=UTC)", "echo('x')"]
)
def test_absences_leave_the_innocent_alone(code):
    """The server half of aiohttp, and namesakes of forbidden calls, are free."""
    nodes = list(ast.walk(ast.parse(code)))
    assert not any(forbidden(node) for forbidden, _ in ABSENCES.values() for node in nodes)


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_know_no_clock_and_no_files(name):
    """What decides is free of time and I/O, so that it can be tested by values alone."""
    imported = {target.partition(".")[0] for target, _ in _imports(name)} & CLOCKS_AND_IO
    called = {_called(node).rpartition(".")[2] for node in ast.walk(_tree(name))} & CLOCK_CALLS
    assert (imported, called - PACKAGE_DATA.get(name, set())) == (set(), set())


@pytest.mark.parametrize("name", _each())
def test_modules_are_short(name):
    """A module is read in one sitting."""
    lines = len(_modules()[name][0].read_text(encoding="utf-8").splitlines())
    assert lines <= MODULE_LINES


@pytest.mark.parametrize("name", _each())
def test_functions_are_short(name):
    """A function is seen on one screen."""
    long = {node.name: _length(node) for node in _functions(_tree(name)) if _length(node) > FUNCTION_LINES}
    assert not long


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("name", _each())
def test_public_things_have_docstrings(name):
    """Modules, public classes, functions and methods say what they are."""
    silent = [] if ast.get_docstring(_tree(name)) else ["the module"]
    assert not silent + [thing for thing, node in _public(_tree(name)) if not ast.get_docstring(node)]


def _public(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node, f"{prefix}{node.name}.")


@pytest.mark.parametrize("name", _each())
def test_what_crosses_a_package_border_is_in_all(name):
    """A name that another package imports is one that its module offers in `__all__`."""
    wrong = []
    for target, line in _imports(name):
        module, _, thing = target.removeprefix("batchgen.").rpartition(".")
        if module not in _modules() or target.removeprefix("batchgen.") in _modules():
            continue
        if _package(module) != _package(name) and thing not in (_all(module) or {thing}):
            wrong.append(f"line {line}: {target}")
    assert not wrong


@pytest.mark.parametrize("name", _each(outside=("__main__",)))
def test_all_is_true(name):
    """Every name in `__all__` is there, once."""
    listed = _all(name) or []
    module = importlib.import_module("batchgen" if name == "batchgen" else f"batchgen.{name}")
    assert [thing for thing in listed if not hasattr(module, thing)] == []
    assert len(set(listed)) == len(listed)


def _all(name: str) -> list[str] | None:
    """The module's `__all__` as written, or None if it has none."""
    for node in _tree(name).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def test_the_core_has_no_module_without_a_name():
    """Modules are named for what they hold, never `utils`, `helpers`, `common` or `manager`."""
    last = {name.rpartition(".")[2] for name in _modules()}
    assert not last & {"utils", "util", "helpers", "helper", "common", "misc", "manager", "core", "base"}
