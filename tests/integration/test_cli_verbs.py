"""The verbs beside run and plan, and what a run promises about the files it leaves."""

import json
from pathlib import Path

import openai
import pytest
from fakes import program
from fakes.gateway import KEY, broken, refused
from PIL import Image


def test_init_writes_a_manifest_that_runs(tmp_path):
    """All four questions answered by nobody: what it writes runs as it is, and it never overwrites."""
    first = program.call("init", cwd=tmp_path)
    assert first.code == 0, first.said
    (manifest,) = tmp_path.rglob("*.yaml")
    made = program.call("run", manifest, "--json", cwd=tmp_path)
    assert made.code == 0, made.said
    assert made.event("summary")["saved"] > 0
    before = manifest.read_bytes()
    assert program.call("init", cwd=tmp_path).code == 2
    assert manifest.read_bytes() == before


NAMED = [{"prompt": "a mug", "size": "1024x1024", "out": "mug.png"}, {"prompt": "a {tray}", "out": "tray.png"}]
MIXED = [{"prompt": "a mug", "quality": "low"}, "a tray", "a ${{ pot }}"]


@pytest.mark.parametrize(("lines", "count"), [(NAMED, 2), (MIXED, 3)], ids=["named", "mixed"])
def test_init_from_jsonl_makes_every_line(tmp_path, lines, count):
    """Objects and plain texts become a manifest that makes one image each; braces and `${{` in data are only text."""
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    written = program.call("init", "--from", "prompts.jsonl", cwd=tmp_path)
    assert written.code == 0, written.said
    (manifest,) = tmp_path.rglob("*.yaml")
    made = program.call("run", manifest, "--json", cwd=tmp_path)
    assert made.code == 0, made.said
    names = {Path(event["path"]).name for event in made.events if event["event"] == "image"}
    assert len(names) == made.event("summary")["saved"] == count
    assert {line["out"] for line in lines if "out" in line} <= names


def test_init_from_csv_makes_every_row(tmp_path):
    """The same from a table."""
    (tmp_path / "prompts.csv").write_text('prompt,size\n"a mug, green",1024x1024\na tray,1536x1024\n')
    assert program.call("init", "--from", "prompts.csv", cwd=tmp_path).code == 0
    (manifest,) = tmp_path.rglob("*.yaml")
    made = program.call("run", manifest, "--json", cwd=tmp_path)
    assert made.code == 0, made.said
    sizes = sorted((event["width"], event["height"]) for event in made.events if event["event"] == "image")
    assert sizes == [(1024, 1024), (1536, 1024)]


def test_schema_prints_the_shipped_schema(tmp_path):
    """The published file, on standard output or into a file."""
    shipped = json.loads((program.SOURCE / "batchgen" / "schema" / "job.v1.json").read_text())
    assert json.loads(program.call("schema", cwd=tmp_path).out) == shipped
    assert program.call("schema", "-o", "job.json", cwd=tmp_path).code == 0
    assert json.loads((tmp_path / "job.json").read_text()) == shipped


def test_providers_are_listed(tmp_path):
    """Names of all shipped providers; an unknown one is exit 2 with a near name."""
    out = program.call("providers", cwd=tmp_path).out
    assert [name for name in ("sandbox", "openai", "bettertoken", "gptproto", "unified") if name not in out] == []
    unknown = program.call("providers", "opnai", cwd=tmp_path)
    assert unknown.code == 2
    assert "openai" in unknown.err


def test_a_provider_of_the_users_own(tmp_path, openai_gateway, make_job):
    """providers.yaml in the user's configuration adds a gateway and overrides a shipped one."""
    config = tmp_path / "config"
    (config / "batchgen").mkdir(parents=True)
    (config / "batchgen" / "providers.yaml").write_text(
        f"ours: {{ use: openai, base_url: '{openai_gateway.url}', key_env: OURS_KEY }}\n"
    )
    job = make_job("ours")
    job.environment = {"XDG_CONFIG_HOME": str(config), "OURS_KEY": KEY}
    assert job.run().event("summary")["saved"] == 2
    assert len(openai_gateway.requests) == 2


