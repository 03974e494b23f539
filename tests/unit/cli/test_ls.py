import json


def test_ls_lists_sign_slot_and_file(batchgen):
    """One line per slot, for grep and cut."""
    batchgen("run", "hello", "-s", "colour=red")
    assert batchgen("ls", "hello").out.splitlines() == [
        "= mug/red/v1   images/mug/red-v1.png",
        "+ mug/blue/v1  images/mug/blue-v1.png",
    ]


def test_ls_takes_a_selection(batchgen):
    """States and axes narrow it down."""
    batchgen("run", "hello", "-s", "colour=red")
    assert batchgen("ls", "hello", "-s", "state:new").out.startswith("+ mug/blue/v1")


def test_ls_json_has_one_slot_event_per_line(batchgen):
    """The same events as those of a plan."""
    said = batchgen("ls", "hello", "--json")
    assert [json.loads(line)["slot"] for line in said.out.splitlines()] == ["mug/red/v1", "mug/blue/v1"]


def test_ls_shows_what_the_manifest_no_longer_names(batchgen, place):
    """Orphans are listed, and still there."""
    batchgen("run", "hello")
    path = place / "jobs/hello.yaml"
    path.write_text(path.read_text().replace("[red, blue]", "[red]"))
    assert batchgen("ls", "hello").out.splitlines()[-1] == "- mug/blue/v1  images/mug/blue-v1.png"
