"""What a manifest may say."""

import pytest
from pydantic import ValidationError

from batchgen.manifest.schema import Document, MatrixBlock, PromptBlock, ProviderUse


def document(**keys) -> Document:
    return Document.model_validate({"version": 1, "name": "job", "prompts": ["a mug"]} | keys)


def errors(**keys) -> list[tuple[str | int, ...]]:
    with pytest.raises(ValidationError) as caught:
        document(**keys)
    return [tuple(part for part in error["loc"] if not str(part).startswith("\0")) for error in caught.value.errors()]


def test_the_defaults_are_the_documented_ones():
    """A manifest of three keys runs on the sandbox with cautious limits."""
    made = document()
    assert (made.provider, made.repeat, made.period) == ("sandbox", 1, None)
    assert (made.limits.concurrency, made.limits.request_timeout, made.limits.drain) == (8, 600.0, None)
    assert (made.limits.max_failures, made.limits.budget_per) == ("20%", "job")
    assert (made.retry.attempts, made.retry.waits, made.retry.max_wait) == (6, [3.0, 8.0, 15.0], 60.0)
    assert (made.retry.give_up_after, made.retry.in_doubt, made.retry.resends) == (1200.0, "resend", 2)


def test_durations_in_blocks_are_seconds():
    """Every time in the file may carry its unit."""
    made = document(limits={"request_timeout": "10m", "drain": 0, "stop_after": "1h30m"}, retry={"waits": ["1m", 2]})
    assert (made.limits.request_timeout, made.limits.drain, made.limits.stop_after) == (600.0, 0.0, 5400.0)
    assert made.retry.waits == [60.0, 2.0]


def test_a_prompt_is_text_or_a_block():
    """Both forms may stand in one list."""
    text, block = document(prompts=["a mug", {"id": "tray", "text": "a tray"}]).prompts
    assert text == "a mug"
    assert block == PromptBlock(id="tray", text="a tray")


@pytest.mark.parametrize("provider", ["openai", ["openai", "backup"], [{"use": "openai", "rpm": 5}, "backup"]])
def test_a_provider_is_a_name_a_mapping_or_a_list(provider):
    """All spellings of a provider are accepted."""
    assert document(provider=provider).provider is not None


def test_overrides_of_a_provider_are_kept():
    """What stands beside `use` is for the catalogue to judge."""
    made = document(provider={"use": "unified", "base_url": "http://127.0.0.1:1/v1", "drop": ["style"]}).provider
    assert isinstance(made, ProviderUse)
    assert made.model_extra == {"base_url": "http://127.0.0.1:1/v1", "drop": ["style"]}


def test_axes_keep_their_order_and_exclude_the_rules():
    """The order written is the order of the slot's parts."""
    matrix = document(matrix={"z": [1], "exclude": [{"z": 1}], "a": [{"id": "x"}]}).matrix
    assert isinstance(matrix, MatrixBlock)
    assert list(matrix.axes) == ["z", "a"]
    assert matrix.exclude == [{"z": 1}]


@pytest.mark.parametrize("field", ["output_compression", "partial_images", "stream", "watermark"])
def test_numbers_and_flags_of_a_request_may_be_templates(field):
    """A `${{ }}` expression is checked after rendering, not before."""
    assert getattr(document(request={field: "${{ format.value }}"}).request, field) == "${{ format.value }}"


def test_text_that_spells_a_number_is_that_number():
    """`${NAME}` yields text even where a number belongs."""
    made = document(repeat="3", limits={"rpm": "60", "budget_usd": "1.5"}, request={"stream": "true"})
    assert (made.repeat, made.limits.rpm, made.limits.budget_usd, made.request.stream) == (3, 60.0, 1.5, True)


