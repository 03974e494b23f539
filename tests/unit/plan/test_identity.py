"""The request id: what is in it, what is not, and that it never changes."""

import hashlib
import json
import math
import string
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.plan.identity import NOT_IN_ID, bucket, canonical, changed_fields, is_bucket, request_id

GOLDEN = json.loads(Path(__file__).with_name("golden_ids.json").read_text(encoding="utf-8"))
BASE = {
    "job": "hello",
    "operation": "generate",
    "prompt": "a mug",
    "params": {"model": "gpt-image-2", "size": "1024x1024"},
    "image_hashes": (),
    "mask_hash": None,
    "take": 1,
    "redo": 0,
    "period": None,
}

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


def with_(**changes):
    return {**BASE, **changes}


@pytest.mark.parametrize("number", range(len(GOLDEN)))
def test_golden_ids_never_change(number):
    """An id of an earlier release stays what it was: a changed one would be bought again."""
    case = dict(GOLDEN[number])
    assert case.pop("id") == request_id(**case)


def test_golden_file_is_large_enough_to_mean_something():
    """At least 200 cases, and only those that must agree share an id."""
    assert len(GOLDEN) >= 200
    assert len({case["id"] for case in GOLDEN}) > 195


def test_id_is_the_start_of_the_hash_of_the_canonical_text():
    """Anyone can compute the id from the text in the ledger."""
    assert request_id(**BASE) == hashlib.sha256(canonical(**BASE).encode()).hexdigest()[:32]


@given(prompt=words, params=st.dictionaries(words, scalars | words, max_size=5))
def test_canonical_text_is_what_a_plain_json_encoder_writes(prompt, params):
    """The hand-made text equals that of the standard encoder, with whole floats as integers."""
    kept = {
        name: int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
        for name, value in params.items()
        if name not in NOT_IN_ID
    }
    body = {"images": [], "job": "hello", "mask": None, "operation": "generate", "params": kept, "period": None}
    body |= {"prompt": prompt, "redo": 0, "take": 1, "v": 1}
    expected = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(**with_(prompt=prompt, params=params)) == expected


@given(params=st.dictionaries(words, values, max_size=4))
def test_order_of_parameters_does_not_matter(params):
    """Writing the parameters in another order buys nothing."""
    backwards = dict(reversed(params.items()))
    assert request_id(**with_(params=params)) == request_id(**with_(params=backwards))


@given(prompt=words, params=st.dictionaries(words, values, max_size=4))
def test_canonical_text_is_one_utf8_line_that_says_it_all(prompt, params):
    """The ledger can keep the text as it is, and read back what was asked."""
    text = canonical(**with_(prompt=prompt, params=params))
    assert "\n" not in text
    assert json.loads(text.encode())["prompt"] == prompt


@pytest.mark.parametrize(
    "change",
    [
        {"job": "other"},
        {"operation": "edit"},
        {"prompt": "a mug "},
        {"params": {"model": "gpt-image-2", "size": "1536x1024"}},
        {"params": {"model": "gpt-image-2", "size": "1024x1024", "quality": "low"}},
        {"image_hashes": ("a" * 64,)},
        {"mask_hash": "a" * 64},
        {"take": 2},
        {"redo": 1},
        {"period": "2026-11-20"},
    ],
    ids=str,
)
def test_everything_the_picture_depends_on_changes_the_id(change):
    """Each field of the identity counts."""
    assert request_id(**with_(**change)) != request_id(**BASE)


def test_order_of_images_changes_the_id():
    """Image 1 and image 2 are not interchangeable."""
    one = request_id(**with_(image_hashes=("a", "b")))
    assert one != request_id(**with_(image_hashes=("b", "a")))
    assert one != request_id(**with_(image_hashes=("a,b",)))


@pytest.mark.parametrize("name", sorted(NOT_IN_ID))
def test_how_the_answer_travels_is_not_in_the_id(name):
    """Streaming, the answer's form and the end user's name never buy a picture again."""
    params = {**BASE["params"], name: "anything"}
    assert request_id(**with_(params=params)) == request_id(**BASE)


def test_excluded_names_count_inside_containers():
    """Only a parameter of that name is left out, not a member of another one."""
    assert request_id(**with_(params={"x": {"user": 1}})) != request_id(**with_(params={"x": {}}))


def test_whole_floats_and_integers_are_one_request():
    """`7.0` and `7` are the same number; text and booleans are not numbers."""
    seven = request_id(**with_(params={"seed": 7}))
    assert seven == request_id(**with_(params={"seed": 7.0}))
    others = {request_id(**with_(params={"seed": value})) for value in ("7", 7.5, True, None)}
    assert len(others | {seven}) == 5


def test_numpy_like_subclasses_hash_as_the_plain_type():
    """A subclass of text or int says what its base says."""

    class Size(str):
        __slots__ = ()

    assert request_id(**with_(params={"size": Size("auto")})) == request_id(**with_(params={"size": "auto"}))


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, {1, 2}, b"x", object(), [math.nan]],
    ids=["nan", "inf", "minus inf", "set", "bytes", "object", "nan in a list"],
)
def test_what_json_cannot_say_is_refused(value):
    """A value without one spelling cannot be part of an id."""
    with pytest.raises(ValueError, match=r"JSON|cannot hold"):
        request_id(**with_(params={"x": value}))


