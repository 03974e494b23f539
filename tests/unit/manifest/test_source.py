"""Bytes of a manifest to values, marks and findings."""

import tracemalloc

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from batchgen.errors import ManifestError
from batchgen.manifest.source import parse

LOADERS = [yaml.CSafeLoader, yaml.SafeLoader]


def read(text: str, **options):
    return parse(text.encode(), file="m.yaml", **options)


def findings(text: str, **options) -> list[str]:
    return [f"{problem.line}:{problem.column} {problem.message}" for problem in read(text, **options).problems]


def fatal(text: str, **options) -> str:
    with pytest.raises(ManifestError) as caught:
        read(text, **options)
    problem = caught.value.problems[-1]
    return f"{problem.line}:{problem.column} {problem.message}"


@pytest.fixture(params=LOADERS, ids=["c", "python"])
def loader(request):
    """Both parsers that PyYAML has."""
    return request.param


def test_values_of_all_styles(loader):
    """Block, flow and quoted styles give the values that YAML 1.2 gives them."""
    text = "a: [en, no, 9:16, 0123]\nb: {c: 'yes', d: \"1\"}\ne: |\n  two\n  lines\nf: >-\n  one\n  line\n1: x\n"
    assert read(text, loader=loader).values == {
        "a": ["en", "no", "9:16", "0123"],
        "b": {"c": "yes", "d": "1"},
        "e": "two\nlines\n",
        "f": "one line",
        "1": "x",
    }


def test_crlf_and_a_byte_order_mark_leave_no_trace(loader):
    """A file from Windows has the same values and the same lines."""
    source = parse(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: 2\r\n", file="m.yaml", loader=loader)
    assert source.values == {"a": 1, "b": {"c": 2}}
    assert source.marks.line("b", "c") == 3


def test_a_template_is_a_plain_scalar(loader):
    """`${{ }}` needs no quotes in block style."""
    assert read("size: ${{ format.size }}\n", loader=loader).values == {"size": "${{ format.size }}"}


def test_a_duplicate_key_names_both_lines(loader):
    """The first value stays, the second is reported at its own place."""
    source = read("a:\n  b: 1\n  b: 2\n", loader=loader)
    assert source.values == {"a": {"b": 1}}
    assert str(source.problems[0]).startswith("m.yaml:3:3  a.b: 'b' is given twice (first on line 2); keep one")


def test_a_comma_in_plain_text_is_noticed(loader):
    """`{ props: pine branches, warm candle light }` would lose half of its text without a word."""
    assert findings("x: 1\ns: {props: pine branches, warm candle light}\n", loader=loader) == [
        "2:27 'warm candle light' looks like the rest of the text before the comma. Put the whole text in quotes"
    ]


def test_an_empty_value_with_a_colon_is_no_lost_text(loader):
    """`{ a: , b: 1 }` says on purpose that there is no value."""
    source = read("x: {a: , b: 1}\n", loader=loader)
    assert source.values == {"x": {"a": None, "b": 1}}
    assert source.problems == ()


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a: !!str 1\n", "1:4 '!!str' is a tag"),
        ("a: !!python/object/apply:os.system [ls]\n", "1:4 '!!python/object/apply:os.system' is a tag"),
        ("a: !mine {b: 1}\n", "1:4 '!mine' is a tag"),
        ("<<: {a: 1}\n", "1:1 '<<' merges nothing in YAML 1.2"),
        ("x: &x {a: 1}\ny:\n  <<: *x\n", "3:3 '<<' merges nothing"),
        ("~: 1\n", "1:1 a key that is empty or null"),
        ("'': 1\n", "1:1 a key that is empty or null"),
        ("? [a]\n: 1\n", "1:3 a key that is a list or a mapping"),
        ("x: &x k\n*x : 1\n", "2:1 a key that is a list or a mapping"),
        ("size: {{ format.size }}\n", "1:8 `{{ }}` is not a template here; write `${{ ... }}`"),
        ("a: {b}\n", "1:5 'b' has no value (expected `key: value`"),
        ("a: .inf\n", "1:4 '.inf' is no finite number"),
        ("a: *b\n", "1:4 '*b' refers to an anchor that is not above"),
        ("a: &a [*a]\n", "1:8 '*a' refers to an anchor that is not above"),
    ],
)
def test_what_yaml_can_do_and_a_manifest_cannot(text, finding, loader):
    """Tags, merges, odd keys and dangling aliases are findings with place and remedy; reading goes on."""
    (found,) = findings(text, loader=loader)
    assert found.startswith(finding)


