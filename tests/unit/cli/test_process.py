"""What a process is like before batchgen does anything else."""

import subprocess
import sys

import pytest

TELL = "import os, resource; from batchgen.cli.process import prepare; {}; prepare(); print({}, file={})"


def told(before, what, *, at="2"):
    code = TELL.format(before, what, f"open({at}, 'w')")
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.strip()


@pytest.mark.parametrize("closed", [0, 1])
def test_the_next_file_never_gets_a_standard_number(closed):
    """A closed stream's number goes to the null device, not to the ledger."""
    assert int(told(f"os.close({closed})", "os.open('/', os.O_RDONLY)")) > 2


def test_core_dumps_are_off():
    """They would hold the key."""
    assert told("pass", "resource.getrlimit(resource.RLIMIT_CORE)") == "(0, 0)"


def test_open_streams_are_left_alone():
    """Nothing is opened for good when nothing is missing."""
    assert told("before = os.listdir('/proc/self/fd')", "os.listdir('/proc/self/fd') == before") == "True"
