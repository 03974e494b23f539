"""Profiles and `--set`."""

import pytest

from batchgen.errors import ManifestError
from batchgen.manifest.merge import Tree, apply_set, merge
from batchgen.manifest.source import parse

TEXT = """\
request: { quality: high, size: 1024x1024 }
limits:
  rpm: 60
rows: { csv: a.csv, key: sku }
provider: { use: openai, base_url: http://127.0.0.1:1, key_env: A }
prompts:
  - first
  - text: second
profiles:
  p:
    request: { quality: low, size: null }
    limits: { budget_usd: 2 }
    prompts: [other]
    review: { gallery: false, group_by: null }
"""


@pytest.fixture
def source():
    return parse(TEXT.encode(), file="m.yaml")


@pytest.fixture
def tree(source):
    return Tree(value=source.values, node=source.marks.root)


def over(text: str) -> Tree:
    source = parse(text.encode(), file="m.yaml")
    return Tree(value=source.values, node=source.marks.root)


def test_mappings_merge_lists_replace_and_null_resets(source, tree):
    """A profile changes what it names and nothing else."""
    profile = Tree(value=source.values["profiles"]["p"], node=source.marks.at("profiles", "p"))
    made = merge(tree, profile).value
    assert made["request"] == {"quality": "low"}
    assert made["limits"] == {"rpm": 60, "budget_usd": 2}
    assert made["prompts"] == ["other"]
    assert made["review"] == {"gallery": False}


def test_merging_leaves_the_base_alone(tree):
    """Aliases share their values, so nothing is changed in place."""
    before = repr(tree.value)
    merge(tree, over("request: {quality: low}\n"))
    apply_set(apply_set(tree, "prompts.1.text=x"), "limits.rpm=null")
    assert repr(tree.value) == before


@pytest.mark.parametrize(
    ("keys", "line"),
    [(("request", "quality"), 11), (("limits", "budget_usd"), 12), (("limits", "rpm"), 3), (("prompts", 0), 13)],
)
def test_merged_values_keep_their_own_places(source, tree, keys, line):
    """A mistake in the profile is shown in the profile."""
    profile = Tree(value=source.values["profiles"]["p"], node=source.marks.at("profiles", "p"))
    assert source.marks.grafted(merge(tree, profile).node).line(*keys) == line


def test_another_provider_takes_no_settings_over(tree):
    """The address and the key of one provider never reach another."""
    assert merge(tree, over("provider: {use: sandbox}\n")).value["provider"] == {"use": "sandbox"}
    assert apply_set(tree, "provider.use=sandbox").value["provider"] == {"use": "sandbox"}


def test_the_same_provider_is_merged(tree):
    """Overrides of one provider add up."""
    merged = merge(tree, over("provider: {use: openai, key_env: B}\n")).value["provider"]
    assert merged == {"use": "openai", "base_url": "http://127.0.0.1:1", "key_env": "B"}


def test_another_source_of_rows_replaces_the_first(tree):
    """A draft on three inline rows need not reset the csv."""
    assert merge(tree, over("rows: {inline: [{sku: 1}]}\n")).value["rows"] == {"key": "sku", "inline": [{"sku": 1}]}
    assert apply_set(tree, "prompts.1.file=b.txt").value["prompts"][1] == {"file": "b.txt"}


def test_variables_that_look_like_rows_are_only_variables():
    """Keys exclude each other in blocks, not in free values."""
    merged = merge(over("vars: {rows: {csv: 1, text: 2}}\n"), over("vars: {rows: {csv: 3}}\n"))
    assert merged.value == {"vars": {"rows": {"csv": 3, "text": 2}}}


@pytest.mark.parametrize(
    ("option", "path", "value"),
    [
        ("limits.rpm=30", ("limits", "rpm"), 30),
        ("limits.budget_usd=1.50", ("limits", "budget_usd"), 1.5),
        ("request.size=1536x1024", ("request", "size"), "1536x1024"),
        ("vars.ratio=9:16", ("vars", "ratio"), "9:16"),
        ("vars.a.b.c=no", ("vars", "a", "b", "c"), "no"),
        ("vars.look=a cat: black #5, [sic]", ("vars", "look"), "a cat: black #5, [sic]"),
        ("vars.quoted='7'", ("vars", "quoted"), "7"),
        ("review.group_by=[a, b]", ("review", "group_by"), ["a", "b"]),
        ("request={quality: low}", ("request",), {"quality": "low"}),
        ("prompts.0=changed", ("prompts", 0), "changed"),
        ("prompts.1.text=${{ a }} = b", ("prompts", 1, "text"), "${{ a }} = b"),
    ],
)
def test_set_puts_a_value_at_a_path(tree, option, path, value):
    """Values are YAML 1.2 scalars, or flow values; paths may be new and name list items."""
    made = apply_set(tree, option).value
    for key in path:
        made = made[key]
    assert made == value


def test_set_null_goes_back_to_the_default(tree):
    """`null` takes the key away."""
    assert "rpm" not in apply_set(tree, "limits.rpm=null").value["limits"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("limits.rpm", "not a setting (expected path.to.key=value)"),
        ("=5", "not a setting"),
        ("limits..rpm=5", "not a setting"),
        (".".join("a" * 1000) + "=5", "not a setting"),
        ("limits.budget_usd=", "no value after '='; write null"),
        ("limits.rpm=.inf", "'.inf' is no finite number"),
        ("request={quality: low", "not valid YAML"),
        ("request={a: 1, a: 2}", "'a' is given twice"),
        ("vars.x='a' b", "not valid YAML"),
        ("limits.rpm.x=5", "'limits.rpm' is not a mapping"),
        ("prompts.2=x", "'prompts' is a list of 2 (expected an index from 0 to 1, not '2')"),
        ("prompts.-1=x", "expected an index from 0 to 1, not '-1'"),
        ("prompts.first=x", "not 'first'"),
        ("prompts.0.text=x", "'prompts.0' is not a mapping"),
        ("prompts.0=null", "a list item cannot be null"),
    ],
)
def test_a_bad_option_is_an_error_that_names_it(tree, option, message):
    """An unset shell variable never turns a budget off, and a wrong path is never ignored."""
    with pytest.raises(ManifestError) as caught:
        apply_set(tree, option)
    (problem,) = caught.value.problems
    assert problem.file.startswith(f"--set {option[:100]}")
    assert message in problem.message


@pytest.mark.parametrize(
    "keys", [("limits", "rpm"), ("limits", "rpm", "x"), ("new", "deep"), ("new", "missing"), ("prompts", 0)]
)
def test_values_of_an_option_are_placed_at_the_option(source, tree, keys):
    """A mistake on the command line is not looked for in the file."""
    made = tree
    for option in ("limits.rpm=x", "new.deep=1", "prompts.0=x"):
        made = apply_set(made, option)
    problem = source.marks.grafted(made.node).problem(keys, "wrong")
    assert problem.file.startswith("--set ")
    assert problem.line is None


def test_the_neighbours_of_an_option_stay_in_the_file(source, tree):
    """Setting one key moves no other."""
    made = apply_set(apply_set(tree, "limits.budget_usd=1"), "prompts.1.id=x")
    assert source.marks.grafted(made.node).line("limits", "rpm") == 3
    assert source.marks.grafted(made.node).line("prompts", 1, "text") == 8
