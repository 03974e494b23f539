"""Where a provider's key comes from. The first source that has one wins; the environment is passed in."""

import json
import re
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from batchgen.errors import ProviderError
from batchgen.provider.definition import Provider

__all__ = ["Key", "env_files", "find_key", "require_key"]

_MAX_BYTES = 64 * 1024
_COMMAND_SECONDS = 30.0
_SHOWN_CHARACTERS = 4
_LONG_ENOUGH_TO_SHOW = 16
_QUOTES = "\"'`\u2018\u2019\u201c\u201d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A secret and where it was found. The secret is in no representation of this object."""

    source: str
    secret: str = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def last4(self) -> str:
        """The last four characters, for people to tell keys apart; empty when they would give too much away."""
        return self.secret[-_SHOWN_CHARACTERS:] if len(self.secret) >= _LONG_ENOUGH_TO_SHOW else ""


def env_files(folder: Path) -> tuple[Path, ...]:
    """`.env` in a manifest's folder, then above it up to the root of its repository; without one only the first."""
    above = (folder, *folder.parents)
    roots = [number for number, place in enumerate(above) if (place / ".git").exists()]
    searched = above[: roots[0] + 1] if roots else above[:1]
    return tuple(place / ".env" for place in searched)


def find_key(
    provider: Provider,
    *,
    environ: Mapping[str, str],
    env_files: Sequence[Path] = (),
    config_dir: Path | None = None,
    folder: Path | None = None,
) -> Key | None:
    """The provider's key: environment, `.env` files in order, `key_file`, `key_cmd`, the user's keys.json.

    None when there is none or the provider wants none. `folder` is where a relative `key_file` starts. Raises
    ProviderError for a source that is named and broken, and for a key no header could carry.
    """
    if provider.auth == "none":
        return None
    return (
        _from_environment(provider, environ)
        or _from_env_files(provider, env_files)
        or _from_file(provider, environ, folder)
        or _from_command(provider, environ)
        or _from_store(provider, config_dir)
    )


def require_key(
    provider: Provider,
    *,
    environ: Mapping[str, str],
    env_files: Sequence[Path] = (),
    config_dir: Path | None = None,
    folder: Path | None = None,
) -> Key | None:
    """As `find_key`, but raises ProviderError with every way to set the key when the provider wants one."""
    key = find_key(provider, environ=environ, env_files=env_files, config_dir=config_dir, folder=folder)
    if key is None and provider.auth != "none":
        raise ProviderError(_ways(provider, config_dir))
    return key


def _ways(provider: Provider, config_dir: Path | None) -> str:
    name, use = provider.key_env or "PROVIDER_API_KEY", f"use: {provider.name}"
    store = "keys.json in the user's configuration folder" if config_dir is None else str(config_dir / "keys.json")
    ways = (
        ("in the environment:", f"export {name}=..."),
        ("in .env beside the manifest:", f"{name}=..."),
        ("in a file of its own:", f"provider: {{ {use}, key_file: /path/to/key }}"),
        ("from a command:", f"provider: {{ {use}, key_cmd: 'pass show {provider.name}' }}"),
        ("for all jobs, mode 0600:", f'{{"{provider.name}": "..."}}   in {store}'),
    )
    width = max(len(place) for place, _ in ways)
    return "\n".join(
        (
            f"no key for provider {provider.name}: {name} is not set; do one of these:",
            *(f"  {place:<{width}}  {text}" for place, text in ways),
        )
    )


def _from_environment(provider: Provider, environ: Mapping[str, str]) -> Key | None:
    if not provider.key_env:
        return None
    return _key(environ.get(provider.key_env, ""), source=f"environment variable {provider.key_env}")


def _from_env_files(provider: Provider, files: Sequence[Path]) -> Key | None:
    for file in files if provider.key_env else ():
        try:
            # No interpolation: a key may hold a dollar sign, and nothing here may read the process's environment.
            value = dotenv_values(file, interpolate=False, encoding="utf-8-sig").get(provider.key_env)
        except (OSError, UnicodeDecodeError) as error:
            raise _broken(file, f"cannot be read ({_reason(error)}); mend it or move it away") from None
        if key := _key(value or "", source=f"{provider.key_env} in {file}"):
            return key
    return None


