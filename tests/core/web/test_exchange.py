"""The framework does not hear that the client left before its last send is over."""

from __future__ import annotations

from typing import Any

import trio

from manor.web.exchange import Exchange


async def test_departure_waits_for_the_last_send(nursery: trio.Nursery) -> None:
    happened: list[str] = []
    finish = trio.Event()

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        await finish.wait()
        happened.append("sent")

    async def listen() -> None:
        await exchange.receive()
        happened.append("heard")

    exchange = Exchange(receive, send)
    nursery.start_soon(exchange.send, {"type": "http.response.body", "body": b"end"})
    await trio.testing.wait_all_tasks_blocked()
    nursery.start_soon(listen)
    await trio.testing.wait_all_tasks_blocked()
    finish.set()
    await trio.testing.wait_all_tasks_blocked()

    assert happened == ["sent", "heard"]


async def test_departure_in_the_middle_of_an_answer_is_heard_at_once() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        return

    exchange = Exchange(receive, send)
    await exchange.send({"type": "http.response.start", "status": 200})
    await exchange.send({"type": "http.response.body", "body": b"a", "more_body": True})

    with trio.fail_after(1):
        assert await exchange.receive() == {"type": "http.disconnect"}
    assert exchange.status == 200
