"""A fallback without a price: it neither slips past a budget nor counts as free."""

import pytest
from fakes.runs import Bench
from fakes.transport import ScriptedTransport, png

from batchgen.errors import PlanError
from batchgen.provider.failure import Failure

LIST = (
    "[{ use: openai, base_url: 'http://127.0.0.1:9/v1', auth: none }, "
    "{ use: unified, base_url: 'http://127.0.0.1:8/v1', auth: none, drop: [quality] }]"
)
KEY = Failure(kind="stopped", billed="no", message="wrong key", status=401)


def both(second):
    """The first provider refuses the key, so all goes to the second."""
    return {
        "openai": ScriptedTransport(lambda _t, _k: KEY),
        "unified": ScriptedTransport(lambda _t, _k: second),
    }


def test_a_budget_refuses_a_fallback_without_a_price(tmp_path):
    """The first provider's price says nothing of the second's: exit 2, nothing sent, the provider named."""
    bench, transports = Bench(tmp_path, providers=LIST, extra="limits: { budget_usd: 0.01 }"), both(png())
    with pytest.raises(PlanError, match="sent to unified"):
        bench.run(transports)
    assert not any(transport.sent for transport in transports.values())


def test_images_of_a_fallback_without_a_price_are_not_free(tmp_path):
    """Made where no price is known: the cost is unknown, not 0."""
    assert Bench(tmp_path, providers=LIST).run(both(png())).cost_usd is None


def test_doubts_at_a_fallback_without_a_price_are_not_free(tmp_path):
    """Maybe billed where no price is known: the amount is unknown, not 0."""
    late = Failure(kind="in_doubt", billed="maybe", message="no answer in time")
    summary = Bench(tmp_path, providers=LIST).run(both(late))
    assert (summary.maybe_billed_usd, summary.maybe_billed > 0) == (None, True)
