"""Dollars of a run: the estimate that is reserved, the cost that is settled, and the window of the budget."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from batchgen.ledger.state import State
from batchgen.plan.price import Price, cost, estimate
from batchgen.provider.catalog import Provider
from batchgen.provider.check import size_policy
from batchgen.provider.encode import sent_params
from batchgen.provider.sizes import target
from batchgen.request import Request

__all__ = ["Money", "cost_of", "price_of"]

_MICRO = 6


def price_of(request: Request, provider: Provider) -> Price | None:
    """What one request should cost at a provider; None when no price is known."""
    params = sent_params(provider, request.params)
    return estimate(
        model=str(params.get("model") or ""),
        params=params,
        prompt=request.prompt,
        images=request.images,
        mask=request.mask,
        prices=provider.prices,
        target=target(size_policy(provider, request), str(params.get("size") or "")),
    )


def cost_of(
    usage: Mapping[str, Any] | None, request: Request, provider: Provider, reserved_usd: float | None
) -> float | None:
    """What an image did cost: by the usage in its answer, else what was reserved for it."""
    params = sent_params(provider, request.params)
    billed = cost(usage, provider.prices, model=str(params.get("model") or ""), params=params)
    return reserved_usd if billed is None else round(billed, _MICRO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """Prices and budget windows of one run. `budget_per` is run, day, month or job; `now` is the wall clock in UTC."""

    budget_per: str
    run: str
    run_index: int
    state: State
    now: Callable[[], datetime]

    def window(self) -> str:
        """The name of the budget window that a request sent now counts in."""
        match self.budget_per:
            case "run":
                return self.run
            case "day":
                return f"{self.now():%Y-%m-%d}"
            case "month":
                return f"{self.now():%Y-%m}"
            case _:
                return "job"

    def committed_usd(self) -> float:
        """What counts against the budget in the current window."""
        if self.budget_per == "run":
            return self.state.committed_usd(window="job", run=self.run_index)
        return self.state.committed_usd(window=self.window())
