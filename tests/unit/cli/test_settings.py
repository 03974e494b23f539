import pytest

from batchgen.cli.settings import read_settings
from batchgen.errors import ManifestError
from batchgen.manifest.load import load


@pytest.fixture
def config(place, monkeypatch):
    """`config(text)` writes the user's config.yaml."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "conf"))
    path = place / "conf/batchgen/config.yaml"
    path.parent.mkdir(parents=True)

    def write(text):
        path.write_text(text)
        return path

    return write


def test_defaults_apply_where_the_manifest_says_nothing(batchgen, config):
    """The user's provider is used for a job that names none."""
    config("provider: openai\n")
    assert "provider openai" in batchgen("plan", "hello", "--set", "request.size=1024x1024").out


def test_the_manifest_beats_the_defaults(config, place):
    """What the job says about itself stands; what it leaves open is filled."""
    settings = read_settings(config("limits: {concurrency: 2, rpm: 30}\nretry: {attempts: 2}\n"))
    (place / "jobs/own.yaml").write_text("version: 1\nname: own\nlimits: {concurrency: 5}\nprompts: [x]\n")
    document = load(place / "jobs/own.yaml", environ={}).document
    assert settings.sets_for(document) == ("limits.rpm=30", "retry.attempts=2")


def test_a_flag_beats_the_defaults(batchgen, config):
    """Flags come first."""
    config("provider: openai\n")
    assert "provider sandbox" in batchgen("plan", "hello", "--provider", "sandbox").out


def test_a_typed_set_beats_the_defaults(batchgen, config):
    """--set is a flag, too."""
    config("provider: openai\n")
    assert "provider sandbox" in batchgen("plan", "hello", "--set", "provider=sandbox").out


def test_an_output_folder_is_relative_to_the_configuration(batchgen, config, place):
    """A relative folder does not depend on where batchgen is called."""
    config("output: {dir: ../../pictures}\n")
    batchgen("run", "hello")
    assert (place / "pictures/hello@sandbox/ledger.jsonl").is_file()


@pytest.mark.parametrize("text", [None, "", "# nothing yet\n"])
def test_no_defaults_are_no_problem(config, place, text):
    """Neither a missing nor an empty file is an error."""
    path = place / "nowhere.yaml" if text is None else config(text)
    assert read_settings(path).values == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("limit: {rpm: 3}\n", "limit"),
        ("limits: {rpm: fast}\n", "limits.rpm"),
        ("limits: {rpm: 0}\n", "limits.rpm"),
        ("prompts: [x]\n", "prompts"),
        ("a: [\n", "config.yaml"),
        ("- a\n", "config.yaml"),
    ],
)
def test_wrong_defaults_are_reported_with_their_place(config, text, says):
    """A typo in config.yaml is found where it stands."""
    path = config(text)
    with pytest.raises(ManifestError) as error:
        read_settings(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)
