"""What no single field can see."""

import pytest

from batchgen.manifest.rules import broken_rules, cut_texts
from batchgen.manifest.source import parse


def broken(text: str) -> list[str]:
    source = parse(text.encode(), file="m.yaml")
    return [f"{p.line}:{p.column} {p.key}: {p.message}" for p in broken_rules(source.values, source.marks)]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "prompts:\n- {id: a, text: x}\n- b\n- {id: a, text: y}\n",
            "4:8 prompts.2.id: 'a' is given twice (first on line 2)",
        ),
        ("post:\n- {id: web}\n- {id: web}\n", "3:8 post.1.id: 'web' is given twice (first on line 2)"),
        ("matrix:\n  a: [x, y, x]\n", "2:13 matrix.a.2: 'x' is given twice"),
        ("matrix:\n  a: [x, {id: x}]\n", "2:15 matrix.a.1.id: 'x' is given twice"),
        ("matrix:\n  a: [1.10, 1.1, '1.10']\n", "2:18 matrix.a.2: '1.10' is given twice"),
        ("prompts:\n- text: t\n  matrix:\n    a: [1, 1]\n", "4:12 prompts.0.matrix.a.1: '1' is given twice"),
        ("prompts:\n- {id: '${{ a }}', text: t}\n", "2:8 prompts.0.id: a prompt's id names its slots"),
    ],
)
def test_names_that_must_differ(text, place):
    """Two of a kind are reported at the second, with the line of the first."""
    (found,) = broken(text)
    assert found.startswith(place)


@pytest.mark.parametrize("indent", ["", "prompts:\n- text: t\n  "])
def test_a_parameter_without_a_value_is_forgotten(indent):
    """`size:` with nothing behind it is reported, `size: null` is a wish."""
    inner = "    " if indent else "  "
    (found,) = broken(f"{indent}request:\n{inner}size:\n{inner}quality: null\n")
    assert found.endswith("request.size: empty; give a value, or write null to send none")


@pytest.mark.parametrize(
    "text",
    [
        "prompts: [same, same]\n",
        "matrix: {a: [1, 2], b: [1, 2], exclude: [{a: 1}, {a: 1}]}\n",
        "matrix: {a: [1.10, 1.1]}\n",
        "prompts: 3\npost: x\nmatrix: [1]\n",
        "prompts: [{id: [a]}, {id: [a]}, 3, null]\n",
    ],
)
def test_what_these_rules_leave_to_others(text):
    """Equal texts, equal values of two axes and wrong shapes are not their business."""
    assert broken(text) == []


def warnings(text: str) -> list[str]:
    source = parse(text.encode(), file="m.yaml")
    return [f"{p.line} {p.key}: {p.message}" for p in cut_texts(source.values, source.marks, source.cut)]


def test_a_prompt_that_a_comment_cuts_is_a_warning():
    """`a cat #5` keeps only the cat, and YAML says nothing."""
    found = warnings("prompts:\n- a cat #5\n- text: a dog # front\n- 'a cow #7'\n- {id: x, text: a hen} # fine\n")
    assert len(found) == 2
    assert "ends at 'a cat': ' #' begins a comment; put the text in quotes" in found[0]
    assert found[1].startswith("3 prompts.1.text:")


def test_comments_elsewhere_are_comments():
    """Only prompts lose text that costs money."""
    assert warnings("name: x # y\nvars: {a: b} # c\nprompts:\n- >-\n  a cat #5\n") == []
