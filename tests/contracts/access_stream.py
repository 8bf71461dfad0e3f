"""The stream's part of the authorisation matrix: who asks with its credentials, and what is asked for of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from manor import NewCredential, delete_credential, issue, new_secret
from tests.stream_hls import CLIP, LOW

if TYPE_CHECKING:
    from tests.contracts.access_cast import Asker, Cast, Headers, People
    from tests.contracts.access_objects import Objects

SCOPES = ("CAN_SEND_MESSAGES", "CAN_SEND_SYSTEM_MESSAGES", "HAS_ADMIN_ACCESS")
"""Of access tokens."""

KINDS = {
    "stream_admin": "the stream's admin",
    "integration": "an integration with the scope",
    "stream_chat": "a chat name, as a bearer token",
}
"""An asker for each kind of credential that the stream declares."""


def _shared_of(people: People) -> Any:
    """What the stream's parts use; None where the house has no stream."""
    plugin = next((each for each in people.house.running if each.name == "stream"), None)
    return None if plugin is None else plugin.instance.parts[0]._shared


async def stream_key(people: People) -> str:
    """The stream's key; any where the house has no stream."""
    shared = _shared_of(people)
    return "none" if shared is None else str(shared.settings.now.key)


def show_offline_clip(people: People) -> None:
    """Have something to watch: where there is nothing, the first who asks would have it made."""
    shared = _shared_of(people)
    if shared is not None:
        shared.window.reset([LOW], [CLIP])


async def access_token(people: People, scopes: Sequence[str]) -> str:
    """An integration with these scopes, none too, which the API would not make."""
    secret, new = new_secret("sit_"), NewCredential(kind="integration", scopes=tuple(scopes), label="a bot")
    await people.house.storage.write(partial(issue, new=new, secret=secret))
    return secret


async def chat_name(people: People, name: str, *scopes: str) -> tuple[str, str]:
    """Somebody in the stream's chat: their id, and the token that `/ws` is opened with."""
    answer = await people.client.post("/api/chat/register", json={"displayName": f"{name}{people.count()}"})
    if answer.status != 200:
        return "nobody", "A" * 43
    made = answer.json()
    if scopes:
        headers = _basic(await stream_key(people))
        wanted = {"userId": made["id"], "isModerator": True}
        await people.client.post("/api/admin/chat/users/setmoderator", json=wanted, headers=headers)
    return made["id"], made["accessToken"]


async def stream_bygones(people: People) -> dict[str, Headers]:
    """Askers whose time is over, and those that never were."""
    deleted, new = new_secret("sit_"), NewCredential(kind="integration", scopes=SCOPES, label="a bot")
    credential = await people.house.storage.write(partial(issue, new=new, secret=deleted))
    await people.house.storage.write(partial(delete_credential, credential_id=credential.id))
    show_offline_clip(people)
    return {
        "a deleted integration": _bearer(deleted),
        "an integration that nobody made": _bearer("sit_" + "A" * 43),
        "a wrong stream key": _basic("a wrong key"),
    }


# --- Who asks ------------------------------------------------------------------------------------------------------


async def _admin(cast: Cast, scope: Sequence[str]) -> Headers:
    return _basic(await stream_key(cast.people))


async def _integration(cast: Cast, scope: Sequence[str]) -> Headers:
    return _bearer(await cast.access_token([each for each in scope if each in SCOPES] or SCOPES))


async def _integration_lacking(cast: Cast, scope: Sequence[str]) -> Headers:
    return _bearer(await cast.access_token([each for each in SCOPES if each not in scope]))


async def _chat_name(cast: Cast, scope: Sequence[str]) -> Headers:
    return _bearer((await chat_name(cast.people, "ada"))[1])


ASKERS: dict[str, Asker] = {
    "the stream's admin": _admin,
    "an integration with the scope": _integration,
    "an integration without the scope": _integration_lacking,
    "a chat name, as a bearer token": _chat_name,
}


def _basic(password: str) -> Headers:
    return {"Authorization": "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()}


def _bearer(secret: str) -> Headers:
    return {"Authorization": f"Bearer {secret}"}


# --- What is asked for ---------------------------------------------------------------------------------------------


async def _key(objects: Objects, asker: str) -> str:
    """The key of now: whoever sets it changes nothing, and goes on asking with it."""
    return await stream_key(objects.people)


async def _chat_user(objects: Objects, asker: str) -> str:
    return (await chat_name(objects.people, "carol"))[0]


async def _chat_token(objects: Objects, asker: str) -> str:
    return (await chat_name(objects.people, "carol"))[1]


async def _moderator_token(objects: Objects, asker: str) -> str:
    return (await chat_name(objects.people, "carol", "MODERATOR"))[1]


async def _chat_message(objects: Objects, asker: str) -> str:
    people = objects.people
    headers = _bearer(await objects.cast.access_token(SCOPES))
    said = {"user": "carol", "body": f"hello {people.count()}"}
    await people.client.post("/api/integrations/chat/user", json=said, headers=headers)
    return str((await people.client.get("/api/chat")).json()[-1]["id"])


async def _access_token(objects: Objects, asker: str) -> str:
    return await access_token(objects.people, SCOPES)


async def _access_token_id(objects: Objects, asker: str) -> str:
    headers = _basic(await stream_key(objects.people))
    wanted = {"name": "a bot", "scopes": [*SCOPES]}
    made = await objects.people.client.post("/api/admin/accesstokens/create", json=wanted, headers=headers)
    return str(made.json()["id"])


async def _webhook(objects: Objects, asker: str) -> str:
    headers = _basic(await stream_key(objects.people))
    wanted = {"url": "https://example.org/hook", "events": ["STREAM_STOPPED"]}
    made = await objects.people.client.post("/api/admin/webhooks/create", json=wanted, headers=headers)
    return str(json.loads(made.body)["id"])


async def _address(objects: Objects, asker: str) -> str:
    """An address that is shut out of the chat."""
    headers = _basic(await stream_key(objects.people))
    number = objects.people.count()
    address = f"198.51.{number // 256 % 256}.{number % 256}"
    await objects.people.client.post("/api/admin/chat/users/ipbans/create", json={"value": address}, headers=headers)
    return address


async def _version(objects: Objects, asker: str) -> str:
    """The version that the addresses of the stream's own files hold."""
    page = (await objects.people.client.get("/")).text
    return page.partition("/static/stream/")[2].partition("/")[0]


OBJECTS: dict[str, Callable[[Any, str], Awaitable[str]]] = {
    "@stream_key": _key,
    "@chat_user": _chat_user,
    "@chat_token": _chat_token,
    "@moderator_token": _moderator_token,
    "@chat_message": _chat_message,
    "@access_token": _access_token,
    "@access_token_id": _access_token_id,
    "@stream_webhook": _webhook,
    "@banned_address": _address,
    "@stream_version": _version,
}
