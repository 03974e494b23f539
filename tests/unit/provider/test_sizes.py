"""Sizes: the documents' lists, the rule over free sizes, presets, and advice for wrong ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.provider.catalog import resolve
from batchgen.provider.readers import WrongValueError
from batchgen.provider.sizeform import read_size_policy
from batchgen.provider.sizes import SizePolicy, listed, nearest, size_problem, target

POPULAR = {"auto", "1024x1024", "1536x1024", "1024x1536", "2048x2048", "2048x1152", "3840x2160", "2160x3840"}
DOCUMENTED = {
    ("openai", "generate"): POPULAR,
    ("openai", "edit"): POPULAR,
    ("gptproto", "generate"): POPULAR,
    ("gptproto", "edit"): POPULAR,
    ("bettertoken", "generate"): POPULAR | {"1536x1152", "1152x1536"},
    ("bettertoken", "edit"): POPULAR,
    **dict.fromkeys(
        [("unified", "generate"), ("unified", "edit")],
        {"1024x1024", "1536x1152", "1536x1024", "1024x1536", "1920x1080", "1080x1920"}
        | {"1:1", "4:3", "3:2", "2:3", "16:9", "9:16"},
    ),
}


def provider(name):
    return resolve(name, {"base_url": "https://gateway.example.com/v1"} if name == "unified" else {})


def rule():
    return provider("openai").sizes["generate"]


@pytest.mark.parametrize(("name", "operation"), DOCUMENTED)
def test_listed_sizes_are_those_of_the_document(name, operation):
    """Neither a size more nor one less than the provider's page has, each once."""
    sizes = listed(provider(name), operation)
    assert set(sizes) == DOCUMENTED[name, operation]
    assert len(sizes) == len(set(sizes))


@pytest.mark.parametrize(("name", "operation"), DOCUMENTED)
def test_every_listed_size_is_admitted(name, operation):
    """What the list names, the check lets through."""
    policy = provider(name).sizes[operation]
    assert [size for size in listed(provider(name), operation) if size_problem(policy, size)] == []


@pytest.mark.parametrize(("name", "operation"), DOCUMENTED)
def test_sandbox_takes_every_size_of_every_provider(name, operation):
    """A job for any provider runs on the sandbox."""
    sandbox = provider("sandbox").sizes[operation]
    assert [size for size in listed(provider(name), operation) if size_problem(sandbox, size)] == []


@pytest.mark.parametrize(
    "size", ["816x816", "3840x2160", "1280x720", "1920x1088", "2880x2880", "1536x512", "1024x1792"]
)
def test_rule_admits_free_sizes(size):
    """Multiples of 16 within the bounds pass, those seen live among them."""
    assert size_problem(rule(), size) == ""


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ("1920x1080", "multiples of 16"),
        ("800x800", "too few"),
        ("1024x576", "too few"),
        ("3008x3008", "too many"),
        ("3856x2160", "longest edge may be 3840"),
        ("3200x1056", "at most 3 times"),
        ("1056x3200", "at most 3 times"),
    ],
)
def test_rule_says_which_bound_is_broken(size, reason):
    """Each refusal names its bound and sizes that would do."""
    problem = size_problem(rule(), size)
    assert reason in problem
    assert "near it: " in problem


@pytest.mark.parametrize(
    ("size", "meant"),
    [
        ("1024X1024", "1024x1024"),
        ("1536×1024", "1536x1024"),
        (" 2048 x 1152 ", "2048x1152"),
        ("01024x1024", "1024x1024"),
    ],
)
def test_misspelled_size_is_recognised(size, meant):
    """A capital X, a multiplication sign and blanks are read as what they mean."""
    assert nearest(rule(), size) == (meant,)
    assert meant in size_problem(rule(), size)


@pytest.mark.parametrize("size", ["1000x7", "7x1000", "9999x1", "5000x1000"])
@pytest.mark.parametrize("name", ["sandbox", "openai", "gptproto", "bettertoken", "unified"])
def test_advice_has_a_shape_that_somebody_may_want(name, size):
    """A slip such as 1000x7 is answered with popular sizes, not with a strip of 3000x21."""
    near = [target(provider(name).sizes["generate"], one) for one in nearest(provider(name).sizes["generate"], size)]
    assert len(near) == 3
    assert all(max(edges) <= 3 * min(edges) for edges in near)


