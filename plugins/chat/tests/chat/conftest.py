"""A house with chat alone and, where a test asks for the crew, with the crew already in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from manor.testing import House, SetClock, open_test_house
from tests.chat_channels import made
from tests.chat_people import Crew, crew_database


@pytest.fixture
def house_plugins(request: pytest.FixtureRequest) -> Sequence[str]:
    marker = request.node.get_closest_marker("manor")
    return (marker.kwargs.get("plugins") if marker else None) or ["chat"]


@pytest.fixture
async def house(
    request: pytest.FixtureRequest,
    house_plugins: Sequence[str],
    house_config: Mapping[str, Any],
    clock: SetClock,
    tmp_path: Path,
) -> AsyncIterator[House]:
    folder = tmp_path / "house"
    if "crew" in request.fixturenames and list(house_plugins) == ["chat"]:
        database = folder / "data" / "manor.db"
        database.parent.mkdir(parents=True)
        database.write_bytes(await crew_database(clock))
    async with open_test_house(folder, plugins=house_plugins, config=house_config, clock=clock) as opened:
        yield opened


@pytest.fixture
async def crew(house: House) -> Crew:
    return await Crew.gather(house)


@pytest.fixture
async def helm(crew: Crew) -> dict[str, Any]:
    """An open channel that Ann made, and that she alone is in."""
    return await made(crew, crew.ann, "helm")
