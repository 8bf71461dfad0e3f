"""Keys that an admin replaces, or ends."""

from __future__ import annotations

import pytest

from manor import NotFound
from manor.testing import Client, House
from manor_auth.commands import KeysShown, RevokeKey, RotateKeys
from tests.people import Sign, actions, opens


async def published(client: Client) -> list[str]:
    return [key["kid"] for key in (await client.get("/.well-known/jwks.json")).json()["keys"]]


async def rotate(house: House) -> KeysShown:
    shown = await house.run_command("auth.rotate_keys", RotateKeys())
    assert isinstance(shown, KeysShown)
    return shown


async def test_a_rotation_signs_nobody_out(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")

    shown = await rotate(house)

    assert [key.signs for key in shown.keys] == [False, True]
    assert await published(client) == [key.kid for key in shown.keys]
    assert await opens(client, person.tokens["access_token"])
    assert await opens(client, (await signed_in("bob")).tokens["access_token"])
    assert "auth.key_rotated" in await actions(house)


async def test_a_revoked_key_ends_what_it_signed_and_nothing_else(
    house: House, client: Client, signed_in: Sign
) -> None:
    ada = await signed_in("ada")
    old, new = [key.kid for key in (await rotate(house)).keys]
    bob = await signed_in("bob")

    shown = await house.run_command("auth.revoke_key", RevokeKey(old))

    assert [key.kid for key in shown.keys] == await published(client) == [new]
    assert not await opens(client, ada.tokens["access_token"])
    assert await opens(client, bob.tokens["access_token"])
    assert "auth.key_revoked" in await actions(house)


async def test_when_the_key_that_signs_is_revoked_another_one_signs(
    house: House, client: Client, signed_in: Sign
) -> None:
    (only,) = await published(client)

    (left,) = (await house.run_command("auth.revoke_key", RevokeKey(only))).keys

    assert left.signs
    assert left.kid != only
    assert await opens(client, (await signed_in("ada")).tokens["access_token"])


@pytest.mark.parametrize("kid", ["", "x", "../../etc/passwd"])
async def test_a_key_that_is_none_is_not_revoked(house: House, client: Client, kid: str) -> None:
    before = await published(client)

    with pytest.raises(NotFound, match=before[0]):
        await house.run_command("auth.revoke_key", RevokeKey(kid))

    assert await published(client) == before
