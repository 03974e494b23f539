"""A server's answer names an address: nothing but the provider's own origin and public https ever gets a packet."""

import asyncio
import re
import socket
import sys

import aiohttp
import pytest
from fakes.raw_server import RawServer, http
from fakes.sinks import MemorySink
from faults.bodies import PNG

from batchgen.provider.answer import Answer
from batchgen.provider.definition import Provider
from batchgen.provider.session import Session

PRIVATE_HOSTS = """
127.0.0.1 127.0.0.2 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255
169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.168.0.1
192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
255.255.255.255 [::] [::1] [::127.0.0.1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:10.0.0.1]
[::ffff:169.254.169.254] [::ffff:0:127.0.0.1] [0:0:0:0:0:ffff:c0a8:101] [64:ff9b::127.0.0.1]
[64:ff9b::a9fe:a9fe] [64:ff9b:1::1] [100::1] [2001::1] [2001:db8::1] [2001:10::1] [2002:7f00:1::]
[2002:a9fe:a9fe::] [fc00::1] [fd00:ec2::254] [fe80::1] [fe80::1%25eth0] [fec0::1] [5f00::1] [3fff::1] [ff02::1]
[2001:0:4136:e378:8000:63bf:80ff:fffe]
"""
PRIVATE = PRIVATE_HOSTS.split()
SPELLED_HOSTS = """
2130706433 0x7f000001 0x7f.0.0.1 0x7f.1 0177.0.0.1 00127.0.0.1 127.1 127.0.1 0 0x0 017700000001 127.0.0.1.
127.000.000.001 1.2.3.4.5 1.2.3.256 256.256.256.256 ①②⑦.⓪.⓪.① １２７.０.０.１ 127。0。0。1 ⑩.0.0.1 localhost LOCALHOST
localhost. LocalHost. foo.localhost metadata metadata.google.internal kubernetes.default.svc.cluster.local
printer.local nas.lan router.home intranet.corp gateway.home.arpa x.onion app.internal db.intranet
127.0.0.1.nip.io@127.0.0.1 [::1 ::1 [127.0.0.1]
"""
SPELLED = SPELLED_HOSTS.split()
URLS = [
    *(f"https://{host}/1.png" for host in (*PRIVATE, *SPELLED)),
    *(f"http://{host}/1.png" for host in ("127.0.0.1:9", "169.254.169.254", "cdn.example.com", "8.8.8.8", "[::1]")),
    "https://user@8.8.8.8/", "https://user:pw@cdn.example.com/1.png", "https://@cdn.example.com/", "https://:@1.1.1.1/",
    "https://cdn.example.com@127.0.0.1/", "https://127.0.0.1#@cdn.example.com/", "https://127.0.0.1?@cdn.example.com/",
    "https://127.0.0.1\\@cdn.example.com/", "https://cdn.example.com\\.127.0.0.1/", "https:\\\\127.0.0.1\\x",
    "https:/127.0.0.1/x", "https:127.0.0.1", "https:///127.0.0.1/x", "https://", "https://:443/", "https:// 127.0.0.1/",
    "https://127.0.0.1:0/", "https://cdn.example.com:99999/", "https://cdn.example.com:-1/", "https://cdn.example.com:x/",
    "https://127.0.0.1%2f.example.com/", "https://127.0.0.1%00.example.com/", "https://exa mple.com/",
    "https://127.0.0.1\t/", "https://127.0.0.1\r\nHost: x/", "https://example.com\x00.internal/",
    "HTTPS://127.0.0.1/", "hTtPs://LOCALHOST/", "ftp://8.8.8.8/x", "file:///etc/passwd", "file://localhost/etc/passwd",
    "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:11211/", "ldap://127.0.0.1/", "unix:///var/run/docker.sock",
    "ws://127.0.0.1/", "wss://127.0.0.1/", "data:image/png;base64,AA==", "javascript:alert(1)", "blob:https://x/y",
    "//127.0.0.1/x", "/1.png", "1.png", "", "   ", "about:blank", "jar:https://127.0.0.1!/x", "view-source:https://[::1]/",
]  # fmt: skip
FLIPS = {
    "only private": [["10.0.0.5"]],
    "loopback": [["127.0.0.1"]],
    "loopback in six": [["::1"]],
    "mapped": [["::ffff:127.0.0.1"]],
    "translated": [["64:ff9b::7f00:1"]],
    "scoped": [["fe80::1%lo"]],
    "several private": [["10.0.0.1", "192.168.1.1", "fd00::1"]],
    "cloud metadata": [["169.254.169.254"]],
}
packets: list[str] = []
is_watching = False


def _watch(event, details):
    if is_watching and event in {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"}:
        address = details[0] if event == "socket.getaddrinfo" else details[1]
        packets.append(str(address[0]) if isinstance(address, tuple) else str(address))


sys.addaudithook(_watch)


class Names(aiohttp.abc.AbstractResolver):
    """Answers each question with the next list of addresses, the last one again and again."""

    def __init__(self, answers):
        self.answers, self.asked = [list(answer) for answer in answers], 0

    async def resolve(self, host, port=0, *_, **__):
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            {"hostname": host, "host": address, "port": port, "proto": 0, "flags": socket.AI_NUMERICHOST,
             "family": socket.AF_INET6 if ":" in address else socket.AF_INET}
            for address in found
        ]  # fmt: skip

    async def close(self):
        pass


def fetched(url, answers, base_url="https://api.example.com/v1"):
    """What fetching came to, and the addresses that were reached for."""
    global is_watching  # noqa: PLW0603  an audit hook cannot be taken away, only told to look aside

    async def main():
        provider = Provider(name="x", base_url=base_url)
        async with Session(provider, key="sk-secret-0123456789", resolver=Names(answers)) as session:
            return await session.fetch(url, MemorySink(), deadline_seconds=2)

    packets.clear()
    is_watching = True
    try:
        outcome = asyncio.run(main())
    finally:
        is_watching = False
    return outcome, packets + stopped(outcome)


def stopped(outcome):
    """The addresses that the guard of all tests kept a packet from: it acts before the watch sees them."""
    return re.findall("reached for '([^']*)'", getattr(outcome, "message", ""))


def test_the_corpus_is_long_enough():
    """It only ever grows."""
    assert len(set(URLS)) + len(FLIPS) >= 120


@pytest.mark.parametrize("url", URLS)
def test_no_packet_leaves_for_a_hostile_address(url):
    """Refused before any socket is opened or name is looked up, and the image is held, for it is paid."""
    outcome, reached = fetched(url, [["127.0.0.1"]])
    assert (outcome.kind, outcome.billed, outcome.hold) == ("in_doubt", "maybe", True)
    assert reached == []


@pytest.mark.parametrize("name", FLIPS)
def test_no_packet_leaves_for_a_name_that_leads_inside(name):
    """A name is judged when it is connected to, each time, so what it led to before does not matter."""
    outcome, reached = fetched("https://cdn.example.com/1.png", FLIPS[name])
    assert (outcome.kind, outcome.billed, outcome.hold) == ("in_doubt", "maybe", True)
    assert reached == []


def test_a_name_that_flips_is_judged_anew_each_time():
    """Private and public at first, private at the second look: only the public one is ever reached for."""

    async def main():
        names = Names([["10.0.0.1", "1.1.1.1"], ["127.0.0.1"]])
        provider = Provider(name="x", base_url="https://api.example.com")
        outcomes = []
        for _ in range(3):  # a session each: the client keeps what it resolved for a while
            async with Session(provider, key=None, resolver=names) as session:
                url = "https://cdn.example.com/1.png"
                outcomes.append(await session.fetch(url, MemorySink(), deadline_seconds=2))
        return outcomes

    first, *later = asyncio.run(main())
    assert stopped(first) == ["1.1.1.1"]
    assert all(outcome.hold and not stopped(outcome) for outcome in later)


def test_the_providers_own_origin_may_be_private():
    """A gateway on this machine serves its own files; and the watch really sees packets."""

    async def main():
        async with RawServer(http(200, PNG)) as server:
            provider = Provider(name="x", base_url=server.url + "/v1")
            async with Session(provider, key=None) as session:
                return await session.fetch(server.url + "/1.png", MemorySink(), deadline_seconds=5)

    global is_watching  # noqa: PLW0603  as above
    packets.clear()
    is_watching = True
    try:
        assert isinstance(asyncio.run(main()), Answer)
    finally:
        is_watching = False
    assert "127.0.0.1" in packets


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_private_address_gets_no_packet(status):
    """Redirects of a download are not followed, wherever they lead."""

    async def main():
        async with (
            RawServer(http(200, PNG)) as inside,
            RawServer(http(status, b"", {"Location": inside.url})) as server,
        ):
            async with Session(Provider(name="x", base_url=server.url), key=None) as session:
                outcome = await session.fetch(server.url + "/1.png", MemorySink(), deadline_seconds=5)
            return outcome, inside.connections

    outcome, connections = asyncio.run(main())
    assert (outcome.kind, outcome.hold, connections) == ("in_doubt", True, 0)
