"""`batchgen init`: four questions, a commented manifest that runs as it is, and nothing overwritten."""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from batchgen.cli.confirm import someone_is_there
from batchgen.cli.datafile import PARAMETERS, DataFile, look_at, request_from, unused
from batchgen.cli.options import screen_options
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
_MOST_TAKES = 100
_PREFERRED: Mapping[str, str] = {"model": "gpt-image-2", "size": "1024x1024", "quality": "medium"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the user said; None was left to the default."""

    what: str | None
    takes: int
    data: str
    provider: str
    base_url: str | None
    name: str | None
    source: Path | None


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--what", metavar="TEXT", help="What is in the pictures: the prompt, or the scene for every row.")
@click.option("--takes", type=click.IntRange(1, _MOST_TAKES), metavar="N", help="How many of each (default 1).")
@click.option(
    "--data", metavar="FILE", help="'none', 'sample' (a small CSV is written), or a .csv, .jsonl, .txt, folder."
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
    answers = _asked(given, source)
    provider = _provider(answers, shell)
    jobs = folder if folder.resolve().name == "jobs" else folder / "jobs"
    manifest, files, notes = _composed(answers, provider, jobs)
    _write_new(files)
    for path in files:
        shell.screen.line(f"wrote {path}")
    for note in notes:
        shell.screen.note(f"note: {note}")
    shell.screen.line(f"next:  batchgen plan {shlex.quote(str(manifest))}")
    return 0


def _asked(given: Mapping[str, Any], source: Path | None) -> Answers:
    """Each question that no option answered, put to the terminal when there is one."""
    ask = _on_terminal if someone_is_there() else _by_default
    data = given["data"] or ("none" if source else ask("data: none, sample, or a file or folder", "sample"))
    default = _WHAT_ALONE if data == "none" else _WHAT_WITH_IMAGES if Path(data).is_dir() else _WHAT_WITH_ROWS
    return Answers(
        what=given["what"] or (None if source else ask("what is in the pictures", default)),
        takes=given["takes"] or _count(ask("how many of each", "1")),
        data=data,
        provider=given["provider"] or ask("provider (see `batchgen providers`)", "sandbox"),
        base_url=given["base_url"],
        name=given["name"],
        source=source,
    )


def _on_terminal(question: str, default: str) -> str:
    return str(click.prompt(question, default=default, err=True))


def _by_default(question: str, default: str) -> str:
    del question
    return default


def _count(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= _MOST_TAKES:
        return int(text)
    message = f"'{text}' is no number of takes (expected 1 to {_MOST_TAKES})"
    raise UsageError(message)


def _provider(answers: Answers, shell: Shell) -> Provider:
    overrides = {"base_url": answers.base_url} if answers.base_url else {}
    try:
        return resolve(answers.provider, overrides, user_file=shell.providers_file)
    except ProviderDataError as error:
        if answers.base_url or any(keys != ("base_url",) for keys, _ in error.findings):
            raise
        message = f"'{answers.provider}' ships without an address; give it with --base-url https://gateway.example/v1"
        raise UsageError(message) from error


def _composed(answers: Answers, provider: Provider, jobs: Path) -> tuple[Path, dict[Path, str], list[str]]:
    """The manifest's path, every file to write with its text, and notes for the user."""
    files: dict[Path, str] = {}
    data, notes = _data(answers, jobs, files)
    name = _name(answers)
    accepted = provider.accepts["generate"]
    taken = PARAMETERS if accepted is None else PARAMETERS & accepted
    request = {key: value for key, value in _PREFERRED.items() if key in taken}
    if data is not None and answers.source is not None:
        request |= request_from(data, taken)
        notes += unused(data, taken)
    schema, schema_path = _schema_beside(jobs)
    if schema_path is not None:
        files[schema_path] = schema_text()
    starter = Starter(
        name=name,
        prompt=_prompt(answers, data),
        schema=schema,
        provider=answers.provider,
        base_url=answers.base_url or "",
        takes=answers.takes,
        rows=None if data is None else (data.kind, data.name),
        key="" if data is None else data.key,
        images=("${{ row.path }}",) if data is not None and data.kind == "images" else (),
        request=request,
        path="${{ row.out }}" if data is not None and answers.source and "out" in data.filled else "",
    )
    manifest = jobs / f"{name}.yaml"
    return manifest, {**files, manifest: manifest_text(starter)}, notes


def _name(answers: Answers) -> str:
    if answers.name is None:
        from_file = _NOT_IN_NAMES.sub("-", slug(answers.source.stem)).strip("-") if answers.source else "first"
        return from_file or "prompts"
    if re.fullmatch(NAME_PATTERN, answers.name):
        return answers.name
    message = f"--name: '{answers.name}' is no job name (expected letters, digits, dots and dashes, at most 64)"
    raise UsageError(message)


def _data(answers: Answers, jobs: Path, files: dict[Path, str]) -> tuple[DataFile | None, list[str]]:
    if answers.source is not None:
        return look_at(answers.source, _relative(answers.source, jobs)), []
    if answers.data == "none":
        return None, []
    if answers.data == "sample":
        sample = jobs / "data" / "products.csv"
        files[sample] = SAMPLE_CSV
        columns = tuple(SAMPLE_CSV.partition("\n")[0].split(","))
        return DataFile(
            kind="csv", name="data/products.csv", columns=columns, filled=frozenset(columns), key=columns[0]
        ), []
    path = Path(answers.data)
    if not path.exists():
        message = (
            f"no data file '{answers.data}' (expected 'none', 'sample', a .csv, .jsonl, .txt or a folder of images)"
        )
        raise UsageError(message)
    return look_at(path, _relative(path, jobs)), []


def _prompt(answers: Answers, data: DataFile | None) -> str:
    if data is None or data.kind == "images":
        return answers.what or _WHAT_ALONE
    if answers.source is None:
        return data.described(answers.what or _WHAT_WITH_ROWS)
    prompt = answers.what or data.prompt
    if prompt is None:
        message = (
            f"'{answers.source}' has no column 'prompt' that is filled in every row; columns: "
            f"{', '.join(data.columns)}; say what the prompt is with --what 'a photo of ${{{{ row.NAME }}}}'"
        )
        raise UsageError(message)
    return prompt


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def _schema_beside(jobs: Path) -> tuple[str, Path | None]:
    """The schema as the manifest names it (editors take a relative path offline), and where a copy is needed."""
    shipped = jobs.absolute().parent / "batchgen" / "schema" / "job.v1.json"
    if shipped.is_file():
        return "../batchgen/schema/job.v1.json", None
    copy = jobs / "job.v1.json"
    return "job.v1.json", None if copy.exists() else copy


def _write_new(files: Mapping[Path, str]) -> None:
    """Write all files or none that exists already: the check comes before the first write, `x` guards the rest.

    Raises UsageError for a file that is there, FolderError for a folder that cannot be written.
    """
    taken = [str(path) for path in files if path.exists() or path.is_symlink()]
    if taken:
        message = f"{', '.join(taken)} already there, and nothing is overwritten; choose another folder or --name"
        raise UsageError(message)
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as problem:
            message = f"'{path}' cannot be written: {problem.strerror}; choose another folder"
            raise FolderError(message) from problem
