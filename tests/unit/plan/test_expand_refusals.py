import pytest
from PIL import Image


def test_template_errors_name_key_and_row(problems, tmp_path):
    """An unknown column is reported once, at its key, with the first row and the columns."""
    (tmp_path / "a.csv").write_text("sku,name\nA,x\nB,y\nC,z\n")
    [found] = problems("""
        rows: { csv: a.csv, key: sku }
        prompts: [{ id: p, text: "${{ row.colour }}" }]
    """)
    assert found == ("5  prompts.0.text: a.csv line 2: no column 'colour'; columns: sku, name (and 2 more like it)")


def test_template_errors_without_rows_name_the_slot(problems):
    """What fails for one combination says for which."""
    [found] = problems("""
        matrix: { p: [{ id: mug, name: x }, { id: cup }] }
        prompts: [{ id: h, text: "${{ p.name }}" }]
    """)
    assert found.endswith("prompts.0.text: h/cup: no key 'name' in 'p'; keys: id")


def test_everything_is_reported_in_one_pass(problems):
    """Templates, matrix rules, files, conditions and parameters: one pass names them all, each at its place."""
    found = problems("""
        vars: { v: "${{ f() }}" }
        request: { size: "${{ nope }}" }
        matrix: { a: [x], exclude: [{ b: x }] }
        prompts:
          - { id: one, text: "${{ a }}", images: [none.png], matrix: false }
          - { id: two, text: "${{ 1 + }}", only_if: "x y" }
          - { id: three, text: t, mask: m.png, matrix: false }
          - { id: four, file: none.txt }
          - { id: five, text: ok, path: "${{ a * 2 }}", rows: { csv: none.csv } }
    """)
    keys = [line.split("  ")[1].split(":")[0] for line in found]
    assert keys == [
        "vars.v",
        "matrix.exclude.0.b",
        "prompts.1.text",
        "prompts.1.only_if",
        "prompts.2.mask",
        "prompts.3.file",
        "prompts.4.path",
        "prompts.4.rows.csv",
    ]


def refuse_sizes(request):
    """A provider that takes one size only."""
    size = request.params.get("size", "1x1")
    return [] if size == "1x1" else [(("request", "size"), f"'{size}' is not a size here")]


@pytest.mark.parametrize(
    "prompt",
    [
        '{ id: p, text: "${{ nope }}" }',
        '{ id: p, text: "${{ 1 + }}" }',
        "{ id: p, text: x, images: [none.png] }",
        "{ id: p, text: x, path: /abs }",
        '{ id: p, text: "${{ v }}", vars: { v: "${{ nope }}" } }',
        "{ id: p, text: x, only_if: nope }",
    ],
)
def test_what_a_provider_refuses_comes_with_what_cannot_be_rendered(problems, prompt):
    """One pass names both: a wrong text hides no wrong size."""
    found = problems(f"request: {{ size: 9x9 }}\nprompts: [{prompt}]", judge=refuse_sizes)
    assert len(found) == 2
    assert found[0].endswith("request.size: '9x9' is not a size here")


def test_a_refused_value_from_a_row_names_the_row(problems, tmp_path):
    """The line of the data file is what has to be mended; more such rows are counted."""
    (tmp_path / "a.jsonl").write_text('{"k": "a", "s": "1x1"}\n{"k": "b", "s": "9x9"}\n{"k": "c", "s": "9x9"}\n')
    [found] = problems(
        """
        rows: { jsonl: a.jsonl, key: k }
        request: { size: "${{ row.s }}" }
        prompts: [{ id: p, text: "${{ row.k }}" }]
        """,
        judge=refuse_sizes,
    )
    assert found == "5  request.size: a.jsonl line 2: '9x9' is not a size here (and 1 more like it)"


def test_a_refused_value_of_the_manifest_names_no_row(problems):
    """What stands in the manifest is wrong once, however many rows there are."""
    [found] = problems(
        """
        rows: { inline: [{ k: a }, { k: b }], key: k }
        request: { size: 9x9 }
        prompts: [{ id: p, text: "${{ row.k }}" }]
        """,
        judge=refuse_sizes,
    )
    assert found == "5  request.size: '9x9' is not a size here"


