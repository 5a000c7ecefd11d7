"""Services over tiny models, one bundle for every task."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloister.runtime.http.application import build
from cloister.runtime.settings import Settings
from tests.support.service import TASKS, Client, Serve, Server


@pytest.fixture(scope="session")
def bundles(make_bundle: Any) -> dict[str, Path]:
    """A tiny bundle for every task, by the name it is served under."""
    return {name: make_bundle("bert", task) for name, task in TASKS.items()}


@pytest.fixture
def serve(bundles: dict[str, Path]) -> Iterator[Serve]:
    """Makes clients of services with the settings given."""
    made: list[Client] = []

    def make(*names: str, parts: dict[str, Any] | None = None, **settings: Any) -> Client:
        chosen = [f"{name}={bundles[name]}" for name in names or TASKS]
        made.append(Client(build(Settings(bundles=chosen, **settings), **(parts or {}))))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(scope="module")
def client(bundles: dict[str, Path]) -> Iterator[Client]:
    """A service with every task and the default policy."""
    one = Client(build(Settings(bundles=[f"{name}={path}" for name, path in bundles.items()])))
    yield one
    one.close()


@pytest.fixture(scope="module")
def server(bundles: dict[str, Path]) -> Iterator[Server]:
    """A process that serves every task."""
    one = Server(*(f"{name}={path}" for name, path in bundles.items()))
    yield one
    assert one.stop() == 0
