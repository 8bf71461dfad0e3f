"""Ways around the rules: by programs, bots and webhooks, with members nobody asked for, and after one has left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from manor import NewCredential, Principal, issue, open_session, remove_member, set_active, to_chat_id
from manor.testing import Answer, Client, House
from manor_chat.channels.membership import leave_channel
from manor_chat.ids import OAUTH_LETTER, SESSION_LETTER, new_token
from manor_chat.store.channels import find_channel
from manor_chat.store.people import find_person
from tests.chat_access_asking import CONFIG, ENTRIES, Asking, leaked, opened_asking
from tests.chat_live import Ear, listening
from tests.chat_people import API

pytestmark = pytest.mark.manor(config=CONFIG)


@pytest.fixture
async def asking(house: House) -> Asking:
    return await opened_asking(house)


async def ids_of(asking: Asking, *names: str) -> list[str]:
    return [await asking.objects.resolve(name, "bob") for name in names]


async def ask(client: Client, line: str, body: Any = None) -> Answer:
    method, path = line.split()
    return await client.request(method, f"{API}{path}", **({} if body is None else {"json": body}))


async def heard_by(ear: Ear) -> list[dict[str, Any]]:
    """All that somebody was told so far."""
    await ear.socket.send('{"seq": 1000, "action": "ping"}')
    frames: list[dict[str, Any]] = []
    while "seq_reply" not in (frame := await ear.next()):
        frames.append(frame)
    return frames


# --- Programs, bots and webhooks -----------------------------------------------------------------------------------


async def test_a_program_that_acts_for_somebody_opens_no_other_way_in(house: House, asking: Asking) -> None:
    bob, app, robot, hook, outgoing, command, session = await ids_of(
        asking, "bob", "app.ada", "bot", "hook.open.ada", "outgoing.ada", "command.ada", "session.ada"
    )
    team, channel = await ids_of(asking, "team", "open")
    ada_id = asking.objects.world.id_of("ada")
    program = Client(house.dispatcher)(principals=[Principal("chat_oauth", user_id=ada_id, is_admin=True)])
    described = {"name": "R", "callback_urls": ["https://example.org/back"], "homepage": "https://example.org"}
    asked = {"response_type": "code", "client_id": app, "redirect_uri": "https://example.org/back", "state": "s"}
    refused: list[tuple[str, Any]] = [
        (f"PUT /users/{bob}/roles", {"roles": "system_user system_admin"}),
        (f"PUT /users/{bob}/active", {"active": False}),
        (f"DELETE /users/{bob}", None),
        ("PUT /users/me/password", {"current_password": "x", "new_password": "correct horse 9!"}),
        (f"PUT /users/{bob}/password", {"new_password": "correct horse 9!"}),
        ("PUT /users/me/patch", {"email": "else@example.org", "password": "x"}),
        ("POST /users/me/tokens", {"description": "d"}),
        ("POST /users/me/mfa/generate", None),
        ("PUT /users/me/mfa", {"activate": False}),
        ("POST /oauth/apps", {**described, "is_trusted": True}),
        (f"PUT /oauth/apps/{app}", {"id": app, **described, "is_trusted": True}),
        (f"POST /oauth/apps/{app}/regen_secret", None),
        (f"DELETE /oauth/apps/{app}", None),
        ("POST /users/me/sessions/revoke", {"session_id": session}),
        ("POST /users/me/sessions/revoke/all", None),
        (f"POST /users/{bob}/sessions/revoke/all", None),
        # What has a secret of its own would go on when the program is sent away.
        ("POST /bots", {"username": "spy", "display_name": "", "description": ""}),
        (f"PUT /bots/{robot}", {"username": "spy"}),
        (f"POST /bots/{robot}/assign/me", None),
        (f"POST /bots/{robot}/disable", None),
        (f"POST /bots/{robot}/enable", None),
        ("GET /hooks/incoming", None),
        ("POST /hooks/incoming", {"channel_id": channel}),
        (f"GET /hooks/incoming/{hook}", None),
        (f"PUT /hooks/incoming/{hook}", {"id": hook, "channel_id": channel}),
        (f"DELETE /hooks/incoming/{hook}", None),
        ("GET /hooks/outgoing", None),
        ("POST /hooks/outgoing", {"team_id": team, "trigger_words": ["x"], "callback_urls": ["https://example.org/"]}),
        (f"GET /hooks/outgoing/{outgoing}", None),
        (f"DELETE /hooks/outgoing/{outgoing}", None),
        (f"POST /hooks/outgoing/{outgoing}/regen_token", None),
        ("POST /commands", {"team_id": team, "trigger": "x", "url": "https://example.org/", "method": "P"}),
        (f"GET /commands/{command}", None),
        (f"DELETE /commands/{command}", None),
        (f"PUT /commands/{command}/regen_token", None),
    ]

    answers = {line: (await ask(program, line, body)).status for line, body in refused}
    answers["authorize"] = (await program.post("/oauth/authorize", json=asked)).status
    answers["deauthorize"] = (await program.post("/oauth/deauthorize", json={"client_id": app})).status

    assert answers == dict.fromkeys(answers, 403)
    for query in ("", "&custom_only=true"):
        listed = (await program.get(f"{API}/commands?team_id={team}{query}")).json()
        assert [each["token"] for each in listed if each["id"] == command] == [""]
    assert (await asking.clients["bob"].post("/oauth/authorize", json=asked)).status == 200


async def test_a_bots_owner_gives_it_no_address(asking: Asking) -> None:
    """An address that is taken for proven would be somebody's who is not here yet."""
    (bot,) = await ids_of(asking, "bot")
    for name in ("cara", "ada"):
        answer = await ask(asking.clients[name], f"PUT /users/{bot}/patch", {"email": "chief@example.org"})
        assert (answer.status, answer.json()["id"]) == (400, "model.user.is_valid.email.app_error")
    assert (await ask(asking.clients["cara"], f"PUT /users/{bot}/patch", {"nickname": "Robot"})).status == 200


