"""The topics' pages without a browser: searching, managing topics, the live feed, notifications."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from urllib.parse import urlencode

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from manor.testing import Client, House
from manor_topics.streams.limit import PER_ADDRESS
from tests.page_reading import SAME_ORIGIN
from tests.people import QUICK
from tests.push_services import encoded
from tests.topic_pages import signed_in
from tests.topic_people import make_topic, send

# --- Searching -----------------------------------------------------------------------------------------------------


async def test_a_search_finds_words_tags_and_priorities_page_by_page(house: House, client: Client) -> None:
    ada, program = await signed_in(house, client)
    await make_topic(program)
    for number in range(31):
        await program.post("/alarms", json={"message": f"disk {number:02}", "tags": ["raid"], "priority": 2})
    await program.post("/alarms", json={"message": "kettle"})

    first = await ada.open("/app/topics/alarms?q=disk&tags=raid&priority=2")
    second = await ada.open(f"/app/topics/alarms{next(link for link in first.links if 'offset=' in link)}")
    everywhere = await ada.open("/app/search?q=kett")

    assert "Found: 31" in first.text
    assert "kettle" not in first.text
    assert ("disk 00" in second.text, "disk 01" in second.text) == (True, False)
    assert "Found: 1" in everywhere.text
    assert "/app/topics/alarms" in everywhere.links


async def test_searching_everything_is_for_people(house: House, client: Client) -> None:
    answer = await client.get("/app/search?q=x")

    assert answer.headers["Location"] == "/login?next=%2Fapp%2Fsearch%3Fq%3Dx"


# --- Managing ------------------------------------------------------------------------------------------------------


async def test_somebody_makes_a_topic_changes_it_and_deletes_it(house: House, client: Client) -> None:
    ada, program = await signed_in(house, client)
    await ada.open("/app/new-topic")
    page = await ada.send("/app/new-topic", name="alarms", description="", access_level="public", is_discoverable="yes")
    assert (page.status, "Description is needed" in page.text) == (422, True)
    page = await ada.send("/app/new-topic", name="alarms", description="What rings", access_level="private")
    assert (page.url, "The topic is there." in page.text) == ("/app/topics/alarms?done=made", True)

    await ada.open("/app/topics/alarms/settings")
    page = await ada.send("/app/topics/alarms/settings", name="bells", description="Rings", access_level="public")
    assert page.url == "/app/topics/bells?done=changed"
    topic = (await program.get("/api/topics/bells")).json()
    assert (topic["description"], topic["access_level"], topic["is_discoverable"]) == ("Rings", "public", False)

    await ada.open("/app/topics/bells/settings")
    page = await ada.send("/app/topics/bells/delete", confirm="alarms")
    assert (page.status, "another name" in page.text) == (422, True)
    page = await ada.send("/app/topics/bells/delete", confirm="bells")
    assert (page.url, "The topic is deleted." in page.text) == ("/app/topics?done=deleted", True)
    assert (await program.get("/api/topics/bells")).status == 404


@pytest.mark.parametrize(("name", "status"), [("no", 422), ("api", 422), ("A B", 422), ("welcome", 409)])
async def test_a_name_that_cannot_be_had_is_told(house: House, client: Client, name: str, status: int) -> None:
    ada, _ = await signed_in(house, client)
    await ada.open("/app/new-topic")

    page = await ada.send("/app/new-topic", name=name, description="kept", access_level="private")

    assert page.status == status
    assert "kept" in page.answer.text


async def test_others_cannot_change_or_delete_a_public_topic(house: House, client: Client) -> None:
    _, program = await signed_in(house, client)
    await make_topic(program, access_level="public")
    bob, _ = await signed_in(house, client, "bob")
    page = await bob.open("/app/topics/alarms")
    token = page.form("/app/topics/alarms/subscribe").fields["form_token"]

    assert "/app/topics/alarms/settings" not in page.links
    assert (await bob.open("/app/topics/alarms/settings")).status == 403
    for path, fields in (("settings", "name=mine&access_level=public"), ("delete", "confirm=alarms")):
        body = f"{fields}&form_token={token}".encode()
        answer = await bob.ask("POST", f"/app/topics/alarms/{path}", body=body, headers=SAME_ORIGIN)
        assert answer.status == 403
    assert (await client.get("/api/topics/alarms")).status == 200


# --- Live ----------------------------------------------------------------------------------------------------------


async def test_the_live_feed_begins_behind_the_page_or_the_last_message(house: House, client: Client) -> None:
    ada, program = await signed_in(house, client)
    await make_topic(program)
    ids = [(await send(program, f"number {number}"))["id"] for number in range(3)]
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in ada.jar.items())}

    async with client.sse(f"/app/topics/alarms/live?after={ids[0]}", headers=cookie) as stream:
        events = [await anext(stream) for _ in range(3)]
    async with client.sse(
        f"/app/topics/alarms/live?after={ids[0]}", headers={**cookie, "Last-Event-ID": ids[1]}
    ) as resumed:
        again = [await anext(resumed) for _ in range(2)]

    assert [(event.event, event.id) for event in events] == [("ready", ""), ("message", ids[1]), ("message", ids[2])]
    assert [event.id for event in again] == ["", ids[2]]


async def test_the_live_feed_ends_when_the_topic_is_closed_to_its_reader(house: House, client: Client) -> None:
    _, program = await signed_in(house, client)
    topic = await make_topic(program, access_level="public")

    with trio.fail_after(5):
        async with client.sse("/app/topics/alarms/live") as stream:
            assert (await anext(stream)).event == "ready"
            await program.patch(f"/api/topics/{topic['id']}", json={"access_level": "private"})
            assert [event.event async for event in stream if event.event == "message"] == []


@pytest.mark.manor(config={"server": {"limits": {"address_limit_factor": 1}}})
async def test_strangers_have_only_so_many_feeds_open(client: Client) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(PER_ADDRESS):
            await stack.enter_async_context(client.sse("/app/topics/welcome/live"))
        assert (await client.get("/app/topics/welcome/live")).status == 429


async def test_the_live_feed_of_a_private_topic_takes_no_credential_of_an_api(house: House, client: Client) -> None:
    _, program = await signed_in(house, client)
    await make_topic(program)

    answer = await client.get("/app/topics/alarms/live")

    assert (answer.status, answer.headers["Location"][:12]) == (302, "/login?next=")


# --- Notifications -------------------------------------------------------------------------------------------------


async def test_without_web_push_there_is_no_button(house: House, client: Client) -> None:
    ada, _ = await signed_in(house, client)

    page = await ada.open("/app/topics/welcome")

    assert "Notify this browser" not in page.text
    assert "notify.js" not in page.answer.text


POINT = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

PUSHING = {"plugins": {"topics": {"push": {"providers": ["webpush"], "vapid_subject": "mailto:ops@example.org"}}}}


@pytest.mark.manor(config={**PUSHING, "identity": QUICK})
async def test_a_browser_is_registered_and_forgotten(house: House, client: Client) -> None:
    ada, program = await signed_in(house, client)
    page = await ada.open("/app/topics/welcome")
    key = (await client.get("/api/push/vapid-key")).json()["public_key"]
    token = page.form("/app/topics/welcome/subscribe").fields["form_token"]
    headers = {**SAME_ORIGIN, "X-Form-Token": token}

    assert f'data-key="{key}"' in page.answer.text
    assert "worker-src 'self'" in page.answer.headers["Content-Security-Policy"]
    bad = await ada.ask("POST", "/app/notifications", body=b"device_id=b&push_token=%7B%7D", headers=headers)
    assert bad.status == 422
    for body in (b"", b"device_id=&push_token=x", b"device_id=%00&push_token=x", b"device_id=" + b"x" * 65):
        assert (await ada.ask("POST", "/app/notifications", body=body, headers=headers)).status == 422
    keys = {"p256dh": encoded(POINT), "auth": encoded(bytes(16))}
    subscription = json.dumps({"endpoint": "https://push.example.org/1", "keys": keys})
    body = urlencode({"device_id": "b", "device_name": "Browser", "push_token": subscription}).encode()
    assert (await ada.ask("POST", "/app/notifications", body=body, headers=headers)).status == 204
    (device,) = (await program.get("/api/devices/my")).json()
    assert (device["platform"], device["device_id"], device["device_name"]) == ("web", "b", "Browser")
    for _ in range(2):
        ended = await ada.ask("POST", "/app/notifications/end", body=b"device_id=b", headers=headers)
        assert ended.status == 204
    assert (await program.get("/api/devices/my")).json() == []


async def test_the_service_worker_stands_above_the_pages(client: Client) -> None:
    answer = await client.get("/app/notifications.js")

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert b"showNotification" in answer.body
