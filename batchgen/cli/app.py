"""The `batchgen` command: finds the verb, imports only that one, and runs it inside the error boundary."""

import difflib
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

import click
import platformdirs

from batchgen import __version__
from batchgen.cli.boundary import Boundary
from batchgen.cli.process import prepare
from batchgen.cli.screen import Screen
from batchgen.cli.shell import Shell

__all__ = ["VERBS", "main"]

VERBS: Mapping[str, str] = {
    "run": "make the images that are missing",
    "plan": "show what a run would make, why, and at what price; sends nothing",
    "retry": "run again only what failed",
    "status": "where jobs stand: done, failed, in doubt, spent",
    "ls": "list slots with their states and files",
    "show": "everything about one slot: request, attempts, files",
    "redo": "make rejected images again; the old ones are kept",
    "resolve": "close requests in doubt: not billed, send again, or give up",
    "adopt": "accept image files that are already in place",
    "verify": "check every finished file, or the ledger, against its record",
    "init": "write a commented manifest that runs as it is",
    "schema": "print the JSON Schema of manifests, for editors",
    "providers": "list providers with their sizes and parameters",
    "sandbox": "serve the placeholder provider for any OpenAI client",
}


class _Verbs(click.Group):
    """Knows every verb by name and first line, and imports a verb's module only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"batchgen.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            advice = f"did you mean '{near[0]}'?" if near else f"commands: {', '.join(VERBS)}"
            ctx.fail(f"no command '{args[0]}'; {advice}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="batchgen %(version)s")
def command() -> None:
    """Make hundreds of images from one YAML manifest; run it again and only the missing ones are made."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; the caller exits. Arguments default to those of the process."""
    prepare()
    argv = list(sys.argv[1:] if arguments is None else arguments)
    environ = dict(os.environ)
    screen = Screen(out=_stream(sys.stdout), err=_stream(sys.stderr), environ=environ)
    shell = Shell(environ=environ, screen=screen, config_folder=platformdirs.user_config_path("batchgen"))
    boundary = Boundary(
        screen=screen,
        environ=environ,
        log_folder=platformdirs.user_log_path("batchgen"),
        secrets=shell.secrets,
        json="--json" in argv[: argv.index("--") if "--" in argv else None],
    )
    return boundary.guard(lambda: int(command.main(argv, "batchgen", standalone_mode=False, obj=shell) or 0))


def _stream(stream: TextIO | None) -> TextIO:
    """`stream`, never failing for a character it cannot encode; a closed one (`2>&-`) becomes the null device."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  lives as long as the process
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream
