"""People for tests: with a password, signed in, or about to be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import trio.testing

from manor import NewUser, add_user
from manor.testing import Answer, Client, House

PASSWORD = "correct horse battery"

QUICK = {"argon2_memory_mib": 19, "argon2_time": 2}
"""The least that the configuration takes."""


@dataclass(frozen=True)
class Person:
    """Somebody with a password, and what their sign-in was answered with."""

    id: UUID
    username: str
    email: str
    tokens: Mapping[str, Any]

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}


Sign = Callable[..., Awaitable[Person]]


async def made(house: House, username: str, *, is_verified: bool = True, is_admin: bool = False) -> UUID:
    """A person with the password `PASSWORD`."""
    password_hash = await house.services.identity.hasher.hash(PASSWORD)
    new = NewUser(
        username=username,
        email=f"{username}@example.org",
        tier="FREE",
        password_hash=password_hash,
        is_admin=is_admin,
        is_verified=is_verified,
    )
    return (await house.storage.write(lambda transaction: add_user(transaction, new))).id


async def login(client: Client, username: str, password: str = PASSWORD, **more: Any) -> Answer:
    return await client.post("/auth/login", json={"email": username, "password": password, **more})


async def opens(client: Client, access_token: str) -> bool:
    """Whether an access token lets somebody in."""
    answer = await client.get("/auth/me", headers={"Authorization": f"Bearer {access_token}"})
    assert answer.status in (200, 401)
    return answer.status == 200


async def actions(house: House) -> list[str]:
    """What the audit log says was done."""
    rows = await house.storage.read(lambda transaction: house.services.audit.list(transaction))
    return [row.action for row in rows]


async def links(house: House, email: str, kind: str) -> list[str]:
    """The links that were mailed, newest first, once all work that was put off is done."""
    await trio.testing.wait_all_tasks_blocked()
    mail = house.services.mail
    found = await house.storage.read(lambda transaction: mail.links(transaction, email, kind))
    return [link.url for link in found]