def test_parameters_that_render_are_judged_beside_those_that_do_not(problems):
    """All parameter errors of a row come at once, and the provider's with them."""
    found = problems(
        """
        rows: { inline: [{ k: a, s: 9x9, c: 150 }], key: k }
        request: { size: "${{ row.s }}", output_compression: "${{ row.c }}", style: "${{ row.x }}" }
        prompts: [{ id: p, text: "${{ row.k }}" }]
        """,
        judge=refuse_sizes,
    )
    assert [line.split(": ")[0].split()[1] for line in found] == [
        "request.size",
        "request.output_compression",
        "request.style",
    ]


def test_a_parameter_is_not_judged_without_those_that_decide(problems):
    """With an unknown model nobody can say which sizes it has."""
    [found] = problems("request: { size: 9x9, model: '${{ x }}' }\nprompts: [a]", judge=refuse_sizes)
    assert "no name 'x'" in found


def test_a_plan_that_is_too_large_is_judged_all_the_same(problems):
    """The number of images is no reason to keep silent about their size."""
    values = ", ".join(map(str, range(1001)))
    text = f"request: {{ size: 9x9 }}\nmatrix: {{ a: [{values}], b: [{values}] }}\nprompts: [{{ id: p, text: x }}]"
    assert len(problems(text, judge=refuse_sizes)) == 2


def test_doubles_come_with_what_cannot_be_rendered(problems):
    """Two equal prompts beside a wrong one are reported in the same pass."""
    assert len(problems("prompts: [{ id: a, text: x }, { id: b, text: x }, '${{ nope }}']")) == 2


def test_shared_flaws_are_said_once(problems):
    """A broken job variable or data file that all prompts share is one problem."""
    found = problems("rows: { csv: none.csv }\nvars: { v: '${{ f() }}' }\nprompts: [a, b, c]")
    assert len(found) == 2
    assert not any("more like it" in line for line in found)


def test_hundreds_of_problems_are_counted(problems):
    """The report is capped; the rest is a number."""
    found = problems("prompts: [" + ", ".join(f'"${{{{ x{number} }}}}"' for number in range(80)) + "]")
    assert len(found) == 51
    assert found[-1].endswith("and 30 more problems")


def test_the_product_is_counted_before_it_is_made(problems):
    """A thousand million combinations are refused at once, with the factors."""
    values = ", ".join(map(str, range(1000)))
    [found] = problems(f"matrix: {{ a: [{values}], b: [{values}], c: [{values}] }}\nprompts: [{{ id: p, text: x }}]")
    assert "1,000,000,000 images (at most 1,000,000)" in found
    assert "1000 x 1000 x 1000" in found
    assert "take values out" in found


def test_no_consent_raises_the_plan_above_what_fits_into_memory(problems):
    """Ten million requests are the end, whatever `max_images` says."""
    values = ", ".join(map(str, range(300)))
    matrix = f"matrix: {{ a: [{values}], b: [{values}], c: [{values}] }}"
    [found] = problems(f"limits: {{ max_images: 2000000000 }}\n{matrix}\nprompts: [{{ id: p, text: x }}]")
    assert "27,000,000 images (at most 10,000,000)" in found


def test_max_images_raises_the_ceiling(plan):
    """A large plan is allowed by saying so."""
    values = ", ".join(map(str, range(101)))
    text = f"matrix: {{ a: [{values}] }}\nrepeat: 100\nprompts: [{{ id: p, text: '${{{{ a }}}}' }}]\n"
    assert len(plan(text + "limits: { max_images: 5 }").requests) == 10_100


def test_one_image_wanted_twice_names_both_places(problems):
    """The same prompt twice is refused, with both places and `repeat`."""
    [found] = problems("prompts:\n  - { id: a, text: mug }\n  - { id: b, text: mug }\n")
    assert found == (
        "5  prompts.1: 'b/v1' (prompts.1) asks for the same image as 'a/v1' (prompts.0); "
        "for more takes of one prompt use `repeat`"
    )


def test_two_slots_with_one_name(problems):
    """Row keys that become one part are refused."""
    [found] = problems("""
        rows: { inline: [{ k: a/b }, { k: a b }], key: k }
        prompts: [{ id: p, text: "${{ row.k }}" }]
    """)
    assert "'p/a-b/v1' (prompts.0, row 2) and prompts.0, row 1 have one slot" in found


@pytest.mark.parametrize(("one", "other"), [("a", "a"), ("a.png", "a.jpg"), ("Käse", "KÄSE"), ("x/../a", "b")])
def test_two_slots_with_one_path(problems, one, other):
    """Paths are compared without case, composition and extension."""
    found = problems(f"""
        prompts: [{{ id: p, text: x, path: {one} }}, {{ id: q, text: y, path: {other} }}]
    """)
    assert "'p/v1' (prompts.0) and 'q/v1' (prompts.1) go to" in found[0] or "has a part '..'" in found[0]


