"""Names that nobody gives are told together."""

import pytest

from batchgen.manifest.template import TemplateError, compile, compile_expression  # noqa: A004  as its own module says

NAMES = {"job": "shop", "row": {"sku": "A", "name": "mug"}, "product": {"id": "mug"}}


def missed(text):
    with pytest.raises(TemplateError) as caught:
        compile(text).render(NAMES)
    return caught.value.message


def test_all_unknown_names_of_a_text_come_at_once():
    """Rendering stops at the first one; the message does not."""
    assert (
        missed("${{ foo }}, ${{ 'x' ~ bar }}, ${{ foo }}") == "no name 'foo', no name 'bar'; names: job, row, product"
    )


def test_names_columns_and_keys_are_told_apart():
    """Each kind comes with the list of what there is."""
    assert missed("${{ row.nmae }} ${{ product.size }} ${{ baz }}") == (
        "no column 'nmae' (did you mean 'name'?); columns: sku, name; no key 'size' in 'product'; keys: id; "
        "no name 'baz'; names: job, row, product"
    )


@pytest.mark.parametrize("guarded", ["x if x is defined else ''", "x | default('a')", "row.x | default('a')"])
def test_what_may_be_missing_is_not_reported(guarded):
    """A name that a text asks for with care is no mistake, whatever else is one."""
    assert missed(f"${{{{ {guarded} }}}} ${{{{ foo }}}}") == "no name 'foo'; names: job, row, product"


@pytest.mark.parametrize("condition", ["row.a == 1 and b", "${{ row.a == 1 and b }}"])
def test_conditions_name_all_they_miss(condition):
    """With and without the wrapping."""
    with pytest.raises(TemplateError) as caught:
        compile_expression(condition).holds(NAMES)
    assert "no column 'a'" in caught.value.message
    assert "no name 'b'" in caught.value.message


def test_a_condition_that_no_text_could_hold_still_names_its_first_miss():
    """`}}` inside a condition ends no expression there."""
    with pytest.raises(TemplateError, match="no name 'foo'"):
        compile_expression("foo == {'a': {}}['a'] or {'a':{}}").holds(NAMES)
