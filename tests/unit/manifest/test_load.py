"""From a path to a checked manifest."""

import hashlib
import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.errors import ManifestError
from batchgen.manifest.load import load

HEAD = "version: 1\nname: job\n"
BASE = f"{HEAD}prompts: [a mug]\n"

SEVEN = """\
version: 1
name: spring launch
request:
  model: gpt-image-2
  qualty: high
limits:
  concurrency: eight
  budget_usd: -1
matrix:
  season:
    - { id: winter, props: pine branches, warm candle light }
prompts:
  - id: hero
    txt: a mug
    images:
      - a.png
repeat: 2
repeat: 3
"""


@pytest.fixture
def job(tmp_path):
    """Writes a manifest and loads it."""

    def loaded(text: str, environ=(), **options):
        path = tmp_path / "job.yaml"
        path.write_bytes(text.encode())
        return load(path, environ=dict(environ), **options)

    return loaded


@pytest.fixture
def problems(job):
    """The problems of a manifest, as `line:column key: message`."""

    def found(text: str, **options) -> list[str]:
        with pytest.raises(ManifestError) as caught:
            job(text, **options)
        return [
            f"{problem.line}:{problem.column} {problem.key}: {problem.message}" if problem.line else str(problem)
            for problem in caught.value.problems
        ]

    return found


def test_a_manifest_knows_what_it_was_read_from(job, tmp_path, monkeypatch):
    """Path, folder, bytes and the user's own spelling of the path are kept."""
    made = job(BASE)
    monkeypatch.chdir(tmp_path)
    path = os.path.relpath(made.path)
    again = load(type(made.path)(path), environ={})
    assert (again.display, again.path, again.folder) == ("job.yaml", made.path, tmp_path)
    assert again.sha256 == hashlib.sha256(BASE.encode()).hexdigest()
    assert again.document.prompts == ["a mug"]


def test_seven_problems_come_in_one_pass(problems):
    """Schema, lost text and duplicate keys are reported together, in the order of the file."""
    found = problems(SEVEN)
    assert [line.split(": ")[0] for line in found] == [
        "2:7 name",
        "5:3 request.qualty",
        "7:16 limits.concurrency",
        "8:15 limits.budget_usd",
        "11:43 ",
        "14:5 prompts.0.txt",
        "18:1 repeat",
    ]


def test_nested_keys_of_the_seven_are_explained(problems):
    """The messages are those of the documents, with values and remedies."""
    text = "\n".join(problems(SEVEN))
    assert "unknown key 'qualty', did you mean 'quality'?" in text
    assert "'warm candle light' looks like the rest of the text before the comma. Put the whole text in quotes" in text
    assert "'repeat' is given twice (first on line 17)" in text


def test_the_error_shows_lines_with_carets(job):
    """What the command line prints has file, place, source line and caret."""
    with pytest.raises(ManifestError) as caught:
        job(BASE + "limits:\n  rpm: fast\n")
    head, line, caret = str(caught.value).splitlines()
    assert head.endswith("job.yaml:5:8  limits.rpm: 'fast' is not a number (expected above 0)")
    assert line == "    5 |   rpm: fast"
    assert caret == "      |        ^"


def test_a_problem_can_be_made_for_any_path(job):
    """Later stages place their findings by keys, written or not."""
    made = job(BASE + "limits:\n  rpm: 5\n")
    assert made.problem(("limits", "rpm"), "x").line == 5
    assert made.problem(("limits", "budget_usd"), "x").line == 4
    assert made.problem(("prompts", 0), "x").column == 11


def test_source_text_of_numbers_is_kept(job):
    """An axis value 1.10 names its slots 1.10."""
    made = job(BASE + "matrix: {ratio: [1.10, 16:9]}\n")
    assert made.marks.text("matrix", "ratio", 0) == "1.10"
    assert made.document.matrix.axes["ratio"] == [1.1, "16:9"]


def test_a_cut_prompt_is_a_warning_and_no_error(job):
    """The job loads, and says that a comment ends its prompt."""
    (warning,) = job(f"{HEAD}prompts:\n  - a cat #5\n").warnings
    assert (warning.line, warning.key) == (4, "prompts.0")


def test_keys_of_a_later_release_are_remarked_on(job):
    """What is checked and has no effect yet is said, at its key, once for each."""
    text = f"{BASE}post: [{{id: web, format: webp}}]\nreview: {{gallery: true}}\nnotify: {{on: always}}\n"
    found = job(text).warnings
    assert [(one.line, one.column, one.key) for one in found] == [(4, 1, "post"), (5, 1, "review"), (6, 1, "notify")]
    assert found[0].message == "is checked, but this release makes no exports yet"


def test_a_profile_can_do_without_what_has_no_effect(job):
    """Empty, absent or taken away by the profile: then there is nothing to remark on."""
    assert (
        job(f"{BASE}post: []\nreview: {{gallery: true}}\nprofiles: {{d: {{review: null}}}}\n", profile="d").warnings
        == ()
    )


