"""`batchgen schema`: the JSON Schema of manifests, for editors and checkers."""

from pathlib import Path

import click

from batchgen.cli.options import screen_options
from batchgen.cli.shell import Shell
from batchgen.errors import FolderError
from batchgen.manifest.publish import schema_text

__all__ = ["command"]


@click.command("schema")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to FILE instead of printing it.",
)
@screen_options
def command(shell: Shell, output: Path | None) -> int:
    """Print the JSON Schema (Draft 7) of manifests.

    Name it in the first line of a manifest: `# yaml-language-server: $schema=FILE`.
    """
    if output is None:
        shell.screen.raw(schema_text().rstrip("\n"))
        return 0
    try:
        output.write_text(schema_text(), encoding="utf-8", newline="\n")
    except OSError as problem:
        message = f"'{output}' cannot be written: {problem.strerror}"
        raise FolderError(message) from problem
    shell.screen.line(f"wrote {output}")
    return 0
