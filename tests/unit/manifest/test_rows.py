import json

import pytest

from batchgen.errors import ManifestError
from batchgen.manifest.rows import read_rows
from batchgen.manifest.schema import RowsBlock

CATALOGUE = (
    "\ufeffsku,name,material,status\n"
    "MU-001,Stoneware mug,,new\n"
    "MU-002,Espresso cup,glossy,done\n"
    "\n"
    'TE-001,"Teapot,\ncast iron",matte,new\n'
    "TR-001,,bamboo,new\n"
)


@pytest.fixture
def rows(tmp_path):
    def read(content=None, *, name="data", kind="csv", **spec):
        if content is not None:
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_rows(RowsBlock(**{kind: name}, **spec), tmp_path).passed

    return read


@pytest.fixture
def left_out(tmp_path):
    def told(content, where):
        (tmp_path / "data").write_text(content, encoding="utf-8")
        return read_rows(RowsBlock(csv="data", where=where), tmp_path).left_out

    return told


@pytest.fixture
def problems(rows):
    def found(*args, **spec):
        with pytest.raises(ManifestError) as caught:
            rows(*args, **spec)
        return [str(problem) for problem in caught.value.problems]

    return found


def test_csv_rows_keep_their_text_and_their_line(rows):
    """A BOM, empty lines and quoted line breaks are taken; the source names the line that a row starts on."""
    read = rows(CATALOGUE, key="sku", where="status == 'new' and name")
    assert [(row.key, row.source) for row in read] == [("MU-001", "data line 2"), ("TE-001", "data line 5")]
    assert read[1].values == {"sku": "TE-001", "name": "Teapot,\ncast iron", "material": "matte", "status": "new"}


def test_where_may_leave_nothing(rows):
    """A nightly job without news is no error."""
    assert rows(CATALOGUE, where="status == 'gone'") == ()


def test_rows_that_all_stay_out_are_told_with_their_values(left_out):
    """How many there were, and what the columns of the condition hold, each value once."""
    told = left_out("sku,status\nA,ready\nB,draft\nC,ready\nD,\n", "status == 'new'")
    assert told == "0 of 4 rows pass; status has: ready, draft, (empty)"


def test_many_values_are_told_in_part(left_out):
    """A few values are enough to see the mistake, and long ones are cut."""
    lines = "".join(f"{number},{'x' * 99}\n" for number in range(50))
    told = left_out(f"my id,text\n{lines}", "row['my id'] == '99' or text == ''")
    assert told == f"0 of 50 rows pass; my id has: 0, 1, 2, 3, 4, 5, ...; text has: {'x' * 30}..."


@pytest.mark.parametrize(("content", "where"), [("a\n", "a == '1'"), ("a\n1\n2\n", "a == '1'")])
def test_nothing_is_told_when_rows_pass_or_none_are_there(left_out, content, where):
    """An empty export is an answer, and one row that passes is enough."""
    assert left_out(content, where) == ""


def test_a_single_equals_sign_says_what_to_write(problems):
    """`=` in a condition is the commonest slip."""
    [found] = problems(CATALOGUE, where="status = 'ready'")
    assert found == "rows.where: is no valid expression: `=` compares nothing; write `==`"


def test_where_sees_the_row_too(rows):
    """A column whose name is no identifier is reached through `row`."""
    assert [row.key for row in rows("my id,x\n1,a\n2,b\n", key="my id", where="row['my id'] == '2'")] == ["2"]


def test_empty_key_names_its_line(problems):
    """An empty key is an error with the line."""
    assert problems(CATALOGUE, key="material") == ["data:2  the key 'material' is empty (expected a text or a number)"]


def test_double_key_names_both_lines(problems):
    """A key that comes twice names both lines."""
    found = problems("sku\nA\nB\nA\n", key="sku")
    assert found == ["data:4  'A' is already the key of data line 2; keys are unique"]


def test_rows_left_out_need_no_key(rows):
    """`where` is applied before keys are looked at."""
    assert [row.key for row in rows("sku,on\nA,1\n,0\nA,0\n", key="sku", where="on == '1'")] == ["A"]


