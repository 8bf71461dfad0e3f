"""Devices: tokens, phrases for new ones, recovery, and everything that lets nobody in."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from manor import CredentialRevoked, Event, Unprocessable
from manor.testing import Answer, Client, House, SetClock
from manor.tokens import NewToken
from manor_auth.device_rules import UNNAMED, device_name, free_name, precise, recovery_end
from manor_auth.phrases import as_made
from tests.people import Sign, actions

ENGLISH = Mnemonic("english")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def forward(clock: SetClock, **by: float) -> None:
    clock.set(clock.now() + timedelta(**by))


@pytest.fixture
async def phone(house: House, client: Client) -> Client:
    """The first device, let in from the shell."""
    return client(headers=bearer(await added(house, "phone")))


async def added(house: House, label: str) -> str:
    plugin = next(plugin for plugin in house.running if plugin.name == "auth")
    (kind,) = [each for each in plugin.brought.authenticators if each.kind == "device"]
    assert kind.make is not None
    return await kind.make(label)


async def names(device: Client) -> list[str]:
    return [each["name"] for each in (await device.get("/auth/tokens")).json()]


async def phrase_of(answer: Answer) -> str:
    assert answer.status == 200, answer.text
    phrase: str = answer.json()["token"]
    return phrase


async def invite(device: Client) -> str:
    return await phrase_of(await device.post("/auth/new_device"))


async def accept(client: Client, phrase: str, name: str = "tablet") -> Answer:
    return await client.post("/auth/new_device/authorize", json={"token": phrase, "device": name})


async def make_recovery(device: Client, **wanted: Any) -> str:
    return await phrase_of(await device.post("/auth/recovery_token", json=wanted))


async def recover(client: Client, phrase: str, name: str = "tablet") -> Answer:
    return await client.post("/auth/recovery_token/use", json={"token": phrase, "device": name})


def refusal(answer: Answer) -> tuple[int, Any]:
    return answer.status, answer.json()


UNKNOWN = (404, {"message": "Token not found"})
NOT_RECOVERED = (404, {"error": "Token not found"})


# --- Tokens --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auth/tokens"),
        ("POST", "/auth/tokens"),
        ("DELETE", "/auth/tokens"),
        ("POST", "/auth/new_device"),
        ("DELETE", "/auth/new_device"),
        ("GET", "/auth/recovery_token"),
        ("POST", "/auth/recovery_token"),
        ("PUT", "/auth/tokens"),
        ("GET", "/auth/new_device"),
    ],
)
async def test_without_a_device_token_it_is_401_whatever_the_method(
    client: Client, signed_in: Sign, method: str, path: str
) -> None:
    missing = await client.request(method, path)
    assert refusal(missing) == (401, {"error": "Missing Authorization header"})
    person = await signed_in()
    for headers in (bearer("x"), bearer("A" * 43), {"Authorization": "Basic eDp5"}, person.bearer):
        assert refusal(await client.request(method, path, headers=headers)) == (401, {"error": "Invalid token"})


async def test_a_device_token_opens_nothing_of_a_person(phone: Client) -> None:
    assert (await phone.get("/auth/me")).status == 401
    assert (await phone.get("/auth/sessions")).status == 401


async def test_the_list_shows_who_asks_and_no_token(
    house: House, client: Client, clock: SetClock, phone: Client
) -> None:
    forward(clock, seconds=1)
    secret = await added(house, "tablet")
    answer = await phone.get("/auth/tokens")

    assert answer.json() == [
        {"name": "phone", "date": "2030-01-02T12:00:00.000000Z", "is_caller": True},
        {"name": "tablet", "date": "2030-01-02T12:00:01.000000Z", "is_caller": False},
    ]
    assert answer.headers["Cache-Control"] == "no-store"
    assert [each["is_caller"] for each in (await client.get("/auth/tokens", headers=bearer(secret))).json()] == [
        False,
        True,
    ]


async def test_a_renewed_token_keeps_name_and_date_and_the_old_one_is_dead(
    client: Client, clock: SetClock, phone: Client, heard: list[Event]
) -> None:
    before = (await phone.get("/auth/tokens")).json()
    forward(clock, days=1)
    for _ in range(2):
        answer = await phone.post("/auth/tokens")
        assert (answer.status, set(answer.json())) == (200, {"token"})
        assert re.fullmatch(r"[\w-]{43}", answer.json()["token"])
        assert refusal(await phone.get("/auth/tokens")) == (401, {"error": "Invalid token"})
        phone = client(headers=bearer(answer.json()["token"]))

    assert (await phone.get("/auth/tokens")).json() == before
    assert len([event for event in heard if isinstance(event, CredentialRevoked)]) == 2


async def test_of_two_that_renew_at_once_one_is_told_that_it_is_gone(phone: Client) -> None:
    answers: list[Answer] = []

    async def renew() -> None:
        answers.append(await phone.post("/auth/tokens"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(renew)
        nursery.start_soon(renew)

    assert sorted(answer.status for answer in answers) in ([200, 401], [200, 404])


@pytest.mark.parametrize("member", ["token_name", "token"])
async def test_another_device_is_removed_by_its_name_and_at_once(
    house: House, client: Client, phone: Client, member: str
) -> None:
    lost = bearer(await added(house, "lost"))
    assert (await client.get("/auth/tokens", headers=lost)).status == 200

    answer = await phone.delete("/auth/tokens", json={member: "lost"})

    assert (answer.status, answer.json()) == (200, {"message": "Token deleted"})
    assert (await client.get("/auth/tokens", headers=lost)).status == 401
    assert await names(phone) == ["phone"]
    assert "auth.device_removed" in await actions(house)


async def test_nobody_removes_themselves_or_somebody_who_is_not_there(phone: Client) -> None:
    async def remove(**body: Any) -> Answer:
        return await phone.delete("/auth/tokens", json=body)

    assert refusal(await remove(token_name="phone")) == (400, {"message": "Cannot delete caller's token"})
    assert refusal(await remove(token_name="nobody")) == UNKNOWN
    assert refusal(await remove()) == (400, {"message": {"token_name": "is missing"}})
    assert refusal(await remove(token_name=7)) == (400, {"message": {"token_name": "expected str or null, got int"}})
    assert await names(phone) == ["phone"]


# --- A new device --------------------------------------------------------------------------------------------------


async def test_twelve_words_let_a_device_in_once(house: House, client: Client, phone: Client) -> None:
    phrase = await invite(phone)
    assert len(phrase.split(" ")) == 12
    assert ENGLISH.check(phrase)

    answer = await accept(client, phrase)

    assert (answer.status, answer.json()["message"]) == (200, "Device authorized")
    assert await names(client(headers=bearer(answer.json()["token"]))) == ["phone", "tablet"]
    assert refusal(await accept(client, phrase)) == UNKNOWN
    assert {"auth.device_invited", "auth.device_added"} <= set(await actions(house))


async def test_of_two_devices_with_one_phrase_one_gets_in(client: Client, phone: Client) -> None:
    phrase, statuses = await invite(phone), []

    async def try_it() -> None:
        statuses.append((await accept(client, phrase)).status)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(try_it)

    assert sorted(statuses) == [200, 404, 404]
    assert await names(phone) == ["phone", "tablet"]


async def test_a_phrase_waits_ten_minutes(client: Client, clock: SetClock, phone: Client) -> None:
    late, in_time = await invite(phone), ""
    forward(clock, minutes=10)
    assert refusal(await accept(client, late)) == UNKNOWN
    in_time = await invite(phone)
    forward(clock, minutes=9, seconds=59)
    assert (await accept(client, in_time)).status == 200


async def test_a_newer_phrase_replaces_the_older_one_and_it_can_be_withdrawn(client: Client, phone: Client) -> None:
    older, newer = await invite(phone), await invite(phone)
    assert refusal(await accept(client, older)) == UNKNOWN

    for _ in range(2):
        assert refusal(await phone.delete("/auth/new_device")) == (200, {"token": None})
    assert refusal(await accept(client, newer)) == UNKNOWN


async def test_a_phrase_may_be_typed_as_people_type(client: Client, phone: Client) -> None:
    phrase = await invite(phone)

    assert (await accept(client, f"  {phrase.upper().replace(' ', '   ')}\n")).status == 200


async def test_phrases_and_tokens_are_not_taken_for_one_another(house: House, client: Client, phone: Client) -> None:
    invited, recovering, token = await invite(phone), await make_recovery(phone), await added(house, "other")

    assert refusal(await accept(client, recovering)) == UNKNOWN
    assert refusal(await accept(client, token)) == UNKNOWN
    assert refusal(await recover(client, invited)) == NOT_RECOVERED
    assert refusal(await recover(client, token)) == NOT_RECOVERED
    for secret in (invited, recovering):
        assert (await client.get("/auth/tokens", headers=bearer(secret))).status == 401
    assert await names(phone) == ["phone", "other"]


OPEN = ["/auth/new_device/authorize", "/auth/recovery_token/use"]


@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"[1]", "body"),
        (b"{}", "token"),
        (b'{"device":"x"}', "token"),
        (b'{"token":"x"}', "device"),
        (b'{"token":1,"device":"x"}', "token"),
        (b'{"token":"x","device":null}', "device"),
        (msgspec.json.encode({"token": "x", "device": "x" * 256}), "device"),
        (msgspec.json.encode({"token": "x" * 1025, "device": "x"}), "token"),
    ],
)
async def test_what_is_missing_is_named(client: Client, path: str, body: bytes, field: str) -> None:
    answer = await client.post(path, body=body)

    assert answer.status == 400
    assert list(answer.json()["message"]) == [field]


@pytest.mark.parametrize("path", OPEN)
async def test_what_is_no_json_is_400(client: Client, path: str) -> None:
    answer = await client.post(path, body=b"{")

    assert (answer.status, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize("path", OPEN)
async def test_the_open_calls_do_not_look_at_tokens(client: Client, path: str) -> None:
    answer = await client.post(path, json={"token": "x", "device": "x"}, headers=bearer("nobody's"))

    assert answer.status == 404
    assert (await client.get(path)).status == 405


@pytest.mark.manor(config={"server": {"limits": {"address_limit_factor": 1}}})
async def test_guesses_of_one_address_are_limited_over_both_open_calls(client: Client) -> None:
    answers = [await (accept if turn % 2 else recover)(client, "word") for turn in range(31)]

    assert [answer.status for answer in answers] == [404] * 30 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert (await accept(client(address="203.0.113.9"), "word")).status == 404


# --- Names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "name"),
    [("My phone", "My_phone"), ("Pixel-6a", "Pixel_6a"), ("téléphone", "t_l_phone"), ("\r\n", "__"), ("", UNNAMED)],
)
def test_a_name_is_letters_and_digits(wanted: str, name: str) -> None:
    assert device_name(wanted) == name


@given(st.text(max_size=50))
def test_no_name_is_empty_or_has_anything_else_in_it(wanted: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_]+|Unknown device", device_name(wanted))


def test_a_taken_name_gets_digits() -> None:
    assert free_name("phone", {"tablet"}) == "phone"
    assert re.fullmatch(r"phone[0-9]{4}", free_name("phone", {"phone", "tablet"}))


async def test_two_devices_of_one_name_are_told_apart(house: House, phone: Client) -> None:
    await added(house, "phone")

    first, second = await names(phone)
    assert first == "phone"
    assert re.fullmatch(r"phone[0-9]{4}", second)


@given(st.lists(st.sampled_from(ENGLISH.wordlist), min_size=12, max_size=12), st.sampled_from([" ", "  ", "\t", "\n"]))
def test_every_phrase_is_read_as_it_was_made(words: list[str], blank: str) -> None:
    assert as_made(blank + blank.join(words).upper() + blank) == " ".join(words)


# --- Recovery ------------------------------------------------------------------------------------------------------


async def test_without_a_recovery_phrase_there_is_none(phone: Client) -> None:
    answer = await phone.get("/auth/recovery_token")

    assert refusal(answer) == (
        200,
        {"exists": False, "valid": False, "date": None, "expiration": None, "uses_left": None},
    )


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'{"expiration":null,"uses":null}'])
async def test_eighteen_words_let_any_number_of_devices_in(client: Client, phone: Client, body: bytes) -> None:
    phrase = await phrase_of(await phone.post("/auth/recovery_token", body=body))
    assert len(phrase.split(" ")) == 18
    assert ENGLISH.check(phrase)

    for name in ("one", "two", "three"):
        answer = await recover(client, phrase, name)
        assert (answer.status, set(answer.json())) == (200, {"token"})
        assert (await client.get("/auth/tokens", headers=bearer(answer.json()["token"]))).status == 200
    assert (await phone.get("/auth/recovery_token")).json() == {
        "exists": True,
        "valid": True,
        "date": "2030-01-02T12:00:00.000000Z",
        "expiration": None,
        "uses_left": None,
    }


async def test_uses_are_counted_down(client: Client, phone: Client) -> None:
    phrase = await make_recovery(phone, uses=2)
    left = []
    for status in (200, 200, 404, 404):
        answer = await recover(client, phrase)
        assert answer.status == status
        now = (await phone.get("/auth/recovery_token")).json()
        left.append((now["exists"], now["valid"], now["uses_left"]))

    assert refusal(answer) == NOT_RECOVERED
    assert left == [(True, True, 1), (True, False, 0), (True, False, 0), (True, False, 0)]


async def test_of_two_devices_with_one_use_one_gets_in(client: Client, phone: Client) -> None:
    phrase, statuses = await make_recovery(phone, uses=1), []

    async def try_it() -> None:
        statuses.append((await recover(client, phrase)).status)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(try_it)
        nursery.start_soon(try_it)

    assert sorted(statuses) == [200, 404]


async def test_a_recovery_phrase_ends_when_it_says(client: Client, clock: SetClock, phone: Client) -> None:
    phrase = await make_recovery(phone, expiration="2030-01-02T12:01:00.123Z")
    forward(clock, seconds=60)
    assert (await recover(client, phrase)).status == 200
    forward(clock, seconds=1)
    assert refusal(await recover(client, phrase)) == NOT_RECOVERED

    now = (await phone.get("/auth/recovery_token")).json()
    assert (now["exists"], now["valid"], now["expiration"]) == (True, False, "2030-01-02T12:01:00.123000Z")


async def test_a_newer_recovery_phrase_replaces_the_older_one(client: Client, phone: Client) -> None:
    older, newer = await make_recovery(phone), await make_recovery(phone)

    assert refusal(await recover(client, older)) == NOT_RECOVERED
    assert (await recover(client, newer)).status == 200


@pytest.mark.parametrize(
    ("wanted", "member"),
    [
        ({"expiration": "tomorrow"}, "error"),
        ({"expiration": ""}, "error"),
        ({"expiration": "2030-01-02T13:00:00"}, "error"),
        ({"expiration": "2030-01-02T13:00:00.1234567Z"}, "error"),
        ({"expiration": "2030-01-02T13:00:00.000+02:00"}, "error"),
        ({"expiration": "2030-02-30T13:00:00.000Z"}, "error"),
        ({"expiration": "2030-01-02T13:00:00.000Z\n"}, "error"),
        ({"expiration": "٢٠٣٠-01-02T13:00:00.000Z"}, "error"),
        ({"expiration": "2030-01-02T12:00:00.000Z"}, "message"),
        ({"expiration": "2022-01-02T13:00:00.000Z"}, "message"),
        ({"expiration": 7}, "message"),
        ({"uses": 0}, "message"),
        ({"uses": -2}, "message"),
        ({"uses": "many"}, "message"),
        ({"uses": True}, "message"),
        ({"uses": 10**30}, "message"),
    ],
)
async def test_a_recovery_phrase_that_cannot_be_is_not_made(
    client: Client, phone: Client, wanted: dict[str, Any], member: str
) -> None:
    kept = await make_recovery(phone)

    answer = await phone.post("/auth/recovery_token", json=wanted)

    assert (answer.status, list(answer.json())) == (400, [member])
    assert (await recover(client, kept)).status == 200


@given(st.datetimes())
def test_a_time_that_is_written_can_be_read(moment: Any) -> None:
    text = precise(moment.replace(tzinfo=UTC))
    read = recovery_end(text)
    assert read is not None
    assert precise(read) == text


@pytest.mark.parametrize("text", ["2030-01-02T12:00:00Z", "2030-01-02T12:00:00.0Z", "2030-01-02T12:00:00.000000Z"])
def test_a_fraction_of_seconds_may_be_missing(text: str) -> None:
    read = recovery_end(text)
    assert read is not None
    assert precise(read) == "2030-01-02T12:00:00.000000Z"


async def test_the_shell_lets_the_first_device_in(house: House, client: Client) -> None:
    made = await house.run_command("token.new", NewToken("device", "Ada's phone"))

    assert await names(client(headers=bearer(made.secret))) == ["Ada_s_phone"]


async def test_a_label_that_is_too_long_lets_no_device_in(house: House) -> None:
    with pytest.raises(Unprocessable, match="label: expected at most 255 characters, got 256"):
        await house.run_command("token.new", NewToken("device", "x" * 256))
