"""What ntfy's senders send: which header means what where, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from manor.testing import Client, SetClock
from tests.ntfy_words import newest, ntfy_refusal

OFF = pytest.mark.manor(config={"plugins": {"topics": {"compat": {"ntfy": False}}}})

Headers = dict[str, str]


async def sent(
    client: Client, headers: Headers | None = None, *, path: str = "/welcome", body: bytes = b"x"
) -> dict[str, Any]:
    answer = await client.post(path, body=body, headers=headers)
    assert answer.status == 200, answer.text
    return await newest(client)


# --- Names ---------------------------------------------------------------------------------------------------------

MEMBERS: list[tuple[str, str, str, Any]] = [
    *((name, "Zażółć", "title", "Zażółć") for name in ("X-Title", "Title", "ti", "t")),
    *((name, "a, b,,a", "tags", ["a", "b"]) for name in ("X-Tags", "Tags", "Tag", "ta")),
    *((name, "https://example.org/x?y=1", "click", "https://example.org/x?y=1") for name in ("X-Click", "Click")),
    *((name, "https://example.org/i.png", "icon", "https://example.org/i.png") for name in ("X-Icon", "Icon")),
    *((name, "yes", "markdown", True) for name in ("X-Markdown", "Markdown", "md")),
    *(
        (name, "copy, Code, 1", "actions", [{"action": "copy", "label": "Code", "value": "1"}])
        for name in ("X-Actions", "Actions", "Action")
    ),
    *(
        (
            name,
            "https://example.org/a%20b.pdf",
            "attachment",
            {"name": "a b.pdf", "url": "https://example.org/a%20b.pdf"},
        )
        for name in ("X-Attach", "Attach", "a")
    ),
]


@pytest.mark.parametrize("path", ["/welcome", "/ntfy/welcome"])
@pytest.mark.parametrize(("name", "value", "member", "stored"), MEMBERS)
async def test_every_name_of_a_header_says_the_same(
    client: Client, path: str, name: str, value: str, member: str, stored: Any
) -> None:
    message = await sent(client, {name: value.encode().decode("latin-1")}, path=path)

    assert message[member] == stored


@pytest.mark.parametrize(("name", "value", "member", "stored"), MEMBERS)
async def test_parameters_say_what_headers_do(client: Client, name: str, value: str, member: str, stored: Any) -> None:
    answer = await client.request("POST", "/welcome", body=b"x", query={name.lower(): value})

    assert (answer.status, answer.json()[member]) == (200, stored)


async def test_text_comes_from_a_header_where_there_is_no_body(client: Client) -> None:
    assert (await sent(client, {"Message": "said"}, body=b""))["message"] == "said"
    assert (await sent(client, {"Message": "said"}, body=b"body"))["message"] == "body"
    assert (await sent(client, {"Attach": "https://example.org/x.apk"}, body=b""))[
        "message"
    ] == "You received a file: x.apk"
    assert (await sent(client, path="/ntfy/welcome", body=b" \n"))["message"] == "triggered"
    assert (await client.post("/welcome", headers={"Title": "no text"})).status == 422


async def test_a_name_given_to_an_attachment_is_kept(client: Client) -> None:
    message = await sent(client, {"Attach": "https://example.org/1", "Filename": "door.jpg"})

    assert message["attachment"] == {"name": "door.jpg", "url": "https://example.org/1"}


# --- Priorities: the one true conflict -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers", "priority"),
    [
        # What the server's own API defines keeps its meaning.
        ("/welcome", {"X-Priority": "5"}, 5),
        ("/welcome", {"X-Priority": "1"}, 1),
        # Names and paths that only ntfy has are on its scale.
        *(("/welcome", {name: "5"}, 1) for name in ("Priority", "prio", "p")),
        *(("/ntfy/welcome", {name: "5"}, 1) for name in ("X-Priority", "Priority", "prio", "p")),
        ("/welcome?priority=4", {}, 2),
        ("/welcome?x-priority=4", {}, 2),
        ("/ntfy/welcome?p=1", {}, 5),
        # Words say the same everywhere.
        *(
            (path, {name: word}, priority)
            for path in ("/welcome", "/ntfy/welcome")
            for name in ("X-Priority", "Priority")
            for word, priority in (("max", 1), ("Urgent", 1), ("high", 2), ("default", 3), ("low", 4), ("min", 5))
        ),
        ("/welcome", {"X-Priority": "2", "Priority": "5"}, 2),
        ("/ntfy/welcome", {}, 3),
        # Browsers say how urgent the request is to them (RFC 9218).
        ("/welcome", {"Priority": "u=1, i"}, 3),
        ("/ntfy/welcome", {"Priority": "u=5", "prio": "4"}, 2),
    ],
)
async def test_each_number_is_on_the_scale_of_its_place(
    client: Client, path: str, headers: Headers, priority: int
) -> None:
    assert (await client.post(path, body=b"x", headers=headers)).status == 200

    assert (await newest(client))["priority"] == priority


# --- JSON at the root ----------------------------------------------------------------------------------------------

WHOLE = {
    "topic": "welcome",
    "message": "Disk full",
    "title": "Alarm",
    "tags": ["warning", "cd"],
    "priority": 4,
    "attach": "https://example.org/x.jpg",
    "filename": "disk.jpg",
    "click": "https://example.org/admin",
    "icon": "https://example.org/icon.png",
    "markdown": True,
    "actions": [{"action": "view", "label": "Admin", "url": "https://example.org"}],
}


@pytest.mark.parametrize("path", ["/", "/ntfy", "/ntfy/"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_json_is_published_and_answered_in_ntfys_shape(client: Client, method: str, path: str) -> None:
    answer = await client.request(method, path, json=WHOLE)

    assert answer.status == 200, answer.text
    said = answer.json()
    assert {name: said[name] for name in ("event", "topic", "message", "title", "tags", "priority", "click")} == {
        "event": "message",
        **{name: WHOLE[name] for name in ("topic", "message", "title", "tags", "priority", "click")},
    }
    assert said["time"] == 1_893_585_600
    assert said["expires"] == said["time"] + 30 * 86_400
    assert said["content_type"] == "text/markdown"
    assert said["actions"] == [{"id": "1", **WHOLE["actions"][0]}]  # type: ignore[index]
    stored = await newest(client)
    assert (stored["id"], stored["priority"], stored["markdown"]) == (said["id"], 2, True)
    assert stored["attachment"] == {"name": "disk.jpg", "url": "https://example.org/x.jpg"}


async def test_headers_beside_json_count_where_it_says_nothing(client: Client) -> None:
    headers = {"X-Priority": "5", "X-Tags": "a,b", "Title": "of the header"}
    await client.post(
        "/", json={"topic": "welcome", "message": "x", "title": "of the body", "tags": []}, headers=headers
    )

    stored = await newest(client)
    assert (stored["priority"], stored["tags"], stored["title"]) == (1, ["a", "b"], "of the body")


async def test_members_that_say_nothing_are_as_good_as_absent(client: Client) -> None:
    nothing = {
        "message": "",
        "title": "",
        "priority": 0,
        "tags": None,
        "click": "",
        "attach": "",
        "actions": [],
        "delay": "",
    }

    assert (await client.post("/", json={"topic": "welcome", **nothing})).status == 200
    assert (await newest(client))["message"] == "triggered"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, 40024),
        (b"", 400, 40024),
        (b"[]", 400, 40024),
        (b'"welcome"', 400, 40024),
        (b'{"topic": "\xff"}', 400, 40024),
        (b"[" * 100_000, 400, 40024),
        (b"{}", 422, 40009),
        (b'{"topic": 5}', 422, 40009),
        (b'{"topic": "\\ud800"}', 422, 40009),
        (b'{"topic": "nowhere", "message": "x"}', 404, 40401),
        (b'{"topic": "../welcome", "message": "x"}', 404, 40401),
        (b'{"topic": "Welcome", "message": "x"}', 404, 40401),
        (b'{"topic": "welcome", "message": 5}', 422, 40011),
        (b'{"topic": "welcome", "message": "\\udc00"}', 422, 40011),
        (b'{"topic": "welcome", "priority": 6}', 422, 40007),
        (b'{"topic": "welcome", "priority": -1}', 422, 40007),
        (b'{"topic": "welcome", "priority": 1e400}', 422, 40007),
        (b'{"topic": "welcome", "priority": 99999999999999999999}', 422, 40007),
        (b'{"topic": "welcome", "priority": 4.5}', 422, 40007),
        (b'{"topic": "welcome", "priority": true}', 422, 40007),
        (b'{"topic": "welcome", "tags": "a\\u0000b"}', 422, 40000),
        (b'{"topic": "welcome", "tags": [1]}', 422, 40000),
        (b'{"topic": "welcome", "title": ["x"]}', 422, 40000),
        (b'{"topic": "welcome", "click": "javascript:alert(1)"}', 422, 40000),
        (b'{"topic": "welcome", "click": 5}', 422, 40000),
        (b'{"topic": "welcome", "icon": "data:image/png;base64,AA"}', 422, 40021),
        (b'{"topic": "welcome", "attach": "ftp://example.org/x"}', 422, 40013),
        (b'{"topic": "welcome", "attachment": "x"}', 422, 40000),
        (b'{"topic": "welcome", "attach": "https://example.org/x", "filename": 5}', 422, 40014),
        (b'{"topic": "welcome", "actions": [{"action": "view"}]}', 422, 40018),
        (b'{"topic": "welcome", "actions": 5}', 422, 40018),
        (b'{"topic": "welcome", "markdown": "perhaps"}', 422, 40000),
        (b'{"topic": "welcome", "delay": "yesterday"}', 422, 40004),
        (b'{"topic": "welcome", "delay": "1s"}', 422, 40004),
        (b'{"topic": "welcome", "delay": ["1h"]}', 422, 40004),
        (b'{"topic": "welcome", "call": "+48123456789"}', 422, 40000),
        (b'{"topic": "welcome", "email": 5}', 422, 40001),
        (b'{"topic": "welcome", "message": "' + b"x" * 70_000 + b'"}', 413, 41301),
    ],
)
async def test_json_that_cannot_be_taken_is_refused_in_ntfys_words(
    client: Client, body: bytes, status: int, code: int
) -> None:
    assert ntfy_refusal(await client.post("/", body=body)) == (status, code)


# --- Bodies that are no text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/ntfy/welcome", b"\x89PNG\r\n\x1a\n\xff", {}, 415),
        ("/ntfy/welcome", b"PK\x03\x04\x00\x00", {}, 415),
        ("/ntfy/welcome", b"text", {"Filename": "notes.txt"}, 415),
        ("/welcome", b"text", {"Filename": "notes.txt"}, 415),
        ("/welcome?f=notes.txt", b"text", {}, 415),
        ("/welcome", b"\x89PNG\xff", {"Title": "picture"}, 422),
        ("/ntfy/welcome", b"x", {"Content-Encoding": "gzip"}, 415),
        ("/ntfy/welcome", b"x" * 70_000, {}, 413),
        ("/ntfy/welcome", b"x" * 1_000_000, {}, 413),
    ],
)
async def test_a_file_is_refused_and_never_stored_as_text(
    client: Client, path: str, body: bytes, headers: Headers, status: int
) -> None:
    answer = await client.request("PUT", path, body=body, headers=headers)

    assert answer.status == status
    assert (await client.get("/welcome/json")).json()["count"] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Priority": "6"},
        {"Priority": "0"},
        {"X-Priority": "highest"},
        {"Title": " " * 3 + "x" * 251},
        {"Title": "\xff"},
        {"Tags": ",".join("abcdefghijklmnopqrstu")},
        {"Click": "example.org"},
        {"Click": "JavaScript:alert(1)"},
        {"Icon": "mailto:ann@example.org"},
        {"Attach": "notes.txt"},
        {"Actions": "view"},
        {"Actions": "[" * 9000},
        {"Delay": "soon"},
        {"At": "1s"},
        {"In": "31d"},
        {"X-Delay": "0"},
        {"Email": "yes"},
        {"e": "ann@example.org"},
        {"Call": "yes"},
        {"X-Call": "+48123456789"},
    ],
)
@pytest.mark.parametrize("path", ["/welcome", "/ntfy/welcome"])
async def test_a_header_that_cannot_be_taken_is_refused(client: Client, path: str, headers: Headers) -> None:
    answer = await client.post(path, body=b"x", headers=headers)

    assert answer.status == 422, answer.text
    assert answer.json().keys() - {"code", "http", "error"} == {"detail", "errors"}
    assert (await client.get("/welcome/json")).json()["count"] == 0


# --- Delays --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["X-Delay", "Delay", "X-At", "At", "X-In", "In"])
async def test_a_delayed_message_is_answered_with_its_time_and_not_seen_before(client: Client, name: str) -> None:
    answer = await client.post("/ntfy/welcome", body=b"later", headers={name: "30m"})

    assert (answer.status, answer.json()["time"]) == (200, 1_893_585_600 + 1800)
    assert (await client.get("/welcome/json?since=all")).json()["messages"] == []
    assert (await client.get("/ntfy/welcome/json?poll=1&scheduled=1")).text == ""


async def test_a_repeated_delay_in_words_is_the_same_request(client: Client, clock: SetClock) -> None:
    headers = {"Idempotency-Key": "k", "At": "tomorrow, 10am"}
    first = await client.post("/welcome", body=b"x", headers=headers)
    clock.set(clock.now() + timedelta(seconds=60))

    assert (await client.post("/welcome", body=b"x", headers=headers)).json()["id"] == first.json()["id"]
    assert (await client.post("/welcome", body=b"x", headers={**headers, "At": "tomorrow, 11am"})).status == 422


async def test_extras_are_part_of_what_a_key_stands_for(client: Client) -> None:
    headers = {"Idempotency-Key": "k", "Click": "https://example.org"}
    first = await client.post("/welcome", body=b"x", headers=headers)

    assert (await client.post("/welcome", body=b"x", headers=headers)).json()["id"] == first.json()["id"]
    assert (await client.post("/welcome", body=b"x", headers={**headers, "Click": "https://example.com"})).status == 422


# --- Our own JSON, and switches ------------------------------------------------------------------------------------


async def test_our_own_json_takes_extras_on_our_own_scale(client: Client) -> None:
    extras = {
        "click": "https://example.org",
        "markdown": True,
        "actions": [{"action": "copy", "label": "c", "value": "1"}],
    }
    answer = await client.post(
        "/welcome", json={"message": "x", "priority": 5, **extras}, headers={"Icon": "https://e.org/i"}
    )

    said = answer.json()
    assert {name: said[name] for name in extras} == extras
    assert (said["priority"], said["icon"]) == (5, "https://e.org/i")


@OFF
async def test_switched_off_none_of_it_is_understood(client: Client) -> None:
    headers = {"Title": "t", "Priority": "1", "Click": "nonsense", "Filename": "x", "X-Tags": "a"}
    stored = await sent(client, headers)

    assert (stored["title"], stored["priority"], stored["tags"]) == (None, 3, ["a"])
    assert "click" not in stored
    assert (await client.post("/welcome?title=t", body=b"x")).json()["title"] is None
    assert (await client.post("/welcome", body=b"x", headers={"X-Delay": "1h"})).json()["timestamp"] > "2030-01-02T13"
    statuses = [
        (await client.request(method, path, json=WHOLE)).status
        for method, path in (("POST", "/"), ("POST", "/ntfy"), ("POST", "/ntfy/welcome"), ("GET", "/v1/health"))
    ]
    assert {200, 500}.isdisjoint(statuses)
