import pytest
from PIL import Image

from batchgen.plan.expand import Redo


def slots(plan):
    return [request.slot for request in plan.requests]


LAUNCH = """
    vars: { look: soft light, brand: Aurora }
    request: { model: m, quality: high, size: "${{ format.size }}" }
    matrix:
      product: [{ id: mug, name: stoneware mug }, { id: tray, name: tray }]
      format: [{ id: square, size: 1024x1024 }, { id: story, size: 1024x1792 }]
      exclude: [{ product: tray, format: story }]
      extend: [{ when: { product: mug }, vars: { extra: steam } }]
    prompts:
      - id: hero
        text: A ${{ product.name }}, ${{ look }}${{ ', ' ~ extra if extra is defined else '' }}.
    repeat: 2
    output: { path: "${{ format.id }}/${{ brand }}_${{ product.id }}_v${{ take }}.png" }
"""


def test_a_launch_in_full(plan):
    """Matrix, rules, variables, takes, templated parameters and paths together give the requests in manifest order."""
    made = plan(LAUNCH)
    assert slots(made) == [
        f"hero/{one}/v{take}" for one in ("mug/square", "mug/story", "tray/square") for take in (1, 2)
    ]
    first, last = made.requests[0], made.requests[-1]
    assert (first.prompt, last.prompt) == ("A stoneware mug, soft light, steam.", "A tray, soft light.")
    assert first.params == {"model": "m", "quality": "high", "size": "1024x1024"}
    assert (first.path, last.path) == ("images/square/Aurora_mug_v1.png", "images/square/Aurora_tray_v2.png")
    assert (first.take, last.take, first.operation, first.redo) == (1, 2, "generate", 0)
    assert (made.job, made.explanation) == ("demo", "2 x 2 - 1, x 2 takes")


def test_requests_that_render_alike_share_their_parameters(plan):
    """A million requests hold a handful of parameter mappings."""
    made = plan(LAUNCH)
    assert len({id(request.params) for request in made.requests}) == 2


def test_prompts_without_ids_are_named_after_their_text(plan):
    """Two plain prompts have readable slots and default paths."""
    made = plan("prompts: [a stoneware mug, the same mug from above]")
    assert [slot.rpartition("-")[0] for slot in slots(made)] == ["a-stoneware-mug", "the-same-mug-from-above"]
    assert [request.path for request in made.requests] == [
        f"images/{slot.replace('/', '-')}.png" for slot in slots(made)
    ]


def test_rows_multiply_with_the_matrix(plan, tmp_path):
    """Each row is combined with each axis value; the source names the line."""
    (tmp_path / "a.csv").write_text("sku,name\nMU/1,Mug\nTE,Tea\n")
    made = plan("""
        rows: { csv: a.csv, key: sku }
        matrix: { l: [de, en] }
        prompts: [{ id: p, text: "${{ row.name }} ${{ l }}" }]
    """)
    assert slots(made) == ["p/MU-1/de/v1", "p/MU-1/en/v1", "p/TE/de/v1", "p/TE/en/v1"]
    assert made.requests[0].axes == {"prompt": "p", "l": "de", "row.sku": "MU/1", "row.name": "Mug", "take": "1"}
    assert made.requests[2].source == "a.csv line 3"


def test_a_prompt_replaces_or_drops_rows_and_matrix(plan):
    """`rows` and `matrix` at a prompt stand in for the job's; `false` switches them off."""
    made = plan("""
        rows: { inline: [{ k: r1 }, { k: r2 }], key: k }
        matrix: { a: [x, y] }
        prompts:
          - { id: one, text: t1, rows: false, matrix: false }
          - { id: two, text: "${{ row.k }}", matrix: false }
          - { id: three, text: "${{ b }}", rows: false, matrix: { b: [1.10] } }
          - { id: four, text: "${{ row.q }}${{ a }}", rows: { inline: [{ q: z }], key: q } }
    """)
    assert slots(made) == ["one/v1", "two/r1/v1", "two/r2/v1", "three/1.10/v1", "four/z/x/v1", "four/z/y/v1"]
    assert made.explanation == "2 prompts + 2 rows + 1 row x 2"


