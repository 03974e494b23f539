"""A working folder of its own for each test, and the command line called as a function."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from batchgen.cli.app import main


@dataclass(frozen=True, slots=True)
class Called:
    """What a call of the command line came to."""

    code: int
    out: str
    err: str


HELLO = """\
version: 1
name: hello
request: { size: 64x64 }
matrix: { colour: [red, blue] }
prompts:
  - { id: mug, text: "a ${{ colour }} mug" }
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The working directory, with jobs/hello.yaml: two images on the sandbox."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs").mkdir()
    write("hello")
    return tmp_path


@pytest.fixture
def batchgen(place, capsys):
    """`batchgen("plan", "hello")` calls the command line in `place`."""
    assert place == Path.cwd()

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Called(code, said.out, said.err)

    return call


def write(name, text=HELLO):
    """Write jobs/NAME.yaml below the working directory."""
    path = Path("jobs") / f"{name}.yaml"
    path.write_text(text.replace("name: hello", f"name: {name}"))
    return path


@pytest.fixture
def manifest(place):
    """`manifest("job", text)` writes jobs/job.yaml."""
    assert place == Path.cwd()
    return write
