"""All plugins behind both doors: every route of theirs says the same to whoever comes in the clear and over TLS."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from manor.daemon import Tls
from manor.routing import Incoming, Route, Upgrade
from manor.testing import House, SetClock, open_test_house
from manor.testing.houses import declared_plugins
from tests.contracts.conftest import serving
from tests.contracts.two_doors import (
    PATIENCE,
    Door,
    Part,
    Reader,
    Said,
    ask,
    chunked,
    get,
    steadied,
    tcp,
    tls,
    unending,
)
from tests.contracts.two_doors_serving import certificate as certificate
from tests.people import PASSWORD, made
from tests.websocket_bytes import handshake, server_frames

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
FILLED = {"topic": "welcome", "path": "a", "user_id": "me", "team_id": UNKNOWN}
RANDOM = {
    "/api/chat/register",
    "/hls/stream.m3u8",
    "/hls/{variant}/stream.m3u8",
    "/metrics",
    "/openapi.json",
}
"""Whoever asks these twice may be told something else; what is shown off the air is rendered meanwhile."""

OF_A_KIND = 2
CHAT = "/api/v4"
JSON = "Content-Type: application/json"


@pytest.fixture
async def houses(
    request: pytest.FixtureRequest, house_config: Mapping[str, Any], clock: SetClock, tmp_path: Path
) -> AsyncIterator[list[House]]:
    """Two that begin alike, one for each door: what one is told changes nothing in the other."""
    plugins = declared_plugins(request.config.rootpath)
    async with AsyncExitStack() as stack:
        opened = []
        for name in ("plain", "secure"):
            sandbox = {"backend": "sandbox", "root": str(tmp_path / name / "host")}
            config = {
                "server": {"limits": {"address_limit_factor": 0}, "public_url": "https://test"},
                "identity": house_config["identity"],
                "plugins": {"stream": {"rtmp_bind": ""}, "hostservices": sandbox},
            }
            house = open_test_house(tmp_path / name, plugins=plugins, config=config, clock=clock, inline=False)
            opened.append(await stack.enter_async_context(house))
        yield opened


def counted(house: House) -> dict[tuple[str, ...], float]:
    """How many requests there were, by API, method and class of status."""
    return {
        tuple(sample.labels.values()): sample.value
        for metric in house.counted.requests.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


def asked(route: Route) -> Part:
    """Without a credential; HEAD where a GET could go on for ever."""
    path = re.sub(r"{(\w+)}", lambda match: FILLED.get(match[1], UNKNOWN), route.path)
    if route.method == "GET":
        return ask("HEAD" if route.websocket is Upgrade.NO else "GET", path)
    return ask(route.method, path, JSON, body=b"{}")


def sampled(house: House) -> list[Route]:
    """A few routes of each kind: of each plugin, for each sort of asker, with each sort of body and answer."""
    kinds: dict[tuple[object, ...], list[Route]] = {}
    for owned in house.dispatcher.table:
        route = owned.route
        if route.path not in RANDOM:
            body = route.body if route.body in (None, bytes, Incoming) else "struct"
            kind = owned.owner, route.api.name, route.method, str(route.access), route.door, route.websocket, body
            kinds.setdefault(kind, []).append(route)
    return [route for routes in kinds.values() for route in routes[:OF_A_KIND]]


class Visitor:
    """Asks one door, on as few connections as that lets it.

    Args:
        door: Which.
    """

    def __init__(self, door: Door) -> None:
        self.door = door
        self.told: list[Said] = []
        self._reader: Reader | None = None

    async def ask(self, part: Part) -> Said:
        """The answer, which is kept."""
        with trio.fail_after(PATIENCE):
            reader = self._reader or Reader(await self.door.connect())
            await reader.stream.send_all(part.data)
            said = await reader.answer(*part.methods)
        self._reader = reader
        self.told.append(said)
        if said.closes:
            await self.leave()
        return said

    async def leave(self) -> None:
        """End the connection."""
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await reader.stream.aclose()

    async def overhear(self, path: str, bearer: str, count: int) -> None:
        """Listen to a topic's stream, as events and as a WebSocket, until so much was said; it is kept as an answer."""
        with trio.fail_after(PATIENCE):
            async with await self.door.connect() as stream:
                await stream.send_all(get(f"{path}/sse?since=all", bearer).data)
                reader, events = Reader(stream), bytearray()
                line, headers = await reader.head()
                while events.count(b"\n\n") < count:
                    assert await reader.chunk_into(events), "it goes on"
            self.told.append(Said(line, headers, bytes(events)))
            async with await self.door.connect() as stream:
                await stream.send_all(handshake(f"{path}/ws?since=all", Authorization=bearer.partition(": ")[2]))
                reader = Reader(stream)
                line, headers = await reader.head()
                frames = [await reader.server_frame() for _ in range(count)]
            self.told.append(
                Said(line, headers, b"".join(text for frame in frames for _, text in server_frames(frame)))
            )

    @property
    def token(self) -> str:
        """The sign-in's that was answered last."""
        assert self._reader is not None
        return self._reader.token


