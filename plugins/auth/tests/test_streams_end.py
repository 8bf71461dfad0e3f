"""What an admin does to somebody at the shell ends their streams, and nobody else's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from manor import Closing
from manor.commands import MakeAdmin, SetPassword, Who
from manor.testing import Client, House, NotAStream
from tests.people import Person, Sign, opens

REVOKED = Closing(4401, "credential revoked")


async def key_of(client: Client, person: Person) -> dict[str, str]:
    answer = await client.post("/api/keys", json={"name": "CI"}, headers=person.bearer)
    assert answer.status == 201, answer.text
    return {"X-API-Key": answer.json()["key"]}


async def over(stream: Any) -> bool:
    """Whether the house has ended it, once everything that was sent is read."""
    async for _ in stream:
        pass
    return bool(stream.closing == REVOKED)


async def lives(client: Client, stream: Any) -> bool:
    """Whether the next message still comes."""
    assert (await client.post("/welcome", body=b"still here?")).status == 200
    told = await anext(stream)
    return "still here?" in (told if isinstance(told, str) else told.data)


Command = Callable[[House, str], Awaitable[Any]]
ENDING: dict[str, Command] = {
    "disable": lambda house, who: house.run_command("user.disable", Who(who)),
    "delete": lambda house, who: house.run_command("user.delete", Who(who)),
}


@pytest.mark.parametrize("command", ENDING)
async def test_every_stream_of_who_is_kept_out_ends_and_no_other(
    house: House, client: Client, signed_in: Sign, command: str
) -> None:
    ada, bob = await signed_in("ada"), await signed_in("bob")
    key = await key_of(client, ada)
    async with (
        client.sse("/welcome/sse", headers=ada.bearer) as by_token,
        client.websocket("/welcome/ws", headers=ada.bearer) as by_socket,
        client.sse("/welcome/sse", headers=key) as by_key,
        client.sse("/welcome/sse", headers={**key, **bob.bearer}) as by_both,
        client.sse("/welcome/sse", headers=bob.bearer) as bobs,
        client.sse("/welcome/sse") as nobodys,
    ):
        for stream in (by_token, by_socket, by_key, by_both, bobs, nobodys):
            await anext(stream)

        await ENDING[command](house, "ada")

        for stream in (by_token, by_socket, by_key, by_both):
            assert await over(stream)
        assert await lives(client, bobs)
        assert "still here?" in (await anext(nobodys)).data
    for headers in (ada.bearer, key):
        with pytest.raises(NotAStream):
            async with client.sse("/welcome/sse", headers=headers):
                pass


async def test_who_is_enabled_again_signs_in_anew_and_keys_open_what_they_did(
    house: House, client: Client, signed_in: Sign
) -> None:
    ada = await signed_in("ada")
    key = await key_of(client, ada)
    await house.run_command("user.disable", Who("ada"))
    await house.run_command("user.enable", Who("ada"))

    assert not await opens(client, ada.tokens["access_token"])
    assert (await client.post("/auth/refresh", json={"refresh_token": ada.tokens["refresh_token"]})).status == 401
    again = await client.post("/auth/login", json={"email": "ada", "password": "correct horse battery"})
    bearer = {"Authorization": f"Bearer {again.json()['access_token']}"}
    for headers in (key, bearer):
        async with client.sse("/welcome/sse", headers=headers) as events:
            assert (await anext(events)).event == "ready"
            assert await lives(client, events)


async def test_a_new_password_from_the_shell_ends_sessions_and_leaves_keys(
    house: House, client: Client, signed_in: Sign
) -> None:
    ada = await signed_in("ada")
    key = await key_of(client, ada)
    async with (
        client.sse("/welcome/sse", headers=ada.bearer) as by_token,
        client.sse("/welcome/sse", headers=key) as by_key,
    ):
        await anext(by_key)

        await house.run_command("user.set_password", SetPassword("ada", "another horse battery"))

        assert await over(by_token)
        assert await lives(client, by_key)


async def test_other_changes_end_no_stream(house: House, client: Client, signed_in: Sign) -> None:
    ada = await signed_in("ada")
    async with client.sse("/welcome/sse", headers=ada.bearer) as events:
        await anext(events)

        for name, arguments in (
            ("user.enable", Who("ada")),
            ("user.verify", Who("ada")),
            ("user.make_admin", MakeAdmin("ada")),
        ):
            await house.run_command(name, arguments)

        assert await lives(client, events)
