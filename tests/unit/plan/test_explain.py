import pytest

from batchgen.plan.explain import Shape, explanation


def shape(rows=None, axes=(), **rest):
    return Shape(
        **{"rows": rows, "axes": axes, "excluded": 0, "added": 0, "skipped": 0, "takes": 1, "requests": 0} | rest
    )


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        ([shape(axes=(4, 3, 4), excluded=3, takes=2)], "4 x 3 x 4 - 3, x 2 takes"),
        ([shape(), shape()], "2 prompts"),
        ([shape()], "1 prompt"),
        ([shape(rows=1250, axes=(2, 2))], "1250 rows x 2 x 2"),
        ([shape(rows=1)], "1 row"),
        ([shape(rows=5, axes=(2, 2), excluded=1, added=2)], "5 rows x (2 x 2 - 1 + 2)"),
        ([shape(axes=(3,)), shape(axes=(3,))], "2 prompts x 3"),
        ([shape(axes=(3,), excluded=1), shape(axes=(3,), excluded=1)], "2 prompts x (3 - 1)"),
        (
            [shape(rows=2, axes=(2,), takes=2), shape(rows=2, skipped=2, takes=2)],
            "2 rows x 2, x 2 takes + 2 rows, x 2 takes - 2 by only_if",
        ),
        ([shape(added=2)], "0 + 2"),
    ],
)
def test_explanations(shapes, text):
    """The terms are those of the manifest, and add up to the number of images."""
    assert explanation(shapes) == text
