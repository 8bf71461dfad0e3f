"""Whoever comes in the clear and whoever comes over TLS is told the same, byte by byte, whatever serves either."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from manor.daemon import Tls
from manor.dispatch import Call, Settings
from tests.contracts.two_doors import CERTIFICATES, PATIENCE, Case, Door, differences, tcp, tls, unix
from tests.contracts.two_doors_cases import CASES, STRANGERS
from tests.contracts.two_doors_routes import ROUTES
from tests.core.web.conftest import serve as serve
from tests.core.web.serving import Running, Serve

SETTINGS = Settings(cors_origins=("https://app.example",))


@pytest.fixture
def certificate(tmp_path: Path) -> Tls:
    for kind in ("cert", "key"):
        shutil.copy(CERTIFICATES / f"first.{kind}.pem", tmp_path / f"{kind}.pem")
    return Tls(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))


class Doors:
    """The same routes behind each door, and what the metrics were told of each."""

    def __init__(self, serve: Serve, certificate: Tls, folder: Path) -> None:
        self._serve = serve
        self._certificate = certificate
        self._folder = folder
        self._running: list[Running] = []
        self.counted: list[Counter[tuple[str, str, int]]] = []

    async def open(self) -> list[Door]:
        plain = await self._open()
        local = await self._open(bind=f"unix:{self._folder}/http.sock")
        secure = await self._open(tls=self._certificate)
        return [
            tcp(int(plain.address.rpartition(":")[2])),
            unix(local.address.removeprefix("unix:")),
            tls(int(secure.address.rpartition(":")[2])),
        ]

    async def _open(self, **more: Any) -> Running:
        counted: Counter[tuple[str, str, int]] = Counter()

        def observe(call: Call, status: int, seconds: float) -> None:
            counted[call.api.name, call.head.method, status] += 1

        running = await self._serve(
            *ROUTES,
            settings=SETTINGS,
            web={"observe": observe},
            limits={"connections_per_address": 0},
            connection={"linger": 0.1},
            **more,
        )
        self._running.append(running)
        self.counted.append(counted)
        return running

    async def close(self) -> None:
        for running in self._running:
            running.stop.set()
            with trio.fail_after(PATIENCE):
                await running.ended.wait()


@pytest.fixture
def doors(serve: Serve, certificate: Tls, tmp_path: Path) -> Doors:
    return Doors(serve, certificate, tmp_path)


@pytest.mark.parametrize("cases", CASES.values(), ids=CASES)
async def test_every_door_says_the_same_and_counts_the_same(doors: Doors, cases: Sequence[Case]) -> None:
    opened = await doors.open()

    found = [difference for each in cases for difference in await differences(each, opened)]
    await doors.close()

    assert not found, "\n".join(found)
    assert doors.counted[0] == doors.counted[1] == doors.counted[2]


async def test_what_a_stranger_says_of_itself_counts_at_no_port(doors: Doors) -> None:
    plain, _, secure = await doors.open()

    assert [difference for each in STRANGERS for difference in await differences(each, [plain, secure])] == []
