"""Validation errors in our own words."""

import pytest
from pydantic import ValidationError

from batchgen.manifest.schema import Document
from batchgen.manifest.source import parse
from batchgen.manifest.wording import nearest, problems_of

NAME = "letters, digits, dots, dashes and underscores, at most 64, the first a letter or digit"
WORD = "letters, digits and underscores, at most 64, the first no digit"
ROWS = "exactly one of csv, jsonl, text, images, inline"
HEAD = "version: 1\nname: job\nprompts: [a mug]\n"


def said(text: str, head: str = HEAD) -> list[str]:
    source = parse(f"{head}{text}".encode(), file="m.yaml")
    with pytest.raises(ValidationError) as caught:
        Document.model_validate(source.values)
    return [f"{p.line}:{p.column} {p.key}: {p.message}" for p in problems_of(caught.value, source.marks)]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            "limits: {concurrency: eight}",
            "4:23 limits.concurrency",
            "'eight' is not a whole number (expected from 1 to 10000)",
        ),
        (
            "limits: {concurrency: 1.5}",
            "4:23 limits.concurrency",
            "'1.5' is not a whole number (expected from 1 to 10000)",
        ),
        (
            "limits: {concurrency: 1_000}",
            "4:23 limits.concurrency",
            "'1_000' is not a whole number (expected from 1 to 10000)",
        ),
        ("limits: {budget_usd: -1}", "4:22 limits.budget_usd", "'-1' is too small (expected a number above 0)"),
        ("limits: {rpm: fast}", "4:15 limits.rpm", "'fast' is not a number (expected above 0)"),
        (
            "limits: {stop_after: soon}",
            "4:22 limits.stop_after",
            "'soon' is not a duration (expected seconds, or such as 90s, 10m, 1h30m)",
        ),
        (
            "limits: {stop_after: [1]}",
            "4:22 limits.stop_after",
            "a list is not a number (expected a number above 0, or a duration such as 10m)",
        ),
        (
            "limits: {max_failures: 110%}",
            "4:24 limits.max_failures",
            "'110%' is not a limit (expected a count such as 20, or a share from 0% to 100%)",
        ),
        ("limits: 8", "4:9 limits", "'8' is not a mapping"),
        ("limits:", "4:8 limits", "empty; give a value, or remove the key"),
        ("repeat: 1000", "4:9 repeat", "'1000' is too large (expected a whole number from 1 to 100)"),
        ("retry: {attempts: 0}", "4:19 retry.attempts", "'0' is too small (expected a whole number of at least 1)"),
        ("retry: {waits: 3}", "4:16 retry.waits", "'3' is not a list; put it in brackets: [...]"),
        ("retry: {waits: []}", "4:16 retry.waits", "empty (expected at least one entry); add one, or remove 'waits'"),
        ("review: {gallery: yes}", "4:19 review.gallery", "'yes' is neither true nor false"),
        ("request: {size: 1024}", "4:17 request.size", "'1024' is not text; put it in quotes"),
        ("request: {size: 0x10}", "4:17 request.size", "'0x10' is not text; put it in quotes"),
        ("request: {size: ''}", "4:17 request.size", "empty (expected some text); write it, or remove the key"),
        (
            "request: {partial_images: 7}",
            "4:27 request.partial_images",
            "'7' is too large (expected a whole number from 0 to 3, or a `${{ }}` template)",
        ),
        ("request: {qualty: high}", "4:11 request.qualty", "unknown key 'qualty', did you mean 'quality'?"),
        (
            "request: {n: 4}",
            "4:11 request.n",
            "unknown key 'n'; each take is its own request; write `repeat: 4` at the top or in the prompt",
        ),
        (
            "request: {images: [a]}",
            "4:11 request.images",
            "unknown key 'images'; reference images go into `images` of a prompt",
        ),
        ("period: hourly", "4:9 period", "'hourly' is not known here (expected one of daily, weekly, monthly)"),
        (
            "post: [{id: web, format: jpg}]",
            "4:26 post.0.format",
            "'jpg' is not known here (expected one of png, jpeg, webp, avif), did you mean 'jpeg'?",
        ),
        ("post: [{format: webp}]", "4:8 post.0.id", "missing (expected text); add `id:`"),
        ("vars: {job: 1}", "4:8 vars.job", "'job' is a reserved name; choose another name for this variable"),
        ("vars: {a b: 1}", "4:8 vars.a b", f"'a b' does not fit (expected {WORD})"),
        ("matrix: {row: [1]}", "4:10 matrix.row", "'row' is a reserved name; choose another name for this axis"),
        ("matrix: {a-b: [1]}", "4:10 matrix.a-b", f"'a-b' does not fit (expected {WORD})"),
        ("matrix: {a: 1}", "4:13 matrix.a", "'1' is not a list; put it in brackets: [...]"),
        (
            "matrix: {a: [{x: 1}]}",
            "4:14 matrix.a.0",
            "a mapping is without 'id' (expected such as { id: small, size: 1024x1024 }); give it one",
        ),
        ("rows: {csv: a, text: b}", "4:7 rows", f"'csv' and 'text' are both given (expected {ROWS}); keep one"),
        ("rows: {key: a}", "4:7 rows", f"incomplete (expected {ROWS}); add it"),
        (
            "notify: {webhook: hook}",
            "4:19 notify.webhook",
            "'hook' does not fit (expected a URL that begins with https:// or http://)",
        ),
        ("provider: 3", "4:11 provider", "'3' is not text (expected text, or a mapping, or a list); put it in quotes"),
        ("profiles: {a: 3}", "4:15 profiles.a", "'3' is not a mapping"),
        ("profiles: {a b: {}}", "4:12 profiles.a b", f"'a b' does not fit (expected {NAME}); try 'a-b'"),
        ("nmae: x", "4:1 nmae", "unknown key 'nmae', did you mean 'name'?"),
    ],
)
def test_a_mistake_names_value_expectation_and_remedy(text, place, message):
    """Each common mistake gives one sentence, at the value or at the key."""
    assert said(text) == [f"{place}: {message}"]


