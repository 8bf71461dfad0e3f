"""A house with the stream in it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

import pytest

from manor import Principal
from manor.testing import Client, House
from manor_stream.key_check import ADMIN_ID, STREAM_ADMIN

KEY = "a stream key for tests"


@pytest.fixture
def house_plugins() -> Sequence[str]:
    return ["stream"]


def basic(password: str, name: str = "admin") -> dict[str, str]:
    """The header of somebody who signs in so."""
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


@pytest.fixture
def admin(house: House) -> Client:
    """Asks as the user `admin`."""
    return Client(house.dispatcher, principals=(Principal(STREAM_ADMIN, credential_id=ADMIN_ID),))