def test_unknown_key_column_lists_the_columns(problems):
    """The key must be a column; it is said once, not per row."""
    [found] = problems(CATALOGUE, key="sk")
    assert found == "data:2  no column 'sk'; columns: sku, name, material, status (and 3 more like it)"


def test_unknown_column_in_where_lists_the_columns(problems):
    """A misspelt column in `where` is an error with its neighbours."""
    [found] = problems(CATALOGUE, where="statu == 'new'")
    assert "no name 'statu' (did you mean 'status'?); columns: sku, name, material, status" in found


def test_bad_where_has_its_key_and_no_line(problems):
    """An expression that cannot be read is a problem of the manifest, not of a line."""
    assert problems(CATALOGUE, where="a b")[0].startswith("rows.where: is no valid expression")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "data:1  is empty"),
        ("a,,a\n1,2,3\n", "data:1  column 2 has no name"),
        ("a,b,a\n1,2,3\n", "data:1  column 'a' is there twice"),
        ("a\tb\n1\t2\n", "data:1  tabs stand between the columns (expected commas or semicolons)"),
        ("a;b\n1;2;3\n", "data:2  has 3 cells (expected 2: a, b); put a value that holds a semicolon in quotes"),
        ("a,b\n1\n", "data:2  has 1 cells (expected 2: a, b)"),
        ("a,b\n1,2\n1,2,3\n", "data:3  has 3 cells (expected 2: a, b)"),
        ('a,b\n"x,1\n', "data:2  is no valid csv"),
        (b"a,b\n1,2\n\xe4,3\n", "data:3  byte 0xe4 is not UTF-8"),
    ],
)
def test_csv_problems_have_their_line(problems, content, message):
    """Everything that can be wrong with a csv file is said with its line."""
    assert problems(content)[0].startswith(message)


def test_semicolons_separate_where_the_header_has_no_comma(rows):
    """Spreadsheet programs write them where the comma is the decimal sign."""
    read = rows('\ufeffsku;name;price\r\nA1;"Tasse; gross";7,50\r\n', key="sku")
    assert read[0].values == {"sku": "A1", "name": "Tasse; gross", "price": "7,50"}


def test_a_comma_in_the_header_settles_the_separator(rows):
    """Semicolons in the header are part of a name then."""
    assert rows("\nsku,size; mm\nA1,7;8\n", key="sku")[0].values == {"sku": "A1", "size; mm": "7;8"}


def test_all_ragged_lines_are_reported(problems):
    """One pass names every bad line."""
    assert [line.split()[0] for line in problems("a,b\n1\n1,2\n1,2,3\n")] == ["data:2", "data:4"]


def test_hundreds_of_problems_are_few(problems):
    """A file that is wrong everywhere gives a short report with a count."""
    found = problems("a,b\n" + "".join("x" + ",x" * (number % 99 + 2) + "\n" for number in range(500)))
    assert len(found) <= 51
    assert "more" in found[-1]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "text"])
def test_missing_file_has_its_key(problems, kind):
    """A file that is not there is a problem of the key that names it."""
    assert problems(name="none", kind=kind)[0].startswith(
        f"rows.{kind}: 'none' does not exist; the path is relative to"
    )


def test_folder_and_nul_are_no_files(problems):
    """A folder or an impossible name is refused without a traceback."""
    assert "is no regular file" in problems(name=".")[0]
    assert problems(name="a\0b")


