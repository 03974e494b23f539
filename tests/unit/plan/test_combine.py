import pytest

from batchgen.manifest.schema import MatrixBlock
from batchgen.plan.combine import Matrix, build_matrix

AXES = {
    "product": [{"id": "mug", "size": "s"}, {"id": "tray", "size": "l"}],
    "locale": ["en", "de"],
    "count": [1, 2.5],
}


def build(text_of=lambda _: None, **block):
    said = []
    matrix = build_matrix(MatrixBlock(**block), text_of, lambda keys, message: said.append((keys, message)))
    return matrix, said


def ids(matrix):
    return ["/".join(option.id for option in one.options) for one in matrix.combinations()]


def test_product_in_the_order_written():
    """The last axis changes fastest."""
    matrix, said = build(product=AXES["product"], locale=AXES["locale"])
    assert ids(matrix) == ["mug/en", "mug/de", "tray/en", "tray/de"]
    assert (matrix.names, matrix.factors, matrix.size, said) == (("product", "locale"), (2, 2), 4, [])


def test_no_axes_are_one_combination():
    """A prompt without a matrix is made once."""
    assert ids(Matrix()) == [""]
    assert Matrix().size == 1


def test_exclude_by_id_value_and_list():
    """A condition compares the value or its id; a list means any of them."""
    assert ids(build(**AXES, exclude=[{"product": "tray"}, {"locale": ["en", "de"], "count": 2.5}])[0]) == [
        "mug/en/1",
        "mug/de/1",
    ]


def test_exclude_by_whole_object():
    """An object in a condition is compared as a whole."""
    matrix, said = build(product=AXES["product"], exclude=[{"product": {"id": "mug", "size": "s"}}])
    assert ids(matrix) == ["tray"]
    assert not said


def test_add_appends_after_exclude():
    """An excluded combination can be put back, and comes last."""
    matrix, said = build(
        product=AXES["product"], locale=["en"], exclude=[{"product": "mug"}], add=[{"locale": "en", "product": "mug"}]
    )
    assert ids(matrix) == ["tray/en", "mug/en"]
    assert not said


def test_add_may_bring_a_new_value():
    """`add` may use a value that its axis does not have, also an object."""
    matrix, said = build(
        product=AXES["product"],
        locale=["en"],
        add=[{"product": {"id": "cup"}, "locale": "ja"}],
        extend=[{"when": {"locale": "ja"}, "vars": {"x": 1}}],
    )
    assert ids(matrix)[-1] == "cup/ja"
    assert [one.extends for one in matrix.combinations()] == [(), (), (0,)]
    assert not said


def test_add_alone_makes_the_axes():
    """A matrix of whole combinations needs no lists."""
    matrix, said = build(add=[{"a": 1, "b": 2}, {"b": 3, "a": 1}])
    assert (ids(matrix), matrix.names, matrix.size, said) == (["1/2", "1/3"], ("a", "b"), 2, [])


def test_extend_marks_matching_combinations():
    """Each combination knows the rules that match it."""
    rules = [{"when": {"locale": "de"}, "vars": {}}, {"when": {"locale": "de", "product": "mug"}, "vars": {}}]
    matrix, _ = build(product=AXES["product"], locale=AXES["locale"], extend=rules)
    assert [one.extends for one in matrix.combinations()] == [(), (0, 1), (), (0,)]


@pytest.mark.parametrize(
    ("block", "keys", "message"),
    [
        ({"exclude": [{"lokale": "de"}]}, ("exclude", 0, "lokale"), "'lokale' is no axis (did you mean 'locale'?)"),
        ({"exclude": [{"locale": "fr"}]}, ("exclude", 0, "locale"), "'fr' matches nothing in 'locale'; values: en, de"),
        ({"exclude": [{"locale": ["en", "dee"]}]}, ("exclude", 0, "locale"), "'dee' matches nothing"),
        (
            {"extend": [{"when": {"product": "mugg"}, "vars": {}}]},
            ("extend", 0, "when", "product"),
            "did you mean 'mug'",
        ),
        ({"add": [{"product": "mug"}]}, ("add", 0), "has no 'locale'"),
        ({"add": [{"product": "cupp", "locale": "en"}]}, ("add", 0, "product"), "'cupp' matches nothing in 'product'"),
        ({"add": [{"product": "mug", "locale": "en"}]}, ("add", 0), "is there already"),
        ({"add": [{"product": "mug", "locale": "x"}] * 2}, ("add", 1), "is there already"),
        ({"exclude": [{"locale": True}]}, ("exclude", 0, "locale"), "'true' matches nothing"),
    ],
)
def test_rules_that_match_nothing_are_reported(block, keys, message):
    """A silent rule would be a wrong bill: it is reported with its place."""
    _, said = build(product=AXES["product"], locale=AXES["locale"], **block)
    assert any(place == keys and message in text for place, text in said), said


def test_true_is_not_one():
    """A condition on 1 does not match `true`."""
    matrix, _ = build(on=[True, 1], exclude=[{"on": 1}])
    assert ids(matrix) == ["true"]


def test_numbers_are_named_as_written():
    """The slot of 1.10 is `1.10`."""
    matrix, _ = build(text_of={("ratio", 0): "1.10"}.get, ratio=[1.1])
    assert ids(matrix) == ["1.10"]


def test_size_is_known_without_combining():
    """A matrix of a thousand million combinations is counted at once."""
    values = list(range(1_000))
    matrix, _ = build(a=values, b=values, c=values)
    assert matrix.size == 10**9
