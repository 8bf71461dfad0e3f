"""The topics API on a real port, through both doors: publishing, reading, streams, and bad input."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import trio
import trio_websocket
from tests.contracts.conftest import Door
from tests.contracts.event_streams import opened

JSON = {"Content-Type": "application/json"}
LOTS = 150
"""Messages of 60 kB that are more than a ring and all socket buffers take."""
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
MESSAGE_MEMBERS = {
    "id",
    "topic_id",
    "topic",
    "message",
    "title",
    "priority",
    "tags",
    "timestamp",
    "expires_at",
    "is_deleted",
    "is_edited",
    "sequence",
}
TOPIC_MEMBERS = {
    "id",
    "name",
    "owner_id",
    "team_id",
    "access_level",
    "description",
    "is_discoverable",
    "icon_name",
    "icon_color",
    "message_count",
    "subscriber_count",
    "created_at",
    "last_message_at",
}


@pytest.fixture
def house_config(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Rates are off, but where a test is about them."""
    marker = request.node.get_closest_marker("manor")
    own: dict[str, Any] = marker.kwargs["config"] if marker else {}
    return {"server": {"limits": {"address_limit_factor": 0}}, **own}


@pytest.fixture
async def http(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=door.url, timeout=20) as client:
        yield client


async def publish(http: httpx.AsyncClient, message: str, topic: str = "welcome") -> dict[str, Any]:
    answer = await http.post(f"/{topic}", content=message)
    assert answer.status_code == 200, answer.text
    published: dict[str, Any] = answer.json()
    return published


@asynccontextmanager
async def websocket(door: Door, path: str, **options: Any) -> AsyncIterator[trio_websocket.WebSocketConnection]:
    # Over a stream of ours: when the server closes first, the library leaves its own to the garbage collector.
    async with await trio.open_tcp_stream("127.0.0.1", door.port) as stream, trio.open_nursery() as nursery:
        yield await trio_websocket.wrap_client_stream(nursery, stream, f"127.0.0.1:{door.port}", path, **options)
        nursery.cancel_scope.cancel()


async def frame(socket: trio_websocket.WebSocketConnection) -> dict[str, Any]:
    with trio.fail_after(20):
        text = await socket.get_message()
    assert isinstance(text, str)
    decoded: dict[str, Any] = json.loads(text)
    return decoded


async def close_code(socket: trio_websocket.WebSocketConnection) -> tuple[int, str]:
    """How the server closes it; what comes before is left out."""

    async def read_on() -> None:
        with trio.fail_after(20):
            while True:
                await socket.get_message()

    with pytest.raises(trio_websocket.ConnectionClosed) as closed:
        await read_on()
    reason = closed.value.reason
    assert reason is not None
    return reason.code, reason.reason or ""


