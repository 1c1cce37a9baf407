"""A server that answers, shared by the tests of this room."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.responder import Responder
from service.settings import Settings
from service.transport.connection_share import prepare
from tests.service.running import Running, environment, serving

SHARES = "BELLWETHER_INTERNAL_SHARES"


@pytest.fixture(scope="session")
def responder(bundle_dir: Path) -> Responder:
    """A responder in this process."""
    return Responder(bundle_dir, Settings(threads=1))


@pytest.fixture(scope="session")
def server(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A real server with the tiny bundle, started once."""
    folder = tmp_path_factory.mktemp("server")
    variables = environment(
        folder, bundle=bundle_dir, threads="1", max_body_bytes=str(2**20), max_students="500"
    )
    with serving(folder, variables) as running:
        yield running


@pytest.fixture(scope="session")
def http(server: Running) -> Iterator[httpx.Client]:
    """A client that keeps its connection to the server."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The page on which two workers share; its descriptor."""
    monkeypatch.setenv(SHARES, "none yet")
    prepare(2)
    descriptor = int(os.environ[SHARES])
    yield descriptor
    os.close(descriptor)
