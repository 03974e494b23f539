"""Requests that would be one image, one slot or one file: one problem per cause, with what to write."""

import pytest


def test_rows_that_give_one_image_are_one_problem(problems):
    """A prompt that uses nothing of its rows is told once, with the count and what differs."""
    [found] = problems("""
        rows: { inline: [{ k: a, n: x }, { k: b, n: x }, { k: c, n: y }], key: k }
        prompts: [{ id: p, text: a mug }]
    """)
    assert "'p/b/v1' (prompts.0, row 2) asks for the same image as 'p/a/v1' (prompts.0, row 1)" in found
    assert "use what differs, such as ${{ row.k }}, in the prompt" in found
    assert found.endswith("(and 1 more like it)")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a {{ n }} mug", "`{{ n }}` is plain text, write `${{ row.n }}`"),
        ("a {{ row.n }} mug", "`{{ row.n }}` is plain text, write `${{ row.n }}`"),
    ],
)
def test_braces_without_a_dollar_are_the_cause(problems, text, says):
    """Jinja's braces are plain text here, and the message says what to write."""
    [found] = problems(f"""
        rows: {{ inline: [{{ n: x }}, {{ n: y }}, {{ n: z }}] }}
        prompts: [{{ id: p, text: "{text}" }}]
    """)
    assert says in found


def test_axes_that_give_one_image_are_named(problems):
    """An axis of objects is named by its id."""
    [found] = problems("matrix: { a: [{ id: x }, { id: y }], b: [1, 2] }\nprompts: [{ id: p, text: a mug }]")
    assert "such as ${{ a.id }} and ${{ b }}" in found
    assert found.endswith("(and 2 more like it)")


@pytest.mark.parametrize(
    ("text", "differing"),
    [
        ("prompts: [{ id: p, text: x }, { id: q, text: y }]", "${{ prompt.id }}"),
        ("matrix: { c: [red, blue] }\nprompts: [{ id: p, text: '${{ c }}' }]", "${{ c }}"),
        ("matrix: { add: [{ c: { id: a } }, { c: { id: b } }] }\nprompts: ['${{ c.id }}']", "${{ c.id }}"),
        ("repeat: 3\nprompts: [{ id: p, text: x }]", "${{ take }}"),
        ("rows: { inline: [{ n: x }, { n: y }] }\nprompts: ['${{ row.n }}']", "${{ row.n }}"),
        (
            "repeat: 2\nrows: { inline: [{ a: 1, n: x }, { a: 1, n: y }] }\nprompts: ['${{ row.n }}']",
            "${{ row.n }} and ${{ take }}",
        ),
    ],
)
def test_one_path_for_several_images_names_what_differs(problems, text, differing):
    """The remedy is what tells these images apart, not something that they share."""
    [found] = problems(f"output: {{ path: same }}\n{text}")
    assert found.partition(" (and ")[0].endswith(f"add what differs to the path, such as {differing}")


def test_paths_that_differ_in_case_alone_say_so(problems):
    """Adding the axis again would not help."""
    [found] = problems("matrix: { x: [Q, q] }\nprompts: [{ id: p, text: '${{ x }}', path: '${{ x }}' }]")
    assert "go to 'images/Q.png' and 'images/q.png', which is one file on some disks" in found
