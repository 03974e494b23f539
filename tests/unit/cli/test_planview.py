from dataclasses import replace
from datetime import UTC, datetime

import pytest

from batchgen.cli.confirm import needs_confirmation
from batchgen.cli.planview import budget_left_usd, models, warnings_of
from batchgen.ledger.entry import AttemptStarted, ImageSaved, RunStarted
from batchgen.ledger.state import fold
from batchgen.run.job import Options, open_job
from batchgen.run.survey import look

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SAVED = {"path": "images/s.png", "bytes": 1, "sha256": "ab", "format": "png", "width": 1, "height": 1}


@pytest.fixture
def surveyed(place):
    """`surveyed(yaml)` is the survey of a manifest with these lines."""

    def survey(lines):
        path = place / "jobs/job.yaml"
        path.write_text(f"version: 1\nname: job\n{lines}\n" + ("" if "prompts:" in lines else "prompts: [a mug]\n"))
        return look(open_job(Options(path=path, environ={}), now=NOW))

    return survey


def spent(day, usd):
    return fold(
        [
            RunStarted(run="r", seq=1, at=f"{day}T00:00:00.000Z"),
            AttemptStarted(request="q", attempt=1, because=None, seq=2, at=f"{day}T00:00:00.000Z", reserved_usd=usd),
            ImageSaved(request="q", slot="s", attempt=1, seq=3, at=f"{day}T00:00:01.000Z", cost_usd=usd, **SAVED),
        ]
    )


@pytest.mark.parametrize(
    ("per", "day", "left"),
    [
        ("job", "2026-01-01", 3.0),
        ("day", "2026-11-20", 3.0),
        ("day", "2026-11-19", 5.0),
        ("month", "2026-11-01", 3.0),
        ("month", "2026-10-31", 5.0),
        ("run", "2026-11-20", 5.0),
    ],
)
def test_the_budget_left_is_that_of_the_open_window(surveyed, per, day, left):
    """Yesterday's dollars do not count against today's budget."""
    survey = surveyed(f"limits: {{budget_usd: 5, budget_per: {per}}}")
    assert budget_left_usd(replace(survey, state=spent(day, 2.0)), NOW) == left


def test_without_a_budget_nothing_is_claimed(surveyed):
    """No limit is not a limit of 0."""
    assert budget_left_usd(surveyed("description: x"), NOW) is None


def test_a_plan_over_max_images_warns(surveyed):
    """The plan shows what a run would refuse."""
    warned = warnings_of(surveyed("repeat: 3\nlimits: {max_images: 2}"), NOW)
    assert warned == ["limits.max_images is 2, the plan sends 3; a run refuses"]


def test_a_budget_without_a_price_warns(surveyed):
    """An unknown price cannot be held against a budget."""
    (warned,) = warnings_of(surveyed("provider: bettertoken\nlimits: {budget_usd: 2}"), NOW)
    assert "no price is known; a run refuses" in warned


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ("provider: openai", "gpt-image-2"),
        ("request: {model: my-model}", "my-model"),
        ("prompts: [{text: a, request: {model: m1}}, {text: b, request: {model: m2}}]", "2 models"),
        ("description: none", ""),
    ],
)
def test_the_model_is_the_one_that_is_sent(surveyed, lines, shown):
    """The provider's own model counts where the manifest names none."""
    assert models(surveyed(lines)) == shown


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        ("provider: {use: openai, prices: 5.1}\nrepeat: 2", True),
        ("provider: {use: openai, prices: 4.9}\nrepeat: 2", False),
        ("provider: {use: openai, prices: 5.1}\nrepeat: 2\nlimits: {budget_usd: 20}", False),
        ("provider: {use: openai, prices: 5.1}\nrepeat: 2\nlimits: {max_images: 20}", False),
        ("provider: bettertoken\nrepeat: 67\nprompts: [a, b, c]", True),
        ("provider: bettertoken\nrepeat: 66\nprompts: [a, b, c]", False),
        ("repeat: 67\nprompts: [a, b, c]", False),
    ],
)
def test_only_large_runs_without_limits_are_asked_about(surveyed, lines, asked):
    """Above $10 or 200 images, unless the manifest says how much it may be, and never for placeholders."""
    assert needs_confirmation(surveyed(lines)) is asked
