"""The JSON Schema for editors."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

import batchgen
from batchgen.manifest.load import load
from batchgen.manifest.publish import job_schema, schema_text
from batchgen.manifest.source import parse

EXAMPLES = {
    "smallest": """\
# yaml-language-server: $schema=../batchgen/schema/job.v1.json
version: 1
name: hello
prompts:
  - a stoneware mug on an oak table, morning light
  - the same mug from above, linen napkin, soft shadow
""",
    "launch": """\
version: 1
name: spring-launch
description: Spring 2027 hero shots, 4 products x 3 locales x 4 placements
provider: openai
vars:
  brand: Aurora
  look: soft window light, pastel backdrop, shallow depth of field
request:
  model: gpt-image-2
  quality: high
  size: ${{ format.size }}
  output_format: png
matrix:
  product:
    - { id: mug,    name: stoneware mug,        colour: sage green }
    - { id: teapot, name: cast-iron teapot,     colour: charcoal }
  locale:
    - { id: en-US, scene: a bright kitchen in Portland }
    - { id: ja-JP, scene: a tatami room with shoji screens }
  format:
    - { id: square, size: 1024x1024 }
    - { id: story,  size: 1024x1792 }
  exclude:
    - { product: mug, format: story }          # too wide for 9:16
  extend:
    - when: { locale: ja-JP }
      vars: { extra: calligraphy scroll in the background }
prompts:
  - id: hero
    text: >-
      Product photo of a ${{ product.colour }} ${{ product.name }} in ${{ locale.scene }},
      ${{ look }}${{ ', ' ~ extra if extra is defined else '' }}.
repeat: 2                      # two takes of each, to choose from
limits:
  concurrency: 24
  rpm: 120
  budget_usd: 40
  max_images: 120
output:
  path: ${{ locale.id }}/${{ brand }}_${{ job }}_${{ product.id }}_${{ format.id }}_${{ locale.id }}_v${{ take }}.png
post:
  - { id: web,   format: webp, quality: 82, width: 1600, max_kb: 300 }
  - { id: thumb, format: jpeg, quality: 80, width: 320 }
review:
  group_by: [locale, format]
  contact_sheet: { per: locale, rows: product, columns: format }
profiles:
  draft:
    request: { quality: low }
    repeat: 1
    limits: { budget_usd: 2 }
""",
    "nightly": """\
version: 1
name: nightly-catalogue
provider: [openai, backup]       # second one is used when the first is down
env: [CATALOGUE]                 # the only variables this file may read
request: { model: gpt-image-2, quality: medium, size: 1024x1024, output_format: jpeg, output_compression: 85 }
rows:
  csv: ${CATALOGUE:-../data/catalogue.csv}
  key: sku
  where: status == 'new' and name
prompts:
  - id: pack
    text: Packshot of ${{ row.name }}, ${{ row.material | default('matte', true) }} finish, pure white background.
limits: { concurrency: 16, rpm: 60, budget_usd: 15, budget_per: day, max_images: 400, stop_after: 3h }
retry:  { attempts: 8, max_wait: 120s, give_up_after: 30m }
output: { path: "${{ row.sku[:2] }}/${{ row.sku }}.jpg" }
notify: { healthcheck: "https://hc-ping.com/your-uuid", on: always }
""",
    "edits": """\
version: 1
name: seasonal-edits
provider: openai
request:
  model: gpt-image-2
  quality: high
  size: auto
rows: { csv: ../data/edits.csv, key: sku }
matrix:
  season:
    - { id: winter, props: "pine branches, warm candle light" }
    - { id: summer, props: "citrus slices, hard midday sun" }
prompts:
  - id: restage
    images:
      - ../refs/${{ row.sku }}.png
      - ../refs/brand-palette.png
    text: |
      Keep the product in image 1 exactly as it is: shape, label and colour.
      Restage it with ${{ season.props }}. Use the palette of image 2.
      ${{ row.note }}
  - id: cutout
    matrix: false
    images: ["../refs/${{ row.sku }}.png"]
    mask: ../refs/${{ row.sku }}.mask.png
    only_if: row.mask == 'yes'
    request: { background: opaque }
    text: Replace the masked area with a seamless studio backdrop in ${{ row.backdrop }}.