async def test_a_webhook_reaches_no_private_channel_but_its_own(asking: Asking) -> None:
    """Whoever has its address has not the rights of the administrator who made it."""
    opens, private, private_id = await ids_of(asking, "hook.open.ada", "hook.private.ada", "private")
    nobody = asking.nobody
    for wanted in ("private", private_id, "foreign", "archived-private"):
        answer = await nobody.post(f"/hooks/{opens}", json={"text": "x", "channel": wanted})
        assert answer.status in (403, 404), wanted
    assert (await nobody.post(f"/hooks/{private}", json={"text": "x"})).status == 200

    listed = await asking.clients["ann"].get(
        f"{API}/hooks/incoming", query={"include_total_count": "true"} | {"team_id": (await ids_of(asking, "team"))[0]}
    )
    assert [hook["id"] for hook in listed.json()["incoming_webhooks"]] == [opens]
    assert listed.json()["total_count"] == 1


# --- Members that nobody asked for ---------------------------------------------------------------------------------


async def test_nobody_sets_what_is_the_servers_to_set(asking: Asking) -> None:
    team, channel, ada, bob, fred = await ids_of(asking, "team", "open", "ada", "bob", "fred")
    client = asking.clients["bob"]

    post = (
        await ask(
            client,
            "POST /posts",
            {
                "channel_id": channel, "message": "m", "user_id": ada, "create_at": 1, "id": ada, "is_pinned": True,
                "edit_at": 1, "delete_at": 1, "original_id": ada, "reply_count": 9, "hashtags": "#x",
                "props": {"from_webhook": "true", "override_username": "ada", "from_bot": "true", "mine": "1"},
                "metadata": {"priority": {"priority": "urgent"}}, "participants": [{"id": ada}],
            },
        )
    ).json()  # fmt: skip
    assert (post["user_id"], post["is_pinned"], post["delete_at"], post["reply_count"]) == (bob, False, 0, 0)
    assert post["create_at"] > 1
    assert post["id"] != ada
    assert (post["original_id"], post["edit_at"], post["hashtags"]) == ("", 0, "")
    assert post["props"] == {"mine": "1"}
    assert (
        await ask(client, "POST /posts", {"channel_id": channel, "message": "m", "type": "system_generic"})
    ).status == 400

    before = (await client.get(f"{API}/users/me")).json()
    sent = {"roles": "system_user system_admin", "is_admin": True, "is_bot": True, "delete_at": 1, "id": ada,
            "create_at": 1, "auth_data": "x", "auth_service": "saml", "mfa_active": True, "email_verified": False,
            "last_password_update": 1, "failed_attempts": 99}  # fmt: skip
    after = (await ask(client, "PUT /users/me/patch", sent)).json()
    assert after | {"update_at": 0} == before | {"update_at": 0}

    wanted = {"team_id": team, "name": "assigned", "display_name": "C", "type": "P", "creator_id": ada, "delete_at": 1,
              "total_msg_count": 9, "id": ada, "scheme_id": ada, "shared": True}  # fmt: skip
    made = (await ask(client, "POST /channels", wanted)).json()
    assert (made["creator_id"], made["delete_at"], made["total_msg_count"]) == (bob, 0, 0)
    member = {"user_id": fred, "roles": "channel_admin", "scheme_admin": True, "msg_count": 9}
    added = (await ask(client, f"POST /channels/{made['id']}/members", member)).json()
    assert (added["scheme_admin"], added["roles"], added["msg_count"]) == (False, "channel_user", 0)

    (person,) = await ids_of(asking, "+person")
    asked = {"team_id": team, "user_id": person, "roles": "team_user team_admin", "scheme_admin": True}
    joined = (await ask(client, f"POST /teams/{team}/members", asked)).json()
    assert (joined["scheme_admin"], joined["roles"]) == (False, "team_user")