@pytest.mark.parametrize("name", [None, "draft"])
def test_a_profile_is_merged_when_asked_for(job, name):
    """Without the option the profile changes nothing."""
    text = (
        BASE
        + "repeat: 2\nrequest: {quality: high, size: auto}\nprofiles: {draft: {repeat: 1, request: {quality: low}}}\n"
    )
    made = job(text, profile=name)
    assert made.profile == name
    assert made.document.repeat == (1 if name else 2)
    assert made.document.request.quality == ("low" if name else "high")
    assert made.document.request.size == "auto"


def test_null_in_a_profile_resets_to_the_default(job):
    """A draft can drop the rows and the budget."""
    text = (
        BASE + "rows: {csv: a.csv}\nlimits: {budget_usd: 5}\nprofiles: {d: {rows: null, limits: {budget_usd: null}}}\n"
    )
    made = job(text, profile="d").document
    assert made.rows is None
    assert made.limits.budget_usd is None


@pytest.mark.parametrize(
    ("profiles", "message"),
    [
        ("profiles: {draft: {}, final: {}}\n", "4:1 (expected one of draft, final), did you mean 'draft'?"),
        ("", "1:1; the manifest has none"),
        ("profiles: {}\n", "4:1; the manifest has none"),
    ],
)
def test_an_unknown_profile_lists_those_there_are(problems, profiles, message):
    """A typo in `--profile` never runs the plain job."""
    place, told = message[:3], message[3:]
    assert problems(BASE + profiles, profile="drft") == [f"{place} profiles: no profile 'drft'{told}"]


def test_a_misspelt_profile_is_one_problem(problems):
    """What the profile gives is not called missing because its name has a typo."""
    text = f"{HEAD}profiles: {{draft: {{prompts: [a mug]}}}}\n"
    (found,) = problems(text, profile="draf")
    assert found.endswith("no profile 'draf' (expected one of draft), did you mean 'draft'?")


def test_an_unknown_profile_hides_no_other_problem(problems):
    """One pass, also then."""
    assert len(problems(BASE + "repeat: 0\n", profile="x")) == 2


@pytest.mark.parametrize("chosen", [None, "draft"])
def test_mistakes_in_a_profile_are_found_before_it_is_used(problems, chosen):
    """A draft's typo is reported at its own line, whichever profile runs."""
    (found,) = problems(BASE + "profiles:\n  draft:\n    request:\n      qualty: low\n", profile=chosen)
    assert found.startswith("7:7 ")
    assert "request.qualty: unknown key 'qualty', did you mean 'quality'?" in found


def test_a_mistake_of_the_job_is_reported_once(problems):
    """Profiles do not repeat what is wrong above them."""
    text = BASE + "repeat: 0\nprofiles: {a: {repeat: 2}, b: {limits: {rpm: 5}}, c: {}}\n"
    assert len(problems(text)) == 1


@pytest.mark.parametrize("key", ["version: 1", "name: x", "profiles: {}"])
def test_a_profile_cannot_change_what_the_folder_hangs_on(problems, key):
    """Name, version and profiles belong to the whole file."""
    (found,) = problems(BASE + f"profiles:\n  p:\n    {key}\n", profile="p")
    assert found.startswith(f"6:5 profiles.p.{key.split(':')[0]}: a profile cannot change")


def test_variables_of_another_profile_may_be_unset(job):
    """The nightly machine need not know what the studio's profile reads."""
    text = BASE + 'env: [RATE]\nprofiles: {studio: {limits: {rpm: "${RATE}"}}}\n'
    assert job(text).document.limits.rpm is None
    assert job(text, profile="studio", environ={"RATE": "5"}).document.limits.rpm == 5.0


def test_options_come_after_the_profile(job):
    """The command line has the last word, from left to right."""
    text = BASE + "profiles: {d: {repeat: 2}}\n"
    assert job(text, profile="d", sets=["repeat=3", "repeat=4"]).document.repeat == 4


def test_all_bad_options_are_named(problems):
    """Each option is its own problem, and those of the file stay."""
    found = problems(BASE + "repeat: 0\n", sets=["limits.rpm=x", "prompts.7=y", "limits.qps=1"])
    assert found[0].startswith("4:9 repeat")
    options = sorted(line.split("  ")[0] for line in found[1:])
    assert options == ["--set limits.qps=1", "--set limits.rpm=x", "--set prompts.7=y"]


def test_a_job_without_prompts_may_have_profiles(problems):
    """What is missing is missing once, however many profiles there are."""
    assert problems(HEAD + "profiles: {a: {repeat: 2}, b: {}}\n") == [
        "1:1 prompts: missing (expected a list); add `prompts:`"
    ]