def test_the_sandbox_verb_serves_other_clients(books):
    """The official client buys a picture and the books show it."""
    before = len(books.bills())
    with openai.OpenAI(base_url=books.url, api_key="any", max_retries=0) as client:
        answer = client.images.generate(model="gpt-image-2", prompt="a mug", size="1024x1024")
    assert answer.data[0].b64_json
    assert len(books.bills()) == before + 1


def test_retry_sends_only_what_failed(paid_job, openai_gateway):
    """`-n` lists it and sends nothing; then only the failed one goes out, though another is new."""
    openai_gateway.answers = {"mug": [broken() for _ in range(3)]}
    paid_job.write(prompts=[{"id": "mug", "text": "a mug"}, *({"id": f"p{n}", "text": f"a pot {n}"} for n in range(6))])
    paid_job.write(retry={**paid_job.manifest["retry"], "attempts": 3})
    paid_job.run(code=3)
    paid_job.write(prompts=[*paid_job.manifest["prompts"], {"id": "new", "text": "a new one"}])
    before = len(openai_gateway.requests)
    listed = paid_job.call("retry", "-n")
    assert "mug/v1" in listed.out
    assert len(openai_gateway.requests) == before
    assert paid_job.call("retry").code == 0
    assert [request.prompt for request in openai_gateway.requests[before:]] == ["a mug"]


def test_retry_with_nothing_failed_is_fine(paid_job):
    """Nothing to try again is exit 0."""
    paid_job.run()
    assert paid_job.call("retry").code == 0


def test_ls_prints_json(paid_job):
    """`ls --json` has one line per slot with its state and path."""
    paid_job.run()
    rows = [json.loads(line) for line in paid_job.call("ls", "--json").out.splitlines()]
    assert {(row["slot"], row["state"]) for row in rows if "slot" in row} == {("mug/v1", "done"), ("tray/v1", "done")}


def test_plan_resolved_is_a_manifest_again(make_job, tmp_path):
    """What `plan --resolved` prints plans to the same requests."""
    job = make_job(vars={"tone": "green"}, profiles={"draft": {"repeat": 2}})
    resolved = job.call("plan", "--resolved", "--profile", "draft", "--set", "vars.tone=grey")
    assert resolved.code == 0, resolved.said
    (tmp_path / "again").mkdir()
    again = tmp_path / "again" / "job.yaml"
    again.write_text(resolved.out)
    planned = program.call("plan", again, "--json", cwd=tmp_path)
    assert planned.code == 0, planned.said
    assert planned.event("plan")["requests"] == 4


@pytest.mark.parametrize(
    ("provider", "arguments", "folder"),
    [
        ("sandbox", [], "{name}@sandbox"),
        ("sandbox", ["--profile", "draft"], "{name}@draft@sandbox"),
        ("openai", [], "{name}"),
        ("openai", ["--profile", "draft"], "{name}@draft"),
        ("openai", ["--provider", "sandbox"], "{name}@sandbox"),
    ],
)
def test_placeholders_and_drafts_have_folders_of_their_own(provider, arguments, folder, make_job):
    """So that neither ever passes for a final."""
    job = make_job(provider, profiles={"draft": {"repeat": 1}})
    place = Path(job.call("plan", "--json", *arguments).event("plan")["folder"])
    assert place.name == folder.format(name=job.manifest["name"])


def test_output_on_the_command_line_is_relative_to_the_working_directory(make_job, tmp_path):
    """As any shell argument; the manifest's own output.dir is relative to the manifest."""
    job = make_job()
    assert job.call("run", "--output", "elsewhere").code == 0
    assert len(list((tmp_path / "elsewhere").glob("*/images/*.png"))) == 2
    assert job.untouched
    job.write(output={"dir": "../beside"})
    assert job.call("run").code == 0
    assert len(list((tmp_path.parent / "beside").glob(f"{job.manifest['name']}@sandbox/images/*.png"))) == 2


