import pytest

from batchgen.cli.overrides import read_overrides
from batchgen.errors import ManifestError, UsageError


def test_parameters_are_read_as_in_a_manifest():
    """Values keep their types, and what a provider alone knows is named like any other."""
    sets = ["request.quality=high", "request.output_compression=80", "request.extra.seed=7"]
    assert read_overrides(sets) == {"request.quality": "high", "request.output_compression": 80, "request.seed": 7}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("request.qualty=high", "did you mean 'quality'"),
        ("request.shininess=9", "request.extra.NAME"),
        ("request.n=4", "no parameter"),
        ("name=other", "parameters alone"),
        ("request.quality=null", "parameters alone"),
        ("request=high", "parameters alone"),
    ],
)
def test_what_is_no_parameter_is_refused(text, says):
    """A redo must not send a typing error to somebody who bills."""
    with pytest.raises(UsageError, match=says):
        read_overrides([text])


def test_what_is_no_assignment_is_refused():
    """As everywhere else."""
    with pytest.raises(ManifestError, match="not a setting"):
        read_overrides(["request.quality"])
