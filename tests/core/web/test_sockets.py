"""WebSockets: decided before they are accepted, bounded, pinged, and closed with a reason."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, TextMessage

from manor.errors import Forbidden
from manor.routing import TOO_SLOW, Closing, Conversation, ConversationOver, Live, Reply, Request, Upgrade, WebSocket
from tests.core.web.serving import Fountain, Serve, route


def subscription(fountain: Fountain, **more: Any) -> Any:
    return route("GET", "/ws", lambda request: Live(fountain, **more), websocket=Upgrade.ONLY)


async def test_a_subscription_that_upgrades_is_a_websocket(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(subscription(fountain))
    socket = await running.socket()

    opened = await socket.open("/ws")
    fountain.tell(b'{"a":"\xc3\xa9"}')
    message = await socket.event()
    fountain.tell(TOO_SLOW)
    closed = await socket.closing()

    assert isinstance(opened, AcceptConnection)
    assert isinstance(message, TextMessage)
    assert message.data == '{"a":"\u00e9"}'
    assert (closed.code, closed.reason) == (1013, "too slow: resume from the last id")
    await fountain.count(0)


async def test_a_refused_handshake_is_an_ordinary_answer(serve: Serve) -> None:
    def refuse(request: Request[Any, Any]) -> Reply:
        raise Forbidden("not you")

    running = await serve(route("GET", "/ws", refuse, websocket=Upgrade.ONLY))

    assert await (await running.socket()).refusal("/ws") == (403, b'{"detail":"not you"}')
    assert (await (await running.socket()).refusal("/nowhere"))[0] == 404
    assert (await (await running.socket()).refusal("/hello"))[0] == 400


async def test_a_websocket_without_an_upgrade_is_a_426(serve: Serve) -> None:
    running = await serve(subscription(Fountain()))

    answer = await running.get("/ws")

    assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")


async def test_a_page_of_another_origin_opens_no_websocket(serve: Serve) -> None:
    running = await serve(subscription(Fountain()))

    status, _ = await (await running.socket()).refusal("/ws", headers=[(b"Origin", b"https://evil.example")])
    own = await (await running.socket()).open("/ws", headers=[(b"Origin", b"http://test")])

    assert status == 403
    assert isinstance(own, AcceptConnection)


async def test_compression_is_not_agreed_to(serve: Serve) -> None:
    running = await serve(subscription(Fountain()))

    opened = await (await running.socket()).open("/ws")

    assert isinstance(opened, AcceptConnection)
    assert opened.extensions == []


async def test_a_clients_text_reaches_the_subscription(serve: Serve) -> None:
    heard: list[str] = []
    fountain = Fountain()

    async def on_message(text: str) -> None:
        heard.append(text)
        fountain.tell(b"heard")

    running = await serve(subscription(fountain, on_message=on_message))
    socket = await running.socket()
    await socket.open("/ws")

    await socket.send(TextMessage(data="hello"))
    await socket.event()

    assert heard == ["hello"]


async def test_a_message_over_the_routes_limit_closes_with_1009(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(subscription(fountain, message_limit=10))
    socket = await running.socket()
    await socket.open("/ws")

    await socket.send(TextMessage(data="\u2603" * 4))

    assert (await socket.closing()).code == 1009
    await fountain.count(0)


@pytest.mark.parametrize("kind", [TextMessage, BytesMessage])
async def test_a_message_over_the_servers_limit_closes_with_1009(serve: Serve, kind: Any) -> None:
    fountain = Fountain()
    running = await serve(
        subscription(fountain, message_limit=1 << 30), connection={"websocket_message": 1000, "linger": 0.2}
    )
    socket = await running.socket()
    await socket.open("/ws")

    await socket.send(kind(data="x" * 1001 if kind is TextMessage else b"x" * 1001))

    assert (await socket.closing()).code == 1009
    await fountain.count(0)


async def test_bytes_where_text_is_wanted_close_with_1003(serve: Serve) -> None:
    async def on_message(text: str) -> None:
        raise AssertionError

    running = await serve(subscription(Fountain(), on_message=on_message))
    socket = await running.socket()
    await socket.open("/ws")

    await socket.send(BytesMessage(data=b"x"))

    assert (await socket.closing()).code == 1003


async def test_a_subscription_that_breaks_closes_with_1011(serve: Serve) -> None:
    async def on_message(text: str) -> None:
        raise RuntimeError("a secret")

    running = await serve(subscription(Fountain(), on_message=on_message))
    socket = await running.socket()
    await socket.open("/ws")

    await socket.send(TextMessage(data="x"))

    closed = await socket.closing()
    assert (closed.code, closed.reason) == (1011, "internal server error")


async def test_a_subscriber_that_leaves_is_detached_at_once(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(subscription(fountain))
    polite, abrupt = await running.socket(), await running.socket()
    await polite.open("/ws")
    await abrupt.open("/ws")

    await abrupt.client.stream.aclose()
    await fountain.count(1)
    await polite.send(CloseConnection(code=1000))

    assert (await polite.closing()).code == 1000
    await fountain.count(0)
    assert await polite.client.rest() == b""


async def test_a_frame_that_cannot_be_read_is_answered_with_its_close_code(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(subscription(fountain), connection={"linger": 0.2})
    socket = await running.socket()
    await socket.open("/ws")

    await socket.client.send(b"\x81\x02hi")  # not masked

    assert (await socket.closing()).code == 1002
    await fountain.count(0)


async def test_frames_before_the_handshake_is_answered_end_the_connection(serve: Serve) -> None:
    asked, answer = trio.Event(), trio.Event()

    async def slow(request: Request[Any, Any]) -> Live:
        asked.set()
        await answer.wait()
        return Live(Fountain())

    running = await serve(route("GET", "/ws", slow, websocket=Upgrade.ONLY))
    client = await running.connect()
    await client.send(
        "GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await asked.wait()
    await client.send(b"\x89\x80\x00\x00\x00\x00")

    assert (await client.answer()).status == 400
    assert await client.rest() == b""
    answer.set()


# --- Conversations -------------------------------------------------------------------------------------------------


def conversation(run: Any, **more: Any) -> Any:
    return route("GET", "/ws", lambda request: WebSocket(run, **more), websocket=Upgrade.YES)


async def test_a_conversation_goes_both_ways(serve: Serve) -> None:
    async def echo(conversation: Conversation) -> None:
        while True:
            message = await conversation.receive()
            await conversation.send(message)

    running = await serve(conversation(echo))
    socket = await running.socket()
    await socket.open("/ws")

    await socket.send(TextMessage(data="text"))
    text = await socket.event()
    await socket.send(BytesMessage(data=b""))
    nothing = await socket.event()

    assert isinstance(text, TextMessage)
    assert text.data == "text"
    assert isinstance(nothing, BytesMessage)
    assert bytes(nothing.data) == b""


async def test_what_is_sent_at_once_keeps_its_order_and_is_whole_however_slowly_it_is_read(serve: Serve) -> None:
    filling = b"x" * 30_000
    sent: list[int] = []

    async def talk(conversation: Conversation) -> None:
        assert conversation.send_now(b"\xc3\xa9")
        await conversation.receive()
        for start in (0, 1000):
            number = start
            while conversation.send_now(b"%d:%s" % (number, filling)):
                number += 1
            assert not conversation.send_now(b"never")
            await conversation.send(f"{number}:")
            sent.extend(range(start, number + 1))
        await conversation.close(Closing(4000, "over"))
        assert not conversation.send_now(b"never")

    running = await serve(conversation(talk))
    socket = await running.socket()
    await socket.open("/ws")
    first = await socket.event()
    await socket.send(TextMessage(data="go on"))
    heard, text = [], ""
    while not isinstance(event := await socket.event(), CloseConnection):
        assert isinstance(event, TextMessage)
        text += event.data
        if event.message_finished:
            heard.append(int(text.partition(":")[0]))
            text = ""

    assert isinstance(first, TextMessage)
    assert first.data == "\u00e9"
    assert len(sent) > 4
    assert heard == sent


async def test_a_conversation_says_why_it_ends(serve: Serve) -> None:
    async def leave(conversation: Conversation) -> None:
        await conversation.close(Closing(4001, "enough"))

    running = await serve(conversation(leave))
    socket = await running.socket()
    await socket.open("/ws")

    closed = await socket.closing()
    assert (closed.code, closed.reason) == (4001, "enough")


async def test_a_conversation_hears_that_its_client_left(serve: Serve) -> None:
    over = trio.Event()

    async def wait(conversation: Conversation) -> None:
        try:
            await conversation.receive()
        except ConversationOver:
            with pytest.raises(ConversationOver):
                await conversation.send("to nobody")
            over.set()
            raise

    running = await serve(conversation(wait))
    socket = await running.socket()
    await socket.open("/ws")

    await socket.client.stream.aclose()

    with trio.fail_after(5):
        await over.wait()


async def test_a_conversation_agrees_to_a_subprotocol(serve: Serve) -> None:
    async def leave(conversation: Conversation) -> None:
        return

    running = await serve(conversation(leave, subprotocols=("b", "c")))
    socket = await running.socket()

    opened = await socket.open("/ws", subprotocols=["a", "b"])

    assert isinstance(opened, AcceptConnection)
    assert opened.subprotocol == "b"
    assert (await socket.closing()).code == 1000


# --- Pings ---------------------------------------------------------------------------------------------------------


async def test_a_ping_is_answered(serve: Serve) -> None:
    running = await serve(subscription(Fountain()))
    socket = await running.socket()
    await socket.open("/ws")

    await socket.send(Ping(payload=b"there?"))

    pong = await socket.event()
    assert isinstance(pong, Pong)
    assert bytes(pong.payload) == b"there?"


async def test_a_silent_client_is_pinged_and_dropped_after_two_missed(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(subscription(fountain), connection={"ping": 0.05})
    silent, lively = await running.socket(), await running.socket()
    await silent.open("/ws")
    await lively.open("/ws")

    for _ in range(4):
        ping = await lively.event()
        assert isinstance(ping, Ping)
        await lively.send(ping.response())
    await fountain.count(1)

    assert (await silent.client.rest()).count(b"\x89") == 2


async def test_what_the_server_sends_is_no_sign_of_life(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(subscription(fountain), connection={"ping": 0.1})
    socket = await running.socket()
    await socket.open("/ws")

    with trio.fail_after(5):
        while fountain.attached:
            fountain.tell(b"news")
            with trio.move_on_after(0.01):
                await fountain.changed.wait()

    assert b"news" in await socket.client.rest()
