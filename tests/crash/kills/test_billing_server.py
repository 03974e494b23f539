"""The gateway of the kill harness keeps honest books."""

import base64
import contextlib
import hashlib
import http.client
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crash.kills.customer import UNBILLED
from crash.kills.gateway import COMMAND, REPOSITORY
from fakes.program import wait_until

KEY = "k" * 32
PATH = "/shop/v1/images/generations"


class Till:
    """A running server with one customer."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.port = root, port

    @property
    def bills(self) -> list[dict[str, Any]]:
        log = self.root / "shop.bills"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def ask(self, number: int = 1, *, key: str = KEY, method: str = "POST", path: str = PATH) -> tuple[int, bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(line):
            line.request(method, path, b"{}", {"Idempotency-Key": key, "X-Client-Request-Id": f"{key}-{number}"})
            answer = line.getresponse()
            return answer.status, answer.read()

    def image(self, number: int = 1) -> bytes:
        status, body = self.ask(number)
        assert status == 200
        return base64.b64decode(json.loads(body)["data"][0]["b64_json"])

    def half(self, *, body: bytes) -> None:
        """Send the headers of a request and a part of its body, and hang up."""
        head = f"POST {PATH} HTTP/1.1\r\nIdempotency-Key: {KEY}\r\nX-Client-Request-Id: {KEY}-1\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
            line.sendall(f"{head}Content-Length: 2\r\n\r\n".encode() + body)

    def quiet(self) -> None:
        self.ask(method="GET", path="/quiet")


@pytest.fixture
def open_till(tmp_path) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:

        def start(**terms: Any) -> Till:
            (tmp_path / "shop.json").write_text(json.dumps({"seed": "s", **terms}))
            command = [*COMMAND, str(tmp_path)]
            process = stack.enter_context(
                subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            assert process.stdin is not None
            assert process.stdout is not None
            stack.callback(process.stdin.close)
            return Till(tmp_path, int(process.stdout.readline()))

        yield start


def test_each_picture_is_on_the_bill(open_till):
    """One line per picture, with its hash, its key and its price."""
    till = open_till()
    images = [till.image(1), till.image(2)]
    assert [bill["image"] for bill in till.bills] == [hashlib.sha256(image).hexdigest() for image in images]
    assert [(bill["key"], bill["attempt"], bill["price_usd"]) for bill in till.bills] == [
        (KEY, f"{KEY}-1", 0.05),
        (KEY, f"{KEY}-2", 0.05),
    ]


@pytest.mark.parametrize(
    ("moment", "body", "billed"),
    [("headers", b"", 1), ("request", b"", 0), ("request", b"{}", 1), ("answer", b"{", 0), ("answer", b"{}", 1)],
)
def test_the_moment_of_billing_is_kept(open_till, moment, body, billed):
    """On the headers, on the complete request, or on the first byte of an answer that nobody waits for any more."""
    till = open_till(moment=moment)
    till.half(body=body)
    if billed:
        wait_until(lambda: till.bills)
    till.quiet()
    assert [bill["when"] for bill in till.bills] == [moment] * billed


@pytest.mark.parametrize(("keys", "bills", "second"), [("ignore", 2, 200), ("replay", 1, 200), ("reject", 1, 422)])
def test_the_key_policy_is_kept(open_till, keys, bills, second):
    """Ignored: bought again. Replayed: the same picture. Rejected: 422 about the key."""
    till = open_till(keys=keys)
    first = till.ask(1)
    again = till.ask(2)
    assert (len(till.bills), again[0]) == (bills, second)
    assert (again == first) == (keys == "replay")
    assert keys != "reject" or b"idempotency" in again[1]


@pytest.mark.parametrize("fault", sorted(UNBILLED))
def test_what_is_not_billed_leaves_the_key_free(open_till, fault):
    """A rate limit or an error is no purchase, whatever the policy."""
    till = open_till(keys="reject", faults={fault: 1})
    statuses = {till.ask(number)[0] for number in (1, 2)}
    assert statuses <= {400, 401, 429, 500, 502}
    assert till.bills == []


@pytest.mark.parametrize("fault", ["gateway", "empty", "reset", "cut", "hang"])
def test_an_answer_that_never_comes_is_billed(open_till, fault):
    """That is what a doubt is."""
    till = open_till(faults={fault: 1})
    with contextlib.suppress(ConnectionError, http.client.IncompleteRead):
        status, body = till.ask()
        assert (status, b"b64_json" in body) in {(502, False), (200, False)}
    till.quiet()
    assert len(till.bills) == 1


@pytest.mark.parametrize(("fault", "status"), [("url", 200), ("url-gone", 404), ("url-down", 503)])
def test_an_address_is_billed_once_and_fetched_for_nothing(open_till, fault, status):
    """Where the picture is, where nothing is, where nobody answers."""
    till = open_till(faults={fault: 1})
    _, body = till.ask()
    path = json.loads(body)["data"][0]["url"].partition(f":{till.port}")[2]
    found = [till.ask(method="GET", path=path) for _ in range(2)]
    assert [answer[0] for answer in found] == [status, status]
    assert (hashlib.sha256(found[0][1]).hexdigest() == till.bills[0]["image"]) == (fault == "url")
    assert len(till.bills) == 1


def test_it_looks_into_the_ledger(open_till, tmp_path):
    """A bill says whether the attempt had been written down when the request came."""
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(json.dumps({"kind": "attempt_started", "request": KEY, "attempt": 1}) + "\n" + '{"kind":"att')
    till = open_till(ledger=str(ledger))
    till.ask(1)
    till.ask(2)
    assert [bill["recorded"] for bill in till.bills] == [True, False]


def test_a_price_by_tokens_is_what_the_usage_says(open_till):
    """So that a client's own reckoning can be held against it."""
    till = open_till(token_usd=0.00003, most_tokens=196)
    tokens = json.loads(till.ask()[1])["usage"]["output_tokens"]
    assert 98 <= tokens <= 196
    assert till.bills[0]["price_usd"] == pytest.approx(tokens * 0.00003)


def test_a_big_picture_is_whole(open_till):
    """More than a client writes at once."""
    image = open_till(is_big=True).image()
    assert len(image) > 512 * 1024
    assert image.endswith(b"IEND\xaeB`\x82")
