"""A house with the stream in it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from manor import Principal
from manor.testing import Client, House
from manor_stream.key_check import ADMIN_ID, STREAM_ADMIN
from tests.s3_server import S3Server
from tests.stream_shipping import Studio, open_studio

KEY = "a stream key for tests"


@pytest.fixture
def house_plugins() -> Sequence[str]:
    return ["stream"]


@pytest.fixture
def house_config(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """The marker's, with a port for encoders that is free."""
    marker = request.node.get_closest_marker("manor")
    config = dict((marker.kwargs.get("config") if marker else None) or {})
    plugins = dict(config.get("plugins", {}))
    return config | {"plugins": plugins | {"stream": {"rtmp_bind": "127.0.0.1:0"} | plugins.get("stream", {})}}


def basic(password: str, name: str = "admin") -> dict[str, str]:
    """The header of somebody who signs in so."""
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


@pytest.fixture
async def studio(tmp_path: Path, s3_server: S3Server) -> AsyncIterator[Studio]:
    """A house that ships to a bucket."""
    async with open_studio(tmp_path, s3_server) as opened:
        yield opened


@pytest.fixture
def admin(house: House) -> Client:
    """Asks as the user `admin`."""
    return Client(house.dispatcher, principals=(Principal(STREAM_ADMIN, credential_id=ADMIN_ID),))
