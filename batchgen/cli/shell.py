"""Shell: what a verb gets from the process it runs in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batchgen.cli.screen import Screen

__all__ = ["Shell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Environment (read once, passed down as a mapping), screen, and the user's configuration folder.

    `secrets` are the keys found so far: the error boundary strikes them from whatever it reports.
    """

    environ: Mapping[str, str]
    screen: Screen
    config_folder: Path
    secrets: list[str] = field(default_factory=list, repr=False)

    @property
    def config_file(self) -> Path:
        """Defaults for every job, below what a manifest says."""
        return self.config_folder / "config.yaml"

    @property
    def providers_file(self) -> Path:
        """The user's own providers."""
        return self.config_folder / "providers.yaml"
