"""What follows from a failure: the whole table, as arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.provider.failure import Failure
from batchgen.run.retry import Again, GiveUp, RetryPolicy, StopRun, backoff_seconds, decide

POLICY = RetryPolicy()


def failure(kind="server_error", billed="no", **fields):
    return Failure(kind=kind, billed=billed, message="why", **fields)


def verdict(found, *, policy=POLICY, sends=1, doubts=0, jitter=0.0, is_outage=False):
    return decide(policy, found, sends=sends, doubts=doubts, jitter=jitter, is_outage=is_outage)


@pytest.mark.parametrize("kind", ["not_sent", "server_error"])
def test_what_was_not_billed_is_tried_again(kind):
    """A failure that cost nothing is retried after the first listed wait."""
    assert verdict(failure(kind)) == Again(wait_seconds=3.0)


@pytest.mark.parametrize("kind", ["not_sent", "server_error"])
def test_attempts_bound_one_run(kind):
    """The sixth send is the last one, and the reason says how many there were."""
    assert verdict(failure(kind), sends=6) == GiveUp(reason="why (after 6 tries)")


def test_nobody_is_failed_during_an_outage():
    """While the provider is down, using up the attempts fails nobody."""
    assert isinstance(verdict(failure(), sends=60, is_outage=True), Again)


@pytest.mark.parametrize("kind", ["in_doubt", "bad_answer"])
def test_resend_sends_a_doubt_again_while_resends_last(kind):
    """Two resends by default: the third doubt is held."""
    doubt = failure(kind, "maybe")
    assert isinstance(verdict(doubt, doubts=1), Again)
    assert isinstance(verdict(doubt, sends=2, doubts=2), Again)
    assert verdict(doubt, sends=3, doubts=3) == GiveUp(reason="why", is_held=True)


@pytest.mark.parametrize("kind", ["in_doubt", "bad_answer"])
def test_hold_never_sends_a_doubt_again(kind):
    """Under `hold` the first doubt waits for a person."""
    found = verdict(failure(kind, "maybe"), policy=RetryPolicy(in_doubt="hold"), doubts=1)
    assert found == GiveUp(reason="why", is_held=True)


def test_an_answer_that_asks_to_be_held_is_held_under_either_policy():
    """A lost url or a reused key is never sent again by itself."""
    assert verdict(failure("in_doubt", "maybe", hold=True), doubts=1) == GiveUp(reason="why", is_held=True)


@pytest.mark.parametrize("kind", ["refused", "bad_request"])
def test_an_answer_about_the_request_itself_is_final(kind):
    """Trying the same again would bring the same answer."""
    assert verdict(failure(kind)) == GiveUp(reason="why")


def test_a_refused_key_stops_the_provider():
    """No request can succeed there, so nothing more is sent."""
    assert verdict(failure("stopped")) == StopRun(reason="why")


def test_throttling_never_uses_up_attempts():
    """A 429 is waited out, however often it comes."""
    assert isinstance(verdict(failure("throttled"), sends=100), Again)


def test_the_servers_wait_wins_up_to_the_limit():
    """Retry-After below `max_wait` is obeyed; above it the provider pauses as a whole instead."""
    assert verdict(failure("throttled", retry_after_seconds=42.0)) == Again(wait_seconds=42.0)
    assert verdict(failure("throttled", retry_after_seconds=900.0)) == Again(wait_seconds=3.0)


def test_waits_follow_the_list_and_then_double():
    """3, 8, 15 as listed, then 30, then the cap of 60."""
    assert [backoff_seconds(POLICY, sends, 0.0) for sends in range(1, 7)] == [3, 8, 15, 30, 60, 60]


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True), st.floats(0, 10**6))
def test_a_wait_never_exceeds_the_cap_nor_falls_below_the_servers(sends, jitter, asked):
    """For every send, jitter and Retry-After the wait stays between what the server asked and the cap."""
    found = verdict(failure("throttled", retry_after_seconds=asked), sends=sends, jitter=jitter)
    assert found.wait_seconds <= POLICY.max_wait_seconds
    assert asked > POLICY.max_wait_seconds or found.wait_seconds >= asked
