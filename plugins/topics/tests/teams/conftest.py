"""A team to ask for."""

from __future__ import annotations

import pytest

from manor.testing import House
from tests.team_people import Crew


@pytest.fixture
async def crew(house: House) -> Crew:
    """Ann's."""
    return await Crew.gather(house)