@pytest.mark.parametrize(
    ("head", "place", "message"),
    [
        (
            "version: 2\nname: a\nprompts: [a]\n",
            "1:10 version",
            "'2' is not known here (expected 1); a newer version needs a newer batchgen",
        ),
        ("version: 1.0\nname: a\nprompts: [a]\n", "1:10 version", "'1.0' is not known here (expected 1); write 1"),
        ("version: true\nname: a\nprompts: [a]\n", "1:10 version", "'true' is not known here (expected 1); write 1"),
        ("name: a\nprompts: [a]\n", "1:1 version", "missing; add `version: 1`"),
        ("version: 1\nname: a\n", "1:1 prompts", "missing (expected a list); add `prompts:`"),
        (
            "version: 1\nname: spring launch\nprompts: [a]\n",
            "2:7 name",
            f"'spring launch' does not fit (expected {NAME}); try 'spring-launch'",
        ),
        (
            "version: 1\nname: a\nprompts: a mug\n",
            "3:10 prompts",
            "'a mug' is not a list; put it in brackets: [...]",
        ),
        (
            "version: 1\nname: a\nprompts: []\n",
            "3:10 prompts",
            "empty (expected at least one entry); add one, or remove 'prompts'",
        ),
        (
            "version: 1\nname: a\nprompts: [3]\n",
            "3:11 prompts.0",
            "'3' is not text (expected text, or a mapping); put it in quotes",
        ),
        (
            "version: 1\nname: a\nprompts:\n-\n",
            "4:2 prompts.0",
            "empty (expected text, or a mapping); give a value, or remove it",
        ),
        ("version: 1\nname: a\nprompts: [{txt: b}]\n", "3:12 prompts.0.txt", "unknown key 'txt', did you mean 'text'?"),
        (
            "version: 1\nname: a\nprompts: [{text: a, matrix: true}]\n",
            "3:29 prompts.0.matrix",
            "'true' is not known here (expected a mapping, or false)",
        ),
        (
            "version: 1\nname: a\nprompts: [{text: a, rows: 3}]\n",
            "3:27 prompts.0.rows",
            "'3' is not a mapping (expected a mapping, or false)",
        ),
    ],
)
def test_a_choice_of_shapes_gives_one_problem(head, place, message):
    """Where text or a block may stand, the shape that was written is the one that is judged."""
    assert said("", head) == [f"{place}: {message}"]


def test_an_unknown_key_without_a_near_one_lists_what_there_is():
    """Somebody who guesses sees the whole choice, and where unlisted parameters go."""
    (message,) = said("request: {seed: 5}")
    assert "unknown key 'seed' (expected model, size, quality," in message
    assert message.endswith("; put it under `extra` to send it")


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("A mug: blue", "unknown key 'A mug'; put the prompt in quotes: it contains a colon"),
        ("mug: blue", "; put a prompt that contains a colon in quotes"),
        ("{prompt: a mug}", "unknown key 'prompt'; the prompt itself goes into `text`"),
        ("{text: a, size: 1x1}", "unknown key 'size'; parameters go into `request`"),
    ],
)
def test_a_prompt_that_became_a_key_needs_quotes(prompt, says):
    """`- A mug: blue` is a mapping to YAML and a prompt to everybody else."""
    (message,) = said("", f"version: 1\nname: a\nprompts:\n- {prompt}\n")
    assert says in message


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("version: 1\nname: a\nprompt: [a]\n", "3:1 prompt: unknown key 'prompt', did you mean 'prompts'?"),
        ("version: 1\nnmae: a\nprompts: [a]\n", "2:1 nmae: unknown key 'nmae', did you mean 'name'?"),
    ],
)
def test_a_misspelt_key_is_not_also_missing(head, says):
    """One slip is one problem."""
    assert said("", head) == [says]


def test_a_long_value_is_shortened():
    """A prompt in the wrong place does not fill the screen."""
    (message,) = said(f"period: {'long ' * 500}")
    assert len(message) < 200


def test_a_value_of_many_lines_is_shown_on_one():
    """Messages stay lines."""
    (message,) = said("period: |\n  one\n  two\n")
    assert "'one two' is not known here" in message


@pytest.mark.parametrize(
    ("name", "hint"), [("qualty", ", did you mean 'quality'?"), ("Size", ", did you mean 'size'?"), ("zzz", "")]
)
def test_near_names_are_suggested(name, hint):
    """One slip of the keyboard or the shift key finds its way back."""
    assert nearest(name, ["quality", "size"]) == hint
