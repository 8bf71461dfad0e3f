"""Topics by themselves: what these tests say holds whatever else is installed."""

from __future__ import annotations

import pytest


@pytest.fixture
def house_plugins() -> list[str]:
    """Topics and nothing else."""
    return ["topics"]
