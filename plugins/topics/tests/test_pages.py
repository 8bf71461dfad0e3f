"""The topics' pages without a browser: who sees what, what forms do, and that messages are only ever text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from manor.testing import Client, House
from manor_topics.messages import Message
from manor_topics.pages.face import links_of
from manor_topics.streams.limit import PER_ADDRESS
from tests.page_reading import SAME_ORIGIN, Page, Reader
from tests.people import PASSWORD, QUICK, made
from tests.push_services import encoded
from tests.topic_people import asking_as, make_topic, send

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
HOSTILE = """<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}' onfocus='alert(3)"""


@pytest.fixture
def house_plugins() -> Sequence[str]:
    return ["auth", "topics"]


@pytest.fixture
def house_config(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Quick hashes, no rates of addresses; a marker's own tables go over these."""
    marker = request.node.get_closest_marker("manor")
    own: dict[str, Any] = marker.kwargs.get("config", {}) if marker else {}
    return {"server": {"limits": {"address_limit_factor": 0}}, "identity": QUICK, **own}


async def signed_in(house: House, client: Client, username: str = "ada") -> tuple[Reader, Client]:
    """Somebody's browser, and their program."""
    user_id = await made(house, username)
    reader = Reader(client)
    await reader.open("/login")
    await reader.send("/login", login=username, password=PASSWORD)
    return reader, asking_as(house, user_id)


