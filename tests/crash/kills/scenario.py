"""What a batch is like: drawn from a seed, as is everything that happens to its manifest between two rounds."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FLAT_USD = 0.05
TOKEN_USD, MOST_TOKENS = 30e-6, 196  # the list price, and a small square picture of low quality
RESERVED_USD = {False: FLAT_USD, True: 0.0061}
FAULTS = ("throttle", "error", "gateway", "gateway-unbilled", "cut", "empty", "reset", "url", "url-gone", "url-down")
FAULTS += ("hang", "refused", "bad-request")
STYLES = {
    "start": 3.0, "flight": 8.0, "nest": 0.5, "stop-then-kill": 1.5, "stop": 0.5, "abort": 0.5, "twice": 0.3,
}  # fmt: skip
"""How children are struck, and how often: see `batch`."""
CHANGES = ("reword", "restore", "rename", "swap", "drop", "add", "reorder", "remove", "damage", "retouch", "redo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One batch. `moment`, `keys`, `faults` are the gateway's; `rounds` are the changes before each further round."""

    seed: str
    requests: int = 12
    concurrency: int = 8
    in_doubt: str = "resend"
    resends: int = 2
    moment: str = "request"
    keys: str = "ignore"
    faults: dict[str, float] = field(default_factory=dict)
    budget_usd: float | None = None
    budget_per: str = "job"
    by_tokens: bool = False
    has_failover: bool = False
    is_big: bool = False
    rounds: tuple[tuple[str, ...], ...] = ((),)
    most_kills: int = 12
    styles: dict[str, float] = field(default_factory=lambda: dict(STYLES))

    @property
    def never_fails(self) -> bool:
        """Whether a request that is left alone certainly brings an image."""
        return not self.faults and self.keys != "reject"


def draw(seed: str) -> Scenario:
    """The scenario of a seed."""
    rng = random.Random(seed)  # noqa: S311  must be repeatable
    is_big = rng.random() < 0.06
    requests = rng.randint(2, 4) if is_big else rng.randint(4, 20)
    by_tokens = rng.random() < 0.3
    has_failover = rng.random() < 0.12
    rate = rng.choice((0.05, 0.15))
    faults = dict.fromkeys(rng.sample(FAULTS, rng.randint(1, 3)), rate) if rng.random() < 0.4 else {}
    faults |= {"stopped": 0.1} if has_failover else {}
    share = rng.choice((0.3, 0.7, 1.5)) if rng.random() < 0.35 else None
    further = rng.choices((0, 1, 2, 3), (3, 3, 2, 2))[0]
    return Scenario(
        seed=seed,
        requests=requests,
        concurrency=rng.choice((1, 2, 4, 8, 8, 16)),
        in_doubt=rng.choice(("resend", "resend", "hold")),
        resends=rng.choice((0, 1, 2, 2, 2, 5)),
        moment=rng.choice(("headers", "request", "answer")),
        keys=rng.choice(("ignore", "ignore", "replay", "reject")),
        faults=faults,
        budget_usd=None if share is None else round(share * requests * RESERVED_USD[by_tokens], 6),
        budget_per=rng.choice(("job", "job", "run")),
        by_tokens=by_tokens,
        has_failover=has_failover,
        is_big=is_big,
        rounds=((), *(tuple(rng.sample(CHANGES, rng.randint(1, 3))) for _ in range(further))),
    )


def gateway_terms(scenario: Scenario, ledger: Path) -> str:
    """The same scenario as the server reads it."""
    return json.dumps(
        {
            "seed": scenario.seed,
            "moment": scenario.moment,
            "keys": scenario.keys,
            "faults": scenario.faults,
            "price_usd": FLAT_USD,
            "token_usd": TOKEN_USD,
            "most_tokens": MOST_TOKENS if scenario.by_tokens else 0,
            "is_big": scenario.is_big,
            "ledger": str(ledger),
        }
    )


class Wish:
    """The manifest as somebody edits it: prompts by id, and where the files go."""

    def __init__(self, scenario: Scenario, name: str, base_url: str) -> None:
        self._scenario = scenario
        self._name = name
        self._base_url = base_url
        self._prompts = {f"p{number}": f"picture {number}" for number in range(scenario.requests)}
        self._path = "${{ prompt.id }}.png"
        self._count = scenario.requests

    def write(self, path: Path) -> None:
        """Write the manifest (JSON is YAML)."""
        path.write_text(json.dumps(self._manifest(), indent=1))

    def change(self, kind: str, rng: random.Random) -> None:
        """Edit the manifest; files are changed elsewhere."""
        ids = list(self._prompts)
        edit = getattr(self, f"_{kind}", None)
        if edit is not None:
            edit(rng, rng.sample(ids, min(len(ids), rng.randint(1, 4))))
        self._make_distinct()

    def _reword(self, rng: random.Random, some: list[str]) -> None:
        self._prompts |= {one: f"another picture {rng.randint(0, 3)} of {one}" for one in some}

    def _restore(self, _: random.Random, some: list[str]) -> None:
        self._prompts |= {one: f"picture {one.removeprefix('p')}" for one in some}

    def _rename(self, rng: random.Random, _: list[str]) -> None:
        folder = rng.choice(("", "sub/", "sub/deep/", "other-"))
        self._path = f"{folder}{rng.choice(('', 'new-'))}${{{{ prompt.id }}}}.png"

    def _swap(self, _: random.Random, some: list[str]) -> None:
        texts = [self._prompts[one] for one in some]
        self._prompts.update(zip(some, texts[1:] + texts[:1], strict=True))

    def _drop(self, _: random.Random, some: list[str]) -> None:
        for one in some[: len(self._prompts) - 1]:
            del self._prompts[one]

    def _add(self, _: random.Random, some: list[str]) -> None:
        for _one in some:
            self._prompts[f"p{self._count}"] = f"picture {self._count}"
            self._count += 1

    def _reorder(self, rng: random.Random, _: list[str]) -> None:
        ids = list(self._prompts)
        rng.shuffle(ids)
        self._prompts = {one: self._prompts[one] for one in ids}

    def _make_distinct(self) -> None:
        """The same text twice is one request, which a manifest must not ask for twice."""
        seen: set[str] = set()
        for one in self._prompts:
            while self._prompts[one] in seen:
                self._prompts[one] += f", as {one} has it"
            seen.add(self._prompts[one])

    def _manifest(self) -> dict[str, Any]:
        scenario = self._scenario
        limits: dict[str, Any] = {"concurrency": scenario.concurrency, "max_failures": "100%"}
        limits["request_timeout"] = 0.2 if "hang" in scenario.faults else 30
        if scenario.budget_usd is not None:
            limits |= {"budget_usd": scenario.budget_usd, "budget_per": scenario.budget_per}
        return {
            "version": 1,
            "name": self._name,
            "provider": self._providers(),
            "request": {"model": "gpt-image-2", "size": "1024x1024", "quality": "low"},
            "limits": limits,
            "retry": {"in_doubt": scenario.in_doubt, "resends": scenario.resends, "waits": [0.5], "max_wait": 2},
            "output": {"path": self._path},
            "prompts": [{"id": one, "text": text} for one, text in self._prompts.items()],
        }

    def _providers(self) -> Any:
        """One gateway, or the same one through two entrances, of which the second is for when the first is closed."""
        terms = {"auth": "none", "prices": "list" if self._scenario.by_tokens else FLAT_USD}
        first = {"use": "openai", "base_url": f"{self._base_url}/v1", **terms}
        other = {"use": "gptproto", "base_url": f"{self._base_url}/other/v1", **terms}
        return [first, other] if self._scenario.has_failover else first