async def test_a_new_account_is_an_ordinary_one(asking: Asking) -> None:
    new = {"email": "nina@example.org", "username": "nina", "password": "correct horse 9!", "roles": "system_admin",
           "is_admin": True, "is_bot": True, "create_at": 1, "email_verified": False}  # fmt: skip
    made = (await ask(asking.clients["ada"], "POST /users", new)).json()

    assert (made["roles"], made["delete_at"]) == ("system_user", 0)
    assert made["create_at"] > 1
    assert not made.get("is_bot", False)


async def test_files_of_others_come_into_no_post_and_no_draft(asking: Asking) -> None:
    opens, loose, attached, private = await ids_of(asking, "open", "loose.cara", "file.private.bob", "file.direct.carl")
    wanted = {"channel_id": opens, "message": "m", "file_ids": [loose, attached, private]}
    for who in ("bob", "cara"):
        kept = {"bob": [], "cara": [loose]}[who]
        draft = await ask(asking.clients[who], "POST /drafts", wanted)
        assert [file["id"] for file in draft.json()["metadata"].get("files", ())] in ([], kept, [attached])
        post = (await ask(asking.clients[who], "POST /posts", wanted)).json()
        assert post.get("file_ids", []) == kept
        patched = (await ask(asking.clients[who], f"PUT /posts/{post['id']}/patch", wanted)).json()
        assert patched.get("file_ids", []) == kept
        assert not leaked(who, draft.body) - {"minecara"}


# --- Those who are gone --------------------------------------------------------------------------------------------


async def test_who_has_left_does_nothing_in_a_channel_any_more(house: House, asking: Asking) -> None:
    """Not even with what they wrote themselves."""
    post, thread, file, private, team = await ids_of(
        asking, "post.private.bob", "thread.private.bob", "file.private.bob", "private", "team"
    )
    client, bob_id = asking.clients["bob"], asking.objects.world.id_of("bob")
    own = f"/users/me/teams/{team}"
    lines: list[tuple[str, Any]] = [
        (f"GET /posts/{post}", None),
        (f"DELETE /posts/{post}", None),
        (f"PUT /posts/{post}/patch", {"message": "m"}),
        (f"GET /posts/{post}/edit_history", None),
        (f"POST /posts/{post}/pin", None),
        (f"GET /posts/{post}/info", None),
        ("POST /reactions", {"user_id": to_chat_id(bob_id), "post_id": post, "emoji_name": "smile"}),
        (f"DELETE /users/me/posts/{post}/reactions/smile", None),
        (f"POST /users/me/posts/{post}/set_unread", None),
        (f"GET /files/{file}", None),
        (f"GET /channels/{private}/posts", None),
        (f"GET {own}/threads/{thread}", None),
        (f"PUT {own}/threads/{thread}/following", None),
        (f"PUT {own}/threads/{thread}/read/1", None),
        ("POST /drafts", {"channel_id": private, "message": "m"}),
        ("POST /commands/execute", {"channel_id": private, "command": "/shrug"}),
    ]
    private_id = asking.objects.world.id_of("private")

    def leave(transaction: Any) -> None:
        person, channel = find_person(transaction, bob_id), find_channel(transaction, private_id)
        assert person is not None
        assert channel is not None
        leave_channel(transaction, channel, person)

    await ask(
        client,
        "PUT /users/me/preferences",
        [{"user_id": to_chat_id(bob_id), "category": "flagged_post", "name": post, "value": "true"}],
    )
    await house.storage.write(leave)

    answers = {line: (await ask(client, line, body)).status for line, body in lines}
    assert answers == dict.fromkeys(answers, 403)
    for line, body in (
        ("GET /users/me/posts/flagged", None),
        ("POST /posts/ids", [post, thread]),
        ("POST /posts/search", {"terms": "zqprivatezq", "is_or_search": False}),
        ("POST /files/search", {"terms": "zqprivatezq", "is_or_search": False}),
        (f"GET {own}/threads", None),
        (f"GET {own}/channels", None),
        ("GET /users/me/channel_members", None),
        (f"GET {own}/drafts", None),
    ):
        answer = await ask(client, line, body)
        assert answer.status == 200, line
        assert b"zqprivatezq" not in answer.body, line
        assert to_chat_id(private_id).encode() not in answer.body, line