def test_key_that_is_not_text_is_refused():
    """`{1: a}` and `{"1": a}` would become one request."""
    with pytest.raises(ValueError, match="not text"):
        request_id(**with_(params={"map": {1: "a"}}))


@pytest.mark.parametrize("field", ["job", "prompt"])
def test_lone_surrogate_is_refused_with_a_clear_message(field):
    """Half a character has no UTF-8 form."""
    with pytest.raises(ValueError, match="lone surrogate"):
        request_id(**with_(**{field: "\ud83d"}))


def test_changed_fields_are_named_as_people_know_them():
    """Plan says what changed: the prompt and what follows, images by number, bookkeeping last."""
    new = with_(prompt="x", params={"model": "gpt-image-2", "size": "auto", "seed": 1}, image_hashes=["a", "b"], take=2)
    old = with_(image_hashes=["a", "c"], mask_hash="m")
    assert changed_fields(canonical(**old), canonical(**new)) == ("prompt", "size", "seed", "image 2", "mask", "take")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"redo": 1}, "redo"),
        ({"period": "2026-11"}, "period"),
        ({"operation": "edit"}, "operation"),
        ({"job": "b"}, "job"),
        ({"params": {"size": "1024x1024"}}, "model"),
        ({"params": {**BASE["params"], "take": 9}}, "request.take"),
        ({"params": {**BASE["params"], "x": True}}, "x"),
    ],
)
def test_one_changed_field_is_one_name(change, named):
    """Added, changed and removed fields are all changes."""
    assert changed_fields(canonical(**BASE), canonical(**with_(**change))) == (named,)


def test_many_images_are_listed_in_order():
    """Image 10 comes after image 2."""
    old, new = with_(image_hashes=["a"] * 11), with_(image_hashes=["a", *"bbbbbbbbbb"])
    listed = changed_fields(canonical(**old), canonical(**new))
    assert listed == tuple(f"image {number}" for number in range(2, 12))


def test_true_and_one_differ():
    """Python calls them equal, the server does not."""
    assert changed_fields(canonical(**with_(params={"x": True})), canonical(**with_(params={"x": 1}))) == ("x",)


@pytest.mark.parametrize("old", ["", "{", "[]", "null", '{"params":1}', '{"params":{},"images":3}', "[" * 99_999])
def test_unreadable_old_text_is_still_a_change(old):
    """A damaged or foreign text never raises and never looks unchanged."""
    assert changed_fields(old, canonical(**BASE)) == ("request",)


def test_equal_texts_have_no_changes():
    """Nothing changed, also when nobody can read it."""
    assert changed_fields("{", "{") == ()
    assert changed_fields(canonical(**BASE), canonical(**BASE)) == ()


@pytest.mark.parametrize(
    ("period", "moment", "expected"),
    [
        ("daily", datetime(2026, 11, 20, 23, 59, tzinfo=UTC), "2026-11-20"),
        ("weekly", datetime(2026, 11, 20, tzinfo=UTC), "2026-W47"),
        ("monthly", datetime(2026, 11, 20, tzinfo=UTC), "2026-11"),
        ("weekly", datetime(2027, 1, 1, tzinfo=UTC), "2026-W53"),
        ("weekly", datetime(2024, 12, 30, tzinfo=UTC), "2025-W01"),
        ("daily", datetime(2026, 11, 21, 1, tzinfo=timezone(timedelta(hours=9))), "2026-11-20"),
    ],
)
def test_bucket_is_of_the_utc_day(period, moment, expected):
    """Buckets follow UTC and ISO weeks, wherever the machine stands."""
    assert bucket(period, moment) == expected
    assert is_bucket(period, expected)


def test_bucket_refuses_naive_moments_and_unknown_periods():
    """A naive moment would mean another day elsewhere."""
    with pytest.raises(ValueError, match="time zone"):
        bucket("daily", datetime(2026, 11, 20))  # noqa: DTZ001  the point of the test
    with pytest.raises(ValueError, match="hourly"):
        bucket("hourly", datetime(2026, 11, 20, tzinfo=UTC))
    with pytest.raises(ValueError, match="hourly"):
        is_bucket("hourly", "2026")


@pytest.mark.parametrize(
    ("period", "text"),
    [
        ("daily", "2026-02-30"),
        ("daily", "20261120"),
        ("daily", "2026-W47"),
        ("weekly", "2025-W53"),
        ("weekly", "2026W47"),
        ("weekly", "2026-11-20"),
        ("monthly", "2026-13"),
        ("monthly", "2026-1"),
        ("monthly", ""),
        ("weekly", "../../etc"),
    ],
)
def test_what_no_clock_gives_is_no_bucket(period, text):
    """`--period` takes only buckets that exist; the text becomes part of paths."""
    assert not is_bucket(period, text)


@given(st.text(string.printable, max_size=12))
def test_is_bucket_never_raises(text):
    """Whatever a user types is an answer, not a crash."""
    assert all(isinstance(is_bucket(period, text), bool) for period in ("daily", "weekly", "monthly"))
