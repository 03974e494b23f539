import pytest

from batchgen.manifest.schema import RequestBlock
from batchgen.plan.params import coerce, compile_params
from batchgen.plan.report import RenderError


def compiled(job=None, own=None):
    said = []
    params = compile_params(RequestBlock(**job or {}), RequestBlock(**own or {}), 3, lambda *one: said.append(one))
    assert not said
    return params


def flaws(**job):
    said = []
    compile_params(RequestBlock(**job), RequestBlock(), 0, lambda keys, message: said.append((keys, message)))
    return said


def test_own_parameters_hide_the_jobs():
    """A prompt's request is laid over the job's, key by key."""
    params = compiled({"size": "1x1", "quality": "high"}, {"quality": "low"})
    assert params.render({}) == {"size": "1x1", "quality": "low"}


def test_extra_is_flattened_and_unchecked():
    """`extra` merges by key, keeps its types, renders its texts, and is named in `unchecked`."""
    params = compiled({"extra": {"seed": 1, "a": "${{ x }}"}}, {"extra": {"seed": 2, "b": {"c": ["${{ x }}", 1.5]}}})
    assert params.render({"x": "y"}) == {"seed": 2, "a": "y", "b": {"c": ["y", 1.5]}}
    assert params.unchecked == {"seed", "a", "b"}


@pytest.mark.parametrize("name", ["size", "model", "n", "prompt", "image", "images", "image[]", "mask"])
def test_extra_cannot_take_a_known_name(name):
    """A first-class name in `extra` would go round its check."""
    [(keys, message)] = flaws(extra={name: 1})
    assert keys == ("request", "extra", name)
    assert f"'{name}' cannot be given in extra; " in message


def test_n_in_extra_points_to_repeat():
    """The remedy for `n` is `repeat`."""
    assert "write `repeat`" in flaws(extra={"n": 4})[0][1]


def test_a_broken_template_has_its_place():
    """A template that cannot be compiled is reported at its key."""
    [(keys, message)] = flaws(size="${{ a b }}")
    assert keys == ("request", "size")
    assert "is no valid expression" in message


def test_equal_parameters_are_one_mapping():
    """Requests that render alike share their parameters."""
    params = compiled({"size": "${{ s }}"})
    assert params.render({"s": "a"}) is params.render({"s": "a"})
    assert params.render({"s": "b"}) == {"size": "b"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("output_compression", " 85 ", 85),
        ("partial_images", "0", 0),
        ("stream", "true", True),
        ("watermark", "False", False),
        ("size", " 1024x1024 ", "1024x1024"),
        ("stream", True, True),
    ],
)
def test_text_becomes_the_type_of_its_field(name, text, value):
    """What an expression gives is text; the field's type decides what is sent."""
    assert coerce(name, text) is value or coerce(name, text) == value
    assert type(coerce(name, text)) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("output_compression", "101", "'101' is no whole number from 0 to 100"),
        ("output_compression", "8.5", "'8.5' is no whole number"),
        ("output_compression", "-1", "is no whole number"),
        ("output_compression", "9" * 10_000, "is no whole number"),
        ("partial_images", "4", "from 0 to 3"),
        ("partial_images", "²", "is no whole number"),
        ("stream", "yes", "'yes' is neither true nor false"),
        ("watermark", "", "'' is neither true nor false"),
        ("size", " ", "is empty"),
    ],
)
def test_wrong_values_have_their_place(name, text, message):
    """A value that its field does not take is an error at the key that gave it."""
    with pytest.raises(RenderError) as caught:
        compiled(own={name: "${{ x }}"}).render({"x": text})
    assert caught.value.keys == ("prompts", 3, "request", name)
    assert message in caught.value.message
