import textwrap

import pytest

from batchgen.errors import PlanError
from batchgen.manifest.load import load
from batchgen.plan.expand import expand

HEAD = "version: 1\nname: demo\n"


@pytest.fixture
def manifest(tmp_path):
    """Writes a manifest (without its version and name) and loads it."""

    def loaded(text, *, head=HEAD, **options):
        path = tmp_path / "job.yaml"
        path.write_text(head + textwrap.dedent(text), encoding="utf-8")
        return load(path, environ={}, **options)

    return loaded


@pytest.fixture
def plan(manifest):
    """The plan of a manifest's text."""

    def made(text, **options):
        return expand(manifest(text), **options)

    return made


@pytest.fixture
def problems(plan):
    """What is wrong with the plan of a manifest's text: `line  key: message`, without file and column."""

    def found(text, **options):
        with pytest.raises(PlanError) as caught:
            plan(text, **options)
        return [f"{one.line or ''}  {one.key}: {one.message}" for one in caught.value.problems]

    return found
