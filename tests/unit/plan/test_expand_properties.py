import json
import posixpath
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.errors import InputError
from batchgen.manifest.load import load
from batchgen.plan.expand import expand

WORDS = st.text(alphabet="abcdefgh", min_size=1, max_size=5)
IDS = st.lists(WORDS, min_size=1, max_size=3, unique=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("jobs")


def planned(folder: Path, document):
    path = folder / "job.yaml"
    path.write_text(json.dumps({"version": 1, "name": "demo", **document}), encoding="utf-8")
    return expand(load(path, environ={})).requests


def manifest(prompts, rows, axes, repeat=1):
    return {
        "rows": {"inline": [{"k": key} for key in rows], "key": "k"},
        "matrix": {f"axis_{name}": values for name, values in axes},
        "prompts": [{"id": one, "text": "/".join([one, "${{ row.k }}", *expressions(axes)])} for one in prompts],
        "repeat": repeat,
    }


def expressions(axes):
    return [f"${{{{ axis_{name} }}}}" for name in sorted(name for name, _ in axes)]


AXES = st.dictionaries(WORDS, IDS, max_size=2).map(lambda axes: list(axes.items()))


@settings(max_examples=25)
@given(IDS, IDS, AXES, st.integers(1, 3))
def test_ids_and_slots_are_unique_and_the_same_every_time(folder, prompts, rows, axes, repeat):
    """Expansion is deterministic, and nothing is planned twice."""
    document = manifest(prompts, rows, axes, repeat)
    first, second = planned(folder, document), planned(folder, document)
    assert first == second
    assert len({one.id for one in first}) == len({one.slot for one in first}) == len({one.path for one in first})
    assert len({one.id for one in first}) == len(first)


@settings(max_examples=25)
@given(IDS, IDS, AXES, st.randoms(use_true_random=False))
def test_order_buys_nothing(folder, prompts, rows, axes, random):
    """Reordering prompts, rows and axis values changes no id and no slot."""
    before = {one.slot: one.id for one in planned(folder, manifest(prompts, rows, axes))}
    shuffled = [random.sample(one, len(one)) for one in (prompts, rows)]
    axes = [(name, random.sample(values, len(values))) for name, values in axes]
    assert {one.slot: one.id for one in planned(folder, manifest(*shuffled, axes))} == before


@settings(max_examples=25)
@given(IDS, IDS, st.randoms(use_true_random=False), AXES)
def test_the_order_of_axes_changes_no_id(folder, prompts, rows, random, axes):
    """Axes in another order rename slots, but ask for the same images."""
    before = {one.id for one in planned(folder, manifest(prompts, rows, axes))}
    assert {one.id for one in planned(folder, manifest(prompts, rows, random.sample(axes, len(axes))))} == before


@settings(max_examples=25)
@given(
    st.lists(
        st.text(alphabet="ab c!", min_size=1, max_size=30).filter(str.strip),
        min_size=1,
        max_size=5,
        unique_by=str.strip,
    )
)
def test_unnamed_prompts_keep_their_slots_when_reordered(folder, texts):
    """A slot that was made from a text depends on nothing but the text."""
    texts = [f"{text.strip()} {number}" for number, text in enumerate(texts)]
    before = {one.prompt: (one.slot, one.id) for one in planned(folder, {"prompts": texts})}
    assert {one.prompt: (one.slot, one.id) for one in planned(folder, {"prompts": texts[::-1]})} == before


HOSTILE = st.text(alphabet=st.sampled_from("ab/.\\~:-_ \u202e\u0301é$@{}CONaux1"), min_size=1, max_size=12)


@settings(max_examples=60)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_hostile_data_stays_below_images(folder, key, value, literal):
    """Whatever rows, axes and path templates hold, the path is below images/ and normal, or the plan is refused."""
    document = {
        "rows": {"inline": [{"k": key, "v": value}], "key": "k"},
        "matrix": {"axis": [value]},
        "prompts": [
            {"id": "a", "text": "default ${{ row.v }}"},
            {"id": "b", "text": "path ${{ row.v }}", "path": "${{ row.v }}/${{ axis }}x" + literal.replace("$", "")},
        ],
    }
    try:
        requests = planned(folder, document)
    except InputError:
        return
    for request in requests:
        assert request.path.startswith("images/")
        assert posixpath.normpath(request.path) == request.path
        assert not {part for part in request.path.split("/") if part.startswith(".") or part.rstrip(". ") != part}
