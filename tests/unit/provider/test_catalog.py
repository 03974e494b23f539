"""Providers from three layers: shipped data, the user's file, a manifest's overrides."""

import dataclasses
import pickle

import pytest

from batchgen.errors import InputError
from batchgen.provider.catalog import ProviderDataError, names, resolve
from batchgen.provider.endpoint import has_version, is_loopback, transport_problem

URL = "https://gateway.example.com/v1"


@pytest.fixture
def user_file(tmp_path):
    def write(text):
        path = tmp_path / "providers.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def findings(use, overrides=None, **more):
    with pytest.raises(ProviderDataError) as caught:
        resolve(use, overrides, **more)
    return caught.value.findings


@pytest.mark.parametrize("name", ["api_key", "key", "token", "API-KEY"])
def test_a_key_in_the_manifest_is_told_where_it_belongs(name):
    """Instead of thirty fields, the three places for a key; and never the key."""
    ((keys, message),) = findings("openai", {name: "sk-secret"})
    assert keys == (name,)
    assert message.endswith("name its variable with key_env, or put it into .env or keys.json")
    assert "secret" not in message


def test_an_unknown_provider_hides_no_wrong_field():
    """Name and overrides are judged together."""
    assert [keys for keys, _ in findings("opnai", {"rpm": "fast"})] == [("use",), ("rpm",)]


def test_shipped_providers_are_the_five_of_the_documents():
    """Their names are part of manifests."""
    assert names() == ("sandbox", "openai", "bettertoken", "gptproto", "unified")


@pytest.mark.parametrize("name", names())
def test_shipped_data_is_sound(name):
    """Every shipped provider resolves, names its source, and survives a trip to another process."""
    provider = resolve(name, {"base_url": URL} if name == "unified" else {})
    assert provider.source
    assert pickle.loads(pickle.dumps(provider)) == provider  # noqa: S301  our own bytes


@pytest.mark.parametrize(
    ("name", "base_url", "key_env", "auth"),
    [
        ("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", "bearer"),
        ("bettertoken", "https://www.bettertoken.ai/v1", "BETTERTOKEN_API_KEY", "bearer"),
        ("gptproto", "https://gptproto.com/v1", "GPTPROTO_API_KEY", "bearer"),
        ("sandbox", "", "", "none"),
    ],
)
def test_address_and_auth_are_those_of_the_document(name, base_url, key_env, auth):
    """Where requests go, and with which key."""
    provider = resolve(name)
    assert (provider.base_url, provider.key_env, provider.auth) == (base_url, key_env, auth)


def test_bettertoken_takes_exactly_its_schema():
    """`additionalProperties: false`: no quality, no stream."""
    provider = resolve("bettertoken")
    for operation in ("generate", "edit"):
        assert provider.accepts[operation] == {"model", "size", "response_format", "output_format"}
    assert {408, 409, 425, 429, 500, 503, 599} <= provider.retry
    assert not provider.retry & {400, 401}


def test_gateways_ask_for_long_timeouts():
    """A picture takes 100 to 200 seconds, and the documents ask for more than 300."""
    assert resolve("bettertoken").min_timeout_seconds >= 300


def test_prices_are_unknown_where_no_document_has_them():
    """Nobody says that a gateway charges the list price."""
    assert [resolve(name).prices for name in ("bettertoken", "gptproto")] == [None, None]
    assert resolve("openai").prices == "list"
    assert resolve("sandbox").prices == 0


def test_sandbox_is_started_by_the_run_unless_it_has_an_address():
    """`batchgen sandbox` in another window is used as it is."""
    assert resolve("sandbox").embedded
    other = resolve("sandbox", {"base_url": "http://127.0.0.1:8080/v1/"})
    assert (other.embedded, other.sandbox, other.base_url) == (False, True, "http://127.0.0.1:8080/v1")


def test_sandbox_faults_are_kept_as_written():
    """Only the sandbox knows what they mean."""
    faults = [{"kind": "throttle", "rate": 0.08}]
    assert resolve("sandbox", {"faults": faults, "seed": 3, "latency": "real"}).faults == faults
    assert findings("openai", {"faults": faults})[0][0] == ("faults",)


def test_unknown_name_suggests_and_lists():
    """A slip of the finger is recognised, and the names there are are named."""
    [(keys, message)] = findings("opnai")
    assert keys == ("use",)
    assert "did you mean 'openai'" in message
    assert "bettertoken" in message


def test_unified_needs_an_address_and_says_how():
    """Its owner is unknown, so there is no default."""
    [(keys, message)] = findings("unified")
    assert keys == ("base_url",)
    assert "use: unified, base_url: https://" in message


