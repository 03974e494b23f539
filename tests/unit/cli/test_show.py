from pathlib import Path


def test_show_tells_all_about_a_finished_slot(batchgen, place):
    """File, size, hash, prompt, request and every attempt."""
    batchgen("run", "hello")
    said = batchgen("show", "hello", "mug/red/v1").out
    assert said.startswith("mug/red/v1   = done\n")
    assert str(place / "output/hello@sandbox/images/mug/red-v1.png") in said
    assert "64x64 png" in said
    assert "prompt    a red mug" in said
    assert "POST /images/generations" in said
    assert "attempt 1 sent to sandbox" in said
    assert "attempt 1 saved" in said


def test_show_works_before_anything_was_sent(batchgen):
    """The exact request can be read before it is paid for."""
    said = batchgen("show", "hello", "mug/red/v1", "--provider", "openai", "--set", "request.size=1024x1024").out
    assert "POST https://api.openai.com/v1/images/generations" in said
    assert '"size": "1024x1024"' in " ".join(said.split())
    assert "history" not in said


def test_show_names_the_reason_of_a_failure(batchgen, manifest):
    """What the provider said stands in the history."""
    fault = "provider: {use: sandbox, faults: [{kind: refused, match: blue}]}\n"
    manifest("hello", Path("jobs/hello.yaml").read_text() + fault)
    batchgen("run", "hello")
    said = batchgen("show", "hello", "mug/blue/v1").out
    assert said.startswith("mug/blue/v1   ! failed: refused")
    assert "attempt 1 refused" in said


def test_show_finds_a_slot_by_its_id(batchgen):
    """Ids stand in logs and on bills."""
    said = batchgen("show", "hello", "mug/red/v1").out
    request_id = next(line.split()[1] for line in said.splitlines() if line.startswith("  id "))
    assert batchgen("show", "hello", request_id).out == said


def test_show_finds_an_orphan(batchgen, place):
    """An image that was paid for stays findable."""
    batchgen("run", "hello")
    path = place / "jobs/hello.yaml"
    path.write_text(path.read_text().replace("[red, blue]", "[red]"))
    said = batchgen("show", "hello", "mug/blue/v1")
    assert said.out.startswith("mug/blue/v1   - orphan")
    assert "attempt 1 saved" in said.out


def test_an_unknown_slot_is_exit_2_with_near_names(batchgen):
    """A typo is answered with the slot that was meant."""
    said = batchgen("show", "hello", "mug/rad/v1")
    assert said.code == 2
    assert "did you mean mug/red/v1" in said.err


def test_show_never_prints_a_secret(batchgen, monkeypatch):
    """Neither key nor headers are part of what is shown."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-swordfish-123456")
    said = batchgen("show", "hello", "mug/red/v1", "--provider", "openai", "--set", "request.size=1024x1024")
    assert "swordfish" not in said.out + said.err
    assert "Authorization" not in said.out
