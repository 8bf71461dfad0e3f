"""The fixtures that plugins are tested with: a client without sockets, and a house of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from manor import (
    PUBLIC,
    Api,
    Conversation,
    Entry,
    Event,
    Live,
    LiveService,
    ManorError,
    Principal,
    Reply,
    Request,
    Route,
    Scope,
    Stream,
    Upgrade,
    WebSocket,
    Write,
)
from manor.clock import SetClock
from manor.dispatch import Dispatcher
from manor.errors import AdminFault
from manor.house import House
from manor.limits import RateLimiter
from manor.matching import RouteTable
from manor.routing import Closing
from manor.testing import Client, NotAStream, SseEvent, open_test_house
from manor.testing.streams import sse_events

API = Api("doorbell", kinds=frozenset({"api_key"}), headers={"X-Bell": "brass"})
CHANNEL = "attic"


class Ring(msgspec.Struct):
    door: str
    times: int = 1


class Page(msgspec.Struct):
    limit: int = 20


class Bells:
    """Routes of every kind of answer."""

    def __init__(self) -> None:
        self.live = LiveService()
        self.said: list[str] = []

    def routes(self) -> list[Route]:
        bell = "/doors/{door}"
        return [
            Route("POST", "/rings", self.ring, api=API, access=PUBLIC, body=Ring, status=201),
            Route("PUT", "/raw", self.raw, api=API, access=PUBLIC, body=bytes, body_limit=8),
            Route("GET", bell, self.show, api=API, access=PUBLIC, query=Page),
            Route("DELETE", bell, self.remove, api=API, access=Scope("doors:write")),
            Route("GET", "/log", self.log, api=API, access=PUBLIC),
            Route("GET", "/events", self.listen, api=API, access=PUBLIC, websocket=Upgrade.YES),
            Route("GET", "/talk", self.talk, api=API, access=PUBLIC, websocket=Upgrade.ONLY),
        ]

    async def ring(self, request: Request[Ring]) -> Ring:
        return request.body

    def raw(self, request: Request[bytes]) -> Reply:
        return Reply(request.body, content_type=request.headers.get("content-type") or "none")

    def show(self, request: Request[None, Page]) -> Reply:
        shown = {
            "door": request.params["door"],
            "limit": request.query.limit,
            "address": str(request.head.address),
            "greeting": request.headers.get("x-greeting"),
        }
        return Reply(msgspec.json.encode(shown))

    def remove(self, request: Request) -> None:
        return None

    def log(self, request: Request) -> Stream:
        async def run(write: Write) -> None:
            for line in (b"one\n", b"two\n"):
                await write(line)

        return Stream(run, content_type="text/plain")

    def listen(self, request: Request) -> Live:
        async def hear(text: str) -> None:
            self.said.append(text)

        feed = self.live.feed([self.live.channel(CHANNEL)], greeting=[Entry(0, "ready", b'{"door":"attic"}')])
        return Live(feed, on_message=hear, message_limit=5)

    def talk(self, request: Request) -> WebSocket:
        async def run(conversation: Conversation) -> None:
            while (word := await conversation.receive()) != "bye":
                await conversation.send(f"{word!s}, again")
            await conversation.close(Closing(4000, "bye bye"))

        return WebSocket(run, message_limit=20)

    def speak(self, position: int, data: bytes) -> None:
        channel = self.live.find(CHANNEL)
        assert channel is not None
        channel.append(Entry(position, "rang", data, id=str(position)))


@pytest.fixture
async def bells(nursery: trio.Nursery) -> AsyncIterator[Bells]:
    bells = Bells()
    await nursery.start(bells.live.run)
    yield bells
    nursery.cancel_scope.cancel()


@pytest.fixture
def asking(bells: Bells, clock: SetClock) -> Client:
    table = RouteTable()
    assert table.add("doorbell", bells.routes()) == []
    return Client(Dispatcher(table, limits=RateLimiter(), clock=clock))


# --- Requests ------------------------------------------------------------------------------------------------------


async def test_json_goes_in_and_comes_out(asking: Client) -> None:
    answer = await asking.post("/rings", json={"door": "attic", "times": 2})

    assert (answer.status, answer.json()) == (201, {"door": "attic", "times": 2})
    assert answer.headers["content-type"] == answer.headers["Content-Type"] == "application/json"
    assert answer.headers["x-bell"] == "brass"


async def test_a_struct_is_sent_as_json(asking: Client) -> None:
    assert (await asking.post("/rings", json=Ring("attic"))).json() == {"door": "attic", "times": 1}


async def test_bytes_are_sent_as_they_are(asking: Client) -> None:
    answer = await asking.put("/raw", body=b"\xff\x00", headers={"Content-Type": "image/x-bell"})

    assert (answer.body, answer.headers["content-type"]) == (b"\xff\x00", "image/x-bell")


async def test_a_body_over_the_limit_is_413(asking: Client) -> None:
    assert (await asking.put("/raw", body=b"123456789")).status == 413


@pytest.mark.parametrize("how", [{"path": "/doors/attic?limit=5"}, {"path": "/doors/attic", "query": {"limit": 5}}])
async def test_a_query_goes_with_the_path_or_by_itself(asking: Client, how: Mapping[str, Any]) -> None:
    assert (await asking.get(**how)).json()["limit"] == 5


async def test_a_path_is_quoted_as_a_browser_does(asking: Client) -> None:
    assert (await asking.get("/doors/zur Küche")).json()["door"] == "zur Küche"
    assert (await asking.get("/doors/a%2Fb")).json()["door"] == "a/b"


async def test_another_client_keeps_what_is_not_said(asking: Client) -> None:
    greeting = asking(headers={"X-Greeting": "hi"})(address="192.0.2.1")

    shown = (await greeting.get("/doors/attic")).json()

    assert (shown["greeting"], shown["address"]) == ("hi", "192.0.2.1")
    assert (await asking.get("/doors/attic")).json()["greeting"] is None


@pytest.mark.parametrize(
    ("principals", "status"),
    [
        (None, 401),
        ([], 401),
        ([Principal("api_key")], 403),
        ([Principal("api_key", scopes=frozenset({"doors:write"}))], 204),
        ([Principal("api_key"), Principal("api_key", scopes=frozenset({"*"}))], 204),
        ([Principal("smoke_signal", scopes=frozenset({"*"}))], 401),
    ],
)
async def test_principals_stand_in_for_credentials(
    asking: Client, principals: Sequence[Principal] | None, status: int
) -> None:
    assert (await asking(principals=principals).delete("/doors/attic")).status == status


async def test_errors_come_as_answers(asking: Client) -> None:
    assert (await asking.get("/nowhere")).status == 404
    assert (await asking.patch("/rings")).status == 405
    assert (await asking.post("/rings", body=b"{")).status == 400


async def test_a_head_has_no_body(asking: Client) -> None:
    answer = await asking.request("HEAD", "/doors/attic")

    assert (answer.status, answer.body) == (200, b"")


async def test_a_streamed_body_is_read_whole(asking: Client) -> None:
    answer = await asking.get("/log")

    assert (answer.text, answer.headers["content-type"]) == ("one\ntwo\n", "text/plain")


async def test_a_request_that_opens_a_stream_says_which_method_to_take(asking: Client) -> None:
    with pytest.raises(AssertionError, match=r"take client\.sse or client\.websocket"):
        await asking.get("/events")


# --- Streams -------------------------------------------------------------------------------------------------------


async def test_events_come_as_they_are_said(asking: Client, bells: Bells) -> None:
    async with asking.sse("/events") as events:
        assert (await anext(events)).json() == {"door": "attic"}
        bells.speak(1, b'{"times":1}')
        bells.speak(2, b'{"times":2}')

        assert [await anext(events), await anext(events)] == [
            SseEvent("rang", '{"times":1}', "1"),
            SseEvent("rang", '{"times":2}', "2"),
        ]
        assert events.headers["content-type"] == "text/event-stream; charset=utf-8"


async def test_leaving_a_stream_takes_its_outlet_away(asking: Client, bells: Bells) -> None:
    async with asking.sse("/events") as events:
        await anext(events)
        assert bells.live.outlets == 1

    assert bells.live.outlets == 0


async def test_a_stream_that_the_house_ends_says_why(asking: Client, bells: Bells) -> None:
    async with asking.sse("/events") as events, trio.open_nursery() as nursery:
        await anext(events)
        nursery.start_soon(bells.live.shut_down)
        left = [event async for event in events]

        assert (left, events.closing and events.closing.code) == ([], 1001)


async def test_a_frame_that_never_comes_fails_the_test(asking: Client, autojump_clock: MockClock) -> None:
    async with asking.sse("/events") as events:
        await anext(events)

        with pytest.raises(trio.TooSlowError):
            await anext(events)


async def test_a_refused_stream_gives_its_answer(asking: Client) -> None:
    with pytest.raises(NotAStream) as refused:
        async with asking.sse("/talk"):
            pass

    assert refused.value.answer.status == 426


async def test_a_subscription_is_heard_over_websocket_too(asking: Client, bells: Bells) -> None:
    async with asking.websocket("/events") as socket:
        assert await socket.json() == {"type": "ready", "door": "attic"}
        bells.speak(1, b'{"times":1}')
        assert await anext(socket) == '{"type":"rang","times":1}'

        await socket.send("hello")
        assert bells.said == ["hello"]


async def test_a_frame_over_the_limit_closes_the_websocket(asking: Client, bells: Bells) -> None:
    async with asking.websocket("/events") as socket:
        await anext(socket)
        await socket.send("too long")

        assert ([message async for message in socket], socket.closing and socket.closing.code) == ([], 1009)

    assert bells.said == []


async def test_a_conversation_goes_both_ways_and_ends_with_a_reason(asking: Client) -> None:
    async with asking.websocket("/talk") as socket:
        await socket.send("ding")
        assert await anext(socket) == "ding, again"
        await socket.send("bye")

        assert [message async for message in socket] == []
        assert socket.closing == Closing(4000, "bye bye")


async def test_a_conversation_ends_when_the_client_leaves(asking: Client) -> None:
    async with asking.websocket("/talk") as socket:
        await socket.send("ding")
        await anext(socket)

    # Leaving waits for the house's end: a conversation that did not notice would hang here.


async def test_a_message_over_the_limit_ends_the_conversation(asking: Client) -> None:
    async with asking.websocket("/talk") as socket:
        await socket.send("x" * 21)

        assert ([message async for message in socket], socket.closing and socket.closing.code) == ([], 1009)


def test_events_are_read_as_browsers_read_them() -> None:
    frames = b": comment\n\nretry: 3000\nevent: ready\ndata: {}\n\nid: 7\ndata: one\ndata:two\n\nevent: ping\ndata:\n\n"

    assert sse_events(frames) == [
        SseEvent("ready", "{}", retry=3000),
        SseEvent("message", "one\ntwo", "7"),
        SseEvent("ping", ""),
    ]


# --- A house -------------------------------------------------------------------------------------------------------

BELL = """
from typing import ClassVar
from manor import Event, Transaction, hookimpl