def test_unknown_override_suggests_the_nearest():
    """A misspelled field is an error, not a wish unheard."""
    [(keys, message)] = findings("openai", {"base_ulr": URL})
    assert keys == ("base_ulr",)
    assert "did you mean 'base_url'" in message


WRONG = [
    ({"rpm": 0}, ("rpm",)),
    ({"rpm": "60"}, ("rpm",)),
    ({"rpm": True}, ("rpm",)),
    ({"rpm": float("inf")}, ("rpm",)),
    ({"auth": "token"}, ("auth",)),
    ({"edits": "form"}, ("edits",)),
    ({"idempotency": "yes"}, ("idempotency",)),
    ({"retry": [429, 200]}, ("retry", 1)),
    ({"retry": "5xx"}, ("retry",)),
    ({"retry": [True]}, ("retry", 0)),
    ({"headers": {"Authorization": "x"}}, ("headers", "Authorization")),
    ({"headers": {"idempotency-key": "x"}}, ("headers", "idempotency-key")),
    ({"headers": {"X A": "x"}}, ("headers", "X A")),
    ({"headers": {"X-A": "a\r\nX-B: c"}}, ("headers", "X-A")),
    ({"headers": {"X-A": 7}}, ("headers", "X-A")),
    ({"headers": ["X-A"]}, ("headers",)),
    ({"params": {"n": 4}}, ("params", "n")),
    ({"params": {1: 4}}, ("params",)),
    ({"key_cmd": "pass 'show"}, ("key_cmd",)),
    ({"key_cmd": []}, ("key_cmd",)),
    ({"key_cmd": [7]}, ("key_cmd",)),
    ({"key_env": "MY KEY"}, ("key_env",)),
    ({"drop": "quality"}, ("drop",)),
    ({"drop": [1]}, ("drop", 0)),
    ({"accepts": {"generate": ["size"], "edits": ["size"]}}, ("accepts", "edits")),
    ({"accepts": "size"}, ("accepts",)),
    ({"sizes": ["1024x1024", 7]}, ("sizes", 1)),
    ({"sizes": {"edit": {"max_edge": "big"}}}, ("sizes", "edit", "max_edge")),
    ({"sizes": {"presets": {"16:9": "wide"}}}, ("sizes", "presets", "16:9")),
    ({"models": {"m": {"refuse": []}}}, ("models", "m", "refuse")),
    ({"values": {"quality": "low"}}, ("values", "quality")),
    ({"image_field": "a b"}, ("image_field",)),
    ({"prices": -1}, ("prices",)),
    ({"prices": "cheap"}, ("prices",)),
    ({"prices": {"per_image": {"low": "x"}}}, ("prices", "per_image", "low")),
    ({"prices": {"per_image": 1, "per_million_tokens": {}}}, ("prices",)),
    ({"prices": {"per_million_tokens": {"text_in": 5}}}, ("prices", "per_million_tokens")),
    ({"proxy": "socks5://x"}, ("proxy",)),
    ({"max_images": 0}, ("max_images",)),
    ({"sandbox": True}, ("sandbox",)),
    ({"source": "me"}, ("source",)),
    ({"base_url": "api.openai.com/v1"}, ("base_url",)),
    ({"base_url": "ftp://api.openai.com/v1"}, ("base_url",)),
    ({"base_url": "https:///v1"}, ("base_url",)),
    ({"base_url": "https://host:99999/v1"}, ("base_url",)),
    ({"base_url": "https://host/v1?key=1"}, ("base_url",)),
    ({"base_url": "https://host/v1#x"}, ("base_url",)),
    ({"base_url": "https://ho st/v1"}, ("base_url",)),
    ({"base_url": "https://host\\@evil/v1"}, ("base_url",)),
    ({"base_url": "https://host/v1\r\nX: y"}, ("base_url",)),
    ({"base_url": 7}, ("base_url",)),
    ({"base_url": "https://host/v1/images/generations"}, ("base_url",)),
    ({"base_url": "http://gateway.example.com/v1"}, ("base_url",)),
]


@pytest.mark.parametrize(("overrides", "keys"), WRONG, ids=str)
def test_wrong_override_is_one_finding_at_its_key(overrides, keys):
    """Each wrong value is placed exactly, once, with words."""
    [(place, message)] = findings("openai", overrides)
    assert place == keys
    assert len(message) > 10


def test_every_wrong_override_is_reported_in_one_pass():
    """Five mistakes are five findings."""
    wrong = {"rpm": -1, "auth": "x", "base_ulr": 1, "headers": {"X-A": 1, "Host": "x"}}
    assert len(findings("openai", wrong)) == 5