def timeless(said: Said) -> Said:
    """An answer without what depends on the moment, and on how long the one before took."""
    kept = [pair for pair in said.headers if pair[0] not in ("x-ratelimit-remaining", "x-ratelimit-reset")]
    return unending(steadied(replace(said, headers=tuple(kept))))


def sent(method: str, path: str, body: Mapping[str, Any], *headers: str) -> Part:
    return ask(method, path, JSON, *headers, body=json.dumps(body).encode())


async def a_day_of_topics(visitor: Visitor) -> None:
    """Sign in, publish, read, listen; and look at what everybody sees of a stream and a host."""
    signed_in = await visitor.ask(sent("POST", "/auth/login", {"email": "ada@example.org", "password": PASSWORD}))
    bearer = f"Authorization: Bearer {json.loads(signed_in.body)['access_token']}"
    for part in (
        get("/auth/me", bearer),
        get("/auth/sessions", bearer),
        get("/api/users/me", bearer),
        sent("POST", "/api/topics", {"name": "bells", "access_level": "private"}, bearer),
        ask("POST", "/bells", "X-Title: Zoe", "X-Tags: a,b", bearer, body="Za\u017c\u00f3\u0142\u0107".encode()),
        ask("POST", "/bells", body=b"from nobody"),
        ask("PUT", "/bells", "X-Priority: 5", bearer, body=b"again"),
        sent("POST", "/bells", {"message": "as JSON", "priority": 2}, bearer),
        chunked("/bells", b"in ", b"chunks", headers=[bearer]),
        ask("POST", "/bells", "Idempotency-Key: once", bearer, body=b"once"),
        ask("POST", "/bells", "Idempotency-Key: once", bearer, body=b"once"),
        ask("POST", "/bells", bearer, body=b""),
        ask("POST", "/bells", bearer, body=b"x" * 65_537),
        get("/bells/json?since=all", bearer),
        get("/bells/json?since=all"),
        ask("HEAD", "/bells/sse", bearer),
        get("/api/topics/bells", bearer),
        get("/api/topics", bearer),
        sent("PATCH", "/api/topics/bells", {"description": "rings"}, bearer),
        get("/api/keys", bearer),
        get("/login"),
        get("/api/status"),
        get("/api/config"),
        get("/hls/0/none.ts"),
        get("/users"),
    ):
        await visitor.ask(part)
    await visitor.overhear("/bells", bearer, 6)
    await visitor.ask(ask("DELETE", "/api/topics/bells", bearer))


async def a_day_of_chat(visitor: Visitor) -> None:
    """Sign in, make a team and a room, write, read, leave."""
    await visitor.ask(sent("POST", f"{CHAT}/users/login", {"login_id": "ada", "password": PASSWORD}))
    bearer = f"Authorization: Bearer {visitor.token}"
    await visitor.ask(get(f"{CHAT}/users/me", bearer))
    team = {"name": "belfry", "display_name": "Belfry", "type": "O"}
    team_id = json.loads((await visitor.ask(sent("POST", f"{CHAT}/teams", team, bearer))).body)["id"]
    room = {"team_id": team_id, "name": "bells", "display_name": "Bells", "type": "O"}
    room_id = json.loads((await visitor.ask(sent("POST", f"{CHAT}/channels", room, bearer))).body)["id"]
    for text in ("Ding", "Dong \u2603", "x" * 20_000):
        await visitor.ask(sent("POST", f"{CHAT}/posts", {"channel_id": room_id, "message": text}, bearer))
    await visitor.ask(get(f"{CHAT}/channels/{room_id}/posts", bearer))
    await visitor.ask(get(f"{CHAT}/channels/{UNKNOWN}", bearer))
    await visitor.ask(sent("POST", f"{CHAT}/users/logout", {}, bearer))
    await visitor.ask(get(f"{CHAT}/users/me", bearer))


# One test, because opening all plugins twice is most of what it takes.
async def test_every_route_says_the_same_to_nobody_and_to_somebody(houses: list[House], certificate: Tls) -> None:
    plain, secure = houses
    for house in houses:
        await made(house, "ada", is_admin=True)
    routes = sampled(plain)

    async with serving(plain) as port, serving(secure, certificate) as secure_port:
        visitors = Visitor(tcp(port)), Visitor(tls(secure_port))
        for visitor in visitors:
            await a_day_of_topics(visitor)
            await a_day_of_chat(visitor)
            for route in routes:
                await visitor.ask(asked(route))
            await visitor.leave()

    found = [
        f"{number}\n  plain: {one}\n  tls: {other}"
        for number, (one, other) in enumerate(zip(visitors[0].told, visitors[1].told, strict=True))
        if timeless(one) != timeless(other)
    ]
    assert not found, "\n".join(found)
    assert counted(plain) == counted(secure)
