"""Idempotency keys replay, refuse or are ignored, as the policy says."""

import pytest

from batchgen.sandbox.ask import RefusedError
from batchgen.sandbox.keys import KeyRecord, Keys, Policy


def _used(policy: Policy) -> tuple[Keys, KeyRecord]:
    """Keys after one billed and finished request under `k` with body `d`."""
    keys = Keys(policy)
    record = keys.count("k", "d")
    assert keys.admit("k", "d", record) is False
    record.billed, record.open = True, False
    return keys, record


def test_second_use_is_a_replay():
    """The same key with the same body is not bought again."""
    keys, record = _used("replay")
    assert keys.admit("k", "d", record) is True


def test_other_body_under_a_used_key_is_422():
    """A key belongs to one body."""
    keys, record = _used("replay")
    with pytest.raises(RefusedError) as caught:
        keys.admit("k", "other", record)
    assert (caught.value.status, caught.value.body["error"]["code"]) == (422, "idempotency_key_reuse")


def test_other_body_is_welcome_when_nothing_was_billed():
    """A key whose request was only throttled is still free."""
    keys = Keys("replay")
    record = keys.count("k", "d")
    keys.admit("k", "d", record)
    record.open = False
    assert keys.admit("k", "other", record) is False


def test_key_in_progress_is_409_with_a_wait():
    """A second request while the first is at work is told when to come back."""
    keys = Keys("replay")
    record = keys.count("k", "d")
    keys.admit("k", "d", record)
    with pytest.raises(RefusedError) as caught:
        keys.admit("k", "d", record)
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (409, "1")


def test_reject_policy_refuses_a_second_use():
    """Gateways that only refuse duplicates are played too."""
    keys, record = _used("reject")
    with pytest.raises(RefusedError) as caught:
        keys.admit("k", "d", record)
    assert caught.value.status == 422


def test_none_policy_ignores_keys():
    """Most gateways do this: every request is a purchase."""
    keys, record = _used("none")
    assert keys.admit("k", "other", record) is False


def test_attempts_count_per_key_or_per_body():
    """Attempts of a key go on counting; without a key the body stands for it."""
    keys = Keys("replay")
    assert [keys.count("k", "d").attempts, keys.count("k", "e").attempts] == [1, 2]
    assert [keys.count("", "d").attempts, keys.count("", "e").attempts, keys.count("", "d").attempts] == [1, 1, 2]
    assert len(keys) == 3