@pytest.mark.parametrize(
    "overrides",
    [
        {"base_url": "https://user:s3cret@host/v1"},
        {"key_env": "sk-s3cret"},
        {"headers": {"X-A": "s3cret\n"}},
        {"proxy": "ftp://user:s3cret@host"},
        {"key_cmd": "s3cret 'x"},
    ],
    ids=str,
)
def test_secrets_in_the_wrong_place_are_not_repeated(overrides):
    """People paste keys where they do not belong; messages go to logs."""
    assert "s3cret" not in str(findings("openai", overrides))


def test_what_may_be_secret_is_not_in_the_representation():
    """Headers, proxy and command may carry a password."""
    overrides = {"headers": {"X-Key": "s3cret"}, "proxy": "http://u:s3cret@proxy:1", "key_cmd": "echo s3cret"}
    provider = resolve("openai", overrides)
    assert provider.proxy == "http://u:s3cret@proxy:1"
    assert "s3cret" not in repr(provider)


def test_overrides_are_merged_deeply():
    """A mapping gains a member, a list is replaced, null takes a default away."""
    provider = resolve("bettertoken", {"params": {"response_format": None, "user": "u"}, "retry": [429]})
    assert provider.params == {"model": "gpt-image-2", "output_format": "png", "user": "u"}
    assert provider.retry == {429}
    assert resolve("openai", {"prices": None}).prices is None


def test_null_inside_a_new_mapping_takes_nothing_away():
    """There was nothing to take, and nothing is left behind."""
    assert resolve("openai", {"headers": {"X-A": None, "X-B": "b"}}).headers == {"X-B": "b"}


def test_null_inside_prices_is_no_price():
    """A table is taken whole, holes and all, so a hole is an error and not a crash."""
    [(keys, _)] = findings("openai", {"prices": {"per_image": {"low": None}}})
    assert keys == ("prices", "per_image", "low")


def test_override_of_one_operation_leaves_the_other():
    """Edits may get more sizes without touching generations."""
    provider = resolve("bettertoken", {"sizes": {"edit": ["512x512"]}})
    assert provider.sizes["edit"].named == ("512x512",)
    assert provider.sizes["generate"] == resolve("bettertoken").sizes["generate"]


def test_list_of_sizes_replaces_a_rule():
    """A list means these sizes and no others."""
    provider = resolve("openai", {"sizes": ["1024x1024"]})
    assert not provider.sizes["generate"].admits("1536x1024")
    assert not provider.sizes["edit"].admits("1536x1024")


def test_price_tables_are_replaced_whole():
    """Half of one price list with half of another would be no price list."""
    prices = {"per_image": {"low": 0.1}}
    assert resolve("openai", {"prices": prices}).prices == prices


def test_resolving_does_not_change_the_shipped_data():
    """One job's overrides never reach the next."""
    before = resolve("bettertoken")
    resolve("bettertoken", {"params": {"x": 1}, "sizes": ["1x1"], "accepts": "any"})
    assert resolve("bettertoken") == before


def test_address_loses_its_last_slash():
    """`/v1/` and `/v1` are one address."""
    assert resolve("openai", {"base_url": "https://host/v1//"}).base_url == "https://host/v1"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]:8/v1", "https://a.b/v1"])
def test_key_may_go_to_this_machine_and_over_tls(url):
    """Plain http is fine where nobody is in between."""
    assert resolve("openai", {"base_url": url}).base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/v1",
        "http://localhost.evil.com/v1",
        "http://127.0.0.1.evil.com/v1",
        "http://[::2]/v1",
        "http://0.0.0.0/v1",
    ],
)
def test_key_never_goes_over_plain_http_to_another_machine(url):
    """Names that only look local are not local."""
    assert not is_loopback(url)
    assert "use https" in findings("openai", {"base_url": url})[0][1]


def test_gateway_without_a_key_may_use_plain_http():
    """A proxy in the local network that wants no key carries no secret."""
    assert resolve("openai", {"base_url": "http://10.0.0.1/v1", "auth": "none"}).auth == "none"
    assert transport_problem("http://10.0.0.1/v1", auth="raw")


@pytest.mark.parametrize(("url", "versioned"), [(URL, True), ("https://a.b", False), ("https://a.b/api/v3", True)])
def test_version_in_the_address_is_seen(url, versioned):
    """Gateways without /v1 in the address answer with web pages."""
    assert has_version(url) is versioned


