import json

from batchgen.manifest.publish import schema_text


def test_schema_is_the_published_one(batchgen):
    """What is printed is what ships."""
    assert json.loads(batchgen("schema").out) == json.loads(schema_text())


def test_schema_can_be_written_to_a_file(batchgen, place):
    """-o FILE holds the same bytes as the shipped file."""
    assert batchgen("schema", "-o", "job.json").code == 0
    assert (place / "job.json").read_text() == schema_text()


def test_a_file_that_cannot_be_written_is_exit_2(batchgen):
    """The reason is said."""
    said = batchgen("schema", "-o", "nowhere/job.json")
    assert said.code == 2
    assert "'nowhere/job.json' cannot be written" in said.err
