"""Daemons for tests: one of a test's own, or one that tests share because they do it no harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import Daemon

Make = Callable[..., Daemon]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes configured daemons that are not started yet; what still runs at the end is killed."""
    made: list[Daemon] = []

    def make(tables: Mapping[str, Any] | None = None, *, folder: str = "") -> Daemon:
        home = tmp_path / folder
        home.mkdir(exist_ok=True)
        made.append(Daemon(home, tables))
        return made[-1]

    yield make
    for daemon in made:
        daemon.kill()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A running daemon with short deadlines and no rates."""
    limits = {
        "address_limit_factor": 0,
        "connections_per_address": 1000,
        "header_seconds": 1,
        "body_idle_seconds": 1,
        "keep_alive_seconds": 5,
    }
    daemon = Daemon(tmp_path_factory.mktemp("shared"), {"server": {"limits": limits}})
    daemon.start()
    try:
        daemon.create("attic")
        yield daemon
        assert daemon.stop() == 0
    finally:
        daemon.kill()
