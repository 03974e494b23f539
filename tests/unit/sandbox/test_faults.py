"""Rules are validated with every problem at once, and strike deterministically."""

import pytest

from batchgen.errors import InputError
from batchgen.sandbox.faults import KINDS, PRESETS, FaultRule, Faults, check_faults, rules_of


def _strikes(faults: Faults, count: int = 4_000, **change: object) -> list[bool]:
    same = {"attempt": 1, "prompt": "a mug", "images_billed": 0, **change}
    return [faults.strike(key=f"key {number}", **same) is not None for number in range(count)]


def test_rate_is_the_share_of_attempts():
    """Of 4,000 keys a rate of 8 % strikes about 320."""
    assert 250 < sum(_strikes(Faults(rules=rules_of({"kind": "throttle", "rate": 0.08})))) < 390


@pytest.mark.parametrize(("rate", "expected"), [(0, False), (1, True)])
def test_rates_at_the_ends_never_and_always_strike(rate: float, expected):
    """0 and 1 leave nothing to chance."""
    assert set(_strikes(Faults(rules=rules_of({"kind": "error", "rate": rate})))) == {expected}


def test_same_seed_key_and_attempt_decide_alike():
    """Another server with the same seed strikes the same requests; another seed does not."""
    rules = rules_of({"kind": "error", "rate": 0.5})
    first, again, other = (_strikes(Faults(rules=rules, seed=seed), 200) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_attempts_of_a_key_are_decided_anew():
    """A struck request is not struck for ever."""
    faults = Faults(rules=rules_of({"kind": "error", "rate": 0.5}))
    assert _strikes(faults, 200, attempt=1) != _strikes(faults, 200, attempt=2)


def test_refusal_follows_the_prompt_and_not_the_attempt():
    """Moderation says the same of a prompt under any key, at any attempt."""
    faults = Faults(rules=rules_of({"kind": "refused", "rate": 0.5}))
    assert all(len(set(_strikes(faults, 20, prompt=str(prompt)))) == 1 for prompt in range(20))
    assert len({_strikes(faults, 1, prompt=str(prompt))[0] for prompt in range(20)}) == 2


def test_first_limits_a_rule_to_the_first_attempts():
    """`first: 2` lets the third attempt through."""
    faults = Faults(rules=rules_of({"kind": "error", "first": 2}))
    assert [_strikes(faults, 1, attempt=attempt)[0] for attempt in (1, 2, 3)] == [True, True, False]


def test_match_limits_a_rule_to_some_prompts():
    """`match` is looked for in the prompt as it was sent."""
    faults = Faults(rules=rules_of({"kind": "error", "match": "mug"}))
    assert [_strikes(faults, 1, prompt=prompt)[0] for prompt in ("a mug", "a fox")] == [True, False]


def test_after_waits_for_billed_images():
    """`after: 10` begins with the eleventh image."""
    faults = Faults(rules=rules_of({"kind": "quota", "after": 10}))
    assert [_strikes(faults, 1, images_billed=count)[0] for count in (9, 10)] == [False, True]


def test_first_rule_that_strikes_wins():
    """Rules are tried in the order written."""
    faults = Faults(rules=rules_of(["lost", "error"]))
    struck = faults.strike(key="k", attempt=1, prompt="", images_billed=0)
    assert struck is not None
    assert struck.kind == "lost"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_rule(kind: str):
    """Each kind can be named alone and with options."""
    assert rules_of([kind, {"kind": kind, "rate": 0.5}]) == (FaultRule(kind=kind), FaultRule(kind=kind, rate=0.5))


def test_preset_is_known_by_name_and_in_a_list():
    """`flaky` stands for its rules, also as a kind, with options over all of them."""
    assert rules_of("flaky") == PRESETS["flaky"]
    assert rules_of(["flaky", "lost"]) == (*PRESETS["flaky"], FaultRule(kind="lost"))
    assert {rule.first for rule in rules_of({"kind": "flaky", "first": 1})} == {1}


@pytest.mark.parametrize("raw", [None, (), []])
def test_no_rules_are_sound(raw: object):
    """Nothing means nothing."""
    assert rules_of(raw) == ()


def test_unknown_kind_gets_a_guess():
    """A slip of the pen is met with the likely word and the whole list."""
    (problem,) = check_faults([{"kind": "trottle"}])
    assert problem.key == "faults[0].kind"
    assert "did you mean 'throttle'?" in problem.message


def test_every_problem_is_found_in_one_pass():
    """Kinds, options and values of all rules are judged together."""
    raw = ["flaki", {"rate": 2}, {"kind": "lost", "rte": 1, "first": 0, "billed": "no"}, 7]
    assert [problem.key for problem in check_faults(raw)] == [
        "faults[0]",
        "faults[1].kind",
        "faults[1].rate",
        "faults[2].rte",
        "faults[2].first",
        "faults[2].billed",
        "faults[3]",
    ]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("rate", "0.5"),
        ("rate", True),
        ("rate", float("nan")),
        ("first", 1.5),
        ("match", 3),
        ("after", -1),
        ("seconds", -1),
        ("seconds", float("inf")),
        ("retry_after", "1s"),
        ("retry_style", "words"),
    ],
)
def test_unsound_value_names_what_is_expected(option: str, value: object):
    """Wrong types, infinities and values out of range are refused."""
    (problem,) = check_faults({"kind": "throttle", option: value})
    assert problem.key == f"faults.{option}"
    assert "expected" in problem.message


@pytest.mark.parametrize("raw", [3, 1.5, object()])
def test_what_is_no_list_is_refused(raw: object):
    """A number is no set of rules."""
    with pytest.raises(InputError, match="is not a list"):
        rules_of(raw)


def test_billing_is_that_of_the_kind_unless_the_rule_says_otherwise():
    """A 502 is not billed by default, a lost answer is; both can be turned round."""
    usual = rules_of(["bad_gateway", "timeout", "lost"])
    turned = rules_of([{"kind": "bad_gateway", "billed": True}, {"kind": "lost", "billed": False}])
    assert [rule.is_billed for rule in usual] == [False, True, True]
    assert [rule.is_billed for rule in turned] == [True, False]
