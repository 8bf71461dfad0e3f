"""A house with a host: a folder, or NixOS's files behind a real helper at a real socket."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from manor.testing import Client, House
from manor.tokens import NewToken
from manor_hostservices.assembly import make_backups
from manor_hostservices.backends.nixos import NixOs
from manor_hostservices.config import HostConfig
from manor_hostservices.desk import Desk
from manor_hostservices.helper.server import Helper
from manor_hostservices.jobs.in_process import InProcessJobs
from manor_hostservices.jobs.ledger import Ledger
from manor_hostservices.places import Places
from manor_hostservices.programs import WrittenDown
from tests.host_backups import BackedUp, prepared
from tests.host_contract import HostApi, Said
from tests.host_pages import browser_of
from tests.page_reading import Reader


@pytest.fixture
def house_plugins() -> Sequence[str]:
    return ["auth", "hostservices"]


@pytest.fixture
def host_table() -> Mapping[str, Any]:
    """Further keys of `[plugins.hostservices]`. Override to taste."""
    return {}


@pytest.fixture
def house_config(tmp_path: Path, host_table: Mapping[str, Any]) -> Mapping[str, Any]:
    host = {"backend": "sandbox", "root": str(tmp_path / "host"), **host_table}
    return {"server": {"limits": {"address_limit_factor": 0}}, "plugins": {"hostservices": host}}


@pytest.fixture
async def phone(house: House, client: Client) -> Client:
    """A device that is in."""
    made = await house.run_command("token.new", NewToken("device", "phone"))
    return client(headers={"Authorization": f"Bearer {made.secret}"})


@pytest.fixture
async def root(house: House, client: Client) -> Reader:
    """An administrator's browser, just signed in."""
    return await browser_of(house, client, "root1", is_admin=True)


@pytest.fixture
def api(phone: Client) -> HostApi:
    return HostApi(asking(phone))


def asking(client: Client) -> Any:
    """Asks as the checks of every host do."""

    async def ask(method: str, path: str, body: Any = None) -> Said:
        sent: dict[str, Any] = {}
        if isinstance(body, bytes):
            sent = {"body": body, "headers": {"Content-Type": "application/json"}}
        elif body is not None:
            sent = {"json": body}
        answer = await client.request(method, path, **sent)
        return answer.status, json.loads(answer.body) if answer.body else None

    return ask


@pytest.fixture
async def nixos_helper(tmp_path: Path, clock: Any) -> AsyncIterator[Path]:
    """The socket of a helper that manages NixOS's files in a folder."""
    places, programs, config = Places(tmp_path / "host"), WrittenDown(), HostConfig(backend="nixos")
    places.at(config.userdata).parent.mkdir(parents=True)
    backend = NixOs(config, places, programs)
    backups = make_backups(config, places, programs)
    jobs = InProcessJobs(Ledger(places, clock, "boot"), backend, backups)
    path = tmp_path / "host.sock"
    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(str(path))
    sock.listen()
    helper = Helper(Desk(backend, jobs, backups), {os.getuid()})
    async with trio.SocketListener(sock) as listener, trio.open_nursery() as nursery:
        await nursery.start(jobs.run)
        nursery.start_soon(helper.serve, listener)
        yield path
        nursery.cancel_scope.cancel()


@pytest.fixture(scope="session")
def backed_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host with one backup: made once, for restic takes a second to make keys."""
    return prepared(tmp_path_factory.mktemp("backups") / "host [1]", "backup")


@pytest.fixture
def host(backed_up: Path, tmp_path: Path) -> BackedUp:
    """A host with one backup of its own."""
    shutil.copytree(backed_up, tmp_path / "host [1]")
    return BackedUp(tmp_path / "host [1]")
