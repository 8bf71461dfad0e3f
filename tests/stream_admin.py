"""What tests of the stream's administration ask."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from manor.testing import Client, House
from manor_stream.parts import Shared


def basic(password: str, name: str = "admin") -> dict[str, str]:
    """The header of somebody who signs in so."""
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


def shared_of(house: House) -> Shared:
    """What the parts of the house's stream share."""
    plugin = next(each for each in house.plugins if each.name == "stream")
    shared: Shared = plugin.instance.parts[0]._shared
    return shared


async def config_of(admin: Client) -> Any:
    """All that can be set, as the API shows it."""
    answer = await admin.get("/api/admin/serverconfig")
    assert answer.status == 200, answer.text
    return answer.json()


async def make_token(admin: Client, *scopes: str, name: str = "a bot") -> dict[str, Any]:
    """An access token with its secret, as the API gives it."""
    answer = await admin.post("/api/admin/accesstokens/create", json={"name": name, "scopes": list(scopes)})
    assert answer.status == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made
