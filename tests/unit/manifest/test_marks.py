"""Where values stand."""

import pytest

from batchgen.manifest.marks import Branch, Marks, Option
from batchgen.manifest.source import parse

TEXT = """\
version: 1
matrix:
  size:
    - 1.10
    - { id: wide, ratio: 0x10 }
prompts:
  - id: hero
    text: >-
      two
      lines
  - plain
"""


@pytest.fixture
def marks():
    return parse(TEXT.encode(), file="m.yaml").marks


def place(problem) -> tuple[int | None, int | None]:
    return problem.line, problem.column


@pytest.mark.parametrize(
    ("keys", "line", "column"),
    [
        (("version",), 1, 10),
        (("matrix", "size", 0), 4, 7),
        (("matrix", "size", 1), 5, 7),
        (("matrix", "size", 1, "ratio"), 5, 26),
        (("prompts", 0, "id"), 7, 9),
        (("prompts", 0, "text"), 8, 11),
        (("prompts", 1), 11, 5),
    ],
)
def test_a_value_is_found_by_its_path(marks, keys, line, column):
    """Nested keys and list indexes lead to the value's own line and column."""
    assert place(marks.problem(keys, "wrong")) == (line, column)


def test_a_key_is_found_by_its_path(marks):
    """A problem with a key points at the key."""
    assert place(marks.problem(("matrix", "size", 1, "ratio"), "wrong", at_key=True)) == (5, 19)


@pytest.mark.parametrize(
    ("keys", "line", "column"),
    [
        (("matrix", "size", 1, "nothing"), 5, 7),
        (("prompts", 0, "rows", "csv"), 7, 5),
        (("prompts", 9), 6, 1),
        (("nothing", "at", "all"), 1, 1),
        (("version", "deeper"), 1, 1),
    ],
)
def test_an_unwritten_key_points_at_its_nearest_ancestor(marks, keys, line, column):
    """What is not in the file is shown where it would belong."""
    assert place(marks.problem(keys, "missing")) == (line, column)


def test_a_problem_shows_its_line_with_a_caret(marks):
    """Place, dotted key, message, source line and caret stand together."""
    shown = str(marks.problem(("matrix", "size", 1, "ratio"), "'0x10' is odd"))
    assert shown.splitlines() == [
        "m.yaml:5:26  matrix.size.1.ratio: '0x10' is odd",
        "    5 |     - { id: wide, ratio: 0x10 }",
        "      |                          ^",
    ]


def test_numbers_keep_their_source_text(marks):
    """A slot says 1.10 where the value is 1.1."""
    assert marks.text("matrix", "size", 0) == "1.10"
    assert marks.text("matrix", "size", 1, "ratio") == "0x10"


def test_strings_and_unknown_paths_have_no_source_text(marks):
    """Text is its own spelling."""
    assert marks.text("prompts", 1) is None
    assert marks.text("matrix", "nothing") is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_editors_count(end):
    """Each line ending counts once; a Unicode line separator inside text counts not at all."""
    marks = parse(f"a: 'x\u2028y'{end}b: 1{end}".encode(), file="m.yaml").marks
    assert marks.line("b") == 2


def test_columns_count_characters():
    """An emoji before a value is one column."""
    marks = parse("a: {k: 🫖, b: 1}\n".encode(), file="m.yaml").marks
    assert place(marks.problem(("a", "b"), "x")) == (1, 14)


def test_a_long_line_is_not_shown_whole():
    """A message stays readable when the manifest is one line of a megabyte."""
    marks = parse(f"a: {'x' * 10_000}\n".encode(), file="m.yaml").marks
    assert len(str(marks.problem(("a",), "long"))) < 1000


def test_a_value_from_an_option_names_the_option():
    """What did not come from the file is not shown at a place in it."""
    root = Branch(start=0, children={"a": Option(text="--set a.b=1")}, keys={"a": 0})
    marks = Marks(file="m.yaml", text="a: 1\n", root=root, spelled={})
    assert str(marks.problem(("a", "b"), "'1' is wrong")) == "--set a.b=1  a.b: '1' is wrong"


def test_a_problem_stays_on_its_line():
    """Neither a line break nor a sign that turns text around reaches the terminal."""
    marks = parse("a: x\u202ey\n".encode(), file="m.yaml").marks
    problem = marks.problem(("a", "b\nc"), "two\nlines\u202e")
    assert (problem.key, problem.message, problem.excerpt) == ("a.b c", "two lines ", "a: x y")
