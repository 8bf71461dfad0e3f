"""Keys: private files, one that signs, others on their way out."""

from __future__ import annotations

import base64
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio.testing

from manor import ManorError
from manor.errors import AdminFault
from manor.testing import Client, House, SetClock, open_test_house
from manor_auth.commands import RotateKeys
from manor_auth.keys import Algorithm, KeyRing
from manor_auth.rotation import Rotation
from tests.people import QUICK, Sign, login, made, opens

WEEK = timedelta(days=7)


def ring(folder: Path, clock: SetClock) -> KeyRing:
    keys = KeyRing(folder / "keys", clock, lambda: WEEK)
    keys.open()
    return keys


def kids(keys: KeyRing) -> list[str]:
    return [key.kid for key in keys.all()]


def forward(clock: SetClock, by: timedelta) -> None:
    clock.set(clock.now() + by)


def test_a_first_start_makes_a_key_that_only_its_owner_reads(tmp_path: Path, clock: SetClock) -> None:
    keys = ring(tmp_path, clock)

    (path,) = (tmp_path / "keys").iterdir()
    assert path.name == f"{keys.current.kid}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_later_start_has_the_same_keys_in_the_same_order(tmp_path: Path, clock: SetClock) -> None:
    keys = ring(tmp_path, clock)
    forward(clock, timedelta(days=1))
    keys.rotate()

    assert kids(ring(tmp_path, clock)) == kids(keys)


def test_a_replaced_key_verifies_until_its_last_token_has_expired(tmp_path: Path, clock: SetClock) -> None:
    keys = ring(tmp_path, clock)
    old = keys.current.kid
    forward(clock, timedelta(days=30))
    new = keys.rotate().kid

    assert (keys.current.kid, keys.find(old) is not None) == (new, True)
    forward(clock, WEEK)
    assert keys.find(old) is not None
    forward(clock, timedelta(seconds=1))
    assert (keys.find(old), [key["kid"] for key in keys.public()]) == (None, [new])
    assert keys.prune() == [old]
    assert [path.stem for path in (tmp_path / "keys").iterdir()] == [new]


def test_a_key_made_while_the_clock_is_behind_is_still_the_newest(tmp_path: Path, clock: SetClock) -> None:
    keys = ring(tmp_path, clock)
    clock.set(datetime(2001, 1, 1, tzinfo=UTC))

    new = keys.rotate()

    assert ring(tmp_path, clock).current.kid == new.kid


def test_revoking_the_current_key_makes_another_sign(tmp_path: Path, clock: SetClock) -> None:
    keys = ring(tmp_path, clock)
    kid = keys.current.kid

    assert keys.revoke(kid)

    assert (keys.find(kid), keys.current.kid != kid) == (None, True)
    assert [path.stem for path in (tmp_path / "keys").iterdir()] == [keys.current.kid]
    assert not keys.revoke(kid)


def test_a_key_that_others_may_read_is_closed_again(tmp_path: Path, clock: SetClock) -> None:
    ring(tmp_path, clock)
    (path,) = (tmp_path / "keys").iterdir()
    path.chmod(0o644)

    ring(tmp_path, clock)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\xff",
        b'{"created_at": "2030-01-01T00:00:00Z", "key": {"kty": "oct", "k": "c2VjcmV0"}}',
        b'{"created_at": "2030-01-01T00:00:00Z", "key": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}',
        b'{"created_at": "2030-01-01T00:00:00Z", "key": {}}',
        b'{"created_at": "2030-01-01T00:00:00Z", "key": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}}',
        b'{"created_at": "2030-01-01T00:00:00Z", "key": {"kty": "OKP", "crv": "X25519", "x": "'
        b'jNXHt_RbXGPXVGGe2z4jE6iGwoIRh6fJk2dPFkXzJSo", "d": "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo"}}',
    ],
)
def test_a_file_that_is_no_key_is_named(tmp_path: Path, clock: SetClock, content: bytes) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "odd.json").write_bytes(content)

    with pytest.raises(ManorError, match=r"odd\.json: "):
        ring(tmp_path, clock)


def test_a_key_is_replaced_when_it_has_served_its_days(tmp_path: Path, clock: SetClock) -> None:
    keys = ring(tmp_path, clock)
    rotation = Rotation(keys, clock, lambda: 90)

    forward(clock, timedelta(days=89))
    assert not rotation.rotate_if_due()
    forward(clock, timedelta(days=1))
    assert rotation.rotate_if_due()
    assert not rotation.rotate_if_due()


