"""Misbehaviour by rule: which fault strikes which attempt, decided by (seed, key, attempt) alone.

A rule is `{ kind: throttle, rate: 0.08 }`; the first rule that strikes wins. A refusal is decided by (seed, prompt), so
that it meets every attempt alike. `kind: flaky` names a preset. What each kind does on the wire is in
`batchgen.sandbox.misbehave`.
"""

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from batchgen.errors import InputError, Problem

__all__ = ["KINDS", "PRESETS", "FaultRule", "Faults", "Kind", "check_faults", "rules_of"]

Stage = Literal["refuse", "paint", "deliver"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of fault does: refuse instead of painting, paint the wrong thing, or deliver the right one badly.

    `billed` is whether the image is on the bill all the same; a rule can say otherwise.
    """

    stage: Stage
    billed: bool
    seconds: float = 0.0


KINDS: Mapping[str, Kind] = {
    "throttle": Kind("refuse", billed=False),
    "quota": Kind("refuse", billed=False),
    "error": Kind("refuse", billed=False),
    "bad_gateway": Kind("refuse", billed=False),
    "overloaded": Kind("refuse", billed=False),
    "timeout": Kind("refuse", billed=True),
    "refused": Kind("refuse", billed=False),
    "unauthorized": Kind("refuse", billed=False),
    "empty": Kind("refuse", billed=False),
    "error_in_200": Kind("refuse", billed=False),
    "html": Kind("refuse", billed=False),
    "wrong_size": Kind("paint", billed=True),
    "wrong_type": Kind("paint", billed=True),
    "duplicate_images": Kind("paint", billed=True),
    "slow": Kind("deliver", billed=True, seconds=2.0),
    "stall": Kind("deliver", billed=True, seconds=3600.0),
    "reset": Kind("deliver", billed=True),
    "truncated": Kind("deliver", billed=True),
    "bad_base64": Kind("deliver", billed=True),
    "cut_png": Kind("deliver", billed=True),
    "lost": Kind("deliver", billed=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One rule.

    `rate` is the share of attempts that it strikes. `first`: only the first N attempts of a key. `match`: only prompts
    with this text in them. `after`: only once N images have been billed. `seconds`: the wait before the answer (slow,
    timeout, any refusal) or the silence in its middle (stall). `retry_after` seconds go into a throttle's answer, as
    `retry_style` says: the header in seconds, as an HTTP date, or only in the message. `billed` None: as usual for the
    kind.
    """

    kind: str
    rate: float = 1.0
    first: int | None = None
    match: str = ""
    after: int = 0
    seconds: float | None = None
    retry_after: float = 1.0
    retry_style: Literal["seconds", "date", "message"] = "seconds"
    billed: bool | None = None

    @property
    def stage(self) -> Stage:
        """When the fault shows."""
        return KINDS[self.kind].stage

    @property
    def is_billed(self) -> bool:
        """Whether an image that meets this fault is on the bill."""
        return KINDS[self.kind].billed if self.billed is None else self.billed

    @property
    def wait_seconds(self) -> float:
        """The wait or the silence."""
        return KINDS[self.kind].seconds if self.seconds is None else self.seconds


PRESETS: Mapping[str, tuple[FaultRule, ...]] = {
    "flaky": (
        FaultRule(kind="throttle", rate=0.08, retry_after=0.2),
        FaultRule(kind="bad_gateway", rate=0.04),
        FaultRule(kind="error", rate=0.03),
        FaultRule(kind="reset", rate=0.02),
        FaultRule(kind="slow", rate=0.05, seconds=0.5),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The rules in force and the seed that decides with them."""

    rules: tuple[FaultRule, ...] = ()
    seed: int = 0

    def strike(self, *, key: str, attempt: int, prompt: str, images_billed: int) -> FaultRule | None:
        """The rule that strikes an attempt (counted from 1), or None. The same arguments give the same answer."""
        for index, rule in enumerate(self.rules):
            if not _concerns(rule, attempt, prompt, images_billed):
                continue
            subject = f"prompt|{prompt}" if rule.kind == "refused" else f"{key}|{attempt}"
            if _draw(f"{self.seed}|{index}|{rule.kind}|{subject}") < rule.rate:
                return rule
        return None


def _concerns(rule: FaultRule, attempt: int, prompt: str, images_billed: int) -> bool:
    early = rule.first is None or attempt <= rule.first
    return early and rule.match in prompt and images_billed >= rule.after


def _draw(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64


@dataclass(slots=True)
class _Reading:
    """Rules and problems found so far."""

    rules: list[FaultRule] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, key: str, message: str) -> None:
        self.problems.append(Problem(key=key, message=message))


def check_faults(raw: object) -> tuple[Problem, ...]:
    """What is wrong with the rules of a manifest or a command line; `key` is the path in them: `faults[1].rate`."""
    return tuple(_read(raw).problems)


def rules_of(raw: object) -> tuple[FaultRule, ...]:
    """Rules from a preset's name, one mapping, or a list of either. Raises `InputError` with every problem at once."""
    reading = _read(raw)
    if reading.problems:
        raise InputError(problems=reading.problems)
    return tuple(reading.rules)


def _read(raw: object) -> _Reading:
    reading = _Reading()
    single = raw is None or isinstance(raw, str | Mapping | FaultRule)
    if not single and not isinstance(raw, Sequence):
        reading.problem("faults", f"{raw!r} is not a list (expected rules such as {{ kind: throttle, rate: 0.08 }})")
        return reading
    entries: Iterable[Any] = ([] if raw is None else [raw]) if single else raw  # type: ignore[assignment]
    for index, entry in enumerate(entries):
        _read_entry(reading, entry, "faults" if single else f"faults[{index}]")
    return reading


def _read_entry(reading: _Reading, entry: object, key: str) -> None:
    if isinstance(entry, FaultRule):
        reading.rules.append(entry)
    elif isinstance(entry, str):
        _read_name(reading, entry, key)
    elif isinstance(entry, Mapping):
        _read_mapping(reading, entry, key)
    else:
        reading.problem(
            key, f"{entry!r} is not a rule (expected a mapping with `kind`, or a preset: {_listed(PRESETS)})"
        )


def _read_name(reading: _Reading, name: str, key: str) -> None:
    if name in PRESETS:
        reading.rules.extend(PRESETS[name])
    elif name in KINDS:
        reading.rules.append(FaultRule(kind=name))
    else:
        reading.problem(key, _unknown(name, "kind or preset", [*KINDS, *PRESETS]))


def _read_mapping(reading: _Reading, entry: Mapping[object, object], key: str) -> None:
    kind = entry.get("kind")
    before = len(reading.problems)
    if kind is None:
        reading.problem(f"{key}.kind", f"missing (expected one of {_listed(KINDS)})")
    elif kind not in KINDS and kind not in PRESETS:
        reading.problem(f"{key}.kind", _unknown(str(kind), "kind", [*KINDS, *PRESETS]))
    options: dict[str, Any] = {str(name): value for name, value in entry.items() if name != "kind"}
    for name, value in options.items():
        message = _option_problem(name, value)
        if message:
            reading.problem(f"{key}.{name}", message)
    if len(reading.problems) > before:
        return
    options.update({name: int(options[name]) for name in ("first", "after") if name in options})
    for rule in PRESETS.get(str(kind)) or (FaultRule(kind=str(kind)),):
        reading.rules.append(replace(rule, **options))


_OPTIONS: Mapping[str, str] = {
    "rate": "a share from 0 to 1",
    "first": "a whole number from 1",
    "match": "text that the prompt contains",
    "after": "a whole number of billed images from 0",
    "seconds": "a number of seconds from 0",
    "retry_after": "a number of seconds from 0",
    "retry_style": "seconds, date or message",
    "billed": "true or false",
}


def _option_problem(name: str, value: object) -> str:
    if name not in _OPTIONS:
        return _unknown(name, "option", list(_OPTIONS))
    return "" if _is_sound(name, value) else f"{value!r} does not fit (expected {_OPTIONS[name]})"


def _is_sound(name: str, value: object) -> bool:
    if name == "billed":
        return isinstance(value, bool)
    if name == "match":
        return isinstance(value, str)
    if name == "retry_style":
        return value in {"seconds", "date", "message"}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    low, high = (1 if name == "first" else 0), (1.0 if name == "rate" else 1e6)
    return low <= value <= high and (name not in {"first", "after"} or value == int(value))


def _unknown(name: str, what: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    guess = f"did you mean {near[0]!r}?" if near else "choose one of them"
    return f"{name!r} is no known {what} (expected {_listed(known)}); {guess}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
