"""`batchgen init`: four questions, a commented manifest that runs as it is, and nothing overwritten."""

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from batchgen.cli.confirm import someone_is_there
from batchgen.cli.datafile import REQUEST_COLUMNS, SAMPLE, DataFile, look_at
from batchgen.cli.options import screen_options
from batchgen.cli.promptfile import PromptFile, take_over
from batchgen.cli.questions import MOST_TAKES, Answers, Given, Readers, asked
from batchgen.cli.shell import Shell
from batchgen.cli.starter import SAMPLE_CSV, Starter, manifest_text
from batchgen.errors import FolderError, UsageError
from batchgen.manifest.fields import NAME_PATTERN
from batchgen.manifest.naming import slug
from batchgen.manifest.publish import schema_text
from batchgen.provider.catalog import Provider, ProviderDataError, resolve

__all__ = ["command"]

_WHAT_ALONE = "a stoneware mug on an oak table, morning light"
_WHAT_WITH_ROWS = "Product photo on a plain pale background, soft window light. No text."
_WHAT_WITH_IMAGES = "Keep the product exactly as it is and set it on a plain pale background."
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_PREFERRED: Mapping[str, str] = {"model": "gpt-image-2", "size": "1024x1024", "quality": "medium"}


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--what", metavar="TEXT", help="What is in the pictures: the prompt, or the scene for every row.")
@click.option("--takes", type=click.IntRange(1, MOST_TAKES), metavar="N", help="How many of each (default 1).")
@click.option(
    "--data",
    metavar="FILE",
    help="'none', 'sample' (a small CSV is written), or a .csv, .jsonl, .txt, folder of images. "
    "Default sample; with --what none.",
)
@click.option("--provider", metavar="NAME", help="Who makes them (default sandbox: no key, no cost).")
@click.option("--base-url", metavar="URL", help="Address of a gateway that ships without one.")
@click.option("--name", metavar="NAME", help="Name of the job (default 'first', or that of the --from file).")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Make the manifest of prompts in a .jsonl or .csv: prompt, size, quality, out per line.",
)
@screen_options
def command(shell: Shell, folder: Path, source: Path | None, **given: Any) -> int:
    """Write a commented manifest to DIR/jobs that runs as it is.

    Asks what, how many, which data and which provider; an option answers in advance, and without a terminal the
    defaults do. Files that exist are never overwritten.
    """
    jobs = folder if folder.resolve().name == "jobs" else folder / "jobs"
    name = _name(given.pop("name"), source)
    _check_new([jobs / f"{name}.yaml"])
    answers = _answers(shell, jobs, source, given)
    manifest, files, notes = _composed(name, answers, jobs, is_source=source is not None)
    _write_new(files)
    for path in files:
        shell.screen.line(f"wrote {path}")
    for note in notes:
        shell.screen.note(f"note: {note}")
    shell.screen.line(f"next:  batchgen plan {shlex.quote(str(manifest))}")
    return 0


def _answers(shell: Shell, jobs: Path, source: Path | None, options: Mapping[str, Any]) -> Answers:
    if source is not None and options["data"] is not None:
        message = "--data does not go with --from, whose file is the data; leave one of them out"
        raise UsageError(message)
    known = None if source is None else look_at(source, _relative(source, jobs))
    answers = asked(
        Given(**options, has_source=source is not None),
        Readers(
            data=lambda text: _data(text, jobs), provider=lambda use, url: _provider(use, url, shell.providers_file)
        ),
        shell.screen,
        is_someone_there=someone_is_there(),
    )
    return answers if known is None else replace(answers, data=known)


def _data(text: str, jobs: Path) -> DataFile | None:
    if text == "none":
        return None
    return SAMPLE if text == "sample" else look_at(Path(text), _relative(Path(text), jobs))


def _provider(use: str, base_url: str, providers_file: Path) -> Provider | None:
    """The provider; None when all it lacks is an address."""
    try:
        return resolve(use, {"base_url": base_url} if base_url else {}, user_file=providers_file)
    except ProviderDataError as error:
        if base_url or any(keys != ("base_url",) for keys, _ in error.findings):
            raise
        return None