def test_a_path_without_take_collides_with_itself(problems):
    """Two takes need two files; the remedy is said."""
    [found] = problems("repeat: 2\nprompts: [{ id: p, text: x, path: a }]")
    assert "add what differs to the path, such as ${{ take }}" in found


def test_bad_paths_have_their_place(problems):
    """A path outside images/ is refused at output.path or at the prompt's."""
    found = problems("output: { path: ../x }\nprompts: [{ id: p, text: a }, { id: q, text: b, path: /x }]")
    assert [line.partition(": ")[0].split()[-1] for line in found] == ["output.path", "prompts.1.path"]


def test_values_cannot_leave_the_folder(plan):
    """A row that holds a path becomes one clean part."""
    made = plan("""
        rows: { inline: [{ k: ../../etc/passwd }], key: k }
        prompts: [{ id: p, text: "${{ row.k }}", path: "${{ row.k }}/a" }]
    """)
    assert made.requests[0].path == "images/---..-etc-passwd/a.png"
    assert made.requests[0].prompt == "../../etc/passwd"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("\"${{ '' }}\"", "is empty (expected a prompt)"),
        ('"a\\0b"', "holds a NUL"),
        ("x" * 32_001, "has 32,001 characters"),
    ],
)
def test_prompts_that_cannot_be_sent(problems, value, message):
    """Empty, oversized and NUL-holding prompts are refused before they are sent."""
    assert message in problems(f"prompts: [{{ id: p, text: {value} }}]")[0]


def test_wrong_parameter_values_have_place_and_row(problems):
    """A rendered value that its field does not take is a problem at its key."""
    [found] = problems("""
        rows: { inline: [{ k: a, c: 150 }], key: k }
        request: { output_compression: "${{ row.c }}" }
        prompts: [{ id: p, text: "${{ row.k }}" }]
    """)
    assert found.endswith("request.output_compression: row 1: '150' is no whole number from 0 to 100")


def test_missing_and_broken_inputs_are_told(problems, tmp_path):
    """A missing image, a text file and a mask of another size are three problems with their keys."""
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    Image.new("RGBA", (5, 4)).save(tmp_path / "m.png")
    (tmp_path / "t.png").write_text("text")
    found = problems("""
        prompts:
          - { id: p, text: x, images: [none.png] }
          - { id: q, text: y, images: [a.png, t.png] }
          - { id: r, text: z, images: [a.png], mask: m.png }
    """)
    assert ["does not exist" in found[0], "is no png" in found[1], "is 5x4 (expected 4x4" in found[2]] == [True] * 3
    assert "prompts.1.images.1: q: 't.png'" in found[1]


def test_too_many_images(problems):
    """More reference images than any API takes are refused without reading them."""
    images = ", ".join(f"i{number}.png" for number in range(17))
    assert "has 17 images (at most 16)" in problems(f"prompts: [{{ id: p, text: x, images: [{images}] }}]")[0]


@pytest.mark.parametrize("content", [b"\xff", b"x" * 1_000_001])
def test_prompt_files_that_are_no_prompts(problems, tmp_path, content):
    """A prompt file that is not UTF-8 or far too large is refused."""
    (tmp_path / "p.txt").write_bytes(content)
    assert "prompts.0.file: 'p.txt' cannot be read" in problems("prompts: [{ id: p, file: p.txt }]")[0]


def test_data_problems_have_file_and_line(problems, tmp_path):
    """A double key is reported in the data file, not in the manifest."""
    (tmp_path / "a.csv").write_text("sku\nA\nA\n")
    [found] = problems("rows: { csv: a.csv, key: sku }\nprompts: [{ id: p, text: '${{ row.sku }}' }]")
    assert found == "3  : 'A' is already the key of a.csv line 2; keys are unique"


def test_what_a_server_cannot_receive_is_refused(problems, tmp_path):
    """A lone surrogate from a data file is a problem of its row."""
    (tmp_path / "a.jsonl").write_text('{"k": "a", "t": "\\ud800"}\n')
    [found] = problems("rows: { jsonl: a.jsonl, key: k }\nprompts: [{ id: p, text: 'x ${{ row.t }}' }]")
    assert "a.jsonl line 1: the request holds a lone surrogate" in found
