"""Built-in slash commands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import trio.testing

from manor import Event, from_chat_id
from manor.testing import Client, House, SetClock
from tests.chat_channels import direct, made, told
from tests.chat_integrations import posts_in, typed
from tests.chat_people import API, Chatter, Crew
from tests.people import PASSWORD


async def done(who: Chatter, channel: dict[str, Any], text: str, **more: Any) -> dict[str, Any]:
    answered = await typed(who, channel["id"], text, **more)
    assert answered.status == 200, answered.text
    response: dict[str, Any] = answered.json()
    return response


SAYING = [
    ("/me waves", "*waves*", "me"),
    ("/shrug", r"¯\\\_(ツ)\_/¯", ""),
    ("/SHRUG who knows", r"who knows ¯\\\_(ツ)\_/¯", ""),
    ("/code a\nb", "    a\n    b", ""),
    ('/echo "hello there"', "hello there", ""),
]


async def test_some_commands_say_something(crew: Crew, helm: dict[str, Any]) -> None:
    root = await said_in(crew, helm)
    for text, message, kind in SAYING:
        response = await done(crew.ann, helm, text, root_id=root)
        assert (response["response_type"], response["text"]) == ("in_channel", message)
        post = (await posts_in(crew.house, helm["id"]))[0]
        assert (post["message"], post["type"], post["user_id"], post["props"]) == (message, kind, crew.ann.id, {})
        assert post["root_id"] == from_chat_id(root)


async def said_in(crew: Crew, channel: dict[str, Any]) -> str:
    answered = await crew.ann.client.post(f"{API}/posts", json={"channel_id": channel["id"], "message": "root"})
    root: str = answered.json()["id"]
    return root


async def test_an_echo_may_take_its_time(crew: Crew, helm: dict[str, Any], clock: SetClock, house: House) -> None:
    await done(crew.ann, helm, '/echo "later" 60')
    await trio.testing.wait_all_tasks_blocked()
    assert await posts_in(house, helm["id"]) == []
    clock.set(clock.now() + timedelta(seconds=61))
    with trio.fail_after(20):
        while not (found := await posts_in(house, helm["id"])):
            house.services.outbox.ring()
            await trio.testing.wait_all_tasks_blocked(0.01)
    assert [each["message"] for each in found] == ["later"]
    assert "under 10000" in (await done(crew.ann, helm, "/echo later 10001"))["text"]


async def test_echoes_that_wait_are_not_without_number(crew: Crew, helm: dict[str, Any]) -> None:
    texts = [(await done(crew.ann, helm, "/echo later 60"))["text"] for _ in range(11)]
    assert [text[:11] for text in texts] == [""] * 10 + ["High volume"]


STATUSES = ["away", "online", "dnd", "offline"]


async def test_one_says_how_one_is_there(crew: Crew, helm: dict[str, Any], heard: list[Event]) -> None:
    for status in STATUSES:
        response = await done(crew.ann, helm, f"/{status}")
        assert (await crew.ann.client.get(f"{API}/users/me/status")).json()["status"] == status
        event, data = told(heard, "ephemeral_message")[-1]
        assert (event.user_id, data["post"]["message"]) == (crew.ann.id, response["text"])


async def test_a_custom_status_is_set_and_cleared(crew: Crew, helm: dict[str, Any]) -> None:
    await done(crew.ann, helm, "/status :sailboat: at sea")
    props = (await crew.ann.client.get(f"{API}/users/me")).json()["props"]
    assert '"emoji":"sailboat"' in props["customStatus"]
    assert '"text":"at sea"' in props["customStatus"]
    await done(crew.ann, helm, "/status clear")
    assert not (await crew.ann.client.get(f"{API}/users/me")).json()["props"].get("customStatus")


WORDS = [("header", "header"), ("purpose", "purpose"), ("rename", "display_name")]


async def test_a_channel_says_something_else_of_itself(crew: Crew, helm: dict[str, Any]) -> None:
    for trigger, member in WORDS:
        await done(crew.ann, helm, f"/{trigger} New {trigger}")
        assert (await crew.ann.client.get(f"{API}/channels/{helm['id']}")).json()[member] == f"New {trigger}"
        assert "must be provided" in (await done(crew.ann, helm, f"/{trigger}"))["text"]


async def test_people_are_invited_and_removed(crew: Crew, helm: dict[str, Any], heard: list[Event]) -> None:
    assert (await done(crew.ann, helm, "/invite @bob"))["text"] == ""
    member = f"{API}/channels/{helm['id']}/members/{crew.bob.chat_id}"
    assert (await crew.ann.client.get(member)).status == 200
    assert "already" in (await done(crew.ann, helm, "/invite bob"))["text"]
    assert "Could not find" in (await done(crew.ann, helm, "/invite @nobody"))["text"]
    assert (await done(crew.ann, helm, "/invite @eve"))["text"] == "They are not in this channel's team"
    assert "must be provided" in (await done(crew.ann, helm, "/invite"))["text"]
    assert "50 people at most" in (await done(crew.ann, helm, f"/invite {'@bob ' * 51}"))["text"]

    await done(crew.ann, helm, "/kick @bob")
    assert (await crew.ann.client.get(member)).status == 404
    assert "not a member" in (await done(crew.ann, helm, "/remove @bob"))["text"]
    galley = await made(crew, crew.ann, "galley")
    assert "Galley" in (await done(crew.ann, helm, "/invite @bob ~galley"))["text"]
    assert (await crew.bob.client.get(f"{API}/channels/{galley['id']}/members/me")).status == 200


async def test_channels_are_joined_and_left(crew: Crew, helm: dict[str, Any]) -> None:
    square = (await crew.ann.client.get(f"{API}/teams/{crew.team}/channels/name/town-square")).json()
    await made(crew, crew.ann, "cabin", type="P")

    assert (await done(crew.bob, square, "/join ~helm"))["goto_location"].endswith("/crew/channels/helm")
    member = f"{API}/channels/{helm['id']}/members/{crew.bob.chat_id}"
    assert (await crew.bob.client.get(member)).status == 200
    assert (await done(crew.bob, helm, "/open helm"))["goto_location"].endswith("/crew/channels/helm")
    assert "Could not find" in (await done(crew.bob, square, "/join ~cabin"))["text"]
    assert "Could not find" in (await done(crew.bob, square, "/join ~nowhere"))["text"]

    assert (await done(crew.bob, helm, "/leave"))["goto_location"].endswith("/crew/channels/town-square")
    assert (await crew.ann.client.get(member)).status == 404
    assert "default channel" in (await done(crew.bob, square, "/leave"))["text"]


async def test_a_direct_channel_is_put_away_by_leaving_it(crew: Crew, heard: list[Event]) -> None:
    channel = await direct(crew.ann, crew.bob)
    await done(crew.ann, channel, "/leave", team_id=crew.team)
    preferences = (await crew.ann.client.get(f"{API}/users/me/preferences/direct_channel_show")).json()
    assert [(each["name"], each["value"]) for each in preferences] == [(crew.bob.chat_id, "false")]
    assert len(told(heard, "preference_changed")) == 1


async def test_a_channel_is_muted_and_heard_again(crew: Crew, helm: dict[str, Any]) -> None:
    async def mark() -> str:
        member = (await crew.ann.client.get(f"{API}/channels/{helm['id']}/members/me")).json()
        value: str = member["notify_props"]["mark_unread"]
        return value

    assert "will not receive" in (await done(crew.ann, helm, "/mute"))["text"]
    assert await mark() == "mention"
    assert "no longer muted" in (await done(crew.ann, helm, "/mute ~helm"))["text"]
    assert await mark() == "all"
    assert "Could not find" in (await done(crew.ann, helm, "/mute ~nowhere"))["text"]


async def test_people_are_written_to(crew: Crew, helm: dict[str, Any]) -> None:
    assert (await done(crew.ann, helm, "/msg @bob hello there"))["goto_location"].endswith("/crew/messages/@bob")
    channel = await direct(crew.ann, crew.bob)
    assert [each["message"] for each in await posts_in(crew.house, channel["id"])] == ["hello there"]

    response = await done(crew.ann, helm, "/groupmsg @bob,@eve ahoy")
    group = await direct(crew.ann, crew.bob, crew.eve)
    assert response["goto_location"].endswith(f"/crew/messages/{group['name']}")
    assert [each["message"] for each in await posts_in(crew.house, group["id"])] == ["ahoy"]
    assert "Could not find" in (await done(crew.ann, helm, "/msg @nobody x"))["text"]
    for nobody in ("/msg", "/msg @", "/msg ,", "/groupmsg ,,@"):
        assert (await done(crew.ann, helm, nobody))["response_type"] == "ephemeral"
    many = ",".join(f"@p{number}" for number in range(8))
    assert "limited to 7" in (await done(crew.ann, helm, f"/groupmsg {many} x"))["text"]


async def test_previews_are_collapsed_and_expanded(crew: Crew, helm: dict[str, Any]) -> None:
    path = f"{API}/users/me/preferences/display_settings/name/collapse_previews"
    for trigger, value in (("collapse", "true"), ("expand", "false")):
        await done(crew.ann, helm, f"/{trigger}")
        assert (await crew.ann.client.get(path)).json()["value"] == value


async def test_signing_out_ends_the_session_that_asks(crew: Crew, helm: dict[str, Any], house: House) -> None:
    client = Client(house.dispatcher)
    answered = await client.post(f"{API}/users/login", json={"login_id": "ann", "password": PASSWORD})
    bearer = {"Authorization": f"Bearer {answered.headers['Token']}"}
    execute = {"channel_id": helm["id"], "command": "/logout"}
    response = await client.post(f"{API}/commands/execute", json=execute, headers=bearer)
    assert response.json()["goto_location"] == "/login"
    assert (await client.get(f"{API}/users/me", headers=bearer)).status == 401


TELLING = ["/search x", "/settings", "/shortcuts", "/help", "/code", "/me", "/groupmsg", "/status"]


async def test_others_only_tell_something(crew: Crew, helm: dict[str, Any], heard: list[Event]) -> None:
    for text in TELLING:
        response = await done(crew.ann, helm, text)
        assert (response["response_type"], bool(response["text"])) == ("ephemeral", True)
        _, data = told(heard, "ephemeral_message")[-1]
        assert data["post"]["message"] == response["text"]
    assert await posts_in(crew.house, helm["id"]) == []


async def test_a_refusal_is_told_and_nothing_is_done(crew: Crew, heard: list[Event]) -> None:
    helm = await made(crew, crew.bob, "helm")
    response = await done(crew.bob, helm, f"/rename {'x' * 65}")
    assert "Invalid display name" in response["text"]
    assert (await crew.bob.client.get(f"{API}/channels/{helm['id']}")).json()["display_name"] == "Helm"
    assert [data["post"]["message"] for _, data in told(heard, "ephemeral_message")] == [response["text"]]
    assert "longer than" in (await done(crew.bob, helm, f"/me {'x' * 16_383}"))["text"]
