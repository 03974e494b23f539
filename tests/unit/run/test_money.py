"""Budget windows and what an image is taken to cost."""

from datetime import UTC, datetime

import pytest

from batchgen.ledger.state import State
from batchgen.provider.catalog import resolve
from batchgen.request import Request
from batchgen.run.money import Money, cost_of, price_of

REQUEST = Request(
    id="a" * 32,
    base_id="a" * 32,
    slot="s/v1",
    operation="generate",
    prompt="a mug",
    params={"model": "gpt-image-2", "size": "1024x1024", "quality": "low"},
    path="images/s-v1.png",
)
USAGE = {
    "input_tokens": 8,
    "input_tokens_details": {"text_tokens": 8, "image_tokens": 0},
    "output_tokens": 196,
    "total_tokens": 204,
}


@pytest.mark.parametrize(
    ("per", "window"), [("run", "r1"), ("day", "2026-11-20"), ("month", "2026-11"), ("job", "job")]
)
def test_a_window_is_named_after_its_bucket(per, window):
    """Run id, UTC day, UTC month, or the job."""
    now = datetime(2026, 11, 20, 23, 59, tzinfo=UTC)
    assert Money(budget_per=per, run="r1", run_index=0, state=State(), now=lambda: now).window() == window


def test_usage_settles_the_price():
    """196 output tokens at $30 and 8 text tokens at $5 per million are the sample's price."""
    assert cost_of(USAGE, REQUEST, resolve("openai"), 0.02) == pytest.approx(196 * 30e-6 + 8 * 5e-6)


def test_without_usage_the_reservation_stands():
    """A gateway that reports nothing is taken at the high estimate."""
    assert cost_of(None, REQUEST, resolve("openai"), 0.02) == 0.02


def test_an_unknown_price_stays_unknown():
    """No prices: None, never zero."""
    provider = resolve("unified", {"base_url": "https://gateway.example/v1"})
    assert price_of(REQUEST, provider) is None
    assert cost_of(USAGE, REQUEST, provider, None) is None


def test_a_price_per_image_is_taken_as_given():
    """`prices: 0.05` makes every image five cents."""
    provider = resolve("unified", {"base_url": "https://gateway.example/v1", "prices": 0.05})
    price = price_of(REQUEST, provider)
    assert price is not None
    assert (price.low_usd, price.high_usd) == (0.05, 0.05)
