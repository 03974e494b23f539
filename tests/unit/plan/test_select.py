from collections import Counter
from dataclasses import dataclass

import pytest

from batchgen.errors import UsageError
from batchgen.plan.select import Selection, parse_selection
from batchgen.request import Request


@dataclass
class Status:
    request: Request
    state: str


def status(slot, state="new", prompt="a mug", take=1, source="", **axes):
    request = Request(
        id=slot, base_id=slot, slot=slot, operation="generate", prompt=prompt, params={}, path=f"images/{slot}.png",
        take=take, source=source, axes={key.replace("__", "."): value for key, value in axes.items()},
    )  # fmt: skip
    return Status(request, state)


ITEMS = [
    status("hero/mug/de-DE/v1", "done", locale="de-DE", product="mug", row__sku="MU-1"),
    status("hero/mug/ja-JP/v1", "failed", locale="ja-JP", product="mug", row__sku="MU-1"),
    status("hero/tray/de-DE/v1", "new", "a bamboo tray", locale="de-DE", product="tray", row__sku="TR-1"),
    status("pack/v1", "in_doubt", "a pack", prompt_="x"),
]


def chosen(*select, items=ITEMS, **options):
    return [item.request.slot for item in parse_selection(select, **options).apply(items)]


def refusal(*select, **options):
    with pytest.raises(UsageError) as caught:
        chosen(*select, **options)
    return caught.value.message


def test_nothing_asked_selects_everything():
    """Without options every image is meant, in plan order."""
    assert parse_selection().is_everything
    assert chosen() == [item.request.slot for item in ITEMS]
    assert not parse_selection(limit=1).is_everything


@pytest.mark.parametrize(
    ("select", "places"),
    [
        (["hero/mug/*"], [0, 1]),
        (["hero/mug"], [0, 1]),
        (["pack/v1"], [3]),
        (["locale=de-DE"], [0, 2]),
        (["locale=de-DE,ja-JP"], [0, 1, 2]),
        (["locale.id=de-DE"], [0, 2]),
        (["row.sku=MU-*"], [0, 1]),
        (["state:failed"], [1]),
        (["state:failed,in_doubt"], [1, 3]),
        (["state:in-doubt"], [3]),
        (["locale=de-DE", "product=tray"], [2]),
        (["locale=ja-JP,state:new"], [1, 2]),
        (["hero/mug/de*,pack"], [0, 3]),
        (["state:missing"], []),
        (["locale=de-DE", "state:failed"], []),
    ],
)
def test_selectors(select, places):
    """Patterns on slots, axes and columns, and states; repeated narrows, a comma widens."""
    assert chosen(*select) == [ITEMS[place].request.slot for place in places]


def test_exclude_takes_out():
    """`--exclude` has the same language."""
    assert chosen(exclude=["locale=de-DE", "state:in_doubt"]) == ["hero/mug/ja-JP/v1"]


def test_words_are_looked_for_in_slot_and_prompt():
    """All words have to be there, in any order and case."""
    assert chosen(words="TRAY bamboo") == ["hero/tray/de-DE/v1"]
    assert chosen(words="pack") == ["pack/v1"]


def test_failed_is_a_state():
    """`--failed` is `state:failed`, and may match nothing."""
    assert chosen(failed=True) == ["hero/mug/ja-JP/v1"]
    assert chosen(failed=True, items=ITEMS[:1]) == []


def test_limit_takes_the_first():
    """`--limit` keeps plan order."""
    assert chosen(limit=2) == [item.request.slot for item in ITEMS[:2]]


def test_the_bucket_of_a_slot_may_be_left_out():
    """In a job with a period `hero` means today's hero."""
    items = [status("2026-11-20/hero/v1", period="2026-11-20")]
    assert chosen("hero", items=items) == chosen("hero/*", items=items) == chosen("2026-11-20/*", items=items)


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("hero/mugg/*", "'hero/mugg/*' matches no slot (did you mean 'hero/mug'"),
        ("lokale=de-DE", "'lokale' is nothing to select by (did you mean 'locale'?); there are: locale, product"),
        ("locale=de-De", "'locale=de-De' matches no image (did you mean 'de-DE'"),
        ("state:faild", "'state:faild' is no state (did you mean 'failed'?); states: new, changed"),
        ("locale=de,", "has an empty selector"),
        ("", "has an empty selector"),
    ],
)
def test_what_matches_nothing_names_what_is_near(select, message):
    """A misspelt selector is an error with suggestions, never an empty run."""
    assert message in refusal(select)


def test_a_misspelt_exclude_is_an_error():
    """Otherwise images that nobody wants would be bought."""
    assert "matches no image" in refusal(exclude=["locale=fr-FR"])


def test_selectors_without_common_images_are_an_error():
    """Each matches, but nothing matches all of them."""
    assert "no image matches 'locale=ja-JP' and 'product=tray'" in refusal("locale=ja-JP", "product=tray")


def test_words_that_match_nothing_are_an_error():
    """As for selectors."""
    assert "no image matches the words 'no such'" in refusal(words="no such")


def test_an_empty_plan_has_nothing_to_misspell():
    """A nightly job without rows is not told that its selector is wrong."""
    assert chosen("hero/*", items=[]) == []


@pytest.mark.parametrize("options", [{"limit": 0}, {"sample": 0}, {"limit": -1}])
def test_counts_start_at_one(options):
    """`--limit 0` is a mistake."""
    assert "selects nothing" in refusal(**options)


def grid(products, locales, takes=1):
    return [
        status(f"p/{product}/{locale}/v{take}", take=take, product=str(product), locale=str(locale))
        for product in range(products)
        for locale in range(locales)
        for take in range(1, takes + 1)
    ]


def test_a_sample_is_spread_over_all_axes():
    """Twelve of 2 x 12 x 6 x 2 have every product once, every locale twice, and first takes only."""
    picked = parse_selection(sample=12).apply(grid(12, 6, takes=2))
    assert set(Counter(item.request.axes["product"] for item in picked).values()) == {1}
    assert set(Counter(item.request.axes["locale"] for item in picked).values()) == {2}
    assert {item.request.take for item in picked} == {1}


def test_a_sample_is_spread_over_rows():
    """Rows count like an axis."""
    items = [status(f"p/{row}/{n}/v1", source=f"a.csv line {row}", n=str(n)) for row in range(5) for n in range(5)]
    assert len({item.request.source for item in parse_selection(sample=5).apply(items)}) == 5


def test_a_sample_does_not_depend_on_order():
    """The same images are sampled after the manifest was reordered; the result keeps plan order."""
    items = grid(9, 7)
    first = [item.request.slot for item in parse_selection(sample=10).apply(items)]
    second = [item.request.slot for item in parse_selection(sample=10).apply(items[::-1])]
    assert first == second[::-1]


def test_a_sample_of_everything_is_everything():
    """A sample larger than the plan is the plan."""
    items = grid(2, 2)
    assert parse_selection(sample=9).apply(items) == items


def test_sample_comes_before_limit():
    """Both together: the first of the sample."""
    items = grid(4, 4)
    assert parse_selection(sample=8, limit=2).apply(items) == parse_selection(sample=8).apply(items)[:2]


def test_a_large_sample_is_quick():
    """A sample of thousands from tens of thousands is no quadratic affair."""
    assert len(Selection(sample=2_000).apply(grid(400, 100))) == 2_000
