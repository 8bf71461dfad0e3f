"""A house with auth in it, and quick hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from manor.testing import Client, House
from tests.people import QUICK, Person, Sign, login, made


@pytest.fixture
def house_plugins() -> Sequence[str]:
    return ["auth", "topics"]


@pytest.fixture
def house_config(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Quick hashes, no rates of addresses; a marker's own tables go over these."""
    marker = request.node.get_closest_marker("manor")
    own: dict[str, Any] = marker.kwargs.get("config", {}) if marker else {}
    server = {"limits": {"address_limit_factor": 0}, **own.get("server", {})}
    return {**own, "server": server, "identity": {**QUICK, **own.get("identity", {})}}


@pytest.fixture
def signed_in(house: House, client: Client) -> Sign:
    """Makes a person and signs them in."""

    async def sign_in(username: str = "ada", **options: Any) -> Person:
        user_id = await made(house, username, **options)
        answer = await login(client, username)
        assert answer.status == 200, answer.text
        return Person(user_id, username, f"{username}@example.org", answer.json())

    return sign_in
