"""Pytest fixtures for the tests of a plugin: `house`, `client`, `heard` and `clock`.

By default the house has the plugins that the `pyproject.toml` at the root of the tests declares, and no configuration.
A test says otherwise with `@pytest.mark.manor(plugins=["doorbell"], config={"plugins": {"doorbell": {…}}})`, a module
or a whole project by overriding the fixtures `house_plugins` and `house_config`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

if TYPE_CHECKING:
    from manor.clock import SetClock
    from manor.events import Event
    from manor.house import House
    from manor.testing.client import Client


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and have errors logged as the daemon logs them.

    Without a word, structlog shows the local variables of every frame: seconds of work for each error.
    """
    config.addinivalue_line(
        "markers",
        "manor(plugins, config): the plugins of the fixture `house` by name, and its configuration as in config.toml",
    )
    if not structlog.is_configured():
        renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
        stamp = structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False)
        structlog.configure(processors=[structlog.processors.add_log_level, stamp, renderer])


def _marked(request: pytest.FixtureRequest, name: str) -> Any:
    marker = request.node.get_closest_marker("manor")
    return marker.kwargs.get(name) if marker else None


@pytest.fixture
def house_plugins(request: pytest.FixtureRequest) -> Sequence[str]:
    """Names of the plugins in the house: the marker's, else those of the project under test. Override to taste."""
    from manor.testing.houses import declared_plugins

    names = _marked(request, "plugins")
    return declared_plugins(request.config.rootpath) if names is None else names


@pytest.fixture
def house_config(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """The house's configuration, tables as in config.toml: the marker's, else none. Override to taste."""
    return _marked(request, "config") or {}


@pytest.fixture
def clock() -> SetClock:
    """The house's wall clock; it stands at noon of 2 January 2030 (UTC) until it is `set`."""
    from manor.clock import SetClock

    return SetClock(datetime(2030, 1, 2, 12, tzinfo=UTC))


@pytest.fixture
async def house(
    house_plugins: Sequence[str], house_config: Mapping[str, Any], clock: SetClock, tmp_path: Path
) -> AsyncIterator[House]:
    """An open house with a database of its own, a real file.

    Everything runs in the test's own thread, so that `autojump_clock` sees all of it. A plugin's fault is an error.
    """
    from manor.testing.houses import open_test_house

    async with open_test_house(tmp_path / "house", plugins=house_plugins, config=house_config, clock=clock) as opened:
        yield opened


@pytest.fixture
def client(house: House) -> Client:
    """Asks the house; `client(principals=[…])` gives one that is believed to be somebody."""
    from manor.testing.client import Client

    return Client(house.dispatcher)


@pytest.fixture
def heard(house: House) -> list[Event]:
    """Every event that the house tells, in the order of the commits."""
    from manor.testing.houses import hear_all

    return hear_all(house)
