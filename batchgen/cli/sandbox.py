"""`batchgen sandbox`: serve the placeholder provider until Ctrl-C, for any OpenAI client."""

import asyncio
import contextlib
import signal
from pathlib import Path

import click
import yaml

from batchgen.cli.figures import amount
from batchgen.cli.options import screen_options
from batchgen.cli.screen import Ink
from batchgen.cli.shell import Shell
from batchgen.errors import FolderError, ProviderError, UsageError
from batchgen.sandbox.server import Sandbox
from batchgen.sandbox.studio import Latency

__all__ = ["command"]


@click.command("sandbox")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, metavar="N", help="Port; 0 takes a free one.")
@click.option("--seed", type=int, default=0, metavar="N", help="Decides which requests the faults strike.")
@click.option(
    "--faults", metavar="RULES", help="A preset (flaky), a kind, or YAML rules: '[{kind: throttle, rate: 0.08}]'."
)
@click.option("--latency", metavar="TIME", help="Seconds per image, or 'real' for what the real model takes.")
@click.option("--key-env", metavar="NAME", help="Ask clients for the key in this environment variable.")
@click.option(
    "--bills",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Append one JSON line per billed image to FILE.",
)
@screen_options
def command(
    shell: Shell,
    *,
    port: int,
    seed: int,
    faults: str | None,
    latency: str | None,
    key_env: str | None,
    bills: Path | None,
) -> int:
    """Serve placeholder pictures over HTTP on this machine until Ctrl-C; prints the base URL.

    It answers like an image gateway, honours Idempotency-Key and can misbehave on request. What was billed is at
    /_bills, counts are at /_stats.
    """
    sandbox = Sandbox(
        port=port,
        faults=_rules(faults),
        seed=seed,
        latency=_latency(latency),
        key=_key(key_env, shell),
        bills_path=bills,
    )
    asyncio.run(_serve(shell, sandbox, key_env))
    return 0


async def _serve(shell: Shell, sandbox: Sandbox, key_env: str | None) -> None:
    done = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    try:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(sandbox)
            _announce(shell, sandbox, key_env)
            await done.wait()
            images = sandbox.images_billed
    except OSError as problem:
        message = f"the sandbox cannot start: {problem.strerror or problem}; choose another --port or --bills file"
        raise FolderError(message) from problem
    shell.screen.note(f"stopped; {amount(images, 'image')} {'was' if images == 1 else 'were'} billed (to nobody)")


def _announce(shell: Shell, sandbox: Sandbox, key_env: str | None) -> None:
    """The URL alone on the first line of stdout, so that a script can read it; the rest is for people."""
    shell.screen.raw(sandbox.url)
    key = f' -H "Authorization: Bearer ${key_env}"' if key_env else ""
    for line in (
        "",
        f"  curl -s {sandbox.url}/images/generations -H 'Content-Type: application/json'{key} \\",
        """    -d '{"prompt": "a stoneware mug"}' | jq -r '.data[0].b64_json' | base64 -d > mug.png""",
        "",
        f"  in a manifest:   provider: {{ use: sandbox, base_url: {sandbox.url} }}",
        f"  OpenAI clients:  OPENAI_BASE_URL={sandbox.url}",
        f"  bills:           {sandbox.root}/_bills",
        "",
    ):
        shell.screen.note(line)
    shell.screen.note(Ink("Ctrl-C stops it", "dim"))


def _rules(text: str | None) -> object:
    if text is None:
        return ()
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as problem:
        message = (
            f"--faults: '{text}' is no YAML (expected a preset such as flaky, or [{{kind: throttle, rate: 0.08}}])"
        )
        raise UsageError(message) from problem


def _latency(text: str | None) -> Latency:
    if text is None or text == "real":
        return "real" if text else None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        message = f"--latency: '{text}' is no latency (expected seconds such as 0.5, or real)"
        raise UsageError(message)
    return seconds


def _key(name: str | None, shell: Shell) -> str | None:
    if name is None:
        return None
    key = shell.environ.get(name)
    if not key:
        message = f"--key-env: the environment variable {name} is not set; set it to the key that clients have to send"
        raise ProviderError(message)
    return key
