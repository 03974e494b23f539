import pytest

from batchgen.provider.authorize import auth_headers, scrubber
from batchgen.provider.definition import Provider

KEY = "sk-1234567890"


@pytest.mark.parametrize(
    ("auth", "key", "headers"),
    [
        ("bearer", KEY, {"Authorization": f"Bearer {KEY}"}),
        ("raw", KEY, {"Authorization": KEY}),
        ("none", KEY, {}),
        ("bearer", None, {}),
    ],
)
def test_key_takes_the_providers_form(auth, key, headers):
    """Bearer, bare or absent: as the provider's data say."""
    assert auth_headers(Provider(name="x", auth=auth), key) == headers


@pytest.mark.parametrize("secret", [KEY, "pa%20ss-word", "pa ss-word", "tenant-token-1"])
def test_every_secret_of_a_provider_is_struck(secret):
    """Key, proxy password in both forms and the provider's own header values are secrets."""
    provider = Provider(name="x", proxy="http://me:pa%20ss-word@127.0.0.1:1", headers={"X-Tenant": "tenant-token-1"})
    assert scrubber(provider, KEY).text(f"<{secret}>") == "<***>"


def test_short_header_value_is_no_secret():
    """A harmless header value does not riddle messages with stars."""
    assert scrubber(Provider(name="x", headers={"X-Title": "batch"}), None).text("batch") == "batch"