def test_later_names_win(plan):
    """Job variables, prompt variables, axes, extend variables, reserved names: each hides those before it."""
    made = plan("""
        vars: { a: job, b: job, c: job, d: job }
        matrix: { c: [axis], d: [axis], extend: [{ when: { c: axis }, vars: { d: extend } }] }
        prompts:
          - id: p
            vars: { b: prompt, c: prompt }
            text: ${{ a }} ${{ b }} ${{ c }} ${{ d }} ${{ job }} ${{ prompt.id }} ${{ take }}
    """)
    assert made.requests[0].prompt == "job prompt axis extend demo p 1"


def test_variables_are_templates_over_the_names_before_them(plan):
    """A variable may use axes and earlier variables, at any depth, and its result is not rendered again."""
    made = plan("""
        vars:
          raw: "${{ '${' }}{ b }}"
          one: <${{ a }}>
          two: { deep: ["${{ one }}!"] }
          unused: ${{ not_there }}
        matrix: { a: [x] }
        prompts: [{ id: p, vars: { one: "${{ one }}+" }, text: "${{ two.deep[0] }} ${{ one }} ${{ raw }}" }]
    """)
    assert made.requests[0].prompt == "<x>! <x>+ ${{ b }}"


def test_a_constant_hides_a_template_of_its_name(plan):
    """A prompt's plain variable wins over the job's templated one."""
    made = plan("""
        vars: { look: "${{ job }}" }
        prompts: [{ id: p, vars: { look: plain }, text: "${{ look }}" }]
    """)
    assert made.requests[0].prompt == "plain"


def test_take_may_change_everything(plan):
    """A prompt, a parameter or a variable that uses `take` is rendered for each take."""
    made = plan("""
        vars: { n: "number ${{ take }}" }
        request: { user: "u${{ take }}" }
        prompts: [{ id: p, text: "${{ n }}", only_if: take != 2 }]
        repeat: 3
    """)
    assert [(one.slot, one.prompt, one.params["user"]) for one in made.requests] == [
        ("p/v1", "number 1", "u1"),
        ("p/v3", "number 3", "u3"),
    ]
    assert made.explanation == "1 prompt, x 3 takes - 1 by only_if"


def test_only_if_leaves_out(plan):
    """`only_if` is an expression over everything a template sees."""
    made = plan("""
        rows: { inline: [{ k: a, m: yes }, { k: b, m: no }], key: k }
        matrix: { s: [w, x] }
        prompts: [{ id: p, text: "${{ row.k }}${{ s }}", only_if: row.m == 'yes' and s != 'x' }]
    """)
    assert slots(made) == ["p/a/w/v1"]
    assert made.explanation == "2 rows x 2 - 3 by only_if"


def test_repeat_of_a_prompt_wins(plan):
    """A prompt's own `repeat` replaces the job's."""
    made = plan("repeat: 2\nprompts: [{ id: p, text: a, repeat: 1 }, { id: q, text: b }]")
    assert slots(made) == ["p/v1", "q/v1", "q/v2"]


def test_prompt_from_a_file(plan, tmp_path):
    """A prompt file may hold templates; a BOM and outer line breaks are not sent."""
    (tmp_path / "p.txt").write_text("\ufeffa ${{ x }}\nmug\n\n", encoding="utf-8")
    made = plan("vars: { x: red }\nprompts: [{ file: p.txt }]")
    assert made.requests[0].prompt == "a red\nmug"
    assert made.requests[0].slot.startswith("a-x-mug-")


