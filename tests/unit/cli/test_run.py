import json
from pathlib import Path

import pytest


def events(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def ledger(folder="output/hello@sandbox"):
    return events((Path(folder) / "ledger.jsonl").read_text())


def test_run_makes_the_images_and_says_where(batchgen, place):
    """One command: images, summary, and the folder to look at."""
    said = batchgen("run", "hello")
    assert said.code == 0
    assert said.out.startswith("hello@sandbox: 2 made   ")
    assert said.out.endswith("look:  output/hello@sandbox/images\n")
    assert len(list((place / "output/hello@sandbox/images").rglob("*.png"))) == 2


def test_the_head_comes_before_the_images_on_stderr(batchgen):
    """What is about to happen is progress, not a result."""
    assert batchgen("run", "hello").err.startswith("hello@sandbox   provider sandbox   2 images")


def test_rerun_has_nothing_to_do(batchgen):
    """A finished job is finished."""
    batchgen("run", "hello")
    said = batchgen("run", "hello")
    assert (said.code, said.err) == (0, "")
    assert "nothing to do, 2 already there" in said.out


def test_dry_run_sends_and_writes_nothing(batchgen, place):
    """-n is a plan."""
    said = batchgen("run", "hello", "-n")
    assert "+ 2 new" in said.out
    assert not (place / "output").exists()


def test_json_is_only_events_on_stdout(batchgen):
    """Every line of stdout is an event of the contract, the text for people is on stderr."""
    said = batchgen("run", "hello", "--json")
    assert [event["event"] for event in map(json.loads, said.out.splitlines())] == ["plan", "image", "image", "summary"]
    assert "2 made" in said.err


def test_cron_says_nothing_when_all_is_well(batchgen):
    """No output, no mail; also when there was nothing to do."""
    for _ in range(2):
        said = batchgen("run", "hello", "--cron")
        assert (said.code, said.out, said.err) == (0, "", "")


@pytest.mark.parametrize("options", [(), ("--quiet",), ("--json",)])
def test_a_where_that_no_row_passes_is_said(batchgen, manifest, place, options):
    """It looks like success otherwise; the exit code stays 0, and only --cron keeps still."""
    (place / "jobs/c.csv").write_text("sku,status\nA,ready\nB,draft\n")
    rows = "rows: {csv: c.csv, where: status == 'new'}\nprompts: ['a ${{ row.sku }}']\n"
    manifest("night", f"version: 1\nname: night\n{rows}")
    said = batchgen("run", "night", *options)
    assert said.code == 0
    assert said.err.count("rows.where: 0 of 2 rows pass; status has: ready, draft") == 1
    assert "jobs/night.yaml:3" in said.err


def test_the_warning_is_said_once_when_other_prompts_have_work(batchgen, manifest, place):
    """The head of a run does not repeat what its event said; a plan says it too."""
    (place / "jobs/c.csv").write_text("sku\nA\n")
    rows = "{csv: c.csv, where: sku == 'B'}"
    text = f"request: {{size: 64x64}}\nprompts: [a mug, {{id: p, text: 'x', rows: {rows}}}]\n"
    manifest("both", f"version: 1\nname: both\n{text}")
    for verb in ("plan", "run"):
        assert batchgen(verb, "both").err.count("prompts.1.rows.where: 0 of 1 rows pass; sku has: A") == 1


def test_cron_speaks_up_when_something_failed(batchgen, manifest):
    """A refusal is mailed with reason and next command."""
    manifest(
        "hello",
        Path("jobs/hello.yaml").read_text() + "provider: {use: sandbox, faults: [{kind: refused, match: blue}]}\n",
    )
    said = batchgen("run", "hello", "--cron")
    assert said.code == 3
    assert "1 made, 1 failed" in said.out
    assert "refused by moderation" in said.out
    assert "next:  batchgen ls hello -s state:failed" in said.out


def test_retry_leaves_what_was_refused_unless_told_otherwise(batchgen, manifest):
    """A refusal is remembered; --refused sends it again."""
    plain = Path("jobs/hello.yaml").read_text()
    manifest("hello", plain + "provider: {use: sandbox, faults: [{kind: refused, match: blue}]}\n")
    batchgen("run", "hello")
    manifest("hello", plain)
    assert batchgen("retry", "hello").code == 3
    said = batchgen("retry", "hello", "--refused")
    assert said.code == 0
    assert "1 made" in said.out


def test_retry_n_lists_what_failed(batchgen, manifest):
    """-n shows, and sends nothing."""
    manifest(
        "hello",
        Path("jobs/hello.yaml").read_text() + "provider: {use: sandbox, faults: [{kind: refused, match: blue}]}\n",
    )
    batchgen("run", "hello")
    before = ledger()
    said = batchgen("retry", "hello", "-n")
    assert "! mug/blue/v1" in said.out
    assert ledger() == before


def test_quiet_leaves_only_the_summary(batchgen):
    """-q hides head and progress."""
    said = batchgen("run", "hello", "-q")
    assert said.err == ""
    assert "2 made" in said.out


def test_log_file_gets_the_events_and_is_private(batchgen, place):
    """The log is appended to, run after run, and readable by nobody else."""
    batchgen("run", "hello", "--log-file", "run.log")
    batchgen("run", "hello", "--log-file", "run.log")
    said = [event["event"] for event in events((place / "run.log").read_text())]
    assert said == ["plan", "image", "image", "summary", "plan", "summary"]
    assert (place / "run.log").stat().st_mode & 0o777 == 0o600


def test_a_log_file_that_cannot_be_written_is_exit_2_before_anything_is_sent(batchgen, place):
    """A wrong path costs nothing."""
    assert batchgen("run", "hello", "--log-file", "nowhere/run.log").code == 2
    assert not (place / "output").exists()


def test_output_is_relative_to_the_working_directory(batchgen, place):
    """As any path on a command line."""
    batchgen("run", "hello", "--output", "elsewhere")
    assert (place / "elsewhere/hello@sandbox/ledger.jsonl").is_file()


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        ([], {}, "sandbox"),
        ([], {"BATCHGEN_PROVIDER": "openai"}, "openai"),
        (["--provider", "sandbox"], {"BATCHGEN_PROVIDER": "openai"}, "sandbox"),
    ],
)
def test_a_flag_beats_the_environment_and_that_beats_the_manifest(batchgen, monkeypatch, arguments, environ, expected):
    """The order of settings is flag, BATCHGEN_*, manifest."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert f"provider {expected}" in batchgen("run", "hello", "-n", *arguments, "--set", "request.size=1024x1024").out


def test_a_missing_key_is_exit_4_and_names_the_variable(batchgen, place):
    """Nothing is sent and no folder is made; every way to set the key is named."""
    said = batchgen("run", "hello", "--provider", "openai", "--set", "request.size=1024x1024")
    assert said.code == 4
    assert "OPENAI_API_KEY" in said.err
    assert not (place / "output").exists()


def test_max_images_refuses_before_sending(batchgen, place):
    """More than the limit is exit 2."""
    assert batchgen("run", "hello", "--max-images", "1").code == 2
    assert not (place / "output").exists()


@pytest.mark.parametrize(
    "option", ["--concurrency=0", "--rpm=0", "--budget=-1", "--max-images=0", "--wait-lock=soon", "--stop-by=never"]
)
def test_a_limit_that_makes_no_sense_is_exit_2(batchgen, option):
    """Wrong numbers are found before anything else happens."""
    said = batchgen("run", "hello", option)
    assert said.code == 2
    assert option.partition("=")[0] in said.err


def test_stop_by_is_a_limit(batchgen):
    """A run that its deadline stopped exits 5 and says what is left to run."""
    said = batchgen("run", "hello", "--stop-by", "0.000001", "-c", "1")
    assert said.code == 5
    assert "1 made, 1 not started" in said.out
    assert "next:  batchgen run hello" in said.out


def test_the_next_command_repeats_the_options(batchgen, manifest):
    """What is suggested is for the same job folder."""
    manifest(
        "hello",
        Path("jobs/hello.yaml").read_text() + "provider: {use: sandbox, faults: [{kind: refused, match: blue}]}\n",
    )
    said = batchgen("run", "hello", "--output", "my images", "--set", "request.size=128x128")
    assert "next:  batchgen ls hello --output 'my images' --set request.size=128x128 -s state:failed" in said.out
