import io

import pytest

from batchgen.cli.screen import Ink, ReaderGoneError, Screen, clip, columns, inert, one_line


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Gone(io.StringIO):
    def write(self, _text):
        raise BrokenPipeError


def screen(out=None, err=None, **environ):
    return Screen(out=out or Terminal(), err=err or Terminal(), environ=environ)


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x9b31m",
        "a\x00b",
        "\u202egnp.exe",
        "a\u2028b",
        "\x7f",
        "\udce9",
        "\r overwritten",
    ],
)
def test_nothing_from_outside_moves_the_cursor(hostile):
    """Escapes, controls and direction marks are spelled out, so that they are seen and do nothing."""
    shown = inert(f"before {hostile} after")
    assert not any(
        ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2028" or 0xD800 <= ord(c) < 0xE000 for c in shown
    )
    assert "\\" in shown


def test_newlines_stay_and_tabs_keep_their_column():
    """A caret under a source line still points at the right place."""
    assert inert("a\tb\nc") == "a b\nc"


def test_a_value_cannot_start_a_line_of_its_own():
    """White space of any kind becomes one blank."""
    assert one_line("mug\nerror: fake\r\n line") == "mug error: fake line"


def test_other_scripts_stay_readable():
    """Only what a terminal obeys is spelled out."""
    assert inert("Übermut 陶器 كوب 🎨") == "Übermut 陶器 كوب 🎨"


@pytest.mark.parametrize(("text", "cells"), [("mug", 3), ("陶器", 4), ("e\u0301", 1), ("", 0)])
def test_columns_counts_cells_not_characters(text, cells):
    """Wide characters take two cells, combining marks none."""
    assert columns(text) == cells


@pytest.mark.parametrize(("text", "shown"), [("mug", "mug"), ("stoneware", "stone…"), ("陶器陶器", "陶器…")])
def test_clip_never_exceeds_its_width(text, shown):
    """A wide character that would stick out is left off."""
    assert clip(text, 6) == shown
    assert columns(clip(text, 6)) <= 6


def test_colour_is_on_for_a_terminal():
    """A terminal without NO_COLOR gets colour."""
    seen = screen()
    seen.line(Ink("+", "green"), " new")
    assert seen.out.getvalue() == "\x1b[32m+\x1b[0m new\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_is_off_where_it_is_not_wanted(environ):
    """NO_COLOR and dumb terminals get plain text."""
    seen = screen(**environ)
    seen.line(Ink("+", "green"), " new")
    assert seen.out.getvalue() == "+ new\n"


def test_colour_is_off_in_a_file():
    """A redirected stream gets plain text."""
    seen = screen(out=io.StringIO())
    seen.line(Ink("+", "green"))
    assert seen.out.getvalue() == "+\n"


def test_colour_cannot_be_smuggled_in():
    """An escape inside a coloured piece is spelled out all the same."""
    seen = screen()
    seen.line(Ink("\x1b[0m", "red"))
    assert seen.out.getvalue() == "\x1b[31m\\x1b[0m\x1b[0m\n"


def test_results_and_progress_go_separate_ways():
    """Results are stdout's, notes are stderr's."""
    seen = screen(out=io.StringIO(), err=io.StringIO())
    seen.line("result")
    seen.note("progress")
    assert (seen.out.getvalue(), seen.err.getvalue()) == ("result\n", "progress\n")


def test_a_closed_stderr_stops_nothing():
    """Nobody is left to tell, and a paid run goes on."""
    screen(err=Gone()).note("progress")


def test_a_closed_stdout_is_reported_to_the_caller():
    """Results that nobody can read end the command."""
    with pytest.raises(ReaderGoneError):
        screen(out=Gone()).line("result")


@pytest.mark.parametrize(("wanted", "width"), [("120", 120), ("10", 40), ("wide", 80), ("", 80)])
def test_width_follows_columns_and_stays_readable(wanted, width):
    """COLUMNS wins; without a terminal it is 80; never under 40."""
    assert screen(out=io.StringIO(), err=io.StringIO(), COLUMNS=wanted).width == width
