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
    assert [slot["path"] for slot in slots] == ["images/cup.png", "images/deep/blue-cup.png"]
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
        (["--data", "nowhere.csv"], "'nowhere.csv' does not exist (expected none, sample, a .csv"),
        (["--data", "hello.doc"], "'hello.doc' is no data file"),
        (["--data", "empty.csv"], "'empty.csv' holds no rows"),
        (["--data", "pictures"], "'pictures' holds no images"),
        (["--data", "sample", "--from", "broken.jsonl"], "--data does not go with --from"),
        (["--provider", "opnai"], "did you mean 'openai'"),
        (["--name", "a b"], "is no job name"),
        (["--takes", "0"], "--takes"),
        (["--from", "broken.jsonl"], "broken.jsonl:1:2  is no valid JSON"),
    ],
)
def test_a_wrong_answer_writes_nothing(batchgen, place, arguments, says):
    """Exit 2, the remedy, and an untouched folder."""
    (place / "broken.jsonl").write_text("{not json\n")
    (place / "hello.doc").touch()
    (place / "empty.csv").write_text("sku,name\n")
    (place / "pictures").mkdir()
    said = batchgen("init", "new", *arguments)
    assert said.code == 2
    assert says in said.err
    assert not (place / "new").exists()


def test_nothing_is_ever_overwritten(batchgen, place):
    """A manifest that is there stays as it is, and nothing is written beside it."""
    (place / "new/jobs").mkdir(parents=True)
    (place / "new/jobs/first.yaml").write_text("mine")
    said = batchgen("init", "new")
    assert said.code == 2
    assert "new/jobs/first.yaml already there" in said.err
    assert [path.name for path in (place / "new/jobs").iterdir()] == ["first.yaml"]
    assert (place / "new/jobs/first.yaml").read_text() == "mine"


def test_a_second_job_shares_what_is_identical(batchgen, place):
    """The sample and the schema of the first job serve the next one too."""
    batchgen("init", "new")
    said = batchgen("init", "new", "--name", "second")
    assert (said.code, said.out.splitlines()[:-1]) == (0, ["wrote new/jobs/second.yaml"])
    assert len(planned(batchgen, "new/jobs/second.yaml")) == 3
    assert len(list((place / "new/jobs").rglob("*.*"))) == 4


def test_a_sample_that_was_changed_is_left_alone(batchgen, place):
    """The next job gets a sample named after it; when that name is taken too, nothing is written."""
    batchgen("init", "new")
    (place / "new/jobs/data/products.csv").write_text("mine")
    assert batchgen("init", "new", "--name", "second").code == 0
    assert (place / "new/jobs/data/products.csv").read_text() == "mine"
    assert len(planned(batchgen, "new/jobs/second.yaml")) == 3
    (place / "new/jobs/data/third.csv").write_text("mine")
    assert "data/third.csv already there" in batchgen("init", "new", "--name", "third").err
    assert not (place / "new/jobs/third.yaml").exists()


def test_words_of_ones_own_do_not_get_the_sample(batchgen, place):
    """`--what` alone is one plain prompt; with `--data sample` the sample is there on request."""
    assert batchgen("init", "new", "--what", "a red bicycle").code == 0
    assert len(planned(batchgen, "new/jobs/first.yaml")) == 1
    assert not (place / "new/jobs/data").exists()
    assert batchgen("init", "rows", "--what", "On a table.", "--data", "sample").code == 0
    assert len(planned(batchgen, "rows/jobs/first.yaml")) == 3


@pytest.mark.parametrize(("provider", "folder"), [("sandbox", "output/first@sandbox"), ("openai", "output/first")])
def test_the_comment_names_the_real_job_folder(batchgen, place, provider, folder):
    """The sandbox has folders of its own."""
    batchgen("init", "new", "--provider", provider, "--data", "none")
    text = (place / "new/jobs/first.yaml").read_text()
    assert f"# the job folder is {folder}\n" in text
    said = batchgen("plan", "new/jobs/first.yaml", "--json").out
    assert json.loads(said.splitlines()[0])["folder"] == str(place / "new" / folder)


@pytest.mark.parametrize(
    ("table", "key", "subject"),
    [
        ("name,price\ncup,7.50\nbowl,9.00\n", "name", "row.name"),
        ("price,Title,sku\n7.50 €,cup,A1\n9.00 €,bowl,A2\n", "sku", "row.Title"),
        ("Artikelnummer;Preis;Bezeichnung\n1;7,50;Tasse\n2;9,00;Schale\n", "Artikelnummer", "row.Bezeichnung"),
        ("ean,stock,product,colour\n40001,3,cup,red\n40002,3,bowl,blue\n", "ean", "row.product"),
        ("sku,price\nA1,7.50\nA2,9.00\n", "sku", "row.sku"),
    ],
)
def test_the_prompt_is_about_the_thing_and_not_its_price(batchgen, place, table, key, subject):
    """A column that names things is found by its name, else as the first one of words."""
    (place / "goods.csv").write_text(table)
    assert batchgen("init", "new", "--data", "goods.csv").code == 0
    document = load(place / "new/jobs/first.yaml", environ={}).document
    assert document.rows.key == key
    assert document.prompts[0].text.startswith("${{ " + subject + " }}")
    assert not any(word in document.prompts[0].text.lower() for word in ("price", "preis", "stock"))
    assert len(planned(batchgen, "new/jobs/first.yaml")) == 2


def test_semicolons_are_taken_and_said(batchgen, place):
    """What a German spreadsheet writes becomes rows; the note says how it was read."""
    (place / "goods.csv").write_text("sku;name\nA1;Tasse\n")
    assert "note: 'goods.csv' is separated by semicolons" in batchgen("init", "new", "--data", "goods.csv").err


def test_an_image_folder_with_brackets_in_its_name_is_found(batchgen, place):
    """The folder's name is no pattern."""
    batchgen("run", "hello")
    (place / "output/hello@sandbox/images/mug").rename(place / "shots [v1]")
    assert batchgen("init", "new", "--data", "shots [v1]").code == 0
    assert len(planned(batchgen, "new/jobs/first.yaml")) == 2


def test_a_folder_called_jobs_is_used_as_it_is(batchgen, place):
    """No jobs/jobs."""
    batchgen("init", "jobs", "--data", "none")
    assert (place / "jobs/first.yaml").is_file()
