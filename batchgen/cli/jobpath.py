"""Which manifest a JOB argument means: a path, a folder that holds one, or a name under `jobs/`."""

import difflib
from pathlib import Path

from batchgen.errors import UsageError

__all__ = ["find_manifest"]

_SUFFIXES = (".yaml", ".yml")
_SHOWN = 5


def find_manifest(job: str) -> Path:
    """The manifest's path, relative to the working directory when `job` is.

    `job` itself when it is there and no folder; in a folder `job.yaml` or the only YAML file; else `JOB.yaml`,
    `jobs/JOB` and `jobs/JOB.yaml`. Raises UsageError with near names when none of them exists.
    """
    path = Path(job)
    if path.is_dir():
        return _in_folder(path)
    if path.exists():
        return path
    for candidate in _candidates(path):
        if candidate.is_file():
            return candidate
    raise UsageError(_nothing_found(job))


def _candidates(path: Path) -> list[Path]:
    bases = [path] if path.is_absolute() else [path, Path("jobs") / path]
    return [base for base in bases if base.suffix in _SUFFIXES] + [
        base.with_name(base.name + suffix) for base in bases if base.name for suffix in _SUFFIXES
    ]


def _in_folder(folder: Path) -> Path:
    found = _manifests(folder)
    preferred = [path for path in found if path.stem == "job"]
    if len(preferred or found) == 1:
        return (preferred or found)[0]
    if not found:
        message = f"'{folder}' is a folder without a .yaml file; name a manifest, or write one with `batchgen init`"
        raise UsageError(message)
    message = f"'{folder}' is a folder with several manifests; name one of them: {_listed(found)}"
    raise UsageError(message)


def _manifests(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
    except OSError:
        return []


def _nothing_found(job: str) -> str:
    known = [*_manifests(Path("jobs")), *_manifests(Path())]
    by_stem = {path.stem: path for path in reversed(known)}
    near = difflib.get_close_matches(Path(job).stem, by_stem, n=3)
    if near:
        return f"no manifest '{job}'; did you mean {_listed([by_stem[stem] for stem in near], 'or')}?"
    if known:
        return f"no manifest '{job}'; there are: {_listed(known)}"
    return f"no manifest '{job}', and none in this folder or in jobs/; write one with `batchgen init`"


def _listed(paths: list[Path], last: str = "") -> str:
    shown = [str(path) for path in paths[:_SHOWN]]
    if last and len(shown) > 1:
        return f"{', '.join(shown[:-1])} {last} {shown[-1]}"
    return ", ".join(shown) + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
