"""A job of a test's own: a manifest in a temporary folder, and what its runs leave there."""

import hashlib
import itertools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from fakes import program
from fakes.gateway import KEY

_numbers = itertools.count()


class Job:
    """A manifest `job.yaml` in `folder`, written anew by each `write`. Its name is unlike that of any other job.

    The embedded sandbox replays an answer for a key it has seen, and ids come from the name: a name of its own keeps
    the books of tests that share a sandbox apart.
    """

    def __init__(self, folder: Path, provider: Any = "sandbox", **manifest: Any) -> None:
        self.folder = folder
        self.path = folder / "job.yaml"
        self.environment: dict[str, str] = {"OPENAI_API_KEY": KEY}
        self.manifest: dict[str, Any] = {
            "version": 1,
            "name": f"job-{os.getpid()}-{next(_numbers)}",
            "provider": provider,
            "request": {"model": "gpt-image-2", "size": "1024x1024"},
            "prompts": [{"id": "mug", "text": "a mug"}, {"id": "tray", "text": "a tray"}],
            "retry": {"waits": [0.05], "max_wait": 0.2, "give_up_after": 2},
        }
        self.write(**manifest)

    def write(self, **changes: Any) -> None:
        """Replace top-level keys of the manifest; None takes one away."""
        self.manifest = {key: value for key, value in (self.manifest | changes).items() if value is not None}
        self.path.write_text(yaml.safe_dump(self.manifest, sort_keys=False, allow_unicode=True), encoding="utf-8")

    def call(self, verb: str, *arguments: object, env: Mapping[str, str] | None = None) -> program.Finished:
        """`batchgen VERB job.yaml ARGUMENTS`."""
        return program.call(verb, self.path, *arguments, cwd=self.folder, env={**self.environment, **(env or {})})

    def run(self, *arguments: object, code: int = 0) -> program.Finished:
        """`batchgen run --json`, which must exit with `code`."""
        finished = self.call("run", "--json", *arguments)
        assert finished.code == code, finished.said
        return finished

    def start(self, verb: str, *arguments: object) -> Any:
        """`batchgen VERB job.yaml ARGUMENTS`, running."""
        return program.start(verb, self.path, *arguments, cwd=self.folder, env=self.environment)

    def states(self, *arguments: object) -> dict[str, str]:
        """Slot -> state, as `plan --json` says."""
        finished = self.call("plan", "--json", *arguments)
        assert finished.code == 0, finished.said
        return {event["slot"]: event["state"] for event in finished.events if event["event"] == "slot"}

    @property
    def place(self) -> Path:
        """The job folder (there must be exactly one)."""
        (found,) = (self.folder / "output").iterdir()
        return found

    @property
    def untouched(self) -> bool:
        """Whether no run has written anything."""
        return not (self.folder / "output").exists()

    @property
    def images(self) -> dict[str, str]:
        """Finished images: path below images/ -> SHA-256."""
        root = self.place / "images"
        files = (path for path in sorted(root.rglob("*")) if path.is_file())
        shown = (path for path in files if not any(part.startswith(".") for part in path.relative_to(root).parts))
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in shown}

    def image(self, part: str) -> Path:
        """The only finished image whose path holds `part`."""
        (found,) = (name for name in self.images if part in name)
        return self.place / "images" / found

    @property
    def superseded(self) -> list[Path]:
        """Files in .superseded/."""
        return sorted(path for path in (self.place / "images" / ".superseded").rglob("*") if path.is_file())

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """The ledger's entries."""
        return [json.loads(line) for line in (self.place / "ledger.jsonl").read_text().splitlines()]

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """The ledger's entries of one kind."""
        return [entry for entry in self.ledger if entry["kind"] == kind]
