"""The counts of a run and the limit on failures."""

import pytest

from batchgen.run.tally import FailureLimit


@pytest.mark.parametrize(
    ("limit", "failed", "results", "reached"),
    [
        (FailureLimit(share=0.2), 9, 9, False),
        (FailureLimit(share=0.2), 2, 10, False),
        (FailureLimit(share=0.2), 3, 10, True),
        (FailureLimit(share=0.0), 1, 10, True),
        (FailureLimit(count=3), 3, 50, False),
        (FailureLimit(count=3), 4, 50, True),
        (FailureLimit(count=0), 1, 9, False),
        (FailureLimit(), 50, 50, False),
    ],
)
def test_the_limit_is_judged_from_ten_results_on(limit, failed, results, reached):
    """A share or a count above the limit stops the run, but one early failure never does."""
    assert limit.is_reached(failed=failed, results=results) is reached


@pytest.mark.parametrize(
    ("limit", "shown"),
    [(FailureLimit(share=0.2), "20%"), (FailureLimit(share=0.125), "12.5%"), (FailureLimit(count=3), "3")],
)
def test_the_limit_reads_as_it_was_written(limit, shown):
    """A run that it stopped says what to raise, and from where."""
    assert str(limit) == shown
