import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from batchgen import __version__
from batchgen.cli.app import VERBS, main

HEAVY = ("aiohttp", "pydantic", "PIL", "jinja2", "tqdm", "msgspec", "yaml", "asyncio")


def python(code, *, stdout=subprocess.PIPE, **options):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **options,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["rnu"], []])
def test_help_imports_nothing_heavy(arguments):
    """Help, version and typing errors are instant: no client, no validator, no image library, no event loop."""
    code = (
        f"import sys; from batchgen.__main__ import main; main({arguments!r}); print([*sys.modules], file=sys.stderr)"
    )
    loaded = python(code).stderr.splitlines()[-1]
    assert [name for name in HEAVY if f"'{name}'" in loaded] == []


def test_help_lists_every_verb(capsys):
    """What there is can be found."""
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {verb} " in said for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_within_80_columns(verb, capsys):
    """Each verb's module loads, and its options explain themselves."""
    assert main([verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"batchgen {verb} " in said
    assert max(map(len, said.splitlines())) <= 80


def test_no_verb_takes_a_key_on_the_command_line(capsys):
    """A key there would show in the process list and in the shell's history."""
    for verb in VERBS:
        main([verb, "--help"])
    assert "--api-key" not in capsys.readouterr().out


def test_version_is_the_packages(capsys):
    """--version says what is installed."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"batchgen {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rnu"], "no command 'rnu'; did you mean 'run'?"),
        (["zzz"], "no command 'zzz'; commands: run, plan"),
        (["--verson"], "no option '--verson'; did you mean '--version'?"),
    ],
)
def test_a_mistyped_command_is_exit_2_with_a_proposal(arguments, says, capsys):
    """The remedy stands in the message."""
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


def test_no_command_shows_help_and_exits_2(capsys):
    """A bare call is a wrong command line that explains itself."""
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_a_wrong_command_line_with_json_is_an_error_event(capsys):
    """A program that asked for JSON gets JSON."""
    assert main(["schema", "--json"]) == 2
    event = json.loads(capsys.readouterr().out)
    assert (event["event"], event["exit_code"]) == ("error", 2)


def test_arguments_after_two_dashes_ask_for_nothing(capsys):
    """`-- --json` is an argument, not the option."""
    assert main(["schema", "--", "--json"]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_closed_streams_are_no_error(stream):
    """`>&-` and `2>&-` leave batchgen working."""
    code = f"import sys; sys.{stream} = None; from batchgen.__main__ import main; sys.exit(main(['--version']))"
    assert python(code).returncode == 0


def test_a_closed_pipe_ends_quietly():
    """A reader that stops reading gets neither a traceback nor a complaint at exit."""
    reading, writing = os.pipe()
    os.close(reading)
    done = python("import sys; from batchgen.__main__ import main; sys.exit(main(['schema']))", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_under_stdout_is_said():
    """Output that could not be written is no success."""
    with Path("/dev/full").open("w") as full:
        done = python("import sys; from batchgen.__main__ import main; sys.exit(main(['schema']))", stdout=full)
    assert done.returncode == 5
    assert "error: stdout cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_narrow_locale_prints_escapes_instead_of_failing():
    """An ASCII terminal shows an escape for what it cannot print."""
    done = python(
        "import sys; from batchgen.__main__ import main; sys.exit(main(['run', 'käse']))",
        env={"PYTHONIOENCODING": "ascii", "PATH": "", "HOME": "/nonexistent"},
    )
    assert done.returncode == 2
    assert "k\\xe4se" in done.stderr
