import pytest

from batchgen.provider.address import address_problem, is_public, is_same_origin

PRIVATE_ADDRESSES = """
127.0.0.1 127.1.2.3 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 192.0.0.1
192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 fe80::1
fe80::1%eth0 fc00::1 fd12:3456::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1
2002:7f00:1:: 2002:c0a8:101:: 64:ff9b::7f00:1 64:ff9b::10.0.0.1 2001:db8::1 100::1 nonsense
fec0::1 5f00::1 3fff::1 4000::1
2001:0:4136:e378:8000:63bf:80ff:fffe
"""
PRIVATE = PRIVATE_ADDRESSES.split()
STRANGE_URLS = """
http://cdn.example.com/x.png ftp://cdn.example.com/x file:///etc/passwd gopher://x.example.com:70/
data:image/png;base64,AA== https://user@cdn.example.com/ https://user:pass@cdn.example.com/ https://@cdn.example.com/
https:// https:///x https://localhost/ https://LOCALHOST/ https://localhost./ https://foo.localhost/ https://metadata/
https://metadata.google.internal/ https://printer.local/ https://nas.lan/ https://2130706433/ https://0x7f000001/
https://0x7f.1/ https://0177.0.0.1/ https://127.1/ https://127.0.0.1./ https://1.2.3.4.5/ https://[::1
https://a.example:99999/ https://10.0.0.1:443/
"""
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_address_is_not_public(address):
    """No special-purpose address counts as public, in no wrapping."""
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_public(address):
    """Ordinary addresses stay usable."""
    assert is_public(address)


HOSTS = [f"[{a}]" if ":" in a else a for a in PRIVATE if "%" not in a]


@pytest.mark.parametrize("host", HOSTS)
def test_address_literal_is_refused(host):
    """An address that leads into a private network is refused before anything is resolved."""
    assert address_problem(f"https://{host}/x.png")


@pytest.mark.parametrize("url", STRANGE_URLS.split())
def test_strange_address_is_refused(url):
    """No way of writing a private or ambiguous address passes."""
    assert address_problem(url)


@pytest.mark.parametrize(
    "url", ["https://cdn.example.com/x.png?sig=a", "https://8.8.8.8/x", "https://a.example.com:8443/"]
)
def test_public_https_address_may_be_tried(url):
    """A public https address is what a gateway's CDN looks like."""
    assert address_problem(url) == ""


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://api.example.com/files/1.png", True),
        ("https://API.example.com:443/files/1.png", True),
        ("http://api.example.com/files/1.png", False),
        ("https://api.example.com:8443/1.png", False),
        ("https://api.example.com.evil.com/1.png", False),
        ("https://api.example.com@evil.com/1.png", False),
        ("https://evil.com/api.example.com", False),
        ("https://[", False),
    ],
)
def test_own_origin_is_exact(url, same):
    """Only scheme, host and port of the provider make its own origin."""
    assert is_same_origin(url, "https://api.example.com/v1") is same
