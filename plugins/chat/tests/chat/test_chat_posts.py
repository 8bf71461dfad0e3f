"""Writing and reading single posts."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
import trio
from sqlalchemy import insert

from manor import Event, Principal, Transaction, new_id, to_chat_id
from manor.testing import House, SetClock
from manor_chat.posts.repeats import LONGEST, MOST, Repeats
from manor_chat.posts.sending import Sent, send
from manor_chat.rights import Rights
from manor_chat.store.channels import ChannelMember, add_members
from manor_chat.tables.posts import files
from tests.chat_people import API, Crew, chatter
from tests.chat_posts import Desk


@pytest.fixture
async def desk(house: House, clock: SetClock, heard: list[Event]) -> Desk:
    return Desk(house, await Crew.gather(house), clock, heard)


def file_row(desk: Desk, **more: Any) -> dict[str, Any]:
    row = dict.fromkeys(column.name for column in files.c)
    row |= {"create_at": 1, "update_at": 1, "delete_at": 0, "size": 3, "width": 0, "height": 0}
    row |= {"has_preview_image": False, "name": "a.txt", "extension": "txt", "mime_type": "text/plain", "blob": "x"}
    return row | {"id": new_id(), "user_id": desk.crew.ann.id, "channel_id": desk.crew.off_topic.id} | more


async def uploaded(desk: Desk, **more: Any) -> str:
    row = file_row(desk, **more)

    def work(transaction: Transaction) -> None:
        transaction.connection.execute(insert(files).values(row))

    await desk.house.storage.write(work)
    return to_chat_id(row["id"])


async def test_a_post_is_answered_as_it_was_written(desk: Desk) -> None:
    ann = desk.crew.ann
    post = await desk.post(
        ann, "Hello #world, `#code`", props={"card": "x"}, pending_post_id="p:1", create_at=5, type="custom_x"
    )

    assert post["message"] == "Hello #world, `#code`"
    assert post["hashtags"] == "#world"
    assert post["props"] == {"card": "x"}
    assert (post["user_id"], post["channel_id"], post["root_id"]) == (ann.chat_id, desk.channel, "")
    assert post["create_at"] == post["update_at"] == int(desk.clock.now().timestamp() * 1000)
    assert (post["edit_at"], post["delete_at"], post["reply_count"], post["type"]) == (0, 0, 0, "custom_x")
    assert post["pending_post_id"] == "p:1"
    read = await desk.get(desk.crew.bob, f"/posts/{post['id']}")
    assert read == post | {"pending_post_id": ""}


async def test_a_post_is_told_with_strings_of_json(desk: Desk) -> None:
    post = await desk.post(desk.crew.ann, "Hi @bob", pending_post_id="p:1")

    told = desk.told("posted")[-1]
    data = json.loads(told.data)
    assert told.channel_id == desk.crew.off_topic.id
    assert told.mentions == (desk.crew.bob.id,)
    assert json.loads(data["post"]) == post
    assert {name: data[name] for name in ("channel_type", "channel_name", "sender_name", "team_id", "set_online")} == {
        "channel_type": "O",
        "channel_name": "off-topic",
        "sender_name": "@ann",
        "team_id": desk.crew.team,
        "set_online": True,
    }
    answer = await desk.crew.ann.client.post(
        f"{API}/posts?set_online=false", json={"channel_id": desk.channel, "message": "quiet"}
    )
    assert answer.status == 201
    assert desk.data("posted")["set_online"] is False


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"message": "x", "channel_id": "short"}, 400, "api.context.invalid_body_param.app_error"),
        ({"message": "x", "channel_id": "y" * 26}, 404, "app.channel.get.existing.app_error"),
        ({"message": " "}, 400, "api.context.invalid_body_param.app_error"),
        ({"message": 5}, 400, "api.context.invalid_body_param.app_error"),
        ({"message": "x" * 16_384}, 400, "model.post.is_valid.msg.app_error"),
        ({"message": "x", "type": "system_join_channel"}, 400, "api.context.invalid_body_param.app_error"),
        ({"message": "x", "type": "nonsense"}, 400, "api.context.invalid_body_param.app_error"),
        ({"message": "x", "root_id": "nope"}, 400, "api.context.invalid_body_param.app_error"),
        ({"message": "x", "root_id": "y" * 26}, 400, "api.post.create_post.root_id.app_error"),
        ({"message": "x", "file_ids": ["nope"]}, 400, "api.context.invalid_body_param.app_error"),
        ({"message": "x", "file_ids": ["y" * 26] * 11}, 400, "model.post.is_valid.file_ids.app_error"),
        ({"message": "x", "props": {"a": "é" * 800_000}}, 413, None),
        ({"message": "x", "props": {"a": "x" * 800_000}}, 400, "model.post.is_valid.props.app_error"),
        ({"message": "x", "props": []}, 400, "api.context.invalid_body_param.app_error"),
        ({"message": "x", "create_at": 10**20}, 400, "api.context.invalid_body_param.app_error"),
    ],
)
async def test_what_is_no_post_is_refused(desk: Desk, body: dict[str, Any], status: int, code: str | None) -> None:
    answer = await desk.send(desk.crew.ann, **body)

    assert answer.status == status, answer.text
    assert code is None or answer.json()["id"] == code


async def test_a_message_is_measured_in_characters(desk: Desk) -> None:
    assert (await desk.send(desk.crew.ann, message="💥" * 16_383)).status == 201


async def test_only_those_write_who_may(desk: Desk) -> None:
    crew = desk.crew
    assert (await desk.send(crew.eve, message="x")).status == 403
    assert (await desk.send(crew.ada, message="x")).status == 201
    direct = await desk.direct(crew.ann, crew.bob)
    assert (await desk.send(crew.eve, message="x", channel_id=direct)).status == 403
    await desk.do(crew.ada, "DELETE", f"/channels/{desk.channel}")
    answer = await desk.send(crew.ann, message="x")
    assert (answer.status, answer.json()["id"]) == (400, "api.post.create_post.can_not_post_to_deleted.error")


async def test_a_reply_answers_a_root_of_its_channel(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann)
    reply = await desk.reply(crew.bob, root)
    assert (reply["root_id"], reply["reply_count"]) == (root["id"], 1)

    deeper = await desk.send(crew.ann, message="x", root_id=reply["id"])
    assert (deeper.status, deeper.json()["id"]) == (400, "api.post.create_post.root_id.app_error")
    elsewhere = await desk.send(crew.ann, message="x", root_id=root["id"], channel_id=to_chat_id(crew.town_square.id))
    assert (elsewhere.status, elsewhere.json()["id"]) == (400, "api.post.create_post.channel_root_id.app_error")
    await desk.do(crew.ann, "DELETE", f"/posts/{root['id']}")
    assert (await desk.send(crew.ann, message="x", root_id=root["id"])).status == 400


async def test_who_wrote_a_post_is_the_servers_to_say(desk: Desk) -> None:
    forged = {"from_bot": "true", "from_webhook": "true", "override_username": "bob", "card": "kept"}
    assert (await desk.post(desk.crew.ann, props=forged))["props"] == {"card": "kept"}
    assert desk.data("posted")["sender_name"] == "@ann"

    bot = await chatter(desk.house, "robot", is_bot=True)
    direct = await desk.do(bot, "POST", "/channels/direct", [bot.chat_id, desk.crew.ann.chat_id])
    post = await desk.post(bot, channel_id=direct["id"], props={"from_webhook": "true", "override_username": "R2"})
    assert post["props"] == {"from_bot": "true", "from_webhook": "true", "override_username": "R2"}
    assert desk.data("posted")["sender_name"] == "R2"


async def test_only_administrators_say_when_a_post_was_written(desk: Desk) -> None:
    assert (await desk.post(desk.crew.ada, create_at=1234))["create_at"] == 1234
    assert (await desk.post(desk.crew.ann, create_at=1234))["create_at"] != 1234


async def test_where_buttons_lead_is_for_the_server_alone(desk: Desk) -> None:
    action = {"name": "Go", "type": "button", "integration": {"url": "http://secret.example", "context": {"a": 1}}}
    attachments = [{"text": "Choose, @bob", "actions": [action, "junk"]}, "junk"]
    post = await desk.post(desk.crew.ann, "", props={"attachments": attachments})

    shown = post["props"]["attachments"][0]["actions"][0]
    assert shown["id"]
    assert "integration" not in shown
    assert post["metadata"]["embeds"] == [{"type": "message_attachment"}]
    assert "secret" not in desk.told("posted")[-1].data.decode()
    assert desk.told("posted")[-1].mentions == (desk.crew.bob.id,)


async def test_a_post_that_is_sent_again_is_the_same(desk: Desk) -> None:
    ann, first = desk.crew.ann, await desk.post(desk.crew.ann, pending_post_id="ann:1")
    again = await desk.post(ann, pending_post_id="ann:1")
    assert again == first
    assert len(desk.told("posted")) == len({json.loads(json.loads(e.data)["post"])["id"] for e in desk.told("posted")})
    assert (await desk.post(desk.crew.bob, pending_post_id="ann:1"))["id"] != first["id"]
    assert (await desk.post(ann, pending_post_id="ann:2"))["id"] != first["id"]
    assert (await desk.post(ann, pending_post_id=""))["id"] != (await desk.post(ann, pending_post_id=""))["id"]


async def test_a_post_that_was_refused_may_be_sent_again(desk: Desk) -> None:
    refused = await desk.send(desk.crew.ann, message="x", root_id="y" * 26, pending_post_id="ann:1")
    assert refused.status == 400
    await desk.post(desk.crew.ann, pending_post_id="ann:1")


async def test_half_a_minute_later_it_is_another_post(desk: Desk, autojump_clock: trio.testing.MockClock) -> None:
    first = await desk.post(desk.crew.ann, pending_post_id="ann:1")
    await trio.sleep(31)
    assert (await desk.post(desk.crew.ann, pending_post_id="ann:1"))["id"] != first["id"]


async def test_files_come_with_their_post(desk: Desk) -> None:
    ann, bob = desk.crew.ann, desk.crew.bob
    mine, picture = await uploaded(desk), await uploaded(desk, mime_type="image/png", name="b.png")
    strange = await uploaded(desk, user_id=bob.id)
    post = await desk.post(ann, "", file_ids=[picture, mine, strange, mine])

    assert post["file_ids"] == [picture, mine]
    assert [each["id"] for each in post["metadata"]["files"]] == [picture, mine]
    assert {each["post_id"] for each in post["metadata"]["files"]} == {post["id"]}
    assert (desk.data("posted")["otherFile"], desk.data("posted")["image"]) == ("true", "true")
    assert (await desk.post(ann, "once more", file_ids=[mine])).get("file_ids") is None
    infos = await desk.get(bob, f"/posts/{post['id']}/files/info")
    assert {each["id"] for each in infos} == {picture, mine}
    assert (await desk.crew.eve.client.get(f"{API}/posts/{post['id']}/files/info")).status == 403


async def test_an_ephemeral_post_is_for_one_person_and_for_nobody_to_keep(desk: Desk) -> None:
    crew = desk.crew
    body = {"user_id": crew.bob.chat_id, "post": {"channel_id": desk.channel, "message": "psst"}}
    answer = await crew.ada.client.post(f"{API}/posts/ephemeral", json=body)

    assert answer.status == 201
    assert (answer.json()["type"], answer.json()["message"]) == ("system_ephemeral", "psst")
    told = desk.told("ephemeral_message")[-1]
    assert (told.user_id, told.channel_id) == (crew.bob.id, crew.off_topic.id)
    assert json.loads(json.loads(told.data)["post"]) == answer.json()
    assert (await crew.ada.client.get(f"{API}/posts/{answer.json()['id']}")).status == 404
    assert (await crew.ann.client.post(f"{API}/posts/ephemeral", json=body)).status == 403
    for user_id, status in (("nope", 400), ("y" * 26, 404), (crew.eve.chat_id, 404)):
        refused = await crew.ada.client.post(f"{API}/posts/ephemeral", json=body | {"user_id": user_id})
        assert refused.status == status


async def test_a_post_is_read_by_those_who_may(desk: Desk) -> None:
    crew = desk.crew
    post = await desk.post(crew.ann)
    for who, status in ((crew.bob, 200), (crew.ada, 200), (crew.eve, 403)):
        assert (await who.client.get(f"{API}/posts/{post['id']}")).status == status
    for post_id, status in (("nope", 400), ("y" * 26, 404), ("z" * 26, 404)):
        assert (await crew.ann.client.get(f"{API}/posts/{post_id}")).status == status
    first = await crew.ann.client.get(f"{API}/posts/{post['id']}")
    again = await crew.ann.client.get(f"{API}/posts/{post['id']}", headers={"If-None-Match": first.headers["etag"]})
    assert again.status == 304


async def test_posts_by_their_ids_are_those_that_one_may_read(desk: Desk) -> None:
    crew = desk.crew
    mine, secret = (
        await desk.post(crew.ann),
        await desk.post(crew.ann, channel_id=await desk.direct(crew.ann, crew.bob)),
    )
    later, gone = await desk.post(crew.bob), await desk.post(crew.bob)
    await desk.do(crew.bob, "DELETE", f"/posts/{gone['id']}")
    ids = [each["id"] for each in (mine, secret, later, gone)] + ["y" * 26]

    assert [each["id"] for each in await desk.do(crew.bob, "POST", "/posts/ids", ids)] == [
        later["id"],
        secret["id"],
        mine["id"],
    ]
    assert await desk.do(crew.eve, "POST", "/posts/ids", ids) == []
    for body in ([], ["nope"], ["y" * 26] * 1001, {"a": 1}):
        assert (await crew.ann.client.post(f"{API}/posts/ids", json=body)).status == 400


async def test_where_a_post_is(desk: Desk) -> None:
    crew = desk.crew
    post = await desk.post(crew.ann)
    info = await desk.get(crew.bob, f"/posts/{post['id']}/info")
    assert info == {
        "channel_id": desk.channel,
        "channel_type": "O",
        "channel_display_name": "Off-Topic",
        "has_joined_channel": True,
        "team_id": crew.team,
        "team_type": info["team_type"],
        "team_display_name": "Crew",
        "has_joined_team": True,
    }
    assert (await crew.eve.client.get(f"{API}/posts/{post['id']}/info")).status == 403
    direct = await desk.post(crew.ann, channel_id=await desk.direct(crew.ann, crew.bob))
    assert (await desk.get(crew.bob, f"/posts/{direct['id']}/info"))["team_id"] == ""


async def test_links_and_custom_emoji_come_with_a_post(desk: Desk) -> None:
    post = await desk.post(desk.crew.ann, "See (https://example.org/a_(b)). :smile: :none:")
    assert post["metadata"] == {"embeds": [{"type": "link", "url": "https://example.org/a_(b)"}]}


@pytest.mark.parametrize("members", [0, 40])
async def test_a_plain_post_takes_nine_statements_however_many_hear_of_it(desk: Desk, members: int) -> None:
    crew = desk.crew

    def crowd(transaction: Transaction) -> None:
        channel_id = crew.off_topic.id
        rows = [
            ChannelMember(channel_id=channel_id, user_id=new_id(), joined_at=1, last_update_at=1)
            for _ in range(members)
        ]
        add_members(transaction, rows)

    await desk.house.storage.write(crowd)
    statements: list[str] = []

    def work(transaction: Transaction) -> None:
        handle: Any = transaction.connection.connection.driver_connection
        handle.set_trace_callback(statements.append)
        try:
            rights = Rights(transaction, Principal("chat_session", user_id=crew.ann.id))
            send(transaction, rights, Sent(channel_id=crew.off_topic.id, message="Nothing new"), lambda user_id: False)
        finally:
            handle.set_trace_callback(None)

    await desk.house.storage.write(work)
    assert len(statements) == 9, "\n".join(statements)


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        (b'"message": "\\ud800"', 400),
        (b'"message": "\xff"', 400),
        (b'"message": "a\\u0000b"', 201),
        (b'"message": "x", "props": {"a": 1e400}', 400),
        (b'"message": "x", "props": {"a": 123456789012345678901234567890}', 201),
        (b'"message": "x", "props": {"a": 18446744073709551615}', 201),
        (b'"message": "x", "props": ' + b'{"a":' * 40 + b"1" + b"}" * 40, 201),
        (b'"message": "x", "props": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000, 400),
        (b'"message": "x", "props": {"attachments": {"actions": 5}}', 201),
        (b'"message": "x", "props": {"attachments": [[], null, {"actions": {}}, {"text": 5, "pretext": []}]}', 201),
        (b'"message": "x", "props": null, "file_ids": null, "root_id": null, "type": null', 201),
        (b'"message": "x", "unknown": {"deviceId": 1}, "metadata": {"priority": {"priority": "urgent"}}', 201),
    ],
    ids=range(12),
)
async def test_hostile_bodies_are_posts_or_refused(desk: Desk, extra: bytes, status: int) -> None:
    body = b'{"channel_id": "' + desk.channel.encode() + b'", ' + extra + b"}"
    answer = await desk.crew.ann.client.post(f"{API}/posts", body=body)
    assert answer.status == status, answer.text
    if status == 201:
        path = f"{API}/posts/{answer.json()['id']}"
        assert (await desk.crew.bob.client.get(path)).status == 200
        assert (await desk.crew.ann.client.put(f"{path}/patch", json={"message": "edited"})).status == 200
        assert (await desk.crew.ann.client.delete(path)).status == 200


async def test_posts_that_are_sent_twice_at_once_are_one(desk: Desk) -> None:
    ids: list[str] = []

    async def send() -> None:
        body = {"channel_id": desk.channel, "message": "x", "pending_post_id": "ann:1"}
        ids.append((await desk.crew.ann.client.post(f"{API}/posts", json=body)).json()["id"])

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(send)
    assert len(ids) == 5
    assert len(set(ids)) == 1


async def test_what_clients_call_their_posts_takes_bounded_memory() -> None:
    repeats = Repeats()
    author = new_id()

    async def write() -> UUID:
        return new_id()

    for n in range(MOST + 10):
        assert await repeats.once(author, str(n), write) is None
    await repeats.once(author, "x" * (LONGEST + 1), write)
    assert len(repeats) == MOST
    assert await repeats.once(author, str(MOST), write) is not None


async def test_whoever_may_come_in_may_know_where_a_post_is(desk: Desk) -> None:
    crew, post = desk.crew, await desk.post(desk.crew.ann)
    await desk.do(crew.ann, "PUT", f"/teams/{crew.team}/patch", {"allow_open_invite": True})
    info = await desk.get(crew.eve, f"/posts/{post['id']}/info")
    assert (info["has_joined_channel"], info["has_joined_team"]) == (False, False)