def test_edits_carry_their_inputs(plan, tmp_path):
    """Reference images and the mask are templated paths relative to the manifest, hashed into the id."""
    Image.new("RGB", (4, 4)).save(tmp_path / "mug.png")
    Image.new("RGBA", (4, 4)).save(tmp_path / "mug.mask.png")
    text = """
        rows: { images: mu*g.png }
        prompts: [{ id: cut, text: cut it, images: ["${{ row.path }}"], mask: "${{ row.stem }}.mask.png" }]
    """
    [request] = plan(text).requests
    assert (request.operation, request.slot) == ("edit", "cut/mug/v1")
    assert (request.images[0].name, request.mask.name) == ("mug.png", "mug.mask.png")
    Image.new("RGB", (4, 4), "red").save(tmp_path / "mug.png")
    assert plan(text).requests[0].id != request.id


def test_generate_batch_lines(plan, tmp_path):
    """A jsonl file of prompts is rows; the prompt is taken from them."""
    (tmp_path / "p.jsonl").write_text('"a mug"\n{"prompt": "a cup", "size": "1x1"}\n')
    made = plan("""
        request: { size: "${{ row.size | default('auto') }}" }
        rows: { jsonl: p.jsonl }
        prompts: [{ id: p, text: "${{ row.prompt }}" }]
    """)
    assert [(one.prompt, one.params["size"]) for one in made.requests] == [("a mug", "auto"), ("a cup", "1x1")]


def test_extra_is_named_unchecked(plan):
    """Parameters from `extra` are sent with the others and listed as unchecked."""
    [request] = plan("request: { size: 1x1, extra: { seed: 7 } }\nprompts: [a]").requests
    assert request.params == {"size": "1x1", "seed": 7}
    assert request.unchecked == {"seed"}


def test_the_extension_follows_the_output_format(plan):
    """`output_format: jpeg` makes .jpg, also over a written .png."""
    made = plan("request: { output_format: jpeg }\nprompts: [{ id: a, text: a }, { id: b, text: b, path: x/b.png }]")
    assert [one.path for one in made.requests] == ["images/a-v1.jpg", "images/x/b.jpg"]


def test_a_period_is_in_id_slot_and_path(plan):
    """The bucket goes in front of slot and path, except where the path says it itself."""
    text = """
        period: daily
        prompts: [{ id: a, text: a }, { id: b, text: b, path: b.png }, { id: c, text: c, path: "c/${{ period }}.png" }]
    """
    made = plan(text, period="2026-11-20")
    assert slots(made)[0] == "2026-11-20/a/v1"
    assert [one.path for one in made.requests] == [
        "images/2026-11-20/a-v1.png",
        "images/2026-11-20/b.png",
        "images/c/2026-11-20.png",
    ]
    assert made.requests[0].axes["period"] == "2026-11-20"
    assert not {one.id for one in made.requests} & {one.id for one in plan(text, period="2026-11-21").requests}


@pytest.mark.parametrize(("kind", "bucket"), [("daily", "2026-W47"), ("weekly", None), ("monthly", "2026-13")])
def test_a_bucket_fits_its_period(problems, kind, bucket):
    """A bucket of another period, or none, is refused."""
    assert f"is no bucket of a {kind} job" in problems(f"period: {kind}\nprompts: [a]", period=bucket)[0]


def test_a_bucket_needs_a_period(problems):
    """`--period` on a job without one is refused."""
    assert "has no period" in problems("prompts: [a]", period="2026-11-20")[0]


def test_a_redo_makes_a_new_request_in_the_old_slot(plan):
    """The decision names the base id; count, suffix and overrides make a new id, slot and path stay."""
    text = "request: { quality: low, stream: true }\nprompts: [{ id: a, text: a mug }]"
    [before] = plan(text).requests
    redo = Redo(count=2, prompt_suffix=" more light", sets={"quality": "high", "request.stream": "false", "seed": 1})
    [after] = plan(text, redos={before.base_id: redo}).requests
    assert (after.base_id, after.slot, after.path, after.redo) == (before.id, before.slot, before.path, 2)
    assert after.id != before.id
    assert after.prompt == "a mug more light"
    assert after.params == {"quality": "high", "stream": False, "seed": 1}
    assert after.unchecked == {"seed"}
    assert before.params == {"quality": "low", "stream": True}


