"""The topics' pages without a browser: who sees what, what forms do, and that messages are only ever text."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest

from manor.testing import Client, House
from manor_topics.messages import Message
from manor_topics.pages.face import links_of
from tests.page_reading import SAME_ORIGIN, Page, Reader
from tests.people import PASSWORD
from tests.topic_pages import signed_in
from tests.topic_people import make_topic, send

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
HOSTILE = """<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}' onfocus='alert(3)"""


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
async def test_a_strangers_messages_are_counted_together_with_those_of_the_api(
    client: Client, mock_clock: object
) -> None:
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
