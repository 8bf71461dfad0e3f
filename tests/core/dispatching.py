"""A dispatcher over a few routes, and asking it as a door does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from manor.auth import PUBLIC, Principal
from manor.clock import SetClock
from manor.dispatch import Dispatcher
from manor.limits import RateLimiter
from manor.matching import RouteTable
from manor.routing import Api, Closing, Head, Headers, Outlet, Reply, Route, Write

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DOORS = Api("doors", headers={"X-Doors": "1", "referrer-policy": "same-origin"})


def head(line: str, *headers: tuple[str, str], **more: Any) -> Head:
    """A request's head from `GET /path?query`."""
    method, _, target = line.partition(" ")
    path, _, query = target.partition("?")
    raw = tuple((name.lower().encode(), value.encode()) for name, value in headers)
    return Head(method, path.encode(), query.encode(), headers=Headers(raw), **{"request_id": "r-1", **more})


def route(line: str, handler: Callable[..., Any] = lambda request: None, **more: Any) -> Route:
    """A public route from `GET /path`."""
    method, path = line.split()
    return Route(method, path, handler, **{"api": DOORS, "access": PUBLIC, **more})


def dispatcher(*routes: Route, **more: Any) -> Dispatcher:
    """A dispatcher over the routes of one plugin, `doorbell`."""
    table = RouteTable()
    assert table.add("doorbell", routes) == []
    return Dispatcher(table, **{"limits": RateLimiter(), "clock": SetClock(NOW), **more})


async def ask(made: Dispatcher, asked: Head, body: bytes = b"", principals: Sequence[Principal] | None = None) -> Any:
    """Walk one request through, as a door does."""
    call = made.begin(asked, principals)
    return await call.admit() or await call.answer(body)


def detail(reply: Reply) -> str:
    """The sentence of an error."""
    answer = msgspec.json.decode(reply.body)["detail"]
    assert isinstance(answer, str)
    return answer


class Silence:
    """A source that says nothing."""

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        """Nothing is heard."""

    def detach(self, outlet: Outlet) -> None:
        """Nothing is heard."""

    async def pump(self, outlet: Outlet, write: Write) -> Closing:
        """End at once."""
        return Closing(1000, "bye")