def _from_file(provider: Provider, environ: Mapping[str, str], folder: Path | None) -> Key | None:
    if not provider.key_file:
        return None
    path = _located(provider.key_file, environ, folder)
    source = f"key_file {path}"
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        secret = content.decode("utf-8-sig") if len(content) <= _MAX_BYTES else ""
    except (OSError, UnicodeDecodeError) as error:
        raise _broken(source, f"cannot be read ({_reason(error)}); mend it or remove key_file") from None
    if key := _key(secret, source=source):
        return key
    raise _broken(source, "holds no key; put the key in, alone, or remove key_file")


def _located(written: str, environ: Mapping[str, str], folder: Path | None) -> Path:
    """`~/` and `${NAME}` are taken from the given environment (systemd sets CREDENTIALS_DIRECTORY)."""
    if written.startswith("~/"):
        written = f"${{HOME}}{written[1:]}"
    missing = [name for name in re.findall(r"\$\{(\w+)\}", written) if not environ.get(name)]
    if missing:
        message = f"key_file '{written}' needs {missing[0]}, which is not set; set it, or write the whole path"
        raise ProviderError(message)
    path = Path(re.sub(r"\$\{(\w+)\}", lambda match: environ[match[1]], written))
    if path.is_absolute() or folder is None:
        return path
    return folder / path


def _from_command(provider: Provider, environ: Mapping[str, str]) -> Key | None:
    if not provider.key_cmd:
        return None
    source = f"key_cmd '{provider.key_cmd[0]}'"
    try:
        done = subprocess.run(  # noqa: S603  the user's own command, without a shell
            provider.key_cmd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_SECONDS,
            check=True,
        )
        # A password store prints the secret on the first line and notes below it.
        secret = done.stdout[:_MAX_BYTES].decode("utf-8-sig").strip().partition("\n")[0]
    except subprocess.CalledProcessError as error:
        raise _broken(source, f"ended with {error.returncode}; run it by hand to see why") from None
    except subprocess.TimeoutExpired:
        raise _broken(source, f"gave no answer within {_COMMAND_SECONDS:g} s; run it by hand to see why") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _broken(source, f"failed ({_reason(error)}); run it by hand to see why") from None
    if key := _key(secret, source=source):
        return key
    raise _broken(source, "printed no key; run it by hand to see why")


def _from_store(provider: Provider, config_dir: Path | None) -> Key | None:
    if config_dir is None:
        return None
    path = config_dir / "keys.json"
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            stored = json.loads(file.read(_MAX_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(path, f"cannot be read ({_reason(error)}); mend it or remove it") from None
    if not isinstance(stored, dict) or not all(isinstance(value, str) for value in stored.values()):
        raise _broken(path, "is not what it should be (expected one object of provider names and keys); mend it")
    wide = (f"{path} can be read by others (mode {mode:04o}); run chmod 600 {path}",) if mode & 0o077 else ()
    return _key(stored.get(provider.name, ""), source=str(path), warnings=wide)


def _reason(error: Exception) -> str:
    """Why, without the content: a decoder's message quotes what it read, and that may be the key."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "not valid JSON"


def _broken(source: object, problem: str) -> ProviderError:
    return ProviderError(f"{source} {problem}")


def _key(text: str, *, source: str, warnings: tuple[str, ...] = ()) -> Key | None:
    """The key without the blanks and line end around it; None when nothing is left."""
    secret = text.strip()
    if not secret:
        return None
    flaw = _flaw(secret)
    if flaw:
        label = f"the key from {source}"
        raise _broken(label, flaw)
    return Key(source=source, secret=secret, warnings=warnings)


def _flaw(secret: str) -> str:
    """Why no header could carry it, without a character of it; empty when one can (RFC 9110, 5.5)."""
    if secret.lower().startswith("bearer "):
        return "starts with 'Bearer'; leave the word out, it is added when sending"
    if secret[0] in _QUOTES or secret[-1] in _QUOTES:
        return "is in quotes; leave them out"
    if any(character.isspace() for character in secret):
        return "has blanks or line breaks inside; copy it again, and nothing else"
    if not secret.isascii() or not secret.isprintable():
        return "holds characters that no key has; copy it again"
    return ""