class BellRang(Event, frozen=True):
    name: ClassVar[str] = "tiny_bell.bell_rang"
    times: int

class TinyBell:
    def __init__(self, context):
        self.context = context

    @hookimpl
    def manor_event_types(self):
        return [BellRang]

    async def ring(self, times):
        await self.context.storage.write(lambda transaction: transaction.emit(BellRang(times)))
"""


def make_plugin(shelf: Path, name: str, code: str) -> None:
    project = shelf / name
    project.mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\n[project.entry-points."manor.plugins"]\n{name} = "{name}:TinyBell"\n'
    )
    (project / f"{name}.py").write_text(code)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder of plugins with one in it."""
    make_plugin(tmp_path / "shelf", "tiny_bell", BELL)
    return tmp_path / "shelf"


@pytest.fixture
def house_plugins(request: pytest.FixtureRequest, shelf: Path) -> Sequence[str]:
    marker = request.node.get_closest_marker("manor")
    return marker.kwargs.get("plugins", ["tiny_bell"]) if marker else ["tiny_bell"]


@pytest.fixture
def house_config(shelf: Path) -> Mapping[str, Any]:
    return {"server": {"plugin_folders": [str(shelf)]}}


async def test_the_house_has_the_plugins_that_the_test_asks_for(house: House) -> None:
    assert [plugin.name for plugin in house.running] == ["tiny_bell"]


