"""The stream key as a password: who guesses is stopped, on the API and the encoders' port together."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from manor import TooManyRequests
from manor.testing import Client, House
from tests.stream_admin import basic, shared_of

STATUS = "/api/admin/status"

GUESSES = 20
"""That an address has in a minute."""


async def ask(client: Client, password: str, name: str = "admin") -> int:
    return (await client.get(STATUS, headers=basic(password, name))).status


@pytest.mark.parametrize("name", ["", "Admin", "root", "admin\x00"])
async def test_the_right_key_under_another_name_opens_nothing(client: Client, house: House, name: str) -> None:
    key = shared_of(house).settings.now.key

    assert await ask(client, key) == 200
    assert await ask(client, key, name) == 401


@pytest.mark.parametrize("wrong", ["", "KEY ", "é\ud800", "x" * 5000])
async def test_another_key_opens_nothing(client: Client, house: House, wrong: str) -> None:
    key = shared_of(house).settings.now.key

    for guess in (wrong, key + wrong.strip() + "x", key[:-1], key.upper() + "x"):
        assert await ask(client, guess.encode("utf-8", "replace").decode()) == 401


async def test_who_guesses_is_stopped_and_nobody_else_is(mock_clock: MockClock, client: Client, house: House) -> None:
    key = shared_of(house).settings.now.key
    guesser, other = client(address="192.0.2.1"), client(address="192.0.2.2")

    statuses = [await ask(guesser, "a guess") for _ in range(GUESSES)]

    assert set(statuses) == {401}
    # The right one, too: or whoever guesses would know it when it comes.
    assert await ask(guesser, key) == 429
    with pytest.raises(TooManyRequests):
        shared_of(house).key_check.check(key, "192.0.2.1")
    assert await ask(other, key) == 200


async def test_encoders_guesses_count_against_the_api(mock_clock: MockClock, client: Client, house: House) -> None:
    shared = shared_of(house)
    for _ in range(GUESSES):
        assert shared.key_check.check("a guess", "192.0.2.1") is False

    assert await ask(client(address="192.0.2.1"), shared.settings.now.key) == 429