def test_advice_names_each_size_once():
    """A preset and the pixels that it stands for are one proposal."""
    near = nearest(provider("sandbox").sizes["generate"], "1000x7")
    assert near == ("1920x1080", "2048x1152", "1536x1024")


def test_full_hd_gets_near_sizes_of_its_shape():
    """1920x1080 is not valid everywhere; the advice has 16:9 and the nearest grid point."""
    near = nearest(rule(), "1920x1080")
    assert "1920x1088" in near or "1904x1072" in near
    assert "1792x1008" in near or "2048x1152" in near


def test_ratio_gets_sizes_of_that_ratio():
    """Listed sizes of the ratio come first, then free ones."""
    assert nearest(rule(), "1:1")[0] == "1024x1024"
    for size in nearest(rule(), "16:9"):
        width, height = map(int, size.split("x"))
        assert width * 9 == height * 16


def test_closed_list_offers_its_own_sizes_only():
    """At a gateway with a list the advice stays on the list."""
    policy = provider("bettertoken").sizes["edit"]
    assert set(nearest(policy, "1536x1152")) <= set(policy.named)
    assert "expected auto, 1024x1024" in size_problem(policy, "1536x1152")


@given(st.integers(1, 9999), st.integers(1, 9999))
def test_advice_is_always_admitted(width, height):
    """Whatever was wished, each proposal passes the check, and there is one."""
    near = nearest(rule(), f"{width}x{height}")
    assert near
    assert all(rule().admits(size) for size in near)


@given(st.text(max_size=12))
def test_any_text_gets_an_answer(size):
    """No text makes the check raise, and only admitted ones are silent."""
    for policy in (rule(), provider("unified").sizes["generate"], SizePolicy(free=True)):
        assert (size_problem(policy, size) == "") == policy.admits(size)


@pytest.mark.parametrize(
    "size", ["", "big", "0x0", "1024x", "-1x5", "1024x1024x1", "١٠٢٤x١٠٢٤", "1e3x1e3", "1024x1024\n"]
)
def test_what_is_no_size_is_refused_with_the_form(size):
    """Digits of other scripts, line ends and words are no sizes."""
    assert not rule().admits(size)
    assert size_problem(rule(), size)


@pytest.mark.parametrize(
    ("size", "pixels"),
    [("16:9", (1920, 1080)), ("9:16", (1080, 1920)), ("1536x1024", (1536, 1024)), ("auto", None), ("odd", None)],
)
def test_target_is_what_a_preset_stands_for(size, pixels):
    """A preset is sent as written; its pixels are known from the document."""
    assert target(provider("unified").sizes["generate"], size) == pixels


def test_preset_elsewhere_is_refused_with_sizes_of_that_shape():
    """16:9 is a word of one gateway only."""
    problem = size_problem(rule(), "16:9")
    assert "is not a size here" in problem
    assert "x" in problem.split("near it: ")[1]


def test_free_policy_admits_anything():
    """A gateway nobody knows may call its sizes what it likes."""
    assert size_problem(read_size_policy("any"), "huge") == ""


def test_policy_is_read_from_a_list_or_a_mapping():
    """Both forms of the data mean what they say."""
    assert read_size_policy(["1024x1024"]) == SizePolicy(named=("1024x1024",))
    assert read_size_policy({"multiple_of": 8}).admits("72x80")


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        (7, ()),
        ("all", ()),
        ([1024], (0,)),
        ({"maxedge": 3}, ("maxedge",)),
        ({"max_edge": 0}, ("max_edge",)),
        ({"multiple_of": True}, ("multiple_of",)),
        ({"presets": {"wide": "16:9"}}, ("presets", "wide")),
    ],
)
def test_wrong_policy_is_placed(value, keys):
    """Every mistake is reported at its key."""
    with pytest.raises(WrongValueError) as caught:
        read_size_policy(value)
    assert caught.value.findings[0][0] == keys
