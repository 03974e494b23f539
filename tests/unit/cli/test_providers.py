import json

import pytest

from batchgen.provider.catalog import names, resolve
from batchgen.provider.sizes import listed


def test_every_provider_is_listed_with_address_and_key(batchgen):
    """One line each, also for the gateway that ships without an address."""
    said = batchgen("providers")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()] == list(names())
    assert "needs a base_url" in said.out
    assert "BETTERTOKEN_API_KEY" in said.out
    assert max(map(len, said.out.splitlines())) <= 80


@pytest.mark.parametrize("name", names())
def test_a_provider_is_shown_in_full_within_80_columns(batchgen, name):
    """Sizes, parameters, notes and sources of any provider fit the screen."""
    said = batchgen("providers", name)
    assert said.code == 0
    assert said.out.startswith(name)
    assert "  sizes  " in said.out
    assert max(len(line) for line in said.out.splitlines() if "http" not in line) <= 80


def test_sizes_are_exactly_those_of_the_document(batchgen):
    """Generations and edits differ at BetterToken, and both are shown."""
    lines = batchgen("providers", "bettertoken", "--sizes").out.splitlines()
    provider = resolve("bettertoken")
    assert lines == [
        f"{operation}  {size}" for operation in ("generate", "edit") for size in listed(provider, operation)
    ]


def test_sizes_of_all_name_their_provider(batchgen):
    """Without a name each line says whose size it is."""
    assert "unified generate  16:9" in batchgen("providers", "--sizes").out


def test_json_has_one_object_per_provider(batchgen):
    """Programs get the same, and no placeholder for an address."""
    found = {each["name"]: each for each in map(json.loads, batchgen("providers", "--json").out.splitlines())}
    assert list(found) == list(names())
    assert found["unified"]["base_url"] is None
    assert "quality" not in found["bettertoken"]["accepts"]["generate"]


def test_the_users_own_providers_are_listed(batchgen, place, monkeypatch):
    """A gateway in providers.yaml is as good as a shipped one."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place))
    (place / "batchgen").mkdir()
    (place / "batchgen/providers.yaml").write_text("mine: { use: openai, base_url: https://mine.example/v1 }\n")
    assert "https://mine.example/v1" in batchgen("providers").out


def test_an_unknown_provider_is_exit_2_with_a_proposal(batchgen):
    """A typo is answered with the name that was meant."""
    said = batchgen("providers", "opnai")
    assert said.code == 2
    assert "did you mean 'openai'" in said.err
