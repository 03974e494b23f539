import json
from pathlib import Path


def test_status_shows_states_dollars_and_the_last_run(batchgen):
    """Where a job stands, in a few lines."""
    batchgen("run", "hello")
    lines = batchgen("status", "hello").out.splitlines()
    assert lines[0].startswith("hello@sandbox   /")
    assert lines[1:3] == ["  = 2 done", "  spent $0.00"]
    assert "UTC, exit 0; 1 run in all" in lines[3]


def test_status_of_a_job_that_never_ran(batchgen, place):
    """Nothing was made, and asking makes nothing."""
    said = batchgen("status", "hello")
    assert (said.code, said.out.splitlines()[1:]) == (0, ["  + 2 new"])
    assert not (place / "output").exists()


def test_status_takes_several_jobs(batchgen, manifest):
    """All jobs in one call."""
    manifest("other")
    said = batchgen("status", "hello", "other")
    assert [line.split()[0] for line in said.out.splitlines() if not line.startswith(" ")] == [
        "hello@sandbox",
        "other@sandbox",
    ]


def test_status_counts_failures_by_kind(batchgen, manifest):
    """The most frequent reasons stand there."""
    fault = "provider: {use: sandbox, faults: [{kind: refused, match: blue}]}\n"
    manifest("hello", Path("jobs/hello.yaml").read_text() + fault)
    batchgen("run", "hello")
    assert "failures: 1 refused" in batchgen("status", "hello").out


def test_status_names_and_prices_doubts(batchgen, manifest):
    """What may have been billed without an image is never silent."""
    held = "provider: {use: sandbox, faults: [{kind: lost, match: blue}]}\nretry: {in_doubt: hold}\n"
    manifest("hello", Path("jobs/hello.yaml").read_text() + held)
    assert batchgen("run", "hello").code == 3
    assert "maybe billed without an image: 1 request" in batchgen("status", "hello").out


def test_status_json_has_the_same_figures(batchgen):
    """One object per job."""
    batchgen("run", "hello")
    event = json.loads(batchgen("status", "hello", "--json").out)
    assert (event["event"], event["done"], event["spent_usd"], event["last_exit_code"]) == ("status", 2, 0.0, 0)


def test_status_without_a_job_is_exit_2(batchgen):
    """A job has to be named."""
    assert batchgen("status").code == 2


def test_status_json_is_one_compact_line(batchgen):
    """As every other event."""
    out = batchgen("status", "hello", "--json").out
    assert out == json.dumps(json.loads(out), separators=(",", ":")) + "\n"