def test_masters_are_the_paid_bytes(paid_job, openai_gateway):
    """Nothing is embedded in an image, nothing is recompressed."""
    paid_job.run()
    kept = sorted(paid_job.image(name).read_bytes() for name in ("mug", "tray"))
    assert kept == sorted(openai_gateway.pictures)


def test_the_extension_is_that_of_the_bytes(paid_job, openai_gateway):
    """WebP asked, JPEG came: the file is named for what it is, and the rerun is satisfied."""
    openai_gateway.always_makes = ("jpeg", (1024, 1024))
    paid_job.write(request={**paid_job.manifest["request"], "output_format": "webp"})
    paid_job.run()
    assert {Path(name).suffix for name in paid_job.images} == {".jpg"}
    assert paid_job.run().event("summary")["attempts"] == 0


def test_another_size_than_asked_is_kept_and_reported(paid_job, openai_gateway):
    """The requested size is a wish: never cropped, never rejected, recorded as it is."""
    openai_gateway.always_makes = ("png", (1254, 1254))
    finished = paid_job.call("run")
    assert finished.code == 0
    assert "1254x1254" in finished.out + finished.err
    with Image.open(paid_job.image("mug")) as picture:
        assert picture.size == (1254, 1254)
    assert {(entry["width"], entry["height"]) for entry in paid_job.entries("image_saved")} == {(1254, 1254)}


def test_no_more_are_in_flight_than_allowed(paid_job, openai_gateway):
    """`limits.concurrency` is used to the full and never exceeded."""
    openai_gateway.may_answer.clear()
    paid_job.write(prompts=["a mug"], repeat=12, limits={"concurrency": 3})
    running = paid_job.start("run")
    program.wait_until(lambda: openai_gateway.most_at_once == 3)
    openai_gateway.may_answer.set()
    assert program.finish(running).code == 0
    assert (openai_gateway.most_at_once, len(paid_job.images)) == (3, 12)


def test_a_request_that_takes_too_long_is_in_doubt(paid_job, openai_gateway):
    """The total deadline of one request holds, and what it cut short may have been billed."""
    openai_gateway.may_answer.clear()
    paid_job.write(prompts=["a mug"], limits={"request_timeout": 0.5}, retry={"in_doubt": "hold"})
    finished = paid_job.run(code=3)
    assert (finished.event("failure")["kind"], finished.event("summary")["in_doubt"]) == ("in_doubt", 1)


def test_a_period_buys_anew_and_keeps_the_old(make_job, books):
    """Tomorrow's images are new, yesterday's are past and no orphans, and a rerun of either is free."""
    job = make_job({"use": "sandbox", "base_url": books.url}, period="daily")
    for day, saved in (("2026-01-01", 2), ("2026-01-02", 2), ("2026-01-01", 0)):
        assert job.run("--period", day).event("summary")["saved"] == saved
    assert set(job.states("--period", "2026-01-02")) == {"2026-01-02/mug/v1", "2026-01-02/tray/v1"}
    assert {Path(name).parts[0] for name in job.images} == {"2026-01-01", "2026-01-02"}


def test_a_bare_name_finds_the_job(tmp_path):
    """`batchgen plan hello` finds jobs/hello.yaml."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "hello.yaml").write_text("version: 1\nname: hello\nprompts: [a mug]\n")
    assert program.call("plan", "hello", cwd=tmp_path).code == 0


def test_a_refusal_can_be_shown_without_its_secret_or_control_bytes(paid_job, openai_gateway):
    """What a gateway says reaches the screen inert: no escape sequence, no bell, no direction override."""
    evil = refused()
    body = evil.body.replace("Your request", r"\u001b[2J\u0007\u202eYour request")
    openai_gateway.answers = {"mug": [type(evil)(status=400, body=body)]}
    finished = paid_job.call("run")
    assert finished.code == 3
    assert not {"\x1b", "\x07", "\u202e"} & set(finished.out + finished.err)
