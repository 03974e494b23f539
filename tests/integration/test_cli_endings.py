"""What is said during a run and at its end: every image that is missing is explained, and nothing frightens in vain."""

import re
import signal
from pathlib import Path

import pytest
from fakes import program
from fakes.program import wait_until

HEAD = "version: 1\nname: shop\nrequest: { size: 64x64 }\nmatrix: { colour: [red, blue, green] }\n"
PROMPTS = 'prompts: [{ id: mug, text: "a ${{ colour }} mug" }]\n'
LEDGER = Path("output/shop@sandbox/ledger.jsonl")


@pytest.fixture
def call(tmp_path):
    """`call("run")` runs a verb on shop.yaml."""
    return lambda verb, *arguments: program.call(verb, "shop.yaml", *arguments, cwd=tmp_path)


@pytest.fixture
def shop(tmp_path):
    """`shop("retry: ...", fault={...})` writes shop.yaml."""

    def write(*lines, fault="", latency=0.0):
        provider = f"provider: {{ use: sandbox, latency: {latency}, faults: [{fault}] }}\n"
        text = HEAD + provider + "".join(f"{line}\n" for line in lines) + PROMPTS
        (tmp_path / "shop.yaml").write_text(text, encoding="utf-8")

    return write


LOST = "{ kind: lost, match: blue }"
HOLD = "retry: { in_doubt: hold }"


def test_a_retry_of_nothing_but_doubts_says_what_is_held(shop, call):
    """Exit 0, for nothing failed, and not a word of `nothing to do`."""
    shop(HOLD, fault=LOST)
    assert call("run").code == 3
    said = call("retry")
    assert (said.code, "nothing to do" in said.out) == (0, False), said.said
    assert "next:  batchgen resolve shop.yaml   (1 not chosen here: in doubt and held)" in said.out


def test_a_later_run_that_only_holds_explains_it_again(shop, call):
    """Slot, reason and the way out, as on the day it happened."""
    shop(HOLD, fault=LOST)
    call("run")
    for _ in range(2):
        said = call("run")
        assert said.code == 3
        assert "the server closed the connection without an answer" in " ".join(said.out.split())
        assert "mug/blue/v1" in said.out
        assert "next:  batchgen resolve shop.yaml   (1 in doubt and held)" in said.out


@pytest.mark.parametrize("verb", ["run", "retry"])
def test_what_was_refused_before_and_is_not_sent_is_explained(shop, call, verb):
    """-q prints no events, and the summary leaves no image unexplained."""
    shop(fault="{ kind: refused, match: blue }")
    call("run")
    said = call(verb, "-q")
    assert (said.code, said.err) == (3, "")
    assert "refused by moderation" in said.out
    assert "batchgen retry shop.yaml --refused" in said.out


def test_a_broken_answer_is_told_in_plain_words(shop, call):
    """How much of it came, and nothing of the library that read it."""
    shop("retry: { attempts: 1, resends: 0 }", fault="{ kind: reset, match: blue }")
    said = " ".join(call("run").out.split())
    assert re.search(r"the answer was cut short; \d+ kB of the answer had come", said)
    assert "Error" not in said


@pytest.fixture
def underway(shop, tmp_path):
    """A run that waits for three answers, which take a minute."""
    shop(latency=60.0)
    child = program.start("run", "shop.yaml", "-q", cwd=tmp_path)
    ledger = tmp_path / LEDGER
    wait_until(lambda: ledger.exists() and ledger.read_text().count("attempt_started") == 3)
    yield child
    if child.poll() is None:
        child.kill()
        child.communicate()


@pytest.mark.parametrize(("verb", "words"), [("status", "> 3 in flight"), ("plan", "> 3 in flight")])
@pytest.mark.usefixtures("underway")
def test_a_look_during_a_run_says_what_is_in_flight(call, verb, words):
    """Its answers are still to come: that is no doubt."""
    said = call(verb)
    assert (said.code, "in doubt" in said.out) == (0, False), said.said
    assert words in said.out


@pytest.mark.usefixtures("underway")
def test_verify_during_a_run_finds_no_doubts(call):
    """Nothing is damaged, and three answers are still to come."""
    said = call("verify")
    assert (said.code, "in doubt" in said.out) == (0, False), said.said
    assert "in flight  3 requests; a run of this job is on" in said.out


def test_an_aborted_run_says_what_may_have_been_billed_and_may_be_again(underway, call):
    """Number and dollars after a second Ctrl-C, and a warning beside the command that sends them again."""
    underway.send_signal(signal.SIGINT)
    underway.send_signal(signal.SIGINT)
    wait_until(lambda: underway.poll() is not None or underway.send_signal(signal.SIGINT))
    said = program.finish(underway)
    assert said.code == 130, said.said
    assert "maybe billed: 3 requests without an answer, about $0.00" in said.out
    assert "sends 3 in doubt again; each may be billed once more" in " ".join(said.out.split())
    assert "? 3 in doubt" in call("status").out


def test_a_selection_lists_no_orphans(shop, call, tmp_path):
    """They belong to no selection of the plan; without one they are there."""
    shop()
    call("run")
    text = (tmp_path / "shop.yaml").read_text()
    (tmp_path / "shop.yaml").write_text(text.replace("[red, blue, green]", "[red, white]"))
    assert "- mug/blue/v1" in call("plan").out
    assert "mug/blue/v1" not in call("ls", "-s", "colour=red").out
    for arguments in (("--sample", "1"), ("-s", "colour=red")):
        said = call("plan", *arguments).out
        assert "orphan" not in said
        assert "mug/blue/v1" not in said
