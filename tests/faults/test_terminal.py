"""Whatever prompts, servers and file names say, a terminal only ever shows it."""

import io
import random
import re

import pytest
from fakes.job import Job
from fakes.raw_server import http
from faults.bodies import complaint, items, page, text
from faults.case import ACTIVE
from faults.echo import Echo

from batchgen.cli.screen import Ink, Screen, one_line
from batchgen.safetext import safe_text

SIGNS = [
    "\x1b",
    "\x1b[",
    "\x1b]0;",
    "\x1b]8;;http://evil/",
    "\x1b]52;c;",
    "\x1bP",
    "\x1b_G",
    "\x1b\\",
    "\x1bc",
    "\x1b[2J",
    "\x1b[31m",
    "\x1b[?1049h",
    "\x1b[6n",
    "\x1b[>c",
    "\x1b]1337;File=:",
    "\x9b31m",
    "\x9d0;",
    "\x90",
    "\x9c",
    "\x07",
    "\x08",
    "\x0b",
    "\x0c",
    "\x0e",
    "\x0f",
    "\r",
    "\n",
    "\r\n",
    "\t",
    "\x00",
    "\x05",
    "\x7f",
    "\x85",
    "\x18",
    "\x1a",
    "\u2028",
    "\u2029",
    "\u202e",
    "\u202d",
    "\u2066",
    "\u2069",
    "\u200b",
    "\u200e",
    "\u200f",
    "\ufeff",
    "\u061c",
    "\ud800",
    "\udc1b",
    "\udc9b",
    "\u00ad",
    "\U000e0041",
    "a",
    " ",
    "mug",
    "é",
    "陶",
    "🎨",
    "http://x",
    "%s",
    "{0}",
    "[31m",
]
OURS = re.compile(r"\x1b\[(?:0|1|2|3[0-7])m")
PAYLOADS = 1000


class Terminal(io.StringIO):
    def isatty(self):
        return True


def payload(number: int) -> str:
    rng = random.Random(f"payload {number}")  # noqa: S311  no secret
    return "".join(rng.choice(SIGNS) for _ in range(rng.randint(1, 9)))


@pytest.fixture(scope="module")
def payloads():
    return [payload(number) for number in range(PAYLOADS)]


def active(shown: str) -> list[str]:
    """Signs that a terminal would obey, but for our own colours and line ends."""
    return ACTIVE.findall(OURS.sub("", shown).replace("\n", ""))


def test_no_payload_reaches_a_terminal_alive(payloads):
    """A thousand payloads as results, coloured results and notes: inert on a terminal, and in a file."""
    for stream in (Terminal, io.StringIO):
        screen = Screen(out=stream(), err=stream(), environ={})
        for one in payloads:
            screen.line("before ", one, Ink(one, "red"))
            screen.note(Ink(one, "bold"), one)
            screen.line(one_line(one))
        for shown in (screen.out.getvalue(), screen.err.getvalue()):
            assert active(shown) == []
            shown.encode()


def test_a_payload_never_starts_a_line_of_its_own(payloads):
    """What is cleaned to one line is one line, so no message can look like another."""
    for one in payloads:
        assert len(one_line(f"a{one}b").splitlines()) == 1
        assert len(safe_text(f"a{one}b").splitlines()) == 1
        assert not active(safe_text(one))


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What every command prints of a job whose prompts, rows and servers are hostile."""
    hostile = [payload(number) for number in range(60)]
    names = [one.encode("utf-8", "replace").decode() for one in hostile]
    wires = [
        wire
        for one in names[:30]
        for wire in (
            http(400, complaint(f"no {one} no", code=one)),
            http(200, page(f"a{one}b")),
            http(200, items({"b64_json": text(), "revised_prompt": one})),
        )
    ]
    with Echo(wires) as server:
        job = Job(
            tmp_path_factory.mktemp("terminal"),
            {"use": "openai", "base_url": server.url},
            rows={"inline": [{"k": name} for name in dict.fromkeys(names[:2])]},
            prompts=[{"id": f"e{number}", "text": f"echo-{number} ${{{{ row.k }}}}"} for number in range(len(wires))],
            limits={"max_failures": "100%"},
            retry={"in_doubt": "hold", "attempts": 1, "waits": [0.01], "max_wait": 0.05, "give_up_after": 30},
        )
        job.environment["FORCE_COLOR"] = "1"
        verbs = (
            ["plan"],
            ["run", "-v"],
            ["run", "--json"],
            ["plan", "--json"],
            ["status"],
            ["ls"],
            ["verify"],
            ["show", "e0"],
            ["plan", "-s", "k=\x1b[31m"],
            ["show", "\x1b]0;x\x07"],
            ["run", "\u202e"],
            ["nonsense\x1b[2J"],
        )
        yield [(verb, job.call(*verb)) for verb in verbs]


def test_no_command_prints_what_a_terminal_would_obey(said):
    """Prompts, rows, slots, server messages, codes and mistyped arguments come out as plain text."""
    for verb, finished in said:
        assert active(finished.out) == [], verb
        assert active(finished.err) == [], verb
    assert any("no " in finished.err or "no " in finished.out for _, finished in said)
    assert {finished.code for _, finished in said} <= {0, 2, 3}, [(verb, one.code) for verb, one in said]


def test_a_hostile_manifest_name_is_quoted_harmlessly(tmp_path):
    """The name of a file is text from outside as well."""
    job = Job(tmp_path)
    odd = tmp_path / "a\x1b[2Jb\u202e.yaml"
    odd.write_text("version: 1\nname: x\nnonsense: \x85\n", encoding="utf-8")
    job.path = odd
    for verb in ("plan", "run", "status", "verify"):
        finished = job.call(verb)
        assert finished.code == 2
        assert active(finished.out + finished.err) == []
