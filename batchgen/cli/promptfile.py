"""`batchgen init --from`: prompts, parameters and file names out of a file in the shape of `generate-batch` scripts."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import PurePath

from batchgen.cli.datafile import PROMPT_COLUMNS, REQUEST_COLUMNS, DataFile
from batchgen.cli.starter import column, reference
from batchgen.errors import ManifestError, Problem, UsageError
from batchgen.manifest.findings import Findings
from batchgen.manifest.naming import clean_path, slug
from batchgen.manifest.rows import Row
from batchgen.plan.paths import extension, path_key, templated_path

__all__ = ["PromptFile", "take_over"]

_DEFAULTS: Mapping[str, str] = {
    "model": "gpt-image-2",
    "size": "1024x1024",
    "quality": "auto",
    "background": "auto",
    "output_format": "png",
    "moderation": "auto",
}
"""Parameters that a row may leave out, with what they are then."""
_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFile:
    """What a manifest takes over: templates of the prompt, of parameters and of the path, and notes for the user."""

    prompt: str
    request: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    notes: tuple[str, ...] = ()


def take_over(data: DataFile, *, what: str | None, accepted: Collection[str], takes: int) -> PromptFile:
    """Read the columns of the `generate-batch` shape; `accepted` are the parameters that the provider takes.

    Raises UsageError when there is no prompt to be found, ManifestError with every line that has none, or whose `out`
    cannot be a file's name.
    """
    prompt = what or _prompt(data)
    path, mismatch = _path(data, takes, has_format="output_format" in accepted)
    return PromptFile(
        prompt=prompt,
        request=_request(data, accepted),
        path=path,
        notes=(*data.notes, *_unused(data, accepted), *mismatch),
    )


def _prompt(data: DataFile) -> str:
    name = next((name for name in PROMPT_COLUMNS if name in data.columns), None)
    if name is not None and name in data.filled:
        return column(name)
    if name is None and not _near(data.columns):
        message = (
            f"'{data.shown}' has no column 'prompt'; columns: {', '.join(data.columns)}; "
            "say what the prompt is with --what 'a photo of ${{ row.NAME }}'"
        )
        raise UsageError(message)
    findings = Findings()
    for row in data.rows:
        message = _promptless(row, name or PROMPT_COLUMNS[0])
        if message:
            _add(findings, data, 1 if data.kind == "csv" and name is None else row.line, message)
    raise ManifestError(problems=findings.problems())


def _promptless(row: Row, name: str) -> str:
    """What is wrong with a row that has no prompt; nothing when it has one."""
    if str(row.values.get(name) or "").strip():
        return ""
    if name in row.values:
        return f"'{name}' is empty; write a prompt, or take the line out"
    near = _near(row.values)
    if near:
        return f"no '{name}' (did you mean '{near}'?); rename it"
    return f"no '{name}' (keys: {', '.join(row.values) or 'none'}); give the line one, or take it out"


def _near(names: Collection[str]) -> str:
    spelled = {name.lower(): name for name in names}
    return next((spelled[near] for near in get_close_matches("prompt", spelled, n=1)), "")


def _request(data: DataFile, accepted: Collection[str]) -> dict[str, str]:
    """The request parameters that the columns give, with a default where a row has none."""
    return {
        name: column(name)
        if name in data.filled
        else f"${{{{ {reference(name)} | default('{_DEFAULTS[name]}', true) }}}}"
        for name in REQUEST_COLUMNS
        if name in data.columns and name in accepted
    }


def _unused(data: DataFile, accepted: Collection[str]) -> Iterator[str]:
    if "n" in data.columns:
        yield "column 'n' is not used: each image is a request of its own; set `repeat` for more takes"
    for name in REQUEST_COLUMNS:
        if name in data.columns and name not in accepted:
            yield f"column '{name}' is not used: the provider takes no {name}"


def _path(data: DataFile, takes: int, *, has_format: bool) -> tuple[str, list[str]]:
    """The template of `out`, its folders kept, and a note on endings that are not those of the pictures."""
    if "out" not in data.columns:
        return "", []
    spare = next((name for name in (*PROMPT_COLUMNS, data.key) if name in data.filled), "")
    renamed = _check_names(data, spare, has_format=has_format)
    default = "" if "out" in data.filled or not spare else f" | default({reference(spare)} | slug, true)"
    folder = "v${{ take }}/" if takes > 1 else ""
    return f"{folder}${{{{ row.out{default} | path }}}}", renamed


def _check_names(data: DataFile, spare: str, *, has_format: bool) -> list[str]:
    """Raise ManifestError for names that cannot be used, or twice; return the note on endings that change."""
    findings = Findings()
    taken: dict[str, int] = {}
    renamed: list[str] = []
    for row in data.rows:
        out = str(row.values.get("out") or "")
        picture = extension(row.values.get("output_format") or "png") if has_format else "png"
        try:
            path = templated_path(clean_path(out or slug(str(row.values.get(spare, "")))), picture)
        except ValueError as error:
            message = f"out: {error}" if out else "no 'out', and nothing to make a name of; give it one"
            _add(findings, data, row.line, message)
            continue
        first = taken.setdefault(path_key(path), row.line)
        if first != row.line:
            whose = f"out: '{out}'" if out else "no 'out', and the name made of its prompt"
            _add(findings, data, row.line, f"{whose} is already that of line {first}; give it another")
        if _is_other_ending(out, path):
            renamed.append(f"line {row.line}: '{out}' becomes '{path.partition('/')[2]}'")
    if findings:
        raise ManifestError(problems=findings.problems())
    if not renamed:
        return []
    return [f"{len(renamed)} of the names in 'out' do not end as the pictures do ({renamed[0]}); see output_format"]


def _is_other_ending(out: str, path: str) -> bool:
    written, real = PurePath(out.lower()).suffix, PurePath(path).suffix
    return written in _ENDINGS and written.replace("jpeg", "jpg") != real


def _add(findings: Findings, data: DataFile, line: int, message: str) -> None:
    findings.add(message, lambda: Problem(file=data.shown, line=line, message=message))