async def test_who_is_out_of_the_team_is_out_of_its_channels_at_once(house: House, asking: Asking) -> None:
    """Before anything has had the time to take them out of each."""
    opens, private, post, team = await ids_of(asking, "open", "private", "post.private.bob", "team")
    world, client = asking.objects.world, asking.clients["bob"]
    team_id, bob_id = world.id_of("team"), world.id_of("bob")
    async with listening(client) as ear:
        await house.storage.write(lambda transaction: remove_member(transaction, team_id, bob_id))
        for line in (f"GET /channels/{opens}", f"GET /channels/{private}", f"GET /posts/{post}", f"GET /teams/{team}"):
            assert (await ask(client, line)).status == 403, line
        found = await ask(client, "POST /posts/search", {"terms": "zqprivatezq", "is_or_search": False})
        assert found.json()["order"] == []
        sent = {"channel_id": private, "message": "zqsecretzq"}
        assert (await ask(asking.clients["cara"], "POST /posts", sent)).status == 201
        assert "zqsecretzq" not in str(await heard_by(ear))


async def test_no_credential_outlives_its_person(house: House, asking: Asking) -> None:
    fred_id = asking.objects.world.id_of("fred")
    token = new_token(OAUTH_LETTER)
    new = NewCredential(kind="chat_oauth", user_id=fred_id, scopes=("user",))
    await house.storage.write(lambda transaction: issue(transaction, new, token))
    program = asking.nobody(headers={"Authorization": f"Bearer {token}"})
    assert (await program.get(f"{API}/users/me")).status == 200

    await house.storage.write(lambda transaction: set_active(transaction, fred_id, False))
    assert (await program.get(f"{API}/users/me")).status == 401
    believed = asking.nobody(principals=[Principal("chat_session", user_id=fred_id)])
    assert (await believed.get(f"{API}/users/me")).status == 401
    assert (await ask(believed, "POST /posts", {"channel_id": "y" * 26, "message": "m"})).status == 401


async def test_a_page_elsewhere_changes_nothing_with_somebodys_cookie(house: House, asking: Asking) -> None:
    """No operation that changes anything takes a cookie without the proof that a script of ours sends."""
    token = new_token(SESSION_LETTER)

    def sign_in(transaction: Any) -> None:
        ada_id, day = asking.objects.world.id_of("ada"), timedelta(days=1)
        session = open_session(
            transaction, user_id=ada_id, kind="chat_session", ip="", user_agent="", life=day, absolute=day
        )
        issue(transaction, NewCredential(kind="chat_session", user_id=ada_id, session_id=session.id), token)

    await house.storage.write(sign_in)
    browser = asking.nobody(headers={"Cookie": f"MMAUTHTOKEN={token}"})
    assert (await browser.get(f"{API}/users/me")).status == 200
    pages = (
        (401, browser(headers={"Content-Type": "text/plain"})),
        (403, browser(headers={"Origin": "https://evil.org"})),
    )
    wrong = []
    for entry in ENTRIES:
        if entry.method != "GET" and entry.public == 401:
            for expected, page in pages:
                answer = await asking.ask(entry, entry.cases[0], "ada", page)
                if answer.status != expected:
                    wrong.append(f"{entry.operation}: {answer.status}, not {expected}")

    assert not wrong, "\n".join(wrong)
    assert (await browser.get(f"{API}/users/me")).status == 200


# --- Names that are nobody's to know -------------------------------------------------------------------------------


async def test_commands_say_nothing_of_private_channels(asking: Asking) -> None:
    """What is there and what is not is refused in the same words, and nobody comes in."""
    opens, private = await ids_of(asking, "open", "private")
    world, client = asking.objects.world, asking.clients["tom"]
    assert (
        await ask(client, f"POST /channels/{opens}/members", {"user_id": to_chat_id(world.id_of("tom"))})
    ).status == 201

    for command in ("/join {}", "/mute {}", "/invite @tom ~{}", "/open {}"):
        told = []
        for name in ("private", "nothing"):
            sent = {"channel_id": opens, "command": command.format(name)}
            answer = (await ask(client, "POST /commands/execute", sent)).json()
            told.append(answer["text"].replace(name, "it"))
        assert told[0] == told[1], command
    assert (await ask(client, f"GET /channels/{private}")).status == 403


async def test_nobody_is_seen_writing_where_they_are_not(asking: Asking) -> None:
    (private,) = await ids_of(asking, "private")
    async with listening(asking.clients["tom"]) as tom, listening(asking.clients["bob"]) as bob:
        reply = await tom.ask("user_typing", channel_id=private, parent_id="")
        assert reply["status"] == "FAIL"
        assert "typing" not in str(await heard_by(bob))
