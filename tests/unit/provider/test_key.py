"""Keys: where they come from, in which order, and that no message ever shows one."""

import dataclasses
import json
import sys

import pytest

from batchgen.errors import ProviderError
from batchgen.provider.catalog import resolve
from batchgen.provider.key import Key, env_files, find_key, require_key

CANARY = "sk-proj-0123456789abcdef"


@pytest.fixture
def openai():
    return resolve("openai")


def found(provider, environ=None, **more):
    return find_key(provider, environ=environ or {}, **more)


def revealed(provider, environ=None, **more):
    key = found(provider, environ, **more)
    return key and key.secret


def written(path, text, mode=0o600):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_sources_are_asked_in_order(tmp_path):
    """Environment, .env, key_file, key_cmd, keys.json: the first that has a key wins."""
    provider = resolve(
        "openai",
        {
            "key_file": str(written(tmp_path / "key", "from-file\n")),
            "key_cmd": [sys.executable, "-c", "print('from-cmd')"],
        },
    )
    files = [written(tmp_path / ".env", "OPENAI_API_KEY=from-dotenv\n")]
    written(tmp_path / "keys.json", '{"openai": "from-store"}')
    steps = [
        (provider, {"OPENAI_API_KEY": "from-environment"}, files, "from-environment"),
        (provider, {}, files, "from-dotenv"),
        (provider, {}, [], "from-file"),
        (dataclasses.replace(provider, key_file=""), {}, [], "from-cmd"),
        (dataclasses.replace(provider, key_file="", key_cmd=()), {}, [], "from-store"),
    ]
    for asked, environ, env, expected in steps:
        assert revealed(asked, environ, env_files=env, config_dir=tmp_path) == expected


def test_empty_variable_is_no_key(openai, tmp_path):
    """`OPENAI_API_KEY=` in the environment does not hide the .env file."""
    env = written(tmp_path / ".env", f"OPENAI_API_KEY={CANARY}\n")
    assert revealed(openai, {"OPENAI_API_KEY": " "}, env_files=[env]) == CANARY
    assert found(openai, {"OPENAI_API_KEY": ""}) is None


def test_nearest_env_file_wins(openai, tmp_path):
    """The one beside the manifest comes before those above; one without the variable is passed over."""
    near = written(tmp_path / "a" / ".env", "OTHER=1\n")
    middle = written(tmp_path / "b" / ".env", "OPENAI_API_KEY=middle\n")
    far = written(tmp_path / "c" / ".env", "OPENAI_API_KEY=far\n")
    assert revealed(openai, env_files=[near, tmp_path / "none", middle, far]) == "middle"


def test_env_file_is_taken_literally(openai, tmp_path):
    """Quotes and `export` are shell habits; a dollar sign in a key stays one."""
    env = written(tmp_path / ".env", "\ufeffexport OPENAI_API_KEY='a$HOME${HOME}b'  # mine\n")
    assert revealed(openai, {"HOME": "/root"}, env_files=[env]) == "a$HOME${HOME}b"


def test_env_files_are_searched_up_to_the_repository(tmp_path):
    """Not further: a stranger's .env higher up is none of this job's business."""
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    folder = tmp_path / "repo" / "jobs" / "spring"
    folder.mkdir(parents=True)
    expected = [folder, folder.parent, tmp_path / "repo"]
    assert env_files(folder) == tuple(place / ".env" for place in expected)


def test_without_a_repository_only_the_own_folder_is_searched(tmp_path):
    """A manifest in /srv reads no /.env."""
    assert env_files(tmp_path) == (tmp_path / ".env",)


def test_key_file_may_end_in_a_newline_and_lie_in_a_named_folder(openai, tmp_path):
    """Service managers and containers hand keys over as files; `~`, variables and relative paths are understood."""
    written(tmp_path / "openai.key", f"\ufeff{CANARY}\r\n")
    for spelled, environ in [
        ("openai.key", {}),
        ("~/openai.key", {"HOME": str(tmp_path)}),
        ("${CREDENTIALS_DIRECTORY}/openai.key", {"CREDENTIALS_DIRECTORY": str(tmp_path)}),
        (str(tmp_path / "openai.key"), {}),
    ]:
        provider = dataclasses.replace(openai, key_file=spelled)
        assert revealed(provider, environ, folder=tmp_path) == CANARY


def test_key_command_gives_its_first_line(openai):
    """Password stores print notes below the secret; the command sees the given environment and no shell."""
    script = "import os; print(os.environ['WHO']); print('login: me')"
    provider = dataclasses.replace(openai, key_cmd=(sys.executable, "-c", script))
    assert revealed(provider, {"WHO": "a;b$HOME"}) == "a;b$HOME"


