import pytest

from batchgen.manifest.rows import Row
from batchgen.plan.axes import Axes, PromptAxes
from batchgen.plan.combine import Option

ROW = Row(values={"sku": "MU-1", "stock": 3, "on": True, "none": None, "tags": ["a"]}, source="", key="MU-1")
OPTION = Option(id="de-DE", part="de-DE", value={"id": "de-DE"})


def test_axes_are_a_mapping_of_texts():
    """Selectors see prompt, axes, plain columns and take, all as text."""
    axes = Axes(PromptAxes(prompt="hero", names=("locale",), period=None), (OPTION,), ROW, 2)
    assert axes == {
        "prompt": "hero",
        "locale": "de-DE",
        "row.sku": "MU-1",
        "row.stock": "3",
        "row.on": "true",
        "row.none": "",
        "take": "2",
    }
    assert len(axes) == 7


def test_axes_of_a_period_have_its_bucket():
    """A job with a period can be selected by bucket."""
    axes = Axes(PromptAxes(prompt="hero", names=(), period="2026-11"), (), None, 1)
    assert dict(axes) == {"prompt": "hero", "take": "1", "period": "2026-11"}


@pytest.mark.parametrize("name", ["locale.id", "row.tags", "row.nope", "row", "period", ""])
def test_what_is_not_there_is_a_key_error(name):
    """A mapping answers what it lists and nothing else."""
    axes = Axes(PromptAxes(prompt="hero", names=("locale",), period=None), (OPTION,), ROW, 1)
    with pytest.raises(KeyError):
        axes[name]
    assert name not in axes