def test_users_file_adds_and_overlays(user_file):
    """A new provider starts from a shipped one; a known name is overlaid."""
    backup = "{ use: openai, base_url: https://backup.example.com/v1, key_env: BACKUP_KEY }"
    path = user_file(f"backup: {backup}\nopenai: {{ rpm: 60 }}\n")
    backup = resolve("backup", {"rpm": 5}, user_file=path)
    assert (backup.name, backup.base_url, backup.key_env, backup.rpm) == (
        "backup",
        "https://backup.example.com/v1",
        "BACKUP_KEY",
        5,
    )
    assert resolve("openai", user_file=path).rpm == 60
    assert names(path)[-1] == "backup"


def test_users_provider_inherits_the_users_overlay(user_file):
    """`use: openai` means openai as the user has it."""
    path = user_file("openai: { rpm: 60 }\nbackup: { use: openai }\n")
    assert resolve("backup", user_file=path).rpm == 60


def test_users_provider_from_nothing_is_lenient(user_file):
    """Without `use` nothing is known of it, so nothing is refused."""
    provider = resolve("mine", user_file=user_file(f"mine: {{ base_url: '{URL}' }}\n"))
    assert provider.takes("generate", "anything")
    assert provider.sizes["edit"].free
    assert provider.prices is None


def test_yaml_of_the_users_file_is_1_2(user_file):
    """`16:9` is text and not 969; `no` is text and not false."""
    path = user_file(
        f"mine: {{ base_url: '{URL}', sizes: {{ presets: {{ 16:9: 1920x1080 }} }}, notes: {{ a: no }} }}\n"
    )
    provider = resolve("mine", user_file=path)
    assert provider.sizes["generate"].presets == {"16:9": "1920x1080"}
    assert provider.notes == {"a": "no"}


def test_missing_users_file_is_no_error(tmp_path):
    """Most people have none."""
    assert resolve("openai", user_file=tmp_path / "none.yaml") == resolve("openai")


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("openai: { rpmm: 1 }", ("openai", "rpmm")),
        ("openai: { rpm: x }", ("openai", "rpm")),
        ("openai: { use: nobody }", ("openai", "use")),
        ("openai: { use: [a] }", ("openai", "use")),
        ("openai: { use: b }\nb: { use: openai }", ("b", "use")),
        ("openai: { use: b }\nb: { use: c }\nc: { use: b }", ("c", "use")),
    ],
)
def test_mistakes_of_the_users_file_name_it(user_file, text, keys):
    """They are not the manifest's fault."""
    path = user_file(text)
    with pytest.raises(ProviderDataError) as caught:
        resolve("openai", user_file=path)
    assert caught.value.findings[0][0] == keys
    assert caught.value.problems[0].file == str(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("openai: [", "no YAML"),
        ("- openai", "no mapping"),
        ("openai: 7", "no fields"),
        ("'a b': {}", "cannot name a provider"),
        ("openai: {}\nopenai: {}", "given twice"),
        ("openai: !!python/object:os.system {}", "no YAML"),
        ("\0", "no YAML"),
        ("? [a]\n: {}", "cannot name|no YAML"),
    ],
)
def test_unreadable_users_file_is_bad_input(user_file, text, says):
    """Exit 2 with the file's name, whatever is in it."""
    with pytest.raises(InputError, match=says):
        names(user_file(text))


def test_folder_as_users_file_is_bad_input(tmp_path):
    """A path that cannot be read says so."""
    with pytest.raises(InputError, match="cannot be read"):
        names(tmp_path)


def test_binary_or_huge_users_file_is_bad_input(tmp_path):
    """Nothing is parsed that is no text or no configuration."""
    path = tmp_path / "providers.yaml"
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(InputError, match="no YAML"):
        names(path)
    path.write_bytes(b"#" * (1 << 20) + b"\n\n")
    with pytest.raises(InputError, match="1 MiB"):
        names(path)


def test_provider_takes_what_accepts_names():
    """The question everyone asks of `accepts`."""
    openai = resolve("openai")
    assert openai.takes("generate", "moderation")
    assert not openai.takes("edit", "moderation")
    assert not openai.takes("generate", "response_format")


def test_run_can_put_the_sandbox_address_in():
    """A run that starts the sandbox knows its port only then."""
    started = dataclasses.replace(resolve("sandbox"), base_url="http://127.0.0.1:1/v1")
    assert not started.embedded


@pytest.mark.parametrize("latency", ["fast", -3, True, [1]])
def test_a_latency_that_is_none_is_refused(latency):
    """The sandbox takes `real` or seconds; anything else is said before it serves."""
    with pytest.raises(ProviderDataError, match="real, or seconds"):
        resolve("sandbox", {"latency": latency})


@pytest.mark.parametrize("latency", ["real", 0, 0.5, None])
def test_a_latency_is_real_or_seconds(latency):
    """Both spellings reach the sandbox as they are."""
    assert resolve("sandbox", {"latency": latency}).latency == latency