def test_findings_come_together_with_the_rest():
    """One pass reports every finding and still has the values that are sound."""
    source = read("a: !x 1\nb: 1\nb: 2\nc: {d, e}\nf: 2\n")
    assert len(source.problems) == 4
    assert source.values == {"a": 1, "b": 1, "c": {}, "f": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text: Poster: a cat\n", "1:13 not valid YAML: a colon and space inside plain text"),
        ("a: {x: ${{ b }}}\n", "1:9 not valid YAML: the `{ }` does not go on or end here"),
        ("a: [${{ b }}]\n", "1:6 not valid YAML: the `[ ]` does not go on or end here"),
        ("a:\n\t- b\n", "2:1 not valid YAML: a tab; indent with spaces"),
        ("a: @x\n", "1:4 not valid YAML: a sign that cannot begin plain text"),
        ("a: `x`\n", "1:4 not valid YAML: a sign that cannot begin plain text"),
        ('a: "x\n', "not valid YAML: a quote that is never closed"),
        ("a: 'x\n", "not valid YAML: a quote that is never closed"),
        ('a: "\\d"\n', "not valid YAML: an unknown escape"),
        ("a: | x\n  y\n", "1:6 not valid YAML: text right after `|` or `>`"),
        ("a: >5% off\n", "1:6 not valid YAML: text right after `|` or `>`"),
        ("a: *bold* text\n", "1:9 not valid YAML: plain text cannot begin with `*`"),
        ("a: 'b' c\n", "1:8 not valid YAML: the indentation or a quote is off"),
        ("a: - b\n", "1:4 not valid YAML: a `- ` where no list can start"),
        ("a: x\n- b\n", "2:1 not valid YAML: the indentation or a quote is off"),
        ("a: [1, 2\nb: 3\n", "2:2 not valid YAML: the `[ ]` does not go on"),
        ("", "1:1 the manifest is empty"),
        ("# only a comment\n", "1:1 the manifest is empty"),
        ("- a\n", "1:1 the manifest is a list"),
        ("just text\n", "1:1 the manifest is plain text"),
        ("a: 1\n---\nb: 2\n", "2:1 a second document begins here"),
    ],
)
def test_broken_yaml_gets_place_and_remedy(text, message, loader):
    """What ends the reading says where, and what to do about it."""
    assert message in fatal(text, loader=loader)


def test_findings_before_a_syntax_error_are_kept():
    """The error carries what was found above it."""
    with pytest.raises(ManifestError) as caught:
        read("a: 1\na: 2\nb: c: d\n")
    assert [problem.line for problem in caught.value.problems] == [2, 3]


def test_an_alias_shares_its_value(loader):
    """Anchors and aliases work, and the alias's marks are those of the anchor."""
    source = read("a: &x {k: 1}\nb: *x\n", loader=loader)
    assert source.values["b"] == {"k": 1}
    assert source.marks.line("b", "k") == 1


def bomb(levels: int, width: int) -> str:
    lines = [f"a0: &a0 [{', '.join(['x'] * width)}]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


BOMBS = {
    "aliases": bomb(12, 9),
    "wide aliases": "a: &a [" + "x," * 50_000 + "]\nb: [*a,*a,*a]\n",
    "flow lists": "a: " + "[" * 100_000,
    "flow mappings": "{a: " * 100_000,
    "block lists": "- " * 100_000,
    "lists on lines": "a:\n" + " [\n" * 100_000,
    "block mappings": "".join(f"{' ' * depth}a:\n" for depth in range(1000)),
}


def test_endless_findings_end_the_reading():
    """A file of nothing but mistakes is given up, not listed."""
    with pytest.raises(ManifestError) as caught:
        read("a: 1\n" * 100_000)
    assert len(caught.value.problems) == 201
    assert caught.value.problems[-1].message == "more than 200 problems; mend those above first"


class CountingLoader(yaml.CSafeLoader):
    """Counts the events that were asked of it."""

    events = 0

    def get_event(self):
        CountingLoader.events += 1
        return super().get_event()


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_early(name):
    """Alias bombs and deep nesting are given up after few events and little memory."""
    CountingLoader.events = 0
    tracemalloc.start()
    message = fatal(BOMBS[name], loader=CountingLoader)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert CountingLoader.events < 60_000
    assert peak < 50_000_000
    assert "aliases repeat more than" in message or "nested more than 50 levels" in message


def test_fifty_levels_are_allowed():
    """The limit is on what nobody writes by hand."""
    assert read("a: " + "[" * 49 + "]" * 49).problems == ()


def test_one_alias_many_times_is_allowed():
    """Reusing a block a thousand times is no bomb."""
    assert len(read("a: &a {x: 1}\nb: [" + "*a," * 1000 + "]\n").values["b"]) == 1000


def test_a_comment_after_plain_text_is_remembered(loader):
    """The offset of a text that ` #` cuts is known; quoted text and numbers are not cut."""
    text = "a: cat #5\nb: 'cat' #5\nc: 7 # seven\nd: cat#5\ne: >-\n  cat #5\n"
    assert read(text, loader=loader).cut == {3}


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4),
    max_leaves=20,
)


def is_readable(value) -> bool:
    """JSON keeps surrogates and blank keys, a manifest does not."""
    if isinstance(value, dict):
        return all(key.strip() and is_readable(key) and is_readable(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_readable, value))
    return not isinstance(value, str) or all(ord(char) < 0xD800 or ord(char) > 0xDFFF for char in value)


@given(st.dictionaries(st.text(min_size=1, max_size=8), json_like, max_size=5).filter(is_readable))
def test_whatever_yaml_dumps_reads_back(values):
    """Quoted output of a YAML writer comes back as the same values."""
    text = yaml.dump(values, default_style='"', allow_unicode=False)
    texts = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  strings only
    untagged = "\n".join(text.replace('!!int "', '"').replace('!!float "', '"').replace('!!bool "', '"').splitlines())
    untagged = untagged.replace('!!null "', '"')
    assert read(untagged).values == texts
