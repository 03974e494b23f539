import json

import pytest
import yaml

from batchgen.manifest.load import load


def events(said):
    return [json.loads(line) for line in said.out.splitlines()]


def test_plan_shows_the_head_and_the_slots(batchgen):
    """Job, provider, number, states, price and reasons are on one screen."""
    said = batchgen("plan", "hello")
    assert said.code == 0
    assert said.out.splitlines() == [
        "hello@sandbox   provider sandbox   2 images",
        "  + 2 new",
        "  sandbox: placeholder pictures, cost 0",
        "  + mug/red/v1   new",
        "  + mug/blue/v1  new",
    ]


def test_plan_writes_nothing(batchgen, place):
    """Looking costs nothing and leaves no trace."""
    batchgen("plan", "hello")
    assert sorted(path.name for path in place.iterdir()) == ["jobs"]


def test_plan_json_is_the_plan_event_and_one_event_per_slot(batchgen):
    """Programs get the counts first, then each slot."""
    first, *slots = events(batchgen("plan", "hello", "--json"))
    assert (first["event"], first["requests"], first["new"]) == ("plan", 2, 2)
    assert [(slot["event"], slot["slot"], slot["state"]) for slot in slots] == [
        ("slot", "mug/red/v1", "new"),
        ("slot", "mug/blue/v1", "new"),
    ]


def test_exit_code_is_10_exactly_when_a_run_would_send(batchgen):
    """Scripts ask `is there work?` without reading."""
    assert batchgen("plan", "hello", "--exit-code").code == 10
    batchgen("run", "hello")
    assert batchgen("plan", "hello", "--exit-code").code == 0


def test_resolved_loads_again_to_the_same(batchgen, place):
    """The printed manifest means what the real one means, profile and --set included."""
    (place / "jobs" / "hello.yaml").write_text(
        (place / "jobs" / "hello.yaml").read_text() + "profiles: { draft: { repeat: 3, limits: { rpm: 30 } } }\n"
    )
    said = batchgen("plan", "hello", "--resolved", "--profile", "draft", "--set", "request.quality=low")
    (place / "again.yaml").write_text(said.out)
    asked = load(place / "jobs" / "hello.yaml", profile="draft", sets=["request.quality=low"], environ={}).document
    again = load(place / "again.yaml", environ={}).document
    assert again == asked.model_copy(update={"profiles": {}})
    assert yaml.safe_load(said.out)["repeat"] == 3


def test_a_saved_plan_runs_exactly_its_ids(batchgen, place, manifest):
    """What was reviewed is what is sent, whatever was added since."""
    assert batchgen("plan", "hello", "-o", "plan.json", "-s", "colour=red").code == 0
    manifest("hello", (place / "jobs/hello.yaml").read_text().replace("[red, blue]", "[green, red, blue]"))
    said = batchgen("run", "hello", "--plan", "plan.json", "--json")
    assert said.code == 0
    assert [event["slot"] for event in events(said) if event["event"] == "image"] == ["mug/red/v1"]


def test_a_saved_plan_that_no_longer_fits_is_exit_2(batchgen, place, manifest):
    """An id that the manifest no longer has is not silently left out."""
    batchgen("plan", "hello", "-o", "plan.json")
    manifest("hello", (place / "jobs/hello.yaml").read_text().replace("blue", "green"))
    said = batchgen("run", "hello", "--plan", "plan.json")
    assert said.code == 2
    assert "no longer in the manifest" in said.err


def test_a_plan_of_another_job_is_exit_2(batchgen, manifest):
    """Ids hold the job's name, so the message says which job was meant."""
    manifest("other")
    batchgen("plan", "other", "-o", "plan.json")
    said = batchgen("run", "hello", "--plan", "plan.json")
    assert said.code == 2
    assert "was made for other@sandbox, this is hello@sandbox" in said.err


@pytest.mark.parametrize("content", ["", "{}", '{"v": 2, "batchgen_plan": "j", "slots": []}', "[1]", "\x00"])
def test_a_file_that_is_no_plan_is_exit_2(batchgen, place, content):
    """Any other file is refused with the way to get a plan."""
    (place / "plan.json").write_text(content)
    said = batchgen("run", "hello", "--plan", "plan.json")
    assert said.code == 2
    assert "batchgen plan JOB -o FILE" in said.err