def test_key_command_written_as_text_is_split_without_a_shell():
    """`$(...)` and `;` are arguments, nothing more."""
    provider = resolve("openai", {"key_cmd": "echo $(touch x);"})
    assert provider.key_cmd == ("echo", "$(touch", "x);")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"key_file": "/does/not/exist"}, "cannot be read"),
        ({"key_file": "/dev/zero"}, "holds no key"),
        ({"key_file": "/dev/null"}, "holds no key"),
        ({"key_file": "${NOT_SET}/key"}, "NOT_SET"),
        ({"key_file": "~/key"}, "HOME"),
        ({"key_cmd": ["/does/not/exist"]}, "failed"),
        ({"key_cmd": ["false"]}, "ended with 1"),
        ({"key_cmd": ["true"]}, "printed no key"),
        ({"key_cmd": ["printf", "\\377"]}, "not UTF-8"),
    ],
    ids=str,
)
def test_named_source_that_is_broken_is_an_error(overrides, says):
    """A source the user named must not fail silently into the next one."""
    with pytest.raises(ProviderError, match=says):
        found(resolve("openai", overrides))


@pytest.mark.parametrize("text", ["{", "[]", '{"openai": 7}', "[" * 60_000, '"' + CANARY])
def test_broken_store_is_an_error_without_its_content(openai, tmp_path, text):
    """keys.json is mended by hand; the message names it and shows nothing of it."""
    written(tmp_path / "keys.json", text)
    with pytest.raises(ProviderError, match=r"keys\.json") as caught:
        found(openai, config_dir=tmp_path)
    assert CANARY not in str(caught.value)


def test_store_that_others_can_read_is_used_with_a_warning(openai, tmp_path):
    """Wider than 0600 works, and says how to mend it."""
    store = written(tmp_path / "keys.json", json.dumps({"openai": CANARY}), mode=0o644)
    assert "chmod 600" in found(openai, config_dir=tmp_path).warnings[0]
    store.chmod(0o600)
    assert found(openai, config_dir=tmp_path).warnings == ()


def test_store_holds_keys_by_provider_name(openai, tmp_path):
    """Another provider's key is not taken."""
    written(tmp_path / "keys.json", '{"gptproto": "x"}')
    assert found(openai, config_dir=tmp_path) is None


def test_unreadable_env_file_is_an_error(openai, tmp_path):
    """A .env that is a folder or no text is named."""
    (tmp_path / "bad").write_bytes(b"OPENAI_API_KEY=\xff\xfe")
    with pytest.raises(ProviderError, match="not UTF-8"):
        found(openai, env_files=[tmp_path / "bad"])


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (f"Bearer {CANARY}", "leave the word out"),
        (f'"{CANARY}"', "in quotes"),
        (f"\u201c{CANARY}\u201d", "in quotes"),
        (f"{CANARY} {CANARY}", "blanks"),
        (f"{CANARY}\n{CANARY}", "blanks"),
        (f"{CANARY}\u00a0x", "blanks"),
        (f"{CANARY}\x00", "characters"),
        (f"{CANARY}\x1b[0m", "characters"),
        (f"{CANARY}\u200b", "characters"),
        (f"{CANARY}é", "characters"),
    ],
)
def test_key_no_header_could_carry_is_refused_unseen(openai, value, says):
    """The message names the source and the flaw, and not one character of the key."""
    with pytest.raises(ProviderError, match=says) as caught:
        found(openai, {"OPENAI_API_KEY": value})
    assert "OPENAI_API_KEY" in str(caught.value)
    assert "0123456789" not in str(caught.value)


def test_missing_key_names_the_variable_and_every_way(openai, tmp_path):
    """Exit 4, and the message alone is enough to go on."""
    with pytest.raises(ProviderError) as caught:
        require_key(openai, environ={}, config_dir=tmp_path)
    assert caught.value.exit_code == 4
    for way in ("OPENAI_API_KEY", ".env", "key_file", "key_cmd", str(tmp_path / "keys.json")):
        assert way in str(caught.value)


def test_provider_without_auth_needs_no_key():
    """The sandbox runs on a machine with no key, and ignores those that are there."""
    sandbox = resolve("sandbox")
    assert require_key(sandbox, environ={"": CANARY, "OPENAI_API_KEY": CANARY}) is None


def test_provider_without_a_variable_reads_no_nameless_one():
    """An empty key_env never matches an odd environment."""
    provider = dataclasses.replace(resolve("openai"), key_env="")
    assert found(provider, {"": CANARY}) is None


def test_required_key_is_the_found_one(openai):
    """`require_key` adds only the error."""
    key = require_key(openai, environ={"OPENAI_API_KEY": f" {CANARY}\n"})
    assert (key.secret, key.source) == (CANARY, "environment variable OPENAI_API_KEY")


def test_secret_is_in_no_representation():
    """A key object can be logged; only a long key shows its end."""
    key = Key(source="somewhere", secret=CANARY)
    assert "0123456789" not in f"{key!r} {key}"
    assert key.last4 == "cdef"
    assert Key(source="somewhere", secret=CANARY[:9]).last4 == ""
