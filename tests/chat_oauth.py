"""Programs that may act for people, for tests: registered, let in, and with their tokens."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from manor.testing import Answer, Client, House
from tests.chat_people import API, Crew

BACK = "https://app.example.org/back"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


async def register(crew: Crew, **more: Any) -> dict[str, Any]:
    wanted = {"name": "Robot", "description": "d", "callback_urls": [BACK], "homepage": "https://example.org", **more}
    answer = await crew.ada.client.post(f"{API}/oauth/apps", json=wanted)
    assert answer.status == 201, answer.text
    app: dict[str, Any] = answer.json()
    return app


def asked(app: dict[str, Any], **more: str) -> dict[str, str]:
    return {"response_type": "code", "client_id": app["id"], "redirect_uri": BACK, "state": "s&1", **more}


async def code_of(crew: Crew, app: dict[str, Any], **more: str) -> str:
    answer = await crew.bob.client.post("/oauth/authorize", json=asked(app, **more))
    assert answer.status == 200, answer.text
    query = parse_qs(urlsplit(str(answer.json()["redirect"])).query)
    assert query["state"] == ["s&1"]
    return query["code"][0]


async def exchange(client: Client, app: dict[str, Any], **form: str) -> Answer:
    members = {"client_id": app["id"], "client_secret": app["client_secret"], **form}
    return await client.post("/oauth/access_token", body=urlencode(members).encode(), headers=FORM)


async def fetch(client: Client, app: dict[str, Any], code: str, **more: str) -> Answer:
    return await exchange(client, app, grant_type="authorization_code", code=code, redirect_uri=BACK, **more)


async def opens(house: House, token: str) -> bool:
    answer = await Client(house.dispatcher).get(f"{API}/users/me/teams", headers={"Authorization": f"Bearer {token}"})
    assert answer.status in (200, 401)
    return answer.status == 200