repeat: 2
output: { path: "${{ row.sku }}/${{ prompt.id }}${{ '-' ~ season.id if season is defined else '' }}-v${{ take }}.png" }
review: { group_by: [row.sku], contact_sheet: { per: prompt.id, rows: row.sku, columns: season } }
""",
}
HEAD = "version: 1\nname: job\nprompts: [a mug]\n"


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft7Validator(job_schema())


def complaints(validator, text: str) -> list[str]:
    return [error.message for error in validator.iter_errors(parse(text.encode(), file="m.yaml").values)]


def test_the_published_file_is_fresh():
    """`batchgen/schema/job.v1.json` is what the models say now; `batchgen schema -o` writes it anew."""
    published = Path(batchgen.__file__).parent / "schema" / "job.v1.json"
    assert published.read_text(encoding="utf-8") == schema_text()


def test_it_is_a_sound_draft_7_schema():
    """Editors know Draft 7: nothing newer is left, and every reference leads somewhere."""
    jsonschema.Draft7Validator.check_schema(job_schema())
    text = schema_text()
    assert "$defs" not in text
    assert "prefixItems" not in text
    names = set(re.findall(r'"#/definitions/(\w+)"', text))
    assert names <= set(job_schema()["definitions"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_pass_in_editor_and_program(name, validator, tmp_path):
    """What the documents show is accepted by the schema and by loading; only keys of later releases are remarked on."""
    assert complaints(validator, EXAMPLES[name]) == []
    path = tmp_path / "job.yaml"
    path.write_text(EXAMPLES[name], encoding="utf-8")
    assert {warning.key for warning in load(path, environ={}).warnings} <= {"post", "review", "notify"}


@pytest.mark.parametrize(
    "text",
    [
        "request: {output_compression: '${{ format.q }}', stream: '${{ a }}'}",
        "request: {partial_images: '${{ b }}', watermark: '${{ c }}'}",
        "env: [N]\nrepeat: ${N:-2}\nlimits: {rpm: '${N}', stop_after: '${N}'}",
        "limits: {concurrency: '${N}', max_failures: '${N}'}",
        "request: {quality: null, stream: null, extra: {a: null}}",
        "limits: {stop_after: 90, drain: 1h30m, max_failures: 20%}",
        "matrix: {a: [1, x, true, {id: 1}], exclude: [{a: 1}]}",
        "profiles: {d: {request: {quality: null}, rows: null, matrix: {a: null}}}",
        "profiles: {d: {limits: {rpm: 5}, provider: {rpm: 5}, vars: {a: null}}}",
    ],
)
def test_editors_do_not_mark_what_loading_accepts(text, validator):
    """Templates and references in numeric fields, durations and resets of a profile are no mistakes."""
    assert complaints(validator, HEAD + text) == []


@pytest.mark.parametrize(
    "text",
    [
        "nmae: x",
        "request: {n: 4}",
        "request: {output_compression: eight}",
        "limits: {concurrency: 0}",
        "limits: {budget_usd: null}",
        "limits: {stop_after: soon}",
        "rows: {csv: a, jsonl: b}",
        "rows: {key: a}",
        "matrix: {take: [1]}",
        "matrix: {a: []}",
        "matrix: {a: [{x: 1}]}",
        "vars: {job: 1}",
        "vars: {a b: 1}",
        "profiles: {d: {reqest: {}}}",
        "profiles: {d: {name: x}}",
        "profiles: {a b: {}}",
        "post: [{id: web, format: jpg}]",
    ],
)
def test_editors_mark_what_loading_refuses(text, validator):
    """Most mistakes show while typing."""
    assert complaints(validator, HEAD + text) != []


def test_every_key_has_hover_help():
    """Each key of each block explains itself, profiles included."""
    blocks = [job_schema(), *job_schema()["definitions"].values()]
    silent = [name for block in blocks for name, key in block.get("properties", {}).items() if "description" not in key]
    assert silent == []


def test_the_schema_is_json():
    """It survives being written and read."""
    assert json.loads(schema_text()) == job_schema()
