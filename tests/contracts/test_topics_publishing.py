"""Publishing on a real port, through both doors: what is taken, what is refused, what is told of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest
import trio

from tests.contracts.conftest import Door
from tests.contracts.event_streams import opened
from tests.contracts.topic_clients import JSON, MESSAGE_MEMBERS, UNKNOWN, publish


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
    ("POST", "/favicon", {}, b"x", 404),
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
