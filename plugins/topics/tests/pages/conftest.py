"""A house with people who sign in by their browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.people import QUICK


@pytest.fixture
def house_plugins() -> Sequence[str]:
    return ["auth", "topics"]


@pytest.fixture
def house_config(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Quick hashes, no rates of addresses; a marker's own tables go over these."""
    marker = request.node.get_closest_marker("manor")
    own: dict[str, Any] = marker.kwargs.get("config", {}) if marker else {}
    return {"server": {"limits": {"address_limit_factor": 0}}, "identity": QUICK, **own}