@pytest.mark.parametrize("value", [False, {"csv": "a.csv"}])
def test_a_prompt_switches_rows_off_or_has_its_own(value):
    """`false` is a value of its own there."""
    assert document(prompts=[{"text": "a", "rows": value}]).prompts[0].rows is not None


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"version": 2}, ("version",)),
        ({"version": "1"}, ("version",)),
        ({"version": True}, ("version",)),
        ({"name": "two words"}, ("name",)),
        ({"name": "../up"}, ("name",)),
        ({"name": "x" * 65}, ("name",)),
        ({"nmae": "x"}, ("nmae",)),
        ({"provider": {"base_url": "x"}}, ("provider", "use")),
        ({"provider": []}, ("provider",)),
        ({"env": ["A-B"]}, ("env", 0)),
        ({"vars": {"row": 1}}, ("vars", "row", "[key]")),
        ({"request": {"n": 4}}, ("request", "n")),
        ({"request": {"size": 1024}}, ("request", "size")),
        ({"request": {"output_compression": 101}}, ("request", "output_compression")),
        ({"request": {"stream": 1}}, ("request", "stream")),
        ({"rows": {"csv": "a", "jsonl": "b"}}, ("rows",)),
        ({"rows": {"key": "a"}}, ("rows",)),
        ({"rows": {"inline": []}}, ("rows", "inline")),
        ({"matrix": {"take": [1]}}, ("matrix", "take")),
        ({"matrix": {"vars": [1]}}, ("matrix", "vars")),
        ({"matrix": {"a-b": [1]}}, ("matrix", "a-b")),
        ({"matrix": {"a": []}}, ("matrix", "a")),
        ({"matrix": {"a": "x"}}, ("matrix", "a")),
        ({"matrix": {"a": [{"size": 1}]}}, ("matrix", "a", 0)),
        ({"matrix": {"a": [1], "exclude": [{}]}}, ("matrix", "exclude", 0)),
        ({"matrix": {"a": [1], "extend": [{"when": {"a": 1}}]}}, ("matrix", "extend", 0, "vars")),
        ({"prompts": []}, ("prompts",)),
        ({"prompts": "a mug"}, ("prompts",)),
        ({"prompts": [""]}, ("prompts", 0)),
        ({"prompts": [7]}, ("prompts", 0)),
        ({"prompts": [{"id": "a"}]}, ("prompts", 0)),
        ({"prompts": [{"text": "a", "file": "b"}]}, ("prompts", 0)),
        ({"prompts": [{"text": "a", "matrix": True}]}, ("prompts", 0, "matrix")),
        ({"prompts": [{"text": "a", "images": "b.png"}]}, ("prompts", 0, "images")),
        ({"repeat": 0}, ("repeat",)),
        ({"repeat": 101}, ("repeat",)),
        ({"period": "hourly"}, ("period",)),
        ({"limits": {"concurrency": 10_001}}, ("limits", "concurrency")),
        ({"limits": {"concurrency": True}}, ("limits", "concurrency")),
        ({"limits": {"budget_usd": 0}}, ("limits", "budget_usd")),
        ({"limits": {"budget_usd": None}}, ("limits", "budget_usd")),
        ({"limits": {"request_timeout": "0s"}}, ("limits", "request_timeout")),
        ({"limits": {"max_failures": "120%"}}, ("limits", "max_failures")),
        ({"retry": {"waits": []}}, ("retry", "waits")),
        ({"retry": {"waits": [1, "x"]}}, ("retry", "waits", 1)),
        ({"retry": {"in_doubt": "maybe"}}, ("retry", "in_doubt")),
        ({"output": {"metadata": "some"}}, ("output", "metadata")),
        ({"post": [{"id": "web", "format": "jpg"}]}, ("post", 0, "format")),
        ({"post": [{"format": "webp"}]}, ("post", 0, "id")),
        ({"notify": {"webhook": "example.com"}}, ("notify", "webhook")),
        ({"profiles": {"a b": {}}}, ("profiles", "a b", "[key]")),
        ({"profiles": {"a": None}}, ("profiles", "a")),
        ({"limits": None}, ("limits",)),
    ],
)
def test_what_a_manifest_may_not_say(keys, where):
    """Each mistake is one error at its own key."""
    assert errors(**keys) == [where]


def test_null_takes_a_parameter_away():
    """In `request`, and only there, `null` says something."""
    assert document(request={"quality": None}).request.model_fields_set == {"quality"}


def test_all_errors_come_in_one_pass():
    """Nobody repairs a file error by error."""
    assert len(errors(name="a b", repeat=0, limits={"rpm": 0, "x": 1}, prompts=[{"txt": "a"}, 3])) == 6


def test_a_document_does_not_change():
    """What was checked stays as it was checked."""
    with pytest.raises(ValidationError):
        document().name = "other"