def test_a_plain_redo_changes_only_the_count(plan):
    """Without overrides the same request is bought again under a new id."""
    [before] = plan("prompts: [a]").requests
    [after] = plan("prompts: [a]", redos={before.id: Redo(count=1)}).requests
    assert (after.prompt, after.params, after.redo) == (before.prompt, before.params, 1)
    assert after.id != before.id


def test_a_redo_of_a_request_that_changed_is_ignored(plan):
    """A decision holds until the id that it names changes."""
    [request] = plan("prompts: [a]", redos={"0" * 32: Redo(count=1)}).requests
    assert request.redo == 0


def test_no_rows_are_no_requests(plan):
    """A nightly job without news plans nothing."""
    made = plan("rows: { inline: [{ k: a }], where: k == 'b' }\nprompts: [{ id: p, text: x }]")
    assert (made.requests, made.explanation) == ((), "0 rows")


def test_rows_that_all_stay_out_are_a_warning_at_their_condition(plan, tmp_path):
    """Two prompts share the rows, and it is said once, with its place."""
    (tmp_path / "c.csv").write_text("sku,status\nA,ready\nB,draft\n")
    made = plan("rows: { csv: c.csv, where: status == 'new' }\nprompts: ['a ${{ row.sku }}', 'b ${{ row.sku }}']\n")
    [warning] = made.warnings
    assert (warning.line, warning.key) == (3, "rows.where")
    assert warning.message == "0 of 2 rows pass; status has: ready, draft"


def test_edits_with_rows_and_seasons(plan, tmp_path):
    """Two prompts share the rows; one multiplies with the matrix, the other is left out for a row without a mask."""
    for name in ("MU-1", "TE-1", "palette"):
        Image.new("RGB", (6, 4)).save(tmp_path / f"{name}.png")
    Image.new("RGBA", (6, 4)).save(tmp_path / "MU-1.mask.png")
    (tmp_path / "a.csv").write_text('sku,note,mask\nMU-1,"50% {crop}",yes\nTE-1,,no\n')
    made = plan("""
        rows: { csv: a.csv, key: sku }
        matrix: { season: [{ id: winter, props: pine }, { id: summer, props: citrus }] }
        prompts:
          - id: restage
            images: ["${{ row.sku }}.png", palette.png]
            text: |
              With ${{ season.props }}.
              ${{ row.note }}
          - { id: cut, matrix: false, images: ["${{ row.sku }}.png"], mask: "${{ row.sku }}.mask.png",
              only_if: row.mask == 'yes', text: cut it }
        repeat: 2
        output:
          path: ${{ row.sku }}/${{ prompt.id }}${{ '-' ~ season.id if season is defined else '' }}-v${{ take }}.png
    """)
    assert len(made.requests) == 10
    assert made.explanation == "2 rows x 2, x 2 takes + 2 rows, x 2 takes - 2 by only_if"
    assert made.requests[0].prompt == "With pine.\n50% {crop}"
    assert (made.requests[0].path, made.requests[-1].path) == (
        "images/MU-1/restage-winter-v1.png",
        "images/MU-1/cut-v2.png",
    )
    assert made.requests[0].images[1] is made.requests[7].images[1]


def test_a_large_plan_shares_what_is_alike(plan):
    """Ten thousand requests hold one parameter mapping and no dict of axes each."""
    values = ", ".join(map(str, range(100)))
    made = plan(
        f"request: {{ size: 1x1 }}\nmatrix: {{ a: [{values}], b: [{values}] }}\nprompts: ['${{{{ a }}}}-${{{{ b }}}}']"
    )
    assert len({id(request.params) for request in made.requests}) == 1
    assert not any(isinstance(request.axes, dict) for request in made.requests)
