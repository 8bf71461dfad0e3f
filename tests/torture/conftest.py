"""What the torture tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import powercut


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled `powercut.c`."""
    return powercut.build(tmp_path_factory.mktemp("shim"))