async def handshake(http: httpx.AsyncClient, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """The answer to a WebSocket handshake that is refused."""
    own = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    return await http.get(path, headers={**own, **(headers or {})})


# --- Publishing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_what_curl_sends_with_d_is_text(http: httpx.AsyncClient, method: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await http.request(method, "/welcome", content=b"Disk=full & 90%+ used\n", headers=headers)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    published = answer.json()
    assert set(published) == MESSAGE_MEMBERS
    assert published["message"] == "Disk=full & 90%+ used"
    assert (published["topic"], published["title"], published["priority"], published["tags"]) == (
        "welcome",
        None,
        3,
        [],
    )
    assert UUID(published["id"]).version == 7
    assert published["timestamp"].endswith("Z")
    kept = datetime.fromisoformat(published["expires_at"]) - datetime.fromisoformat(published["timestamp"])
    assert kept == timedelta(days=30)


async def test_an_acknowledged_message_is_read_back_the_same(http: httpx.AsyncClient) -> None:
    published = await publish(http, "zażółć gęślą jaźń 🚀")

    answer = await http.get("/welcome/json")

    assert answer.json() == {"messages": [published], "topic": "welcome", "count": 1}


async def test_headers_carry_title_priority_and_tags(http: httpx.AsyncClient) -> None:
    headers = {
        b"X-Title": "Zażółć".encode(),
        b"X-Priority": b"1",
        b"X-Tags": b"disk, ,db ,disk",
    }
    answer = await http.post("/welcome", content="x", headers=headers)

    published = answer.json()
    assert (published["title"], published["priority"], published["tags"]) == ("Zażółć", 1, ["disk", "db"])


async def test_header_lines_of_one_name_are_one_list_of_tags(http: httpx.AsyncClient) -> None:
    twice = [("X-Tags", "a"), ("X-Tags", "b, c"), ("X-Priority", "2"), ("X-Priority", "2")]

    answer = await http.post("/welcome", content="x", headers=twice)

    assert (answer.json()["tags"], answer.json()["priority"]) == (["a", "b", "c"], 2)


@pytest.mark.parametrize("name", ["X-Title", "X-Priority", "Idempotency-Key"])
async def test_header_lines_that_contradict_each_other_are_refused(http: httpx.AsyncClient, name: str) -> None:
    answer = await http.post("/welcome", content="x", headers=[(name, "1"), (name, "2")])

    assert answer.status_code == 422
    assert answer.json()["detail"] == f"{name} is sent more than once, with different values"
    assert (await http.get("/welcome/json")).json()["count"] == 0


async def test_a_title_may_be_an_encoded_word(http: httpx.AsyncClient) -> None:
    answer = await http.post("/welcome", content="x", headers={"X-Title": "=?UTF-8?B?xbzDs8WCdw==?="})

    assert answer.json()["title"] == "żółw"


@pytest.mark.parametrize("word", ["=?utf-7?B?KzJBQS0=?=", "=?unicode-escape?Q?=5Cud800?=", "=?utf-8?Q?=FF?="])
async def test_an_encoded_word_that_cannot_be_read_stays_as_it_was_sent(http: httpx.AsyncClient, word: str) -> None:
    answer = await http.post("/welcome", content="x", headers={"X-Title": word, "X-Tags": f"a,{word}"})

    assert (answer.status_code, answer.json()["title"], answer.json()["tags"]) == (200, word, ["a", word])
    assert (await http.get("/welcome/json")).json()["messages"] == [answer.json()]


async def test_json_with_a_message_is_a_structured_publish(http: httpx.AsyncClient) -> None:
    body = {"message": "Backup\n", "title": "db1", "priority": 2, "tags": ["a", "b"], "more": {}}
    answer = await http.post("/welcome", json=body, headers={"X-Title": "not this", "X-Priority": "5"})

    published = answer.json()
    assert (published["message"], published["title"]) == ("Backup\n", "db1")
    assert (published["priority"], published["tags"]) == (2, ["a", "b"])


@pytest.mark.parametrize("body", ['{"alert": "down",  "n": 1}', "[1e309]", "9" * 4301, '{"alert": "\\ud800"}'])
async def test_other_json_is_stored_as_it_came(http: httpx.AsyncClient, body: str) -> None:
    answer = await http.post("/welcome", content=body, headers=JSON)

    assert answer.json()["message"] == body


@pytest.mark.parametrize("text", ["nul\0byte", "\0", "tab\tand\r\nline"])
async def test_control_characters_in_a_message_are_its_own(door: Door, http: httpx.AsyncClient, text: str) -> None:
    plain, escaped = await publish(http, text), await http.post("/welcome", json={"message": text})

    assert (plain["message"], escaped.json()["message"]) == (text, text)
    assert [message["message"] for message in (await http.get("/welcome/json")).json()["messages"]] == [text, text]
    async with opened(door.port, "/welcome/sse?since=all") as events:
        assert [message["message"] for message in await events.messages(2)] == [text, text]


async def test_a_topic_is_reached_by_its_id(http: httpx.AsyncClient) -> None:
    topic = (await http.get("/api/topics/welcome")).json()

    published = await publish(http, "x", topic["id"])

    assert published["topic"] == "welcome"
    assert (await http.get(f"/{topic['id']}/json")).json()["count"] == 1
    assert (await http.get(f"/api/topics/{topic['id']}")).json()["name"] == "welcome"


async def test_sequences_have_no_gaps_whoever_publishes_at_once(http: httpx.AsyncClient) -> None:
    sequences: list[int] = []

    async def one(number: int) -> None:
        sequences.append((await publish(http, str(number)))["sequence"])

    async with trio.open_nursery() as nursery:
        for number in range(40):
            nursery.start_soon(one, number)

    assert sorted(sequences) == list(range(1, 41))


async def test_a_repeated_key_publishes_once(http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await http.post("/welcome", content="x", headers=key)
    again = await http.post("/welcome", content="x", headers=key)
    other = await http.post("/welcome", content="y", headers=key)

    assert first.json() == again.json()
    assert other.status_code == 422
    assert (await http.get("/welcome/json")).json()["count"] == 1


async def test_publishing_is_limited_by_address(door: Door, http: httpx.AsyncClient) -> None:
    door.house.services.limits.address_limit_factor = 0.02
    first = await http.post("/welcome", content="x")
    assert first.headers["x-ratelimit-limit"] == "2"
    assert first.headers["x-ratelimit-remaining"] == "1"
    assert int(first.headers["x-ratelimit-reset"]) > 1_893_585_600
    await http.put("/welcome", content="x")
    limited = await http.post("/welcome", content="x")

    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) > 0
    assert limited.headers["x-ratelimit-remaining"] == "0"
    assert isinstance(limited.json()["detail"], str)


# --- Bad input -----------------------------------------------------------------------------------------------------

LIMIT = 65_536
BROKEN = b'{"message": '

BAD_INPUT: list[tuple[str, str, dict[bytes, bytes], bytes, int]] = [
    ("POST", "/welcome", {}, b"", 422),
    ("POST", "/welcome", {}, b" \r\n", 422),
    ("POST", "/welcome", {}, b"\xff\xfe\xfd", 422),
    ("POST", "/welcome", {}, b"caf\xe9", 422),
    ("POST", "/welcome", {}, b"x" * (LIMIT + 1), 413),
    ("POST", "/welcome", {}, b"x" * (8 * LIMIT), 413),
    ("PUT", "/welcome", {}, b"x" * (8 * LIMIT), 413),
    ("POST", "/welcome", {b"Content-Type": b"application/json"}, b"", 422),
    ("POST", "/welcome", {b"Content-Type": b"application/json"}, BROKEN, 400),
    ("POST", "/welcome", {b"Content-Type": b"application/json"}, b"[" * 10_000, 400),
    ("POST", "/welcome", {b"Content-Type": b"application/json"}, b"[1e309, NaN]", 400),
    ("POST", "/welcome", {b"Content-Type": b"application/json"}, b'{"message": "\\ud800"}', 422),
    ("POST", "/welcome", {b"Content-Type": b"application/json"}, b'{"message": "caf\xe9"}', 400),
    ("POST", "/welcome", {b"Content-Type": b"application/json"}, b'{"message": ""}', 422),
    ("POST", "/welcome", {b"Content-Type": b"application/json"}, b'{"message": "x", "priority": 6}', 422),
    ("POST", "/welcome", {b"Content-Type": b"application/json"}, b'{"message": "x", "tags": 5}', 422),
    ("POST", "/welcome", {b"X-Priority": b"0"}, b"x", 422),
    ("POST", "/welcome", {b"X-Priority": b"high!"}, b"x", 422),
    ("POST", "/welcome", {b"X-Title": b"t" * 251}, b"x", 422),
    ("POST", "/welcome", {b"X-Title": b"caf\xe9"}, b"x", 422),
    ("POST", "/welcome", {b"X-Tags": b"t" * 51}, b"x", 422),
    ("POST", "/welcome", {b"X-Tags": b",".join(b"%d" % n for n in range(21))}, b"x", 422),
    ("POST", "/welcome", {b"Idempotency-Key": b"k" * 129}, b"x", 422),
    ("POST", "/welcome", {b"Content-Encoding": b"gzip"}, b"x", 415),
    ("PUT", "/welcome", {b"Content-Encoding": b"identity, br"}, b"x", 415),
    ("POST", "/welcome", {b"X-Title": b"two\tcolumns"}, b"x", 422),
    ("POST", "/welcome", {b"X-Title": b"=?utf-8?q?a=0D=0AX-Evil:_b?="}, b"x", 422),
    ("POST", "/welcome", {b"X-Tags": b"a,=?utf-8?q?b=00c?="}, b"x", 422),
    ("POST", "/welcome", {b"Content-Type": b"application/json"}, b'{"message": "x", "title": "a\\nb"}', 422),
    ("POST", "/welcome", {b"Content-Type": b"application/json"}, b'{"message": "x", "tags": ["a\\u007f"]}', 422),
    ("POST", "/nosuch", {}, b"x", 404),
    ("POST", "/Welcome", {}, b"x", 404),
    ("POST", "/we", {}, b"x", 404),
    ("POST", f"/{UNKNOWN}", {}, b"x", 404),
    ("POST", "/w%00lcome", {}, b"x", 404),
    ("POST", "/w%ffelcome", {}, b"x", 404),
    ("POST", "/..%2fwelcome", {}, b"x", 404),
    ("POST", "/login", {}, b"x", 404),
    ("POST", "/welcome/", {}, b"x", 404),
    ("POST", "/livez", {}, b"x", 405),
    ("POST", "/api/topics/welcome", {}, b"x", 405),
    ("PUT", "/docs", {}, b"x", 405),
    ("GET", "/welcome", {}, b"", 405),
    ("DELETE", "/welcome", {}, b"", 405),
    ("PATCH", "/welcome/json", {}, b"x", 405),
    ("POST", "/welcome/sse", {}, b"x", 405),
    ("POST", "/welcome", {b"Authorization": b"Bearer noti_x"}, b"x", 401),
    ("POST", "/welcome", {b"Authorization": b"Basic eDp5"}, b"x", 401),
    ("POST", "/welcome", {b"X-API-Key": b"noti_x"}, b"x", 401),
    ("POST", "/welcome", {b"X-Topic-Token": b"tk_x"}, b"x", 401),
    ("GET", "/api/topics", {b"X-API-Key": b"noti_x"}, b"", 401),
    ("GET", "/welcome/json?token=tk_x", {}, b"", 401),
    ("GET", "/welcome/sse?token=tk_x", {}, b"", 401),
    ("GET", "/api/topics?limit=0", {}, b"", 422),
    ("GET", "/api/topics?limit=101", {}, b"", 422),
    ("GET", "/api/topics?limit=ten", {}, b"", 422),
    ("GET", "/api/topics?limit=", {}, b"", 422),
    ("GET", "/api/topics?offset=-1", {}, b"", 422),
    ("GET", "/api/topics?offset=99999999999999999999999", {}, b"", 422),
    ("GET", "/api/topics/public?limit=1.5", {}, b"", 422),
    ("GET", "/api/topics/nosuch", {}, b"", 404),
    ("GET", f"/api/topics/{UNKNOWN}", {}, b"", 404),
    ("GET", "/api/topics/nosuch/stats", {}, b"", 404),
    ("GET", "/api/topics/welcome/nosuch", {}, b"", 404),
    ("GET", "/nosuch/json", {}, b"", 404),
    ("GET", "/welcome/json?limit=101", {}, b"", 422),
    ("GET", "/welcome/json?poll=2", {}, b"", 422),
    ("GET", "/welcome/json?poll=yes", {}, b"", 422),
    ("GET", "/welcome/json?since=yesterday", {}, b"", 422),
    ("GET", "/welcome/json?since=2026-11-22x10:00", {}, b"", 422),
    ("GET", f"/welcome/json?since={'1' * 5000}", {}, b"", 422),
    ("GET", "/welcome/sse?since=2026-11-22T24:00:00Z", {}, b"", 422),
    ("GET", "/nosuch/sse", {}, b"", 404),
    ("GET", "/welcome/sse?since_id=5", {}, b"", 422),
    ("GET", "/welcome/sse?since=never", {}, b"", 422),
    ("GET", "/welcome/sse", {b"Last-Event-ID": b"not-an-id"}, b"", 422),
    ("GET", "/welcome/ws", {}, b"", 426),
    ("GET", "/nosuch/ws", {}, b"", 426),
]


async def test_bad_input_is_refused_in_one_sentence(http: httpx.AsyncClient) -> None:
    wrong = []
    for method, path, headers, body, status in BAD_INPUT:
        answer = await http.request(method, path, content=body, headers=headers)
        faults = [] if answer.status_code == status else [f"{answer.status_code}, not {status}"]
        if not isinstance(answer.json().get("detail"), str) or answer.headers["content-type"] != "application/json":
            faults.append(f"not worded: {answer.text}")
        if status == 401 and answer.headers.get("www-authenticate") != "Bearer":
            faults.append("no challenge")
        if status == 405 and "OPTIONS" not in answer.headers["allow"]:
            faults.append("no Allow")
        wrong += [f"{method} {path} {headers} {body[:40]!r}: {fault}" for fault in faults]

    assert wrong == []
    assert (await http.get("/welcome/json")).json()["count"] == 0


async def test_a_refused_value_is_named(http: httpx.AsyncClient) -> None:
    answer = await http.post("/welcome", content="x", headers={"X-Priority": "9"})

    assert answer.json()["errors"] == [
        {"field": "priority", "message": "is a whole number from 1 to 5"},
    ]


async def test_the_longest_message_passes_in_every_spelling(http: httpx.AsyncClient) -> None:
    text = "\u0001" * LIMIT
    plain = await http.post("/welcome", content=text)
    escaped = await http.post("/welcome", content=json.dumps({"message": text}), headers=JSON)

    assert (plain.status_code, escaped.status_code) == (200, 200)
    assert plain.json()["message"] == escaped.json()["message"] == text


# --- Topics --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/topics", "/api/topics/public"])
async def test_a_first_start_brings_the_topic_welcome(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)

    (topic,) = answer.json()
    assert set(topic) == TOPIC_MEMBERS
    assert (topic["name"], topic["access_level"], topic["is_discoverable"]) == ("welcome", "public", True)
    assert topic["owner_id"] == "00000000-0000-7000-8000-000000000000"
    assert (topic["message_count"], topic["last_message_at"], topic["subscriber_count"]) == (0, None, 0)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(answer.headers)


async def test_a_topic_counts_its_messages_and_open_streams(door: Door, http: httpx.AsyncClient) -> None:
    published = await publish(http, "x")

    async with opened(door.port, "/welcome/sse") as events, websocket(door, "/welcome/ws") as socket:
        await anext(events)
        await frame(socket)
        shown = (await http.get("/api/topics/welcome")).json()

    assert set(shown) == TOPIC_MEMBERS | {"connection_count", "can_manage"}
    assert (shown["message_count"], shown["last_message_at"]) == (1, published["timestamp"])
    assert (shown["connection_count"], shown["can_manage"]) == (2, False)
    assert (await http.get("/api/topics/welcome/stats")).json().keys() == shown.keys()


# --- History -------------------------------------------------------------------------------------------------------


async def test_history_is_newest_first_and_oldest_first_with_since(http: httpx.AsyncClient) -> None:
    published = [await publish(http, str(number)) for number in range(5)]

    async def read(query: str) -> list[int]:
        answer = await http.get(f"/welcome/json?{query}")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["count"] == len(page["messages"])
        return [int(message["message"]) for message in page["messages"]]

    assert await read("") == [4, 3, 2, 1, 0]
    assert await read("limit=2&poll=1") == [4, 3]
    assert await read("since=&limit=2") == [4, 3]
    assert await read("since=all&limit=2") == [0, 1]
    assert await read("since=latest&poll=0") == [4]
    assert await read(f"since={published[1]['id']}") == [2, 3, 4]
    assert await read(f"since={published[1]['timestamp']}") == [2, 3, 4]
    assert await read("since=1893412800") == [0, 1, 2, 3, 4]
    assert await read("since=10m") == [0, 1, 2, 3, 4]
    assert await read("since=2031-01-01") == []
    assert await read("since=2030-01-01t00:00:00z") == [0, 1, 2, 3, 4]
    assert await read("since=9999-12-31T23:59:59-12:00") == []
    assert await read("since=0001-01-01T00:00:00%2B12:00") == [0, 1, 2, 3, 4]
    assert await read(f"since={UNKNOWN}") == [0, 1, 2, 3, 4]


async def test_a_poller_by_time_pages_forward_without_skipping(http: httpx.AsyncClient) -> None:
    for number in range(25):
        await publish(http, str(number))

    seen: list[str] = []
    since = "all"
    while page := (await http.get(f"/welcome/json?limit=7&since={since}")).json()["messages"]:
        seen += [message["message"] for message in page]
        since = page[-1]["timestamp"]

    assert seen == [str(number) for number in range(25)]


async def test_head_answers_like_get_without_a_body(http: httpx.AsyncClient) -> None:
    full, head = await http.get("/welcome/json"), await http.head("/welcome/json")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == full.headers["content-type"]


# --- Event streams -------------------------------------------------------------------------------------------------


async def test_an_event_stream_is_ready_then_tells_what_comes(door: Door, http: httpx.AsyncClient) -> None:
    async with opened(door.port, "/welcome/sse") as events:
        assert events.status == 200
        assert events.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert events.headers["cache-control"] == "no-cache, no-transform"
        assert events.headers["x-accel-buffering"] == "no"
        assert events.headers["transfer-encoding"] == "chunked"
        ready = await anext(events)
        published = await publish(http, "zażółć")
        told = await anext(events)

    assert (ready.event, ready.id, ready.retry) == ("ready", "", 3000)
    said = ready.json()
    assert set(said) == {"topic", "message", "connection_id", "timestamp"}
    assert (said["topic"], said["message"]) == ("welcome", "Connected to topic")
    assert (told.event, told.id, told.json()) == ("message", published["id"], published)


@pytest.mark.manor(config={"plugins": {"topics": {"ping_seconds": 1}}})
async def test_pings_have_an_empty_data_line(door: Door) -> None:
    async with opened(door.port, "/welcome/sse") as events:
        await anext(events)
        ping = await anext(events)

    assert (ping.event, ping.data, ping.id) == ("ping", "", "")


@pytest.mark.parametrize("place", ["since_id", "since", "Last-Event-ID", "since, and an empty since_id", "all of them"])
async def test_a_stream_resumes_after_the_last_id(door: Door, http: httpx.AsyncClient, place: str) -> None:
    published = [await publish(http, str(number)) for number in range(6)]
    last, older = published[3]["id"], published[0]["id"]
    path, headers = {
        "since_id": (f"/welcome/sse?since_id={last}", {}),
        "since": (f"/welcome/sse?since={last}", {}),
        "Last-Event-ID": ("/welcome/sse", {"Last-Event-ID": last}),
        "since, and an empty since_id": (f"/welcome/sse?since_id=&since={last}", {"Last-Event-ID": ""}),
        "all of them": (f"/welcome/sse?since=all&since_id={older}", {"Last-Event-ID": last}),
    }[place]

    async with opened(door.port, path, headers) as events:
        assert [message["message"] for message in await events.messages(2)] == ["4", "5"]
        await publish(http, "6")
        assert [message["message"] for message in await events.messages(1)] == ["6"]


@pytest.mark.manor(config={"plugins": {"topics": {"replay_max": 3}}})
async def test_an_unknown_last_id_is_a_gap_said_aloud(door: Door, http: httpx.AsyncClient) -> None:
    for number in range(5):
        await publish(http, str(number))

    async with opened(door.port, f"/welcome/sse?since_id={UNKNOWN}") as events:
        assert (await anext(events)).event == "ready"
        gap = await anext(events)
        messages = await events.messages(3)

    assert gap.event == "gap"
    assert isinstance(gap.json()["message"], str)
    assert isinstance(gap.json()["timestamp"], str)
    assert [message["message"] for message in messages] == ["2", "3", "4"]


async def test_a_replay_during_publishing_has_neither_gap_nor_duplicate(door: Door, http: httpx.AsyncClient) -> None:
    for number in range(120):
        await publish(http, str(number))

    async def go_on() -> None:
        for number in range(80):
            await publish(http, str(number))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(go_on)
        for _ in range(3):
            async with opened(door.port, "/welcome/sse?since=all") as events:
                sequences = [message["sequence"] for message in await events.messages(200)]
            assert sequences == list(range(1, 201))


async def test_a_reader_that_stops_is_closed_and_resumes_without_loss(door: Door, http: httpx.AsyncClient) -> None:
    async with (
        opened(door.port, "/welcome/sse", receive_buffer=4096) as stuck,
        opened(door.port, "/welcome/sse") as good,
    ):
        await anext(stuck)
        await anext(good)
        for number in range(LOTS):
            await publish(http, f"{number} " + "x" * 60_000)
            (message,) = await good.messages(1)
            assert message["sequence"] == number + 1
        seen = [event.json()["sequence"] async for event in stuck if event.event == "message"]
        last = seen[-1]
    assert seen == list(range(1, last + 1))
    assert last < LOTS

    message_id = await _id_of(http, last)
    async with opened(door.port, f"/welcome/sse?since_id={message_id}") as resumed:
        missed = await resumed.messages(LOTS - last)

    assert [message["sequence"] for message in missed] == list(range(last + 1, LOTS + 1))


async def _id_of(http: httpx.AsyncClient, sequence: int) -> str:
    since: str = "all"
    while True:
        for message in (await http.get(f"/welcome/json?limit=100&since={since}")).json()["messages"]:
            since = str(message["id"])
            if message["sequence"] == sequence:
                return since


async def test_a_stopping_house_ends_streams_cleanly(door: Door, http: httpx.AsyncClient) -> None:
    async with opened(door.port, "/welcome/sse") as events, websocket(door, "/welcome/ws") as socket:
        await anext(events)
        await frame(socket)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(door.house.live.shut_down)
            code, _ = await close_code(socket)
            rest = [event async for event in events]

    assert rest == []
    assert code == 1001


async def test_open_streams_of_one_address_are_counted(door: Door, http: httpx.AsyncClient) -> None:
    door.house.services.limits.address_limit_factor = 0.1
    async with opened(door.port, "/welcome/sse") as first, opened(door.port, "/welcome/sse") as second:
        await anext(first)
        await anext(second)
        async with opened(door.port, "/welcome/sse") as third:
            assert third.status == 429
            assert third.headers["retry-after"] == "30"
        fourth = await handshake(http, "/welcome/ws")
        assert (fourth.status_code, fourth.headers["retry-after"]) == (429, "30")
        assert fourth.json()["detail"] == "Too many open streams: one address may have 2 at once"
    # The server sees that they are gone when it sees it; their places are free from then on.
    with trio.fail_after(10):
        status = 429
        while status == 429:
            async with opened(door.port, "/welcome/sse") as again:
                status = again.status
    assert status == 200


# --- WebSockets ----------------------------------------------------------------------------------------------------


async def test_a_websocket_gets_flat_objects_with_their_type(door: Door, http: httpx.AsyncClient) -> None:
    first = await publish(http, "before")
    async with websocket(door, "/welcome/ws?since=all") as socket:
        ready = await frame(socket)
        replayed = await frame(socket)
        second = await publish(http, "after")
        told = await frame(socket)

    assert set(ready) == {"type", "topic", "message", "connection_id", "timestamp"}
    assert (ready["type"], ready["topic"]) == ("ready", "welcome")
    assert replayed == {"type": "message", **first}
    assert told == {"type": "message", **second}


@pytest.mark.manor(config={"plugins": {"topics": {"ping_seconds": 1}}})
async def test_a_websocket_is_pinged_with_a_time(door: Door) -> None:
    async with websocket(door, "/welcome/ws") as socket:
        await frame(socket)
        ping = await frame(socket)

    assert set(ping) == {"type", "timestamp"}
    assert ping["type"] == "ping"


async def test_what_a_websocket_client_says_is_ignored(door: Door, http: httpx.AsyncClient) -> None:
    async with websocket(door, "/welcome/ws") as socket:
        await frame(socket)
        await socket.send_message("hello")
        await socket.send_message(b"\x00\xff")
        await socket.send_message("x" * 4096)
        await publish(http, "still here")
        assert (await frame(socket))["message"] == "still here"


async def test_a_long_frame_of_a_client_closes_with_1009(door: Door) -> None:
    async with websocket(door, "/welcome/ws") as socket:
        await frame(socket)
        await socket.send_message("x" * 4097)
        code, _ = await close_code(socket)

    assert code == 1009


async def test_a_slow_websocket_is_closed_with_1013(door: Door, http: httpx.AsyncClient) -> None:
    async with websocket(door, "/welcome/ws", message_queue_size=1) as slow:
        await frame(slow)
        for number in range(LOTS):
            await publish(http, f"{number} " + "x" * 60_000)
        code, reason = await close_code(slow)

    assert code == 1013
    assert "resume" in reason


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/nosuch/ws", {}, 404),
        ("/welcome/ws?since_id=5", {}, 422),
        ("/welcome/ws?token=tk_x", {}, 401),
        ("/welcome/ws", {"Authorization": "Bearer x"}, 401),
        ("/welcome/ws", {"Origin": "https://evil.example"}, 403),
        ("/welcome/json", {}, 400),
    ],
)
async def test_a_handshake_is_refused_with_its_status(
    http: httpx.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    refused = await handshake(http, path, headers)

    assert refused.status_code == status
    assert isinstance(refused.json()["detail"], str)
