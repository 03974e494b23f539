import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.manifest import template
from batchgen.manifest.naming import clean_part
from batchgen.manifest.template import RESULT_LIMIT, TemplateError, compile_expression

ROW = {"sku": "MU-001", "name": "mug", "items": "the key", "stock": "3"}


def render(text, **names):
    return template.compile(text).render(names)


def refusal(text, **names):
    with pytest.raises(TemplateError) as caught:
        render(text, **names)
    return caught.value.message


@pytest.mark.parametrize(
    "text", ["{% if x %}", "{{ x }}", "{# c #}", "$x ${X} $$", "{x.__class__}", "50% {crop}", "{0!r:>9}"]
)
def test_other_template_languages_are_literal(text):
    """Only `${{ }}` means anything; everything that looks like another template stays as written."""
    assert render(text) == text
    assert render(text + "${{ a }}", a="!") == text + "!"


def test_text_without_expressions_is_constant():
    """A text without `${{` is returned as the very same object."""
    compiled = template.compile("a mug")
    assert compiled.is_constant
    assert compiled.render({}) is compiled.text


def test_compiling_twice_gives_the_same_template():
    """Templates are compiled once."""
    assert template.compile("${{ a }} b") is template.compile("${{ a }} b")


def test_names_lists_the_variables():
    """`names` holds what the text uses, not keys and not filters."""
    text = "${{ row.sku | lower }} ${{ a if b is defined else c['d'] }}"
    assert template.compile(text).names == {"row", "a", "b", "c"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${{ row.sku }}", "MU-001"),
        ("${{ row['sku'][:2] }}", "MU"),
        ("${{ row.items }}", "the key"),
        ("${{ row.none | default('matte') }}", "matte"),
        ("${{ row.empty | default('matte', true) }}", "matte"),
        ("${{ ', ' ~ extra if extra is defined else '' }}", ""),
        ("${{ 'a' if false }}", ""),
        ("${{ 1.5 }} ${{ true }} ${{ none }}", "1.5 true "),
        ("${{ (row.stock | int) + 1 }}", "4"),
        ("${{ ['a', 'b'] | join('+') }} ${{ 'a-b' | replace('-', '+') }}", "a+b a+b"),
        ("${{ 'A Mug, Red' | slug }} ${{ 2.456 | round(1) }} ${{ row.name | title }}", "a-mug-red 2.5 Mug"),
        ("${{ {'a': [1, 'é']} | tojson }}", '{"a": [1, "é"]}'),
        ("${{ ['x', 'y'] | last }}${{ 'xyz' | first }}${{ 'xyz' | length }}", "yx3"),
        ("${{ '}}' }}${{ '${{' }}", "}}${{"),
        ("a\n", "a\n"),
        ("a${{ '' }}\n", "a\n"),
    ],
)
def test_expressions(text, result):
    """The language of the manifest: keys, slices, defaults, inline if, filters."""
    assert render(text, row={**ROW, "empty": ""}) == result


def test_values_are_never_rendered_again():
    """A value that looks like a template is inserted as it is."""
    assert render("${{ v }}", v="${{ row.sku }}") == "${{ row.sku }}"


def test_values_are_not_escaped_for_html():
    """Prompts are no HTML."""
    assert render("${{ v }}", v="<b> & 'x'") == "<b> & 'x'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${{ row.colour }}", "no column 'colour'; columns: sku, name, items, stock"),
        ("${{ row.nmae }}", "no column 'nmae' (did you mean 'name'?); columns: sku, name, items, stock"),
        ("${{ rwo }}", "no name 'rwo' (did you mean 'row'?); names: row, product"),
        ("${{ product.size }}", "no key 'size' in 'product'; keys: id"),
        ("${{ product.id.upper }}", "a text has no element 'upper'"),
        ("${{ row }}", "is an object, not a text; name one of its keys: sku, name, items, stock"),
        ("${{ [1, 2] }}", "is a list, not a text; write `| join(', ')`"),
        ("${{ row.stock > 5 }}", "values of data files are text, write (name | int)"),
        ("${{ 1 / 0 }}", "division by zero"),
    ],
)
def test_rendering_errors_name_what_there_is(text, message):
    """What fails while rendering says what was looked for and what there is."""
    assert message in refusal(text, row=ROW, product={"id": "mug"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${{ a", "not closed"),
        ("${{ }}", "is no valid expression"),
        ("${{ a b }}", "is no valid expression"),
        ("${{ a() }}", "calls are not allowed"),
        ("${{ 'a'.upper() }}", "calls are not allowed"),
        ("${{ range(9) }}", "calls are not allowed"),
        ("${{ 'a' * 10**10 }}", "is not allowed"),
        ("${{ 9 ** 9 }}", "`**` is not allowed"),
        ("${{ '%999999999d' % 1 }}", "`%` is not allowed"),
        ("${{ 'a' | center(999999999) }}", "No filter named 'center'"),
        ("${{ 'a' is callable }}", "No test named 'callable'"),
        ("\0{% for x in y %\0}${{ a }}", "NUL"),
        ("${{ " + "(" * 400 + "1" + ")" * 400 + " }}", "nested too deeply"),
        ("${{ " + "[" * 400 + "]" * 400 + " }}", "nested too deeply"),
        ("${{ " + " ~ ".join(["'abc'"] * 200) + " }}", "more than 1,000 characters"),
        ("${{ a }}" + "x" * 200_000, "characters"),
    ],
)
def test_what_cannot_be_compiled_is_refused_before_rendering(text, message):
    """Refusals at compile time need no data: they are seen even when no row uses them."""
    with pytest.raises(TemplateError, match=r".*") as caught:
        template.compile(text)
    assert message in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "${{ 'a'" + "|replace('a','aaaaaaaaaa')" * 7 + " }}",
        "${{ v | list | join(v) }}",
        "${{ v | list | join(', ') | list | join(', ') }}",
        "${{ v ~ v ~ v ~ v }}",
        "${{ v + v + v + v }}",
        "${{ (v | list + v | list + v | list + v | list) | length }}",
        "${{ v | tojson | tojson | tojson | tojson | tojson }}",
        "${{ v }}${{ v }}${{ v }}${{ v }}",
        "${{ v | replace('', v) }}",
    ],
)
def test_memory_bombs_are_stopped_while_they_grow(text):
    """Every step that can multiply is measured before it is made."""
    assert "at most 32,000" in refusal(text, v='"' * 9_000)