def test_another_algorithm_replaces_the_key_at_once_and_the_old_one_keeps_its_own(
    tmp_path: Path, clock: SetClock
) -> None:
    wanted: list[Algorithm] = ["ES256"]
    keys = KeyRing(tmp_path / "keys", clock, lambda: WEEK, lambda: wanted[-1])
    keys.open()
    rotation = Rotation(keys, clock, lambda: 0)
    assert not rotation.rotate_if_due()

    wanted.append("EdDSA")
    assert rotation.rotate_if_due()
    assert not rotation.rotate_if_due()

    assert [key.algorithm for key in keys.all()] == ["ES256", "EdDSA"]
    assert [(key["kty"], key["crv"], key["alg"]) for key in keys.public()] == [
        ("EC", "P-256", "ES256"),
        ("OKP", "Ed25519", "EdDSA"),
    ]
    assert [key.algorithm for key in ring(tmp_path, clock).all()] == ["ES256", "EdDSA"]

    wanted.append("ES256")
    assert rotation.rotate_if_due()
    assert keys.current.algorithm == "ES256"


def test_without_days_only_the_command_replaces_keys(tmp_path: Path, clock: SetClock) -> None:
    rotation = Rotation(ring(tmp_path, clock), clock, lambda: 0)
    forward(clock, timedelta(days=9999))

    assert not rotation.rotate_if_due()


async def test_the_public_halves_are_served_and_no_more(client: Client, house: House) -> None:
    answer = await client.get("/.well-known/jwks.json")

    assert (answer.status, answer.headers["Cache-Control"]) == (200, "max-age=300")
    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")


async def test_keys_are_made_at_the_first_start_and_kept(tmp_path: Path, clock: SetClock) -> None:
    seen = []
    for _ in range(2):
        async with open_test_house(tmp_path, plugins=["auth"], clock=clock) as house:
            seen.append((await Client(house.dispatcher).get("/.well-known/jwks.json")).json())

    assert seen[0] == seen[1]


@pytest.mark.manor(config={"plugins": {"auth": {"signing": "EdDSA"}}})
async def test_where_the_admin_wants_it_tokens_are_signed_with_ed25519(
    house: House, client: Client, signed_in: Sign
) -> None:
    (key,) = (await client.get("/.well-known/jwks.json")).json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")

    person = await signed_in("ada")
    assert await opens(client, person.tokens["access_token"])
    answer = await client.post("/auth/refresh", json={"refresh_token": person.tokens["refresh_token"]})
    assert answer.status == 200
    await house.run_command("auth.rotate_keys", RotateKeys())
    assert await opens(client, answer.json()["access_token"])


async def test_a_new_algorithm_at_the_next_start_signs_nobody_out(tmp_path: Path, clock: SetClock) -> None:
    async with open_test_house(tmp_path, plugins=["auth"], clock=clock, config={"identity": QUICK}) as house:
        client = Client(house.dispatcher)
        await made(house, "ada")
        before = (await login(client, "ada")).json()["access_token"]

    forward(clock, timedelta(seconds=1))
    config = {"identity": QUICK, "plugins": {"auth": {"signing": "EdDSA"}}}
    async with open_test_house(tmp_path, plugins=["auth"], clock=clock, config=config) as house:
        client = Client(house.dispatcher)
        await trio.testing.wait_all_tasks_blocked()
        published = (await client.get("/.well-known/jwks.json")).json()["keys"]
        assert [key["alg"] for key in published] == ["ES256", "EdDSA"]
        assert await opens(client, before)
        after = (await login(client, "ada")).json()["access_token"]
        assert json.loads(base64.urlsafe_b64decode(after.split(".")[0] + "==="))["kid"] == published[1]["kid"]
        assert await opens(client, after)


@pytest.mark.parametrize("signing", ["", "none", "HS256", "es256", "Ed25519"])
async def test_no_other_algorithm_is_configured(tmp_path: Path, signing: str) -> None:
    with pytest.raises(AdminFault, match=r"plugins\.auth\.signing"):
        async with open_test_house(tmp_path, plugins=["auth"], config={"plugins": {"auth": {"signing": signing}}}):
            pass
