"""The program as a user meets it: a child process with arguments, an environment, two streams and an exit code."""

import functools
import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.zygote import Child, Zygote

import batchgen

SOURCE = Path(batchgen.__file__).parents[1]
PATIENCE_SECONDS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a finished call leaves."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Standard output as NDJSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    def event(self, name: str) -> dict[str, Any]:
        """The only event of that name."""
        (found,) = (event for event in self.events if event["event"] == name)
        return found

    @property
    def said(self) -> str:
        """Both streams, for a message in an assertion."""
        return f"exit {self.code}\n{self.out}\n{self.err}"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A child's environment: this process's, which the guards have cleaned, and `extra`."""
    path = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "error", "NO_COLOR": "1", **(extra or {})}


@functools.cache
def _zygote(_pid: int) -> Zygote:
    return Zygote(environment())


def start(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> Child:
    """A running `batchgen ARGUMENTS`; standard input is closed."""
    return _zygote(os.getpid()).start([*map(str, arguments)], cwd=cwd, env=environment(env))


def finish(process: Child) -> Finished:
    """Wait for a started call."""
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return Finished(code=process.returncode, out=out, err=err)


def call(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> Finished:
    """Run `batchgen ARGUMENTS` to its end."""
    return finish(start(*arguments, cwd=cwd, env=env))


class Sandbox:
    """A `batchgen sandbox` in a process of its own, and its books."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def root(self) -> str:
        """The address without the version."""
        return self.url.removesuffix("/v1")

    def bills(self) -> list[dict[str, Any]]:
        """One object per billed image."""
        return self._ask("_bills")

    def stats(self) -> dict[str, Any]:
        """Counts of all requests, billed or not."""
        return self._ask("_stats")

    def _ask(self, page: str) -> Any:
        with urllib.request.urlopen(f"{self.root}/{page}", timeout=10) as answer:  # noqa: S310  loopback http
            return json.load(answer)


@contextmanager
def sandbox(*arguments: str, cwd: Path) -> Iterator[Sandbox]:
    """A sandbox server on a free port until the block ends; it must stop on SIGINT within seconds."""
    process = start("sandbox", "--port", "0", *arguments, cwd=cwd)
    try:
        yield Sandbox(_address(process))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)


def _address(process: Child) -> str:
    """The base URL that the server prints first, whatever the words around it."""
    for line in process.stdout:
        for word in line.split():
            if word.startswith("http://127.0.0.1:"):
                return word.rstrip(".,;/")
    raise AssertionError(finish(process).said)


def wait_until(condition: Any, *, seconds: float = 20) -> None:
    """Poll until `condition()` is true; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        threading.Event().wait(0.02)