def _composed(name: str, answers: Answers, jobs: Path, *, is_source: bool) -> tuple[Path, dict[Path, str], list[str]]:
    """The manifest's path, every file to write with its text, and notes for the user."""
    files: dict[Path, str] = {}
    provider, data = answers.provider, answers.data
    if data is SAMPLE:
        data = _sample(jobs, name, files)
    accepted = provider.accepts["generate"]
    taken = frozenset(REQUEST_COLUMNS) if accepted is None else frozenset(REQUEST_COLUMNS) & accepted
    found = _taken_over(answers, data, taken, is_source=is_source)
    schema, schema_path = _schema_beside(jobs)
    if schema_path is not None:
        files[schema_path] = schema_text()
    starter = Starter(
        name=name,
        folder=f"output/{name}@sandbox" if provider.sandbox else f"output/{name}",
        prompt=found.prompt,
        schema=schema,
        provider=provider.name,
        base_url=answers.base_url,
        takes=answers.takes,
        rows=None if data is None else (data.kind, data.name),
        key="" if data is None else data.key,
        images=("${{ row.path }}",) if data is not None and data.kind == "images" else (),
        request={**{key: value for key, value in _PREFERRED.items() if key in taken}, **found.request},
        path=found.path,
    )
    manifest = jobs / f"{name}.yaml"
    return manifest, {**files, manifest: manifest_text(starter)}, list(found.notes)


def _name(given: str | None, source: Path | None) -> str:
    if given is None:
        from_file = _NOT_IN_NAMES.sub("-", slug(source.stem)).strip("-") if source else "first"
        return from_file or "prompts"
    if re.fullmatch(NAME_PATTERN, given):
        return given
    message = f"--name: '{given}' is no job name (expected letters, digits, dots and dashes, at most 64)"
    raise UsageError(message)


def _sample(jobs: Path, name: str, files: dict[Path, str]) -> DataFile:
    """The sample where an identical one lies or nothing does; a file of another content keeps its name to itself."""
    for stem in ("products", name):
        path = jobs / "data" / f"{stem}.csv"
        if not path.exists():
            files[path] = SAMPLE_CSV
        elif not path.is_file() or path.read_bytes() != SAMPLE_CSV.encode():
            continue
        return replace(SAMPLE, name=f"data/{stem}.csv")
    message = f"{path} already there, and nothing is overwritten; choose another folder or --name"
    raise UsageError(message)


def _taken_over(answers: Answers, data: DataFile | None, accepted: frozenset[str], *, is_source: bool) -> PromptFile:
    """What the data gives to the manifest beyond its rows."""
    if data is None:
        return PromptFile(prompt=answers.what or _WHAT_ALONE)
    if is_source:
        return take_over(data, what=answers.what, accepted=accepted, takes=answers.takes)
    if data.kind == "images":
        return PromptFile(prompt=answers.what or _WHAT_WITH_IMAGES)
    return PromptFile(prompt=data.described(answers.what or _WHAT_WITH_ROWS), notes=data.notes)


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def _schema_beside(jobs: Path) -> tuple[str, Path | None]:
    """The schema as the manifest names it (editors take a relative path offline), and where a copy is needed."""
    shipped = jobs.absolute().parent / "batchgen" / "schema" / "job.v1.json"
    if shipped.is_file():
        return "../batchgen/schema/job.v1.json", None
    copy = jobs / "job.v1.json"
    return "job.v1.json", None if copy.exists() else copy


def _check_new(paths: Iterable[Path]) -> None:
    taken = [str(path) for path in paths if path.exists() or path.is_symlink()]
    if taken:
        message = f"{', '.join(taken)} already there, and nothing is overwritten; choose another folder or --name"
        raise UsageError(message)


def _write_new(files: Mapping[Path, str]) -> None:
    """Write all files or none that exists already: the check comes before the first write, `x` guards the rest.

    Raises UsageError for a file that is there, FolderError for a folder that cannot be written.
    """
    _check_new(files)
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as problem:
            message = f"'{path}' cannot be written: {problem.strerror}; choose another folder"
            raise FolderError(message) from problem