@pytest.mark.manor(plugins=[])
async def test_a_house_without_plugins_serves_the_core(house: House, client: Client) -> None:
    assert house.running == []
    assert (await client.get("/livez")).status == 200


async def test_every_told_event_is_heard(house: House, heard: list[Event]) -> None:
    await house.running[0].instance.ring(3)

    assert [(event.name, msgspec.to_builtins(event)) for event in heard] == [("tiny_bell.bell_rang", {"times": 3})]


async def test_the_clock_stands_until_it_is_set(house: House, clock: SetClock) -> None:
    assert await house.storage.read(lambda transaction: transaction.now) == datetime(2030, 1, 2, 12, tzinfo=UTC)
    clock.set(datetime(2031, 1, 1, tzinfo=UTC))

    assert await house.storage.write(lambda transaction: transaction.now) == datetime(2031, 1, 1, tzinfo=UTC)


async def test_the_jumping_clock_sees_the_work_on_the_database(house: House, autojump_clock: MockClock) -> None:
    with trio.fail_after(60):
        for _ in range(50):
            await house.storage.write(lambda transaction: transaction.now)

    assert trio.current_time() == 0


async def test_a_plugin_with_a_fault_is_an_error(tmp_path: Path, shelf: Path) -> None:
    make_plugin(shelf, "sad_bell", "raise OSError('out of brass')")
    config = {"server": {"plugin_folders": [str(shelf)]}}
    opening = open_test_house(tmp_path / "house", plugins=["sad_bell"], config=config)

    with pytest.raises(AdminFault, match="'sad_bell': import failed: OSError: out of brass"):
        async with opening:
            pass


async def test_a_plugin_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManorError, match="'gong' is not installed: pip install"):
        async with open_test_house(tmp_path / "house", plugins=["gong"]):
            pass


async def test_a_mistake_in_the_configuration_names_its_key(tmp_path: Path) -> None:
    with pytest.raises(AdminFault, match=r"server\.bind: expected an array, got int"):
        async with open_test_house(tmp_path / "house", plugins=[], config={"server": {"bind": 1}}):
            pass


async def test_what_the_body_of_a_house_raises_leaves_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_test_house(tmp_path / "house", plugins=[]):
            raise ZeroDivisionError