class _Shape(HTMLParser):
    """What a browser makes of a page: its elements, and where they lead."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[dict[str, str | None]] = []
        self.handlers: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.append(dict(attrs))
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.targets += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def shape_of(page: Page) -> _Shape:
    shape = _Shape()
    shape.feed(page.answer.text)
    return shape


# --- Reading -------------------------------------------------------------------------------------------------------


async def test_the_front_page_leads_to_the_topics(client: Client) -> None:
    page = await Reader(client).open("/")

    assert (page.url, page.status) == ("/app/topics", 200)
    assert "welcome" in page.text


async def test_strangers_see_public_topics_that_are_listed_and_no_others(house: House, client: Client) -> None:
    _, ada = await signed_in(house, client)
    await make_topic(ada, "secret")
    await make_topic(ada, "unlisted", access_level="public")
    await make_topic(ada, "listed", access_level="public", is_discoverable=True, description="Anybody's")

    page = await Reader(client).open("/app/topics")

    assert "listed" in page.text
    assert "Anybody's" in page.text
    assert "secret" not in page.text
    assert "unlisted" not in page.text


async def test_a_stranger_is_led_to_sign_in_for_a_private_topic_and_comes_back(house: House, client: Client) -> None:
    _, ada = await signed_in(house, client)
    await make_topic(ada)
    await send(ada, "Nobody else's")
    reader = Reader(client)

    answer = await reader.ask("GET", "/app/topics/alarms")
    assert (answer.status, answer.headers["Location"]) == (302, "/login?next=%2Fapp%2Ftopics%2Falarms")
    await reader.open("/app/topics/alarms")
    page = await reader.send("/login", login="ada", password=PASSWORD)

    assert page.url == "/app/topics/alarms"
    assert "Nobody else's" in page.text


@pytest.mark.parametrize("path", ["", "?q=else", "?before=0", "/live", "/settings"])
async def test_other_people_see_nothing_of_a_private_topic(house: House, client: Client, path: str) -> None:
    _, ada = await signed_in(house, client)
    await make_topic(ada)
    await send(ada, "Nobody else's")
    bob, _ = await signed_in(house, client, "bob")

    page = await bob.open(f"/app/topics/alarms{path}")

    assert page.status == 403
    assert "Nobody" not in page.answer.text


@pytest.mark.manor(config={"plugins": {"topics": {"hide_private": True}}})
async def test_private_topics_look_missing_where_they_are_hidden(house: House, client: Client) -> None:
    _, ada = await signed_in(house, client)
    await make_topic(ada)

    hidden, missing = [await Reader(client).open(f"/app/topics/{name}") for name in ("alarms", "nothing")]

    assert (hidden.status, missing.status) == (404, 404)


@pytest.mark.parametrize("path", ["/app/topics/nothing", "/app/topics/%00", "/app/topics/nothing/live"])
async def test_a_topic_that_is_missing_has_no_page(client: Client, path: str) -> None:
    assert (await Reader(client).open(path)).status == 404


async def test_older_messages_are_one_link_away(house: House, client: Client) -> None:
    ada, program = await signed_in(house, client)
    await make_topic(program)
    for number in range(35):
        await send(program, f"number {number:02}")

    newest = await ada.open("/app/topics/alarms")
    older = await ada.open(next(link for link in newest.links if "before=" in link))

    assert "number 34" in newest.text
    assert "number 05" in newest.text
    assert "number 04" not in newest.text
    assert "number 04" in older.text
    assert "number 00" in older.text
    assert "number 05" not in older.text
    assert not [link for link in older.links if "before=" in link]


@pytest.mark.parametrize("query", ["before=x", "before=%00", "offset=-1&q=a", "offset=9999999999999&q=a", "priority=9"])
async def test_a_query_that_means_nothing_shows_the_page(client: Client, query: str) -> None:
    assert (await Reader(client).open(f"/app/topics/welcome?{query}")).status == 200


# --- Publishing ----------------------------------------------------------------------------------------------------


async def test_strangers_publish_to_public_topics_with_all_that_the_form_has(client: Client) -> None:
    reader = Reader(client)
    await reader.open("/app/topics/welcome")

    page = await reader.send(
        "/app/topics/welcome/publish", message="two\r\nlines", title="Hey", priority="2", tags="disk, backup,disk"
    )

    (message,) = (await client.get("/welcome/json")).json()["messages"]
    told = {name: message[name] for name in ("message", "title", "priority", "tags")}
    assert told == {"message": "two\nlines", "title": "Hey", "priority": 2, "tags": ["disk", "backup"]}
    assert page.url == "/app/topics/welcome"
    assert all(text in page.text for text in ("Hey", "high", "disk", "backup"))


@pytest.mark.manor(config={"plugins": {"topics": {"anonymous_publish": False}}})
async def test_strangers_have_no_form_where_publishing_needs_a_credential(client: Client) -> None:
    reader = Reader(client)
    page = await reader.open("/app/topics/welcome")
    answer = await reader.ask("POST", "/app/topics/welcome/publish", body=b"message=x", headers=SAME_ORIGIN)

    assert [form.action for form in page.forms] == ["/app/topics/welcome"]
    assert answer.status == 403  # no form, no token


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"message": "  "}, 422, "Message is empty"),
        ({"message": "x" * 65_537}, 413, "over 65536 bytes"),
        ({"title": "t" * 251}, 422, "Title is 1 to 250"),
        ({"title": "a\nb"}, 422, "Title has no control"),
        ({"tags": ",".join(f"t{number}" for number in range(21))}, 422, "Tags is at most 20"),
        ({"priority": "6"}, 422, "Priority is a whole number"),
        ({"priority": ""}, 422, "Priority is a whole number"),
        ({"priority": "12"}, 422, "Priority is a whole number"),
    ],
)
async def test_what_is_wrong_with_a_message_is_said_and_what_was_typed_is_kept(
    client: Client, fields: dict[str, str], status: int, said: str
) -> None:
    reader = Reader(client)
    await reader.open("/app/topics/welcome")

    page = await reader.send(
        "/app/topics/welcome/publish", follow=True, **{"message": "kept", "priority": "3", **fields}
    )

    assert page.status == status
    assert said in page.text
    assert fields.get("message", "kept").strip() in page.text
    assert (await client.get("/welcome/json")).json()["messages"] == []


async def test_a_form_of_another_page_publishes_nothing(client: Client) -> None:
    reader = Reader(client)
    page = await reader.open("/app/topics/welcome")
    token = page.form("/app/topics/welcome/publish").fields["form_token"]
    body = f"message=x&priority=3&form_token={token}".encode()

    foreign = await reader.ask(
        "POST", "/app/topics/welcome/publish", body=body, headers={**SAME_ORIGIN, "Sec-Fetch-Site": "cross-site"}
    )
    tokenless = await reader.ask("POST", "/app/topics/welcome/publish", body=b"message=x", headers=SAME_ORIGIN)

    assert (foreign.status, tokenless.status) == (403, 403)
    assert (await client.get("/welcome/json")).json()["messages"] == []


@pytest.mark.manor(config={"server": {"limits": {"address_limit_factor": 1}}})
async def test_a_strangers_messages_are_counted_together_with_those_of_the_api(client: Client) -> None:
    reader = Reader(client)
    await reader.open("/app/topics/welcome")
    for _ in range(100):
        await client.post("/welcome", body=b"x")

    page = await reader.send("/app/topics/welcome/publish", message="one more", priority="3")

    assert page.status == 429


# --- Messages are text ---------------------------------------------------------------------------------------------


async def test_whatever_a_message_or_a_topic_says_is_text(house: House, client: Client) -> None:
    ada, program = await signed_in(house, client)
    await make_topic(program, "alarms", description=HOSTILE)
    message = {"message": HOSTILE, "title": HOSTILE, "tags": [HOSTILE[:50]], "markdown": True}
    assert (await program.post("/alarms", json=message)).status == 200

    for path in ("/app/topics/alarms", "/app/topics/alarms?q=alert", "/app/topics", "/app/search?q=alert"):
        page = await ada.open(path)
        shape = shape_of(page)
        nonces = {script.get("nonce") for script in shape.scripts}
        assert "<script>alert(1)</script>" in page.text, path
        assert all((script.get("src") or "").startswith("/static/topics/") for script in shape.scripts)
        assert len(nonces) == 1
        assert f"'nonce-{nonces.pop()}'" in page.answer.headers["Content-Security-Policy"]
        assert shape.handlers == []
        assert "x" not in shape.targets


async def test_links_lead_to_the_web_and_nowhere_else(house: House, client: Client) -> None:
    ada, program = await signed_in(house, client)
    await make_topic(program)
    good = {"click": "https://example.org/a?b=1&c=2", "attach": "https://example.org/disk.log"}
    await program.post("/alarms", json={"message": "good", **good, "actions": "view, Look, http://example.org/look"})
    for bad in ("javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "vbscript:x", "geo:1,2", "//evil"):
        await program.post("/alarms", json={"message": "bad", "click": bad})
        await program.post(
            "/alarms", json={"message": "bad", "actions": [{"action": "view", "label": "x", "url": bad}]}
        )

    links = [link for link in (await ada.open("/app/topics/alarms")).links if not link.startswith(("/", "?", "#"))]

    assert links == [good["click"], good["attach"], "http://example.org/look"]


@pytest.mark.parametrize(
    "bad", ["javascript:alert(1)", " javascript:x", "https:", "http://a b", "//evil", "data:x", "", 7]
)
def test_links_that_publishing_would_refuse_are_not_shown_either(bad: Any) -> None:
    message = Message(
        *(UUID(int=1), UUID(int=2), "alarms", "text", None, 3, [], NOON, None, 1),
        click=bad,
        actions=[{"action": "view", "label": "x", "url": bad}, {"action": "http", "url": "https://example.org"}],
        attachment={"name": "x", "url": bad},
    )

    assert links_of(message) == []


@pytest.mark.parametrize("query", ["q", "tags", "before", "offset", "done", "priority"])
async def test_nobody_writes_on_a_page_by_its_address(client: Client, query: str) -> None:
    page = await Reader(client).open(f"/app/topics/welcome?{query}=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")

    assert "<script>alert" not in page.answer.text


# --- Subscribing ---------------------------------------------------------------------------------------------------


async def test_a_subscriber_sees_what_is_unread_until_they_look(house: House, client: Client) -> None:
    ada, _ = await signed_in(house, client)
    await ada.open("/app/topics/welcome")
    page = await ada.send("/app/topics/welcome/subscribe")
    assert "You are subscribed." in page.text
    for _ in range(2):
        await client.post("/welcome", body=b"news")

    assert "2 unread" in (await ada.open("/app/topics")).text
    assert (await ada.open("/app/topics/welcome?q=news")).status == 200
    assert "2 unread" in (await ada.open("/app/topics")).text
    await ada.open("/app/topics/welcome")
    assert "unread" not in (await ada.open("/app/topics")).text

    await ada.open("/app/topics/welcome")
    page = await ada.send("/app/topics/welcome/unsubscribe")
    assert "not subscribed any more" in page.text
    assert "subscribed to nothing yet" in (await ada.open("/app/topics")).text


async def test_pressing_subscribe_twice_does_no_harm(house: House, client: Client) -> None:
    ada, _ = await signed_in(house, client)
    page = await ada.open("/app/topics/welcome")
    token = page.form("/app/topics/welcome/subscribe").fields["form_token"]
    for button in ("subscribe", "subscribe", "unsubscribe", "unsubscribe"):
        answer = await ada.ask(
            "POST", f"/app/topics/welcome/{button}", body=f"form_token={token}".encode(), headers=SAME_ORIGIN
        )
        assert answer.status == 303


async def test_what_came_while_the_page_was_open_is_viewed_by_its_script(house: House, client: Client) -> None:
    ada, _ = await signed_in(house, client)
    await ada.open("/app/topics/welcome")
    page = await ada.send("/app/topics/welcome/subscribe")
    await client.post("/welcome", body=b"news")
    token = page.form("/app/topics/welcome/unsubscribe").fields["form_token"]
    headers = {**SAME_ORIGIN, "X-Form-Token": token}

    refused = await ada.ask("POST", "/app/topics/welcome/viewed", headers={**headers, "X-Form-Token": "x"})
    assert "1 unread" in (await ada.open("/app/topics")).text
    taken = await ada.ask("POST", "/app/topics/welcome/viewed", headers=headers)

    assert (refused.status, taken.status) == (403, 204)
    assert "unread" not in (await ada.open("/app/topics")).text


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
