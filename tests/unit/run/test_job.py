"""Opening a job: everything that is wrong with manifest, providers and plan in one pass."""

from datetime import UTC, datetime

import pytest

from batchgen.errors import ManifestError
from batchgen.run.job import Options, open_job
from batchgen.run.survey import look
from batchgen.sandbox.faults import check_faults

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def opened(tmp_path):
    """Opens a manifest's text, below its version and name."""

    def job(text, **options):
        path = tmp_path / "job.yaml"
        path.write_text(f"version: 1\nname: shop\n{text}")
        return open_job(Options(path=path, environ={}, check_faults=check_faults, **options), now=NOW)

    return job


@pytest.fixture
def problems(opened):
    """The problems of a manifest, as `line:column key: message`."""

    def found(text, **options):
        with pytest.raises(ManifestError) as caught:
            opened(text, **options)
        return [f"{one.line}:{one.column} {one.key}: {one.message}" for one in caught.value.problems]

    return found


def places(found):
    return [line.partition(": ")[0] for line in found]


def test_an_unknown_parameter_hides_no_wrong_size(problems):
    """Schema, template and provider are asked in one pass, in the order of the file."""
    found = problems("request: { seed: 3, size: 1000x7 }\nprompts: ['a ${{ foo }}']\n")
    assert places(found) == ["3:12 request.seed", "3:27 request.size", "4:11 prompts.0"]


def test_an_unknown_provider_hides_no_mistake_of_the_plan(problems):
    """What needs no provider is found without one."""
    found = problems("provider: opnai\nprompts: ['a ${{ foo }}']\n")
    assert places(found) == ["3:11 provider", "4:11 prompts.0"]


def test_of_several_providers_the_good_ones_judge(problems):
    """Each provider's own mistakes, and what the others would refuse."""
    found = problems("provider: [opnai, openai]\nrequest: { style: vivid }\nprompts: [a]\n")
    assert places(found) == ["3:12 provider.0", "4:19 request.style"]


def test_a_nightly_job_with_a_mistake_is_planned_for_tonight(problems):
    """A period is no reason to look at less."""
    found = problems("period: daily\nlimits: { rpm: fast }\nrequest: { size: 1000x7 }\nprompts: [a]\n")
    assert places(found) == ["4:16 limits.rpm", "5:18 request.size"]


def test_a_flawed_manifest_is_never_opened(opened):
    """What is left of it serves to find mistakes, not to be sent."""
    with pytest.raises(ManifestError) as caught:
        opened("limits: { concurency: 3 }\nprompts: [a]\n")
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("provider", "place"),
    [
        ("opnai", "3:11 provider"),
        ("{ use: opnai }", "3:18 provider.use"),
        ("[sandbox, opnai]", "3:21 provider.1"),
    ],
)
def test_an_unknown_provider_is_marked_where_it_is_written(problems, provider, place):
    """The caret is under the name, not under the key."""
    (found,) = problems(f"provider: {provider}\nprompts: [a]\n")
    assert found.startswith(f"{place}: 'opnai' is no provider, did you mean 'openai'?")


@pytest.mark.parametrize(
    ("faults", "place"),
    [
        ("flakey", "3:35 provider.faults"),
        ("[{ kind: throttle }, { kind: reset, rate: 2 }]", "3:77 provider.faults.1.rate"),
        ("{ kind: nope }", "3:43 provider.faults.kind"),
        ("7", "3:35 provider.faults"),
    ],
)
def test_faults_are_judged_with_the_manifest(problems, faults, place):
    """A rule that does not exist is found before a server starts, at its place."""
    assert places(problems(f"provider: {{ use: sandbox, faults: {faults} }}\nprompts: [a]\n")) == [place]


def test_good_faults_pass(opened):
    """A preset and rules are what they were."""
    assert opened("provider: { use: sandbox, faults: [flaky, { kind: reset, first: 1 }] }\nprompts: [a]\n")


@pytest.mark.parametrize(
    "fields",
    [
        "use: openai, api_key: sk-very-secret",
        "use: opnai, api_key: sk-very-secret",
        "use: openai, key_env: sk-very-secret",
        "use: openai, headers: { authorization: sk-very-secret }",
    ],
)
def test_a_line_that_may_hold_a_key_is_not_repeated(opened, fields):
    """People paste the key itself; it does not come back on the screen or in a log."""
    with pytest.raises(ManifestError) as caught:
        opened(f"provider: {{ {fields} }}\nprompts: [a]\n")
    assert "very-secret" not in str(caught.value)
    assert "job.yaml:3:" in str(caught.value)


def test_a_bare_name_in_a_prompt_is_a_warning(opened):
    """Each image would show braces; the plan says so once per prompt, with what to write."""
    job = opened("vars: { look: soft }\nprompts: ['a {{ look }} mug', { text: 'a {{ other }} mug' }, 'b {{ take }}']\n")
    assert [(one.key, one.message) for one in look(job).warnings] == [
        ("prompts.0", "`{{ look }}` is sent as it is written; for the value write `${{ look }}`"),
        ("prompts.2", "`{{ take }}` is sent as it is written; for the value write `${{ take }}`"),
    ]


def test_a_bare_column_in_a_prompt_is_a_warning(opened):
    """Columns count with and without `row.`, and braces in the data are data."""
    text = "rows: { inline: [{ n: '{{ n }}' }] }\nprompts: ['a {{ n }}', { text: 'b {{ row.n }}' }, 'c ${{ row.n }}']\n"
    assert [one.key for one in look(opened(text)).warnings] == ["prompts.0", "prompts.1.text"]
