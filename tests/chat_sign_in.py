"""Signing in to chat as its clients do."""

from __future__ import annotations

import json
from typing import Any

from manor import Event
from manor.testing import Answer, Client
from manor_chat.events import Told
from tests.chat_people import API
from tests.people import PASSWORD

PAGE = {"X-Requested-With": "XMLHttpRequest"}


async def sign_in(client: Client, login_id: str, password: str = PASSWORD, **more: Any) -> Answer:
    """The answer to a sign-in."""
    headers = more.pop("headers", {})
    body = {"login_id": login_id, "password": password, **more}
    return await client.post(f"{API}/users/login", json=body, headers=headers)


async def session_of(client: Client, login_id: str, password: str = PASSWORD, **more: Any) -> Client:
    """A client with the token of a new session."""
    answer = await sign_in(client, login_id, password, **more)
    assert answer.status == 200, answer.text
    return bearing(client, answer.headers["token"])


def bearing(client: Client, token: str) -> Client:
    """A client that sends this token."""
    return client(headers={"Authorization": f"Bearer {token}"})


def cookies_of(answer: Answer) -> dict[str, str]:
    """The cookies that an answer sets, with their attributes."""
    lines = answer.headers.get("set-cookie", "").split("\n")
    return {name: value for line in lines if line for name, _, value in [line.partition("=")]}


def value_of(cookie: str) -> str:
    """A cookie's value without its attributes."""
    return cookie.partition(";")[0]


def told_id(answer: Answer) -> tuple[int, str]:
    """Status and id of a refusal, whose form is checked."""
    body = answer.json()
    assert set(body) == {"id", "message", "detailed_error", "request_id", "status_code", "is_oauth"}
    assert body["status_code"] == answer.status
    assert answer.headers["content-type"] == "application/json"
    return answer.status, body["id"]


def told_as(heard: list[Event], event: str) -> list[Told]:
    """What the sockets were told by that name."""
    return [each for each in heard if isinstance(each, Told) and each.event == event]


def data_of(event: Told) -> Any:
    """What it says."""
    return json.loads(event.data)
