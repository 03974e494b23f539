"""From a path to a checked manifest: read, parse, merge the profile, apply `--set`, interpolate, validate.

Every problem that can be seen in one pass is reported together, each with its place.
"""

import hashlib
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from batchgen.errors import ManifestError, Problem
from batchgen.manifest.decode import LONGEST_FILE_BYTES, too_large
from batchgen.manifest.interpolate import interpolate
from batchgen.manifest.marks import Keys, Marks
from batchgen.manifest.merge import Tree, apply_set, merge
from batchgen.manifest.rules import FIXED_KEYS, broken_rules, cut_texts, idle_keys
from batchgen.manifest.salvage import salvaged
from batchgen.manifest.schema import Document
from batchgen.manifest.source import Source, parse
from batchgen.manifest.wording import near, nearest, problems_of

__all__ = ["FlawedManifestError", "Manifest", "load"]

_MOST_TOLD = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest that passed every check, and where each of its values stands.

    `path` is absolute and `folder` is what its relative paths start from; `display` is the path as the user gave it,
    for messages. `sha256` is of the file's bytes. `document` has the profile, the `--set` options and the environment
    in it.
    """

    path: Path
    folder: Path
    display: str
    sha256: str
    document: Document
    marks: Marks
    profile: str | None = None
    warnings: tuple[Problem, ...] = ()

    def problem(self, keys: tuple[str | int, ...], message: str) -> Problem:
        """A problem at the value that `keys` lead to, or at its nearest ancestor that was written."""
        return self.marks.problem(keys, message)


class FlawedManifestError(ManifestError):
    """A manifest with problems, and the `rest` of it: not to be carried out, only to look for further problems."""

    def __init__(self, problems: Iterable[Problem], rest: Manifest) -> None:
        super().__init__(problems=problems)
        self.rest = rest


def load(path: Path, *, profile: str | None = None, sets: Sequence[str] = (), environ: Mapping[str, str]) -> Manifest:
    """Load a manifest. `sets` are `path=value` options in order; `environ` answers `${NAME}`.

    Raises ManifestError with all problems found; FlawedManifestError where more of them can be looked for.
    """
    display = str(path)
    data = _read(path, display)
    source = parse(data, file=display)
    made, problems, document = _Pass(source=source, environ=environ).resolve(profile, sets)
    if document is None:
        raise ManifestError(problems=problems)
    manifest = Manifest(
        path=path.absolute(),
        folder=path.absolute().parent,
        display=display,
        sha256=hashlib.sha256(data).hexdigest(),
        document=document,
        marks=made.marks,
        profile=profile,
        warnings=(*cut_texts(made.values, made.marks, source.cut), *idle_keys(made.values, made.marks)),
    )
    if problems:
        raise FlawedManifestError(problems, manifest)
    return manifest


def _read(path: Path, display: str) -> bytes:
    """The file's bytes; its size is looked at first, and a pipe or a device is never opened."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise _unreadable(display, f"{kind} (expected a YAML file)")
        if status.st_size > LONGEST_FILE_BYTES:
            raise ManifestError(problems=[too_large(display)])
        with path.open("rb") as file:
            return file.read(LONGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(display, "no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(display, f"cannot be read: {reason.lower()}") from None


def _unreadable(display: str, message: str) -> ManifestError:
    return ManifestError(problems=[Problem(file=display, message=message)])


class _Pass:
    """One pass over a parsed manifest; collects problems."""

    def __init__(self, *, source: Source, environ: Mapping[str, str]) -> None:
        self._marks = source.marks
        self._environ = environ
        self._base = Tree(value=source.values, node=source.marks.root)
        self._problems = list(source.problems)
        found = source.values.get("profiles")
        named = found.items() if isinstance(found, dict) else ()
        self._chosen: str | None = None
        self._profiles = {name: over for name, over in named if isinstance(over, dict)}

    def resolve(
        self, profile: str | None, sets: Sequence[str]
    ) -> tuple["_Resolved", Sequence[Problem], Document | None]:
        """The manifest with its profile and options in it, everything found in this pass and by the parser, in order.

        With problems the document is the rest of the manifest, and None if that would not mean what was meant.
        """
        made = self._validated(self._with_sets(self._with_profile(profile), sets))
        problems = [*self._problems, *made.unset, *made.problems]
        for name in self._profiles:
            problems += self._fixed_keys(name)
            problems += self._unchosen(name, known=frozenset(problems)) if name != self._chosen else ()
        return made, _in_order(problems), None if self._problems else made.rest

    def _with_profile(self, name: str | None) -> Tree:
        if name is None:
            return self._base
        if name not in self._profiles:
            there = f" (expected one of {', '.join(self._profiles)})" if self._profiles else "; the manifest has none"
            message = f"no profile '{name}'{there}{nearest(name, self._profiles)}"
            self._problems.append(self._marks.problem(("profiles",), message, at_key=True))
            # A manifest may lack what its profiles give: the one that was meant shows what is wrong.
            name = next(iter(near(name, self._profiles)), None)
        self._chosen = name
        return self._base if name is None else merge(self._base, self._overrides(name))

    def _with_sets(self, tree: Tree, sets: Sequence[str]) -> Tree:
        for option in sets:
            try:
                tree = apply_set(tree, option)
            except ManifestError as error:
                self._problems += error.problems
        return tree

    def _overrides(self, name: str) -> Tree:
        over = {key: value for key, value in self._profiles[name].items() if key not in FIXED_KEYS}
        return Tree(value=over, node=self._marks.at("profiles", name))

    def _validated(self, tree: Tree) -> "_Resolved":
        marks = self._marks.grafted(tree.node)
        env = tree.value.get("env")
        names = [name for name in env if isinstance(name, str)] if isinstance(env, list) else []
        values, findings = interpolate(tree.value, env=names, environ=self._environ)
        document, flaw, problems = None, None, list(broken_rules(values, marks))
        is_ruled = not problems
        try:
            document = Document.model_validate(values)
        except ValidationError as error:
            flaw = error
            problems += problems_of(error, marks)
        unset = [marks.problem(finding.keys, finding.message) for finding in findings]
        known = {problem.key for problem in unset}
        return _Resolved(
            values=values,
            marks=marks,
            document=document,
            flaw=flaw,
            is_ruled=is_ruled,
            unset=unset,
            problems=[problem for problem in problems if problem.key not in known],
        )

    def _fixed_keys(self, name: str) -> Iterator[Problem]:
        for key in FIXED_KEYS:
            if key in self._profiles[name]:
                keys: Keys = ("profiles", name, key)
                yield self._marks.problem(keys, f"a profile cannot change '{key}'; remove it", at_key=True)

    def _unchosen(self, name: str, *, known: frozenset[Problem]) -> Iterator[Problem]:
        """Problems of a profile that nobody asked for yet, so that a draft's typo shows today and not on Friday.

        Variables that only this profile reads may be unset until then.
        """
        over, values = self._overrides(name), self._base.value
        if "prompts" in values and "prompts" not in over.value:
            values = values | {"prompts": ["any"]}  # they were looked at already, and may be many
        made = self._validated(merge(Tree(value=values, node=self._base.node), over))
        for problem in made.problems:
            if problem not in known:
                yield replace(problem, key=f"profiles.{name}.{problem.key}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    """What became of the values; `unset` are the references that could not be replaced.

    `flaw` is what the schema found, `is_ruled` whether the rules across fields are kept.
    """

    values: dict[str, Any]
    marks: Marks
    document: Document | None
    flaw: ValidationError | None
    is_ruled: bool
    unset: list[Problem]
    problems: list[Problem]

    @property
    def rest(self) -> Document | None:
        """The document without what is wrong with it, as far as that leaves a meaning."""
        if self.unset or not self.is_ruled:
            return None
        return self.document if self.flaw is None else salvaged(self.values, self.flaw)


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    """By line and column, each once; what has no place in the file comes last, and of very many the first are told."""
    unique = dict.fromkeys(problems)
    ordered = sorted(unique, key=lambda problem: (problem.line is None, problem.line or 0, problem.column or 0))
    more = len(ordered) - _MOST_TOLD
    return ordered if more <= 0 else [*ordered[:_MOST_TOLD], Problem(message=f"and {more:,} more problems")]
