import io
import json
import os

import click
import pytest

from batchgen import errors
from batchgen.cli.boundary import Boundary, scrub
from batchgen.cli.screen import ReaderGoneError, Screen


class Gone(io.StringIO):
    def flush(self):
        raise BrokenPipeError


class Reported:
    """A boundary with what it said."""

    def __init__(self, folder, *, out=None, json=False, **environ):
        self.screen = Screen(out=out or io.StringIO(), err=io.StringIO(), environ=environ)
        self.guard = Boundary(screen=self.screen, environ=environ, log_folder=folder, json=json).guard

    @property
    def out(self):
        return self.screen.out.getvalue()

    @property
    def err(self):
        return self.screen.err.getvalue()


def raising(error):
    def action():
        raise error

    return action


def branches(root=errors.BatchgenError):
    yield root
    for branch in root.__subclasses__():
        yield from branches(branch)


@pytest.mark.parametrize("branch", [branch for branch in branches() if branch.__module__ == "batchgen.errors"])
def test_every_expected_error_has_its_own_exit_code(branch, tmp_path):
    """The tree of errors decides the code; nothing is logged."""
    seen = Reported(tmp_path)
    assert seen.guard(raising(branch("the reason"))) == branch.exit_code
    assert seen.err == "error: the reason\n"
    assert not list(tmp_path.iterdir())


def test_the_verbs_code_is_passed_on(tmp_path):
    """What nothing raised about is the verb's to say."""
    assert Reported(tmp_path).guard(lambda: 10) == 10


def test_every_problem_is_shown_with_its_place_and_caret(tmp_path):
    """All findings of a pass come at once."""
    problem = errors.Problem(
        message="unknown key", file="a.yaml", line=5, column=3, key="qualty", excerpt="  qualty: 1"
    )
    seen = Reported(tmp_path)
    assert seen.guard(raising(errors.ManifestError(problems=[problem, errors.Problem(message="other")]))) == 2
    assert "a.yaml:5:3  qualty: unknown key\n    5 |   qualty: 1\n      |   ^\nerror: other\n" in seen.err


def test_json_reports_the_error_as_an_event_too(tmp_path):
    """A program reads the same problems that a person does."""
    seen = Reported(tmp_path, json=True)
    seen.guard(raising(errors.PlanError("two slots with one path")))
    assert json.loads(seen.out)["problems"][0]["message"] == "two slots with one path"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), click.exceptions.Abort()])
def test_ctrl_c_exits_130(interruption, tmp_path):
    """Ctrl-C outside a run is an interruption, also at a question."""
    assert Reported(tmp_path).guard(raising(interruption)) == 130


def test_a_reader_that_went_away_is_no_error(tmp_path):
    """`batchgen ls | head` ends without a word."""
    seen = Reported(tmp_path)
    assert seen.guard(raising(ReaderGoneError())) == 141
    assert seen.err == ""


def test_a_pipe_that_breaks_at_the_last_flush_is_quiet(tmp_path):
    """Buffered output meets the closed pipe only at the end."""
    seen = Reported(tmp_path, out=Gone())
    assert seen.guard(lambda: 0) == 141
    assert seen.err == ""


def test_what_a_run_came_to_outweighs_a_reader_that_went_away(tmp_path):
    """`batchgen run --json | head -1` still says that images are held in doubt."""
    assert Reported(tmp_path, out=Gone()).guard(lambda: 3) == 3


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (click.UsageError("Got unexpected extra argument (b)"), "got unexpected extra argument (b)"),
        (click.NoSuchOption("--qty", possibilities=["--quality"]), "no option '--qty'; did you mean '--quality'?"),
        (click.BadParameter("'x' is no time.", param_hint="'--wait-lock'"), "--wait-lock"),
    ],
)
def test_a_wrong_command_line_exits_2_in_our_words(error, says, tmp_path):
    """Usage errors read like all others."""
    seen = Reported(tmp_path, json=True)
    assert seen.guard(raising(error)) == 2
    assert says in seen.err
    assert json.loads(seen.out)["exit_code"] == 2


def test_a_surprise_exits_1_with_the_traceback_in_a_private_file(tmp_path):
    """The screen gets one line, the log the rest."""
    seen = Reported(tmp_path / "logs")
    assert seen.guard(raising(ZeroDivisionError("oops"))) == 1
    (log,) = (tmp_path / "logs").iterdir()
    assert seen.err == f"error: internal error: ZeroDivisionError: oops; the traceback is in {log}\n"
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_no_secret_reaches_screen_or_log(tmp_path):
    """Keys from the environment are struck out, in the message and in the traceback."""
    seen = Reported(tmp_path, json=True, ACME_API_KEY="swordfish-1234567")
    seen.guard(raising(RuntimeError("rejected swordfish-1234567")))
    (log,) = tmp_path.iterdir()
    assert "swordfish" not in seen.err + seen.out + log.read_text()


@pytest.mark.parametrize("text", ["Authorization: Bearer abcdefgh12345", "key sk-proj-abcdefgh12345 refused"])
def test_what_looks_like_a_key_is_struck_out(text):
    """Keys that came from a file are no variable's value."""
    assert "abcdefgh12345" not in scrub(text, {})


def test_ordinary_words_survive_scrubbing():
    """Short values of variables named like a secret are no secrets."""
    assert scrub("plan for risk-averse people", {"KEYBOARD": "plan"}) == "plan for risk-averse people"


def test_a_log_folder_that_cannot_be_made_falls_back(tmp_path, monkeypatch):
    """The report is written somewhere, and its place is said."""
    (tmp_path / "file").write_text("")
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", os.fspath(tmp_path / "temp"))
    seen = Reported(tmp_path / "file" / "logs")
    assert seen.guard(raising(ValueError("x"))) == 1
    assert len(list((tmp_path / "temp").iterdir())) == 1
