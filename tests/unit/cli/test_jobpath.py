import re
from pathlib import Path

import pytest

from batchgen.cli.jobpath import find_manifest
from batchgen.errors import UsageError


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """A folder with two manifests under jobs/ and one beside."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "jobs/launch.yaml",
        "jobs/nightly.yml",
        "hello.yaml",
        "single/only.yaml",
        "marked/job.yaml",
        "marked/x.yaml",
    ):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("version: 1\n")
    Path("empty").mkdir()


@pytest.mark.parametrize(
    ("job", "manifest"),
    [
        ("jobs/launch.yaml", "jobs/launch.yaml"),
        ("launch", "jobs/launch.yaml"),
        ("launch.yaml", "jobs/launch.yaml"),
        ("nightly", "jobs/nightly.yml"),
        ("hello", "hello.yaml"),
        ("single", "single/only.yaml"),
        ("marked/", "marked/job.yaml"),
    ],
)
def test_a_job_is_a_path_a_name_or_a_folder(job, manifest):
    """What people type finds the manifest they mean."""
    assert find_manifest(job) == Path(manifest)


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ("lanch", "did you mean jobs/launch.yaml?"),
        ("zzz", "there are: jobs/launch.yaml, jobs/nightly.yml, hello.yaml"),
        ("jobs", "several manifests; name one of them: jobs/launch.yaml, jobs/nightly.yml"),
        ("empty", "without a .yaml file"),
        ("/nowhere/at/all", "no manifest"),
    ],
)
def test_a_job_that_is_not_there_names_those_that_are(job, says):
    """The message carries the remedy."""
    with pytest.raises(UsageError, match=re.escape(says)):
        find_manifest(job)


def test_no_manifest_anywhere_suggests_init(tmp_path, monkeypatch):
    """A new user is told how to begin."""
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    with pytest.raises(UsageError, match="batchgen init"):
        find_manifest("hello")