def test_an_option_can_repair_the_file(job):
    """What an option replaces is not judged."""
    assert job(BASE + "repeat: 0\n", sets=["repeat=1"]).document.repeat == 1


def test_references_are_replaced_outside_prompts(job):
    """Only listed names are read, and prompts keep their dollars."""
    text = f'{HEAD}env: [D]\noutput: {{dir: "${{D:-out}}"}}\nprompts: ["pay ${{D}}"]\n'
    made = job(text, environ={"D": "/srv"}).document
    assert made.output.dir == "/srv"
    assert made.prompts == ["pay ${D}"]


def test_an_unset_variable_is_one_problem(problems):
    """A number that could not be filled in is not also called no number."""
    text = BASE + 'env: [RATE]\nlimits: {rpm: "${RATE}"}\n'
    assert problems(text) == [
        "5:15 limits.rpm: environment variable 'RATE' is not set; set it, or write ${RATE:-default}"
    ]


def test_equal_ids_and_schema_errors_come_together(problems):
    """The rules across fields run although the schema found something."""
    text = f"{HEAD}repeat: 0\nprompts:\n- {{id: a, text: x}}\n- {{id: a, text: y}}\n"
    assert [line.split(": ")[0] for line in problems(text)] == ["3:9 repeat", "6:8 prompts.1.id"]


def test_of_very_many_problems_the_first_are_told(problems):
    """A list of 300 wrong prompts does not scroll the first ones away."""
    found = problems(f"{HEAD}prompts:\n" + "- 7\n" * 300)
    assert len(found) == 101
    assert found[0].startswith("4:3 prompts.0")
    assert found[-1] == "and 200 more problems"


def unreadable(path) -> str:
    with pytest.raises(ManifestError) as caught:
        load(path, environ={})
    return str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    """The message names the path as it was given."""
    assert unreadable(tmp_path / "no.yaml") == f"{tmp_path}/no.yaml  no such file; check the path"


def test_a_folder_is_refused(tmp_path):
    """A folder is no manifest."""
    assert "a folder (expected a YAML file)" in unreadable(tmp_path)


def test_a_pipe_is_refused_and_never_opened(tmp_path):
    """Opening a pipe that nobody writes to would hang for ever."""
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in unreadable(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_refused(tmp_path):
    """What the user may not read is an input error."""
    path = tmp_path / "job.yaml"
    path.write_text(BASE)
    path.chmod(0)
    assert "cannot be read: permission denied" in unreadable(path)


def test_a_path_through_a_file_is_refused(tmp_path):
    """Any error of the system is an input error with its reason."""
    (tmp_path / "file").write_text("")
    assert "cannot be read: not a directory" in unreadable(tmp_path / "file" / "job.yaml")


def test_a_gigabyte_is_refused_unread(tmp_path):
    """Size is looked at before a byte is read."""
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(2**30)
    tracemalloc.start()
    message = unreadable(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "larger than 64 MiB; keep many rows in a csv or jsonl file" in message
    assert peak < 1_000_000


def test_many_prompts_load(job):
    """Five thousand prompts are an ordinary manifest."""
    lines = "".join(f"- {{id: p{number}, text: 'mug {number}'}}\n" for number in range(5000))
    assert len(job(f"{HEAD}prompts:\n{lines}").document.prompts) == 5000


FRAGMENTS = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "&a ",
    "*a",
    "!x ",
    "? ",
    "<<: ",
    "null",
    "${{",
    "${A:-x}",
    "'",
    '"',
    "|",
    "#",
    "\t",
]
PLACES = st.lists(
    st.tuples(st.integers(0, len(SEVEN)), st.sampled_from([*FRAGMENTS, ""]), st.integers(0, 9)), max_size=6
)
OPTIONS = [
    "prompts.0.text=x",
    "a.b.c={x: 1}",
    "limits.rpm=null",
    "rows.csv=y",
    "prompts.0=null",
    "profiles.a=3",
    "env=[A]",
]


def found_in(path, profile, sets):
    """The problems of a manifest; a manifest without any has prompts, and without prompts it has some."""
    try:
        return [] if load(path, profile=profile, sets=sets, environ={}).document.prompts else [None]
    except ManifestError as error:
        return error.problems or [None]


@given(PLACES, st.lists(st.sampled_from(OPTIONS), max_size=3), st.sampled_from([None, "draft"]))
def test_no_text_gets_past_the_checks_with_anything_but_problems(tmp_path_factory, places, sets, profile):
    """Whatever is put into a manifest or taken out, the answer is a document or problems that can be shown."""
    text = SEVEN.replace("spring launch", "spring") + "profiles: {draft: {repeat: 1, rows: {csv: a}}}\n"
    for place, fragment, gone in places:
        text = text[:place] + fragment + text[place + gone :]
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(text.encode())
    assert all(
        problem.message and "\n" not in problem.message + problem.key for problem in found_in(path, profile, sets)
    )