def test_jsonl_takes_objects_and_prompts(rows):
    """The shape of generate-batch files: objects, quoted prompts, comments."""
    lines = '# c\n"a prompt"\n  "quoted: {x}"\n\n{"prompt": "p", "size": "1024x1024", "n": [1]}\n'
    assert [row.values for row in rows(lines, kind="jsonl")] == [
        {"prompt": "a prompt"},
        {"prompt": "quoted: {x}"},
        {"prompt": "p", "size": "1024x1024", "n": [1]},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": 1', "data:2:8  is no valid JSON: a comma is missing here"),
        ('{"a": "b" "c": 1}', "data:2:11  is no valid JSON: a comma is missing here"),
        (' {"a" 1}', "data:2:7  is no valid JSON: a colon is missing"),
        ('{"a": 1,}', "data:2:9  is no valid JSON: a key in double quotes is expected here"),
        ('{"a": }', "data:2:7  is no valid JSON: a value is expected here"),
        ('{"a": "b}', "data:2:7  is no valid JSON: the text that begins here is not closed"),
        ('{"a": "\t"}', "data:2:8  is no valid JSON: a tab or another control character"),
        ('{"a": "\\x"}', "data:2:8  is no valid JSON: a backslash that escapes nothing"),
        ('{"a": 1} {"a": 2}', "data:2:10  is no valid JSON: something follows the end"),
        ('{"a": NaN}', "data:2  NaN is no number"),
        ('{"a": 1, "a": 2}', "data:2  'a' is given twice; keep one"),
        ("[1]", "data:2  '[1]' is neither an object nor a text"),
        ("42", "data:2  '42' is neither an object nor a text"),
        ("a red cup", "data:2:1  is no JSON (expected an object or a text in double quotes)"),
        ("42 cups", 'for a prompt write "42 cups"'),
        ("so " * 50, 'for a prompt write "so so'),
        ('{"a":' * 100_000, "data:2  is nested too deeply"),
        ("x" * 5_000_000, "data:2  is longer than"),
    ],
)
def test_jsonl_problems_have_their_line(problems, line, message):
    """Everything that can be wrong with a line is said in plain words, with its number and, if known, its column."""
    [found] = problems(f'"ok"\n{line}\n', kind="jsonl")
    assert message in found
    assert "line 1 column" not in found


def test_broken_json_is_shown_with_a_caret(problems):
    """The line stands below the message, and the caret under the column."""
    [found] = problems('{"a": 1 "b"}\n', kind="jsonl")
    assert found.splitlines()[1:] == ['    1 | {"a": 1 "b"}', "      |         ^"]


def test_text_rows(rows):
    """One row per line; comments and empty lines are skipped."""
    read = rows("one\n# two\n\n  three \n", kind="text")
    assert [(row.values, row.source) for row in read] == [
        ({"text": "one"}, "data line 1"),
        ({"text": "three"}, "data line 4"),
    ]


def test_image_rows_are_sorted_and_named_by_stem(rows, tmp_path):
    """A glob gives sorted rows with path, name and stem; folders do not count."""
    (tmp_path / "refs").mkdir()
    (tmp_path / "refs" / "d.png").mkdir()
    for name in ("b.png", "a.png", "c.txt"):
        (tmp_path / "refs" / name).touch()
    read = rows(name="refs/*.png", kind="images")
    assert [row.key for row in read] == ["a", "b"]
    assert read[0].values == {"path": "refs/a.png", "name": "a.png", "stem": "a"}
    assert read[0].source == "refs/a.png"


def test_images_that_match_nothing_are_an_error(problems):
    """An empty glob is most likely misspelt."""
    assert problems(name="refs/*.png", kind="images")[0].startswith("rows.images: 'refs/*.png' matches no file")


def test_two_images_with_one_stem_need_a_key(problems, tmp_path):
    """`a.png` and `a.jpg` would share a slot."""
    (tmp_path / "a.png").touch()
    (tmp_path / "a.jpg").touch()
    assert "'a' is already the key of a.jpg" in problems(name="a.*", kind="images")[0]


def test_inline_rows(tmp_path):
    """Rows in the manifest keep their types; numbers may be keys."""
    read = read_rows(RowsBlock(inline=[{"id": 7, "on": True}], key="id"), tmp_path).passed
    assert [(row.key, row.source, row.values) for row in read] == [("7", "row 1", {"id": 7, "on": True})]


def test_own_keys_do_not_depend_on_order(rows):
    """A row without a key is named after its values, not its place."""
    first = {row.key for row in rows("name,x\nMug,1\nCup,2\n")}
    second = {row.key for row in rows("name,x\nCup,2\nMug,1\n")}
    assert first == second
    assert {key.rpartition("-")[0] for key in first} == {"mug", "cup"}


def test_equal_rows_are_an_error(problems):
    """The same row twice would be the same image twice."""
    assert "data line 2" in problems("a\nx\nx\n")[0]


def test_tens_of_thousands_of_rows(rows):
    """Big catalogues are read line by line, with every key checked."""
    lines = "".join(json.dumps({"sku": number}) + "\n" for number in range(30_000))
    assert len(rows(lines, kind="jsonl", key="sku")) == 30_000