def test_round_refuses_powers():
    """`round` with a huge precision would raise ten to its power."""
    assert "at most 15 places" in refusal("${{ 1 | round(999999999) }}")


@pytest.mark.parametrize(
    "text",
    [
        "${{ ''.__class__ }}",
        "${{ row.__class__ }}",
        "${{ row['__class__'] }}",
        "${{ row.keys }}",
        "${{ [].append }}",
        "${{ self }}",
        "${{ self._TemplateReference__context }}",
        "${{ row.__init__.__globals__ }}",
        "${{ (1).real }}",
        "${{ ['x'] | join(attribute='__class__') }}",
        "${{ lipsum }}${{ cycler }}${{ namespace }}",
    ],
)
def test_python_objects_are_out_of_reach(text):
    """Neither attributes nor methods nor jinja2's own globals can be read."""
    refusal(text, row=ROW)


def test_an_undefined_value_is_an_error_in_every_use():
    """Strict: printing, comparing, concatenating and testing for truth all need a defined name."""
    for text in (
        "${{ x }}",
        "${{ x ~ '' }}",
        "${{ x == 1 }}",
        "${{ 1 if x else 2 }}",
        "${{ x | lower }}",
        "${{ x.y.z }}",
    ):
        assert "no name 'x'" in refusal(text)


def test_result_of_exactly_the_limit_passes():
    """The cap is the limit itself, not one less."""
    assert len(render("${{ v }}", v="x" * RESULT_LIMIT)) == RESULT_LIMIT


def test_escape_cleans_values_and_leaves_the_text():
    """In a path only the template's own slashes make folders."""
    compiled = template.compile("${{ a }}/x y/${{ b ~ '/..' }}", clean_part)
    assert compiled.render({"a": "../etc", "b": ""}) == "---etc/x y/---"


@pytest.mark.parametrize(
    ("value", "path"),
    [("a b/c.png", "a-b/c.png"), ("./a//b/", "a/b"), ("a\\b", "a/b"), ("a/.git/b.", "a/-git/b-"), ("", "")],
)
def test_path_keeps_the_folders_of_a_value(value, path):
    """In a path `| path` lets slashes make folders; the parts are as clean as any."""
    assert template.compile("x/${{ a | path }}", clean_part).render({"a": value}) == f"x/{path}"


@pytest.mark.parametrize("value", ["/etc/cup", "C:\\cup", "\\\\host\\cup", "a/../../cup", ".."])
def test_path_refuses_ways_out(value):
    """A value that is absolute or climbs is an error, not a surprise."""
    with pytest.raises(TemplateError, match=r"absolute path|climbs with '\.\.'"):
        template.compile("${{ a | path }}", clean_part).render({"a": value})


def test_what_is_made_of_a_path_is_cleaned_again():
    """Only the filter's own result is let through."""
    compiled = template.compile("${{ (a | path) ~ '/..' }}", clean_part)
    assert compiled.render({"a": "b/c"}) == "b-c---"


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("status == 'new' and name", True),
        ("status != 'new'", False),
        ("(stock | int) > 2", True),
        ("note", False),
        ("colour is defined", False),
        ("${{ status == 'new' }}", True),
        ("status in ['new', 'open']", True),
        ("not note or stock", True),
    ],
)
def test_conditions(text, holds):
    """Conditions are expressions over names; truth is what Python calls true."""
    names = {"status": "new", "name": "mug", "stock": "3", "note": ""}
    assert compile_expression(text).holds(names) is holds


@pytest.mark.parametrize("text", ["", "a b", "a = 1", "a)", "(a", "f()", "a }} ${{ b", "x\0", "a" * 1_001])
def test_bad_conditions_are_refused(text):
    """What is no single expression is an error, not a truth."""
    with pytest.raises(TemplateError):
        compile_expression(text)


def test_condition_errors_name_the_column():
    """A misspelt column in a condition is an error, not false."""
    with pytest.raises(TemplateError, match="no name 'statu'"):
        compile_expression("statu == 'new'").holds({"status": "new"})


@given(st.text())
def test_any_text_compiles_or_is_a_template_error(text):
    """No text makes the compiler raise anything else."""
    with contextlib.suppress(TemplateError):
        assert isinstance(render("${{ " + text + " }}", row=ROW), str)


@given(st.text(alphabet=st.characters(exclude_characters="\r")))
def test_any_value_comes_out_as_it_went_in(value):
    """Values are inserted byte for byte."""
    assert render("${{ v }}", v=value) == value