def test_a_plan_file_that_is_not_there_is_exit_2(batchgen):
    """The reason is the system's, in our words."""
    said = batchgen("run", "hello", "--plan", "nowhere.json")
    assert said.code == 2
    assert "--plan: 'nowhere.json' cannot be read: no such file or directory" in said.err


def test_a_plan_over_its_budget_warns_and_exits_0(batchgen, manifest):
    """Looking is allowed; the run stops at the budget."""
    manifest(
        "dear",
        "version: 1\nname: dear\nprovider: {use: openai, prices: 0.5}\nlimits: {budget_usd: 0.6}\n"
        "prompts: [one mug, two mugs]\n",
    )
    said = batchgen("plan", "dear")
    assert said.code == 0
    assert "about $1.00, above the budget of $0.60" in said.out
    assert "the budget allows $0.60 more, the plan may cost $1.00" in said.err


def test_a_selection_that_matches_nothing_is_exit_2_with_near_names(batchgen):
    """A typo in a selector must not look like a finished job."""
    said = batchgen("plan", "hello", "-s", "colour=rde")
    assert said.code == 2
    assert "red" in said.err


def test_a_state_that_matches_nothing_is_exit_0(batchgen):
    """No failures is good news."""
    assert batchgen("plan", "hello", "-s", "state:failed").code == 0


def test_every_problem_of_a_manifest_is_reported_in_one_pass(batchgen, manifest):
    """Two mistakes are two places, and a program gets both."""
    manifest("bad", "version: 1\nname: bad\nrequest: {qualty: low}\nrepeat: many\nprompts: [x]\n")
    said = batchgen("plan", "bad", "--json")
    assert said.code == 2
    (error,) = events(said)
    assert [problem["key"] for problem in error["problems"]] == ["request.qualty", "repeat"]
    assert "jobs/bad.yaml:3:11" in said.err


def test_all_lists_finished_slots_too(batchgen):
    """--all leaves nothing out."""
    batchgen("run", "hello")
    assert "= mug/red/v1" not in batchgen("plan", "hello").out
    assert "= mug/red/v1" in batchgen("plan", "hello", "--all").out


LATER = "version: 1\nname: later\nrequest: { size: 64x64 }\nprompts: [a mug]\npost: [{ id: web, format: webp }]\n"


@pytest.mark.parametrize("arguments", [["plan", "later"], ["run", "later", "--yes"]])
def test_what_has_no_effect_yet_is_a_warning(batchgen, manifest, arguments):
    """Plan and run say that `post` makes nothing in this release, and succeed."""
    manifest("later", LATER)
    said = batchgen(*arguments)
    assert said.code == 0
    assert "post: is checked, but this release makes no exports yet" in said.err


def test_cron_stays_silent_about_what_has_no_effect_yet(batchgen, manifest):
    """A manifest that is ahead of its program sends no mail every night."""
    manifest("later", LATER)
    said = batchgen("run", "later", "--cron")
    assert (said.code, said.out, said.err) == (0, "", "")


def test_the_users_defaults_hide_no_problem(batchgen, manifest, place, monkeypatch):
    """With a config.yaml the same problems come in one pass as without."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "conf"))
    (place / "conf/batchgen").mkdir(parents=True)
    (place / "conf/batchgen/config.yaml").write_text("limits: { concurrency: 2 }\n")
    manifest("bad", "version: 1\nname: bad\nrequest: { seed: 3, size: 1000x7 }\nprompts: [a]\n")
    said = batchgen("plan", "bad")
    assert said.code == 2
    assert "request.seed" in said.err
    assert "request.size" in said.err


def test_faults_of_the_sandbox_are_checked_by_plan(batchgen, manifest):
    """A typo in a rule is exit 2 with its place, before any server starts."""
    path = manifest("bad", "version: 1\nname: bad\nprovider: { use: sandbox, faults: flakey }\nprompts: [a]\n")
    said = batchgen("plan", "bad")
    assert said.code == 2
    assert f"{path}:3:35  provider.faults: 'flakey' is no known kind or preset" in said.err
