import json

import pytest

from batchgen.manifest.load import load

LINES = """\
{"prompt": "a red cup", "size": "1024x1024", "out": "cup.png"}
{"prompt": "a blue cup: \\"quoted\\" #1 ${HOME}", "quality": "high", "out": "deep/blue cup.png", "n": 2}
"""


def planned(batchgen, path):
    """The slots' events of a written manifest; fails when it does not plan."""
    said = batchgen("plan", path, "--json")
    assert said.code == 0, said.err
    return [json.loads(line) for line in said.out.splitlines()][1:]


def test_init_without_answers_writes_a_job_that_runs_as_it_is(batchgen, place):
    """The defaults make a manifest, a CSV and the schema; the next command is said."""
    said = batchgen("init", "new")
    assert said.code == 0
    assert "next:  batchgen plan new/jobs/first.yaml" in said.out
    assert sorted(path.name for path in (place / "new/jobs").iterdir()) == ["data", "first.yaml", "job.v1.json"]
    assert batchgen("run", "new/jobs/first.yaml", "--set", "request.size=64x64").code == 0


def test_the_manifest_is_commented_and_knows_its_schema(batchgen, place):
    """Editors find the schema beside it, without a network."""
    batchgen("init", "new")
    text = (place / "new/jobs/first.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=job.v1.json\n# $schema: job.v1.json\n")
    assert text.count(" # ") >= 6


@pytest.mark.parametrize("provider", ["sandbox", "openai", "bettertoken", "gptproto"])
def test_the_manifest_fits_its_provider(batchgen, provider):
    """No parameter is written that the provider would refuse."""
    assert batchgen("init", "new", "--provider", provider).code == 0
    assert len(planned(batchgen, "new/jobs/first.yaml")) == 3


def test_a_gateway_without_an_address_asks_for_one(batchgen):
    """The message names the option, and with it the manifest plans."""
    assert "--base-url" in batchgen("init", "new", "--provider", "unified").err
    assert batchgen("init", "new", "--provider", "unified", "--base-url", "https://gw.example/v1").code == 0
    assert len(planned(batchgen, "new/jobs/first.yaml")) == 3


ODD = [
    'a "quoted" mug: 50% #1',
    "- a list?",
    "{curly} {{double}} {% tag %}",
    "陶器のマグ",
    "line one\nline two\t!",
    "'",
    "|",
    "x" * 300,
]


@pytest.mark.parametrize("what", ODD)
def test_any_answer_gives_a_manifest_that_loads(batchgen, what, place):
    """What people type can never break the file, and reaches the prompt."""
    assert batchgen("init", "new", "--what", what, "--data", "none").code == 0
    document = load(place / "new/jobs/first.yaml", environ={}).document
    assert " ".join(document.prompts[0].text.split()) == " ".join(what.split())


def test_takes_are_asked_for(batchgen):
    """--takes answers `how many`."""
    batchgen("init", "new", "--data", "none", "--takes", "3")
    assert len(planned(batchgen, "new/jobs/first.yaml")) == 3


def test_a_csv_of_ones_own_becomes_the_rows(batchgen, place):
    """Its unique column names the images, the others describe them."""
    (place / "my goods.csv").write_text("sku,name,no\nA1,cup,7\nA2,bowl,7\n")
    assert batchgen("init", ".", "--data", "my goods.csv").code == 0
    assert [slot["slot"] for slot in planned(batchgen, "first")] == ["main/A1/v1", "main/A2/v1"]


def test_a_folder_of_images_becomes_edits(batchgen, place):
    """Each image is a reference for one edit."""
    batchgen("run", "hello")
    images = place / "output/hello@sandbox/images"
    assert batchgen("init", "new", "--data", images / "mug").code == 0
    assert len(planned(batchgen, "new/jobs/first.yaml")) == 2


def test_from_jsonl_takes_prompts_parameters_and_names_over(batchgen, place):
    """The shape of generate-batch scripts becomes a manifest; `out` is the path."""
    (place / "prompts.jsonl").write_text(LINES)
    said = batchgen("init", "new", "--from", "prompts.jsonl")
    assert said.code == 0
    assert "'n' is not used" in said.err
    slots = planned(batchgen, "new/jobs/prompts.yaml")
    assert [slot["path"] for slot in slots] == ["images/cup.png", "images/deep-blue-cup.png"]
    shown = batchgen("show", "new/jobs/prompts.yaml", slots[1]["slot"]).out
    assert 'a blue cup: "quoted" #1 ${HOME}' in shown
    assert '"quality": "high"' in " ".join(shown.split())


def test_from_csv_fills_what_rows_leave_out(batchgen, place):
    """An empty size is the default one."""
    (place / "q.csv").write_text("prompt,size\na tree,1536x1024\na bush,\n")
    assert batchgen("init", "new", "--from", "q.csv").code == 0
    slots = planned(batchgen, "new/jobs/q.yaml")
    assert '"size": "1024x1024"' in " ".join(batchgen("show", "new/jobs/q.yaml", slots[1]["slot"]).out.split())


def test_from_leaves_out_what_the_provider_does_not_take(batchgen, place):
    """A column that would be refused is named instead."""
    (place / "prompts.jsonl").write_text(LINES)
    said = batchgen("init", "new", "--from", "prompts.jsonl", "--provider", "bettertoken")
    assert "the provider takes no quality" in said.err
    assert len(planned(batchgen, "new/jobs/prompts.yaml")) == 2


def test_from_without_prompts_says_how_to_name_them(batchgen, place):
    """The columns there are stand in the message; --what uses them."""
    (place / "goods.csv").write_text("sku,name\nA1,cup\n")
    said = batchgen("init", "new", "--from", "goods.csv")
    assert said.code == 2
    assert "columns: sku, name" in said.err
    assert batchgen("init", "new", "--from", "goods.csv", "--what", "a ${{ row.name }}").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "nowhere.csv"], "no data file 'nowhere.csv'"),
        (["--data", "hello.doc"], "no data file"),
        (["--provider", "opnai"], "did you mean 'openai'"),
        (["--name", "a b"], "is no job name"),
        (["--takes", "0"], "--takes"),
        (["--from", "broken.jsonl"], "broken.jsonl:1"),
    ],
)
def test_a_wrong_answer_writes_nothing(batchgen, place, arguments, says):
    """Exit 2, the remedy, and an untouched folder."""
    (place / "broken.jsonl").write_text("{not json\n")
    said = batchgen("init", "new", *arguments)
    assert said.code == 2
    assert says in said.err
    assert not (place / "new").exists()


def test_nothing_is_ever_overwritten(batchgen, place):
    """A second init leaves the first one's files as they are, all of them."""
    batchgen("init", "new")
    (place / "new/jobs/first.yaml").unlink()
    (place / "new/jobs/data/products.csv").write_text("mine")
    said = batchgen("init", "new")
    assert said.code == 2
    assert "new/jobs/data/products.csv already there" in said.err
    assert not (place / "new/jobs/first.yaml").exists()
    assert (place / "new/jobs/data/products.csv").read_text() == "mine"


def test_a_folder_called_jobs_is_used_as_it_is(batchgen, place):
    """No jobs/jobs."""
    batchgen("init", "jobs", "--data", "none")
    assert (place / "jobs/first.yaml").is_file()
