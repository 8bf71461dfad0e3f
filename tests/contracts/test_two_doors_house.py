"""All plugins behind both doors: every route of theirs says the same to whoever comes in the clear and over TLS."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trio

from manor.daemon import Tls
from manor.routing import Incoming, Route, Upgrade
from manor.testing import House, SetClock, open_test_house
from manor.testing.houses import declared_plugins
from tests.contracts.conftest import _quart
from tests.contracts.two_doors import PATIENCE, Door, Part, Reader, Said, ask, steadied, tcp, tls, unending
from tests.contracts.two_doors_serving import certificate as certificate

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
FILLED = {"topic": "welcome", "path": "a", "user_id": "me", "team_id": UNKNOWN}
RANDOM = {"/api/chat/register", "/metrics", "/openapi.json"}
"""Whoever asks these twice is told something else."""

OF_A_KIND = 2
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


def counted(house: House) -> list[tuple[dict[str, str], float]]:
    """How many requests there were, by API, method and class of status."""
    return [
        (sample.labels, sample.value)
        for metric in house.counted.requests.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    ]


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


async def toured(door: Door, parts: Sequence[Part]) -> list[Said]:
    """The answers to all of them, on as few connections as the door asks for."""
    answers: list[Said] = []
    while len(answers) < len(parts):
        async with await door.connect() as stream:
            reader = Reader(stream)
            while len(answers) < len(parts):
                part = parts[len(answers)]
                await stream.send_all(part.data)
                with trio.fail_after(PATIENCE):
                    answers.append(await reader.answer(*part.methods))
                if answers[-1].closes:
                    break
    return answers


async def test_every_route_says_the_same_to_nobody(houses: list[House], certificate: Tls) -> None:
    plain, secure = houses
    routes = sampled(plain)
    parts = [asked(route) for route in routes]

    async with _quart(plain) as port, _quart(secure, certificate) as secure_port:
        told = [await toured(door, parts) for door in (tcp(port), tls(secure_port))]

    found = [
        f"{route.method} {route.path}\n  plain: {one}\n  tls: {other}"
        for route, one, other in zip(routes, *told, strict=True)
        if unending(steadied(one)) != unending(steadied(other))
    ]
    assert not found, "\n".join(found)
    assert counted(plain) == counted(secure)
