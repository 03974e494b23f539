"""Servers and jobs for tests that drive the whole program."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import program
from fakes.gateway import Gateway, gateway
from fakes.job import Job


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[program.Sandbox]:
    """A sandbox in a process of its own, with books that a test can read. One per module."""
    with program.sandbox(cwd=tmp_path_factory.mktemp("sandbox")) as server:
        yield server


@pytest.fixture
def openai_gateway() -> Iterator[Gateway]:
    """A strict gateway that speaks OpenAI's dialect."""
    with gateway("openai") as server:
        yield server


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., Job]:
    """A job in this test's folder: `make_job(provider, **manifest)`."""

    def make(provider: Any = "sandbox", **manifest: Any) -> Job:
        return Job(tmp_path, provider, **manifest)

    return make


@pytest.fixture
def paid_job(make_job: Callable[..., Job], openai_gateway: Gateway) -> Job:
    """A job whose images are bought at `openai_gateway`."""
    return make_job({"use": "openai", "base_url": openai_gateway.url})
