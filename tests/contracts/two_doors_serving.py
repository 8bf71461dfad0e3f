"""The same routes behind three doors: a port in the clear, a Unix socket, and a port with TLS. Fixtures."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio

from manor.daemon import Tls
from manor.dispatch import Call, Settings
from tests.contracts.two_doors import CERTIFICATES, PATIENCE, PROBE_PATH, Door, tcp, tls, unix
from tests.contracts.two_doors_routes import ROUTES
from tests.core.web.conftest import serve as serve
from tests.core.web.serving import Running, Serve

_SETTINGS = Settings(cors_origins=("https://app.example",))


@pytest.fixture
def is_fronted() -> bool:
    """The doors in the clear are the front's; hypercorn serves TLS."""
    return True


@pytest.fixture
def certificate(tmp_path: Path) -> Tls:
    """One that `two_doors.tls` trusts."""
    for kind in ("cert", "key"):
        shutil.copy(CERTIFICATES / f"first.{kind}.pem", tmp_path / f"{kind}.pem")
    return Tls(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))


class Doors:
    """The routes of `two_doors_routes` behind each door, and what the metrics were told of each."""

    def __init__(self, serve: Serve, certificate: Tls, folder: Path) -> None:
        self._serve = serve
        self._certificate = certificate
        self._folder = folder
        self._running: list[Running] = []
        self.counted: list[Counter[tuple[str, str, int]]] = []

    async def open(self, **web: Any) -> list[Door]:
        """The three of them, TLS last; `web` are options of theirs (`WebOptions`)."""
        plain = await self._open(web)
        local = await self._open(web, bind=f"unix:{self._folder}/http.sock")
        secure = await self._open(web, tls=self._certificate)
        return [
            tcp(int(plain.address.rpartition(":")[2])),
            unix(local.address.removeprefix("unix:")),
            tls(int(secure.address.rpartition(":")[2])),
        ]

    async def _open(self, web: dict[str, Any], **more: Any) -> Running:
        counted: Counter[tuple[str, str, int]] = Counter()

        def observe(call: Call, status: int, seconds: float) -> None:
            if call.head.path != PROBE_PATH:  # only a kept connection is probed, and some may be kept or not
                counted[call.api.name, call.head.method, status] += 1

        running = await self._serve(
            *ROUTES,
            settings=_SETTINGS,
            web={"observe": observe, "access_log": True, **web},
            limits={"connections_per_address": 0},
            connection={"linger": 0.1},
            **more,
        )
        self._running.append(running)
        self.counted.append(counted)
        return running

    async def close(self) -> None:
        """Have all that was asked counted."""
        for running in self._running:
            running.stop.set()
            with trio.fail_after(PATIENCE):
                await running.ended.wait()


@pytest.fixture
def doors(serve: Serve, certificate: Tls, tmp_path: Path) -> Doors:
    """Not open yet."""
    return Doors(serve, certificate, tmp_path)
