"""Access tokens: made, listed, deleted, and what they open."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trio

from manor import Event, NewCredential, issue, new_secret, revoke
from manor.testing import Client, House, open_test_house
from manor.tokens import NewToken
from manor_stream.administering import tokens
from manor_stream.events import StreamTitleChanged
from manor_stream.http.api import ADMIN_ACCESS, MESSAGES, SCOPES, SYSTEM_MESSAGES
from tests.stream_admin import basic, config_of, make_token, shared_of

TITLE = "/api/integrations/streamtitle"


def bearer(secret: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {secret}"}


async def listed(admin: Client) -> list[dict[str, Any]]:
    answer = await admin.get("/api/admin/accesstokens")
    assert answer.status == 200
    found: list[dict[str, Any]] = answer.json()
    return found


async def set_title(client: Client, secret: str) -> int:
    return (await client.post(TITLE, json={"value": "told by a bot"}, headers=bearer(secret))).status


# --- Making, listing, deleting -------------------------------------------------------------------------------------


async def test_a_token_is_shown_whole_once_and_by_its_beginning_later(admin: Client) -> None:
    made = await make_token(admin, MESSAGES, ADMIN_ACCESS, name=" news bot ")
    (shown,) = await listed(admin)

    assert made["token"] == made["accessToken"]
    assert len(made["token"]) > 40
    assert shown["token"].endswith("...")
    assert made["token"].startswith(shown["token"].removesuffix("..."))
    assert len(shown["token"]) < 20
    same = {key: value for key, value in made.items() if key not in ("token", "accessToken")}
    assert shown == same | {"token": shown["token"], "accessToken": shown["token"]}
    assert same == {
        "id": made["id"],
        "name": "news bot",
        "displayName": "news bot",
        "scopes": [MESSAGES, ADMIN_ACCESS],
        "timestamp": "2030-01-02T12:00:00Z",
        "createdAt": "2030-01-02T12:00:00Z",
        "lastUsed": None,
        "lastUsedAt": None,
        "isBot": True,
    }


async def test_a_secret_is_kept_nowhere(admin: Client, tmp_path: Path) -> None:
    secret = (await make_token(admin, MESSAGES))["token"]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert any(b"stream.token_made" in path.read_bytes() for path in files)
    assert not any(secret.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("accesstokens/create", {"name": "x", "scopes": [MESSAGES]}),
        ("webhooks/create", {"url": "https://example.org/hook", "events": ["CHAT"]}),
        ("serverconfig", None),
    ],
)
async def test_what_has_a_secret_in_it_is_kept_by_nobody_on_the_way(admin: Client, path: str, body: Any) -> None:
    path = f"/api/admin/{path}"
    answer = await admin.get(path) if body is None else await admin.post(path, json=body)

    assert answer.status == 200
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "x", "scopes": ["HAS_EVERYTHING"]}, "scopes: expected some of CAN_SEND_MESSAGES"),
        ({"name": "x", "scopes": [MESSAGES, "publish"]}, "scopes: expected some of"),
        ({"name": "x", "scopes": []}, "scopes: expected some of"),
        ({"name": "x", "scopes": MESSAGES}, "scopes: expected array, got str"),
        ({"name": "x", "scopes": [5]}, "scopes[0]: expected str, got int"),
        ({"name": "x"}, "scopes: is missing"),
        ({"scopes": [MESSAGES]}, "name: is missing"),
        ({"name": "", "scopes": [MESSAGES]}, "name: expected one line"),
        ({"name": "a\nb", "scopes": [MESSAGES]}, "name: expected one line"),
        ({"name": "x" * 101, "scopes": [MESSAGES]}, "name: expected one line"),
        ({"name": None, "scopes": [MESSAGES]}, "name: expected str, got null"),
        ([], "body: expected object, got array"),
    ],
)
async def test_a_token_that_cannot_be_made_is_refused(admin: Client, body: Any, message: str) -> None:
    answer = await admin.post("/api/admin/accesstokens/create", json=body)

    assert (answer.status, answer.json()["success"]) == (400, False)
    assert answer.json()["message"].startswith(message)
    assert await listed(admin) == []


async def test_there_are_so_many_tokens(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST_TOKENS", 1)
    made = await make_token(admin, MESSAGES)

    answer = await admin.post("/api/admin/accesstokens/create", json={"name": "x", "scopes": [MESSAGES]})
    assert (answer.status, answer.json()["message"]) == (400, "There are 1 access tokens; delete one first")
    await admin.post("/api/admin/accesstokens/delete", json={"token": made["id"]})
    await make_token(admin, MESSAGES)


@pytest.mark.parametrize("named", ["token", "listed", "id"])
async def test_a_deleted_token_opens_nothing_at_once(admin: Client, client: Client, named: str) -> None:
    made, other = await make_token(admin, ADMIN_ACCESS), await make_token(admin, ADMIN_ACCESS)
    assert await set_title(client, made["token"]) == 200
    names = {"token": made["token"], "listed": (await listed(admin))[0]["token"], "id": made["id"]}

    answer = await admin.post("/api/admin/accesstokens/delete", json={"token": names[named]})

    assert (answer.status, answer.json()) == (200, {"success": True, "message": "deleted token"})
    assert await set_title(client, made["token"]) == 401
    assert await set_title(client, other["token"]) == 200
    assert [token["id"] for token in await listed(admin)] == [other["id"]]


async def test_a_token_is_deleted_once(admin: Client) -> None:
    made = await make_token(admin, MESSAGES)
    for status in (200, 400):
        answer = await admin.post("/api/admin/accesstokens/delete", json={"token": made["token"]})
        assert (answer.status, answer.json()["success"]) == (status, status == 200)


@pytest.mark.parametrize(
    "body",
    [
        {"token": ""},
        {"token": "..."},
        {"token": "sit_AAAAAAAA..."},
        {"token": "sit_" + "A" * 43},
        {"token": "01890a5d-ac96-774b-bcce-b302099a8057"},
        {"token": 5},
        {"token": ["x"]},
        {"token": None},
        {},
        [],
    ],
)
async def test_a_token_that_nobody_made_is_not_deleted(admin: Client, body: Any) -> None:
    await make_token(admin, MESSAGES)

    answer = await admin.post("/api/admin/accesstokens/delete", json=body)

    assert (answer.status, answer.json()["success"]) == (400, False)
    assert len(await listed(admin)) == 1


async def test_a_revoked_token_is_neither_listed_nor_taken(admin: Client, client: Client, house: House) -> None:
    made = await make_token(admin, ADMIN_ACCESS)
    await house.storage.write(lambda transaction: revoke(transaction, UUID(made["id"])))

    assert await listed(admin) == []
    assert await set_title(client, made["token"]) == 401
    for named in (made["token"], made["id"], made["token"][:12] + "..."):
        assert (await admin.post("/api/admin/accesstokens/delete", json={"token": named})).status == 400


async def test_a_credential_of_another_kind_is_not_deleted(admin: Client, house: House) -> None:
    secret = new_secret("noti_")
    new = NewCredential(kind="api_key", scopes=("*",), prefix=secret[:12])
    key = await house.storage.write(lambda transaction: issue(transaction, new, secret))

    for named in (secret, str(key.id), secret[:12] + "..."):
        answer = await admin.post("/api/admin/accesstokens/delete", json={"token": named})
        assert answer.status == 400


async def test_what_is_made_and_deleted_is_in_the_audit_log(admin: Client, house: House) -> None:
    made = await make_token(admin, MESSAGES, name="news")
    await admin.post("/api/admin/accesstokens/delete", json={"token": made["token"]})

    rows = await house.storage.read(lambda transaction: list(house.services.audit.list(transaction)))

    assert [(row.action, row.actor, row.target) for row in rows] == [
        ("stream.token_made", "admin", made["id"]),
        ("stream.token_deleted", "admin", made["id"]),
    ]
    assert [json.loads(row.detail or "") for row in rows] == [{"name": "news", "scopes": [MESSAGES]}] * 2


# --- What they open ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_bot_says_what_is_on(admin: Client, client: Client, heard: list[Event], scheme: str) -> None:
    made = await make_token(admin, ADMIN_ACCESS)

    answer = await client.post(TITLE, json={"value": "Friday night"}, headers=bearer(made["token"], scheme))

    assert (answer.status, answer.json()["success"]) == (200, True)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert (await config_of(admin))["instanceDetails"]["streamTitle"] == "Friday night"
    assert [event.stream_title for event in heard if isinstance(event, StreamTitleChanged)] == ["Friday night"]


@pytest.mark.parametrize("body", [{}, {"value": 5}, {"value": "two\nlines"}, {"value": None}, []])
async def test_a_bots_title_is_checked(admin: Client, client: Client, body: Any) -> None:
    made = await make_token(admin, ADMIN_ACCESS)

    answer = await client.post(TITLE, json=body, headers=bearer(made["token"]))

    assert (answer.status, answer.json()["success"]) == (400, False)
    assert (await config_of(admin))["instanceDetails"]["streamTitle"] == ""


async def test_a_change_by_a_bot_is_audited_with_its_id(admin: Client, client: Client, house: House) -> None:
    made = await make_token(admin, ADMIN_ACCESS)
    await set_title(client, made["token"])

    rows = await house.storage.read(lambda transaction: list(house.services.audit.list(transaction)))

    assert [(row.action, row.actor) for row in rows][1:] == [("stream.settings_changed", made["id"])]


@pytest.mark.parametrize("scopes", [[MESSAGES], [SYSTEM_MESSAGES], [MESSAGES, SYSTEM_MESSAGES]])
async def test_a_token_without_the_scope_is_told_what_an_unknown_one_is(
    admin: Client, client: Client, scopes: Sequence[str]
) -> None:
    made = await make_token(admin, *scopes)

    assert await set_title(client, made["token"]) == 401
    assert await set_title(client, "sit_" + "A" * 43) == 401
    assert await set_title(client, "") == 401
    assert (await client.post(TITLE, json={"value": "x"})).status == 401


async def test_a_token_opens_nothing_of_the_administrators(admin: Client, client: Client) -> None:
    secret = (await make_token(admin, *SCOPES))["token"]

    for headers in (bearer(secret), basic(secret), basic(secret, "token"), {"X-API-Key": secret}):
        assert (await client.get("/api/admin/serverconfig", headers=headers)).status == 401
        assert (await client.post("/api/admin/config/name", json={"value": "x"}, headers=headers)).status == 401


async def test_the_stream_key_opens_nothing_of_the_bots(client: Client, house: House) -> None:
    key = shared_of(house).settings.now.key

    for headers in (basic(key), bearer(key), {"X-API-Key": key}):
        assert (await client.post(TITLE, json={"value": "x"}, headers=headers)).status == 401


async def test_a_use_is_stamped(admin: Client, client: Client, house: House, autojump_clock: object) -> None:
    made = await make_token(admin, ADMIN_ACCESS)
    await set_title(client, made["token"])
    await trio.sleep(61)

    (shown,) = await listed(admin)
    assert datetime.fromisoformat(shown["lastUsed"]) == datetime(2030, 1, 2, 12, tzinfo=UTC)
    assert shown["lastUsedAt"] == shown["lastUsed"]


async def test_the_shell_makes_one_that_may_do_all(admin: Client, client: Client, house: House) -> None:
    made = await house.run_command("token.new", NewToken("integration", "from the shell"))

    assert await set_title(client, made.secret) == 200
    (shown,) = await listed(admin)
    assert (shown["name"], set(shown["scopes"])) == ("from the shell", set(SCOPES))


# --- Beside the other plugins --------------------------------------------------------------------------------------


async def test_a_token_opens_nothing_outside_of_the_stream(tmp_path: Path) -> None:
    async with open_test_house(tmp_path, plugins=["auth", "topics", "stream"]) as house:
        secret = (await house.run_command("token.new", NewToken("integration", "bot"))).secret
        client = Client(house.dispatcher)
        assert await set_title(client, secret) == 200

        for path in ("/api/keys", "/auth/me", "/api/topics", "/auth/tokens", "/welcome/json"):
            for headers in (bearer(secret), {"Authorization": bearer("x")["Authorization"], "X-API-Key": secret}):
                assert (await client.get(path, headers=headers)).status == 401, (path, headers)


async def test_what_opens_the_other_plugins_opens_nothing_of_the_stream(tmp_path: Path) -> None:
    async with open_test_house(tmp_path, plugins=["auth", "topics", "stream"]) as house:
        secrets = [(await house.run_command("token.new", NewToken("device", "phone"))).secret]
        for kind, prefix in (("api_key", "noti_"), ("topic_token", "tk_"), ("web_session", "")):
            secret, new = new_secret(prefix), NewCredential(kind=kind, scopes=("*", *SCOPES))
            await house.storage.write(partial(issue, new=new, secret=secret))
            secrets.append(secret)
        client = Client(house.dispatcher)

        for secret in secrets:
            for headers in (
                bearer(secret),
                {"X-API-Key": secret},
                {"Cookie": f"manor_session={secret}"},
                basic(secret),
            ):
                assert (await client.post(TITLE, json={"value": "x"}, headers=headers)).status == 401
                assert (await client.get("/api/admin/serverconfig", headers=headers)).status == 401
