"""Whole runs in virtual time: a manifest in a folder, scripted providers, and everything an observer heard."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes.transport import ScriptedTransport
from fakes.virtual import VirtualClock, run_virtual

from batchgen.files import Folder
from batchgen.ledger.journal import read_state
from batchgen.run.events import NullObserver
from batchgen.run.host import Host
from batchgen.run.job import Options, open_job
from batchgen.run.runner import Run, Surroundings

HOST = Host(name="here", boot="boot-1", pid=1, run="run-1")


class Listener(NullObserver):
    """Remembers every event by kind."""

    def __init__(self) -> None:
        self.images: list[Any] = []
        self.failures: list[Any] = []
        self.pauses: list[Any] = []
        self.summaries: list[Any] = []
        self.plans: list[Any] = []

    def plan(self, event: Any) -> None:
        self.plans.append(event)

    def image(self, event: Any) -> None:
        self.images.append(event)

    def failure(self, event: Any) -> None:
        self.failures.append(event)

    def pause(self, event: Any) -> None:
        self.pauses.append(event)

    def summary(self, event: Any) -> None:
        self.summaries.append(event)


@dataclass
class Bench:
    """A manifest with `count` prompts at a priced provider, and the runs over it."""

    folder: Path
    count: int = 4
    extra: str = ""
    providers: str = "{ use: openai, base_url: 'http://127.0.0.1:9/v1', auth: none }"
    numbers: list[int] = field(default_factory=list)
    listener: Listener = field(default_factory=Listener)
    clock: VirtualClock = field(default_factory=VirtualClock)
    runs: int = 0
    current: Run | None = None
    open_folder: Callable[[Path], Folder] = Folder.make

    def manifest(self) -> Path:
        prompts = "\n".join(f"  - {{ id: p{number}, text: picture {number} }}" for number in range(self.count))
        path = self.folder / "job.yaml"
        path.write_text(
            f"version: 1\nname: bench\nprovider: {self.providers}\n"
            f"request: {{ model: gpt-image-2, size: 1024x1024, quality: low }}\n{self.extra}\nprompts:\n{prompts}\n"
        )
        return path

    def run(self, transports: Mapping[str, ScriptedTransport] | ScriptedTransport, **options: Any) -> Any:
        """One run in virtual time; returns its summary."""
        return run_virtual(self.go(transports, **options))

    async def go(self, transports: Any, **options: Any) -> Any:
        self.listener = Listener()
        self.runs += 1
        job = open_job(
            Options(path=self.manifest(), environ={}, output=self.folder / "out", **options), now=self.clock.now()
        )
        by_name = transports if isinstance(transports, Mapping) else None
        self.current = Run(
            job,
            Surroundings(
                observer=self.listener,
                clock=self.clock,
                rng=random.Random(7),  # noqa: S311  jitter, not secrets
                host=Host(name="here", boot="boot-1", pid=1, run=f"run-{self.runs}"),
                connect=lambda provider: by_name[provider.name] if by_name is not None else transports,
                embed=_no_embedding,
                open_folder=self.open_folder,
            ),
        )
        return await self.current.go()

    def state(self) -> Any:
        """What the ledger says now."""
        with Folder(self.job_folder) as folder:
            return read_state(folder)[0]

    @property
    def job_folder(self) -> Path:
        return self.folder / "out" / "bench"

    def pictures(self) -> list[Path]:
        """The published files."""
        return sorted(path for path in (self.job_folder / "images").rglob("*.png") if "/." not in str(path))


def _no_embedding(provider: Any) -> Any:
    message = f"{provider.name} is not embedded"
    raise AssertionError(message)
