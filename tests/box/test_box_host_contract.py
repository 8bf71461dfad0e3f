"""What the SelfPrivacy API answers on a booted Debian: the same checks as on every other host."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio

from manor.testing import Client, House
from manor.tokens import NewToken
from manor_hostservices.verbs import SetSsh, Verb
from tests.box.host import CONFIG, HostInBox, Server
from tests.host_contract import CHECKS, HostApi, Said
from tests.host_helper import open_helper

pytestmark = pytest.mark.box

A = TypeVar("A")

UNATTENDED = "usr/bin/unattended-upgrade"


class InBox:
    """The back end in the box, behind the border; a `Host`."""

    def __init__(self, host: HostInBox) -> None:
        self._host = host
        self._turn = trio.Lock()

    async def ask(self, verb: Verb[A]) -> A:
        async with self._turn:
            answer: A = await trio.to_thread.run_sync(self._host.ask, verb)
            return answer


@pytest.fixture
def house_plugins() -> Sequence[str]:
    return ["auth", "hostservices"]


@pytest.fixture
def house_config(tmp_path: Path) -> Mapping[str, Any]:
    host = {**CONFIG, "backend": "systemd", "helper_socket": str(tmp_path / "host.sock")}
    return {"server": {"limits": {"address_limit_factor": 0}}, "plugins": {"hostservices": host}}


async def test_a_booted_debian_answers_as_every_host_does(
    host: HostInBox, ssh_server: Server, house: House, client: Client, tmp_path: Path
) -> None:
    host.box.put(f"/{UNATTENDED}", "#!/bin/sh\n", 0o755)
    host.ask(SetSsh(enable=True))
    made = await house.run_command("token.new", NewToken("device", "phone"))
    phone = client(headers={"Authorization": f"Bearer {made.secret}"})

    async def ask(method: str, path: str, body: Any = None) -> Said:
        if isinstance(body, bytes):
            answer = await phone.request(method, path, body=body, headers={"Content-Type": "application/json"})
        else:
            answer = await phone.request(method, path, json=body)
        return answer.status, json.loads(answer.body) if answer.body else None

    api = HostApi(ask, installed=("gitea", "nextcloud"), absent=("bitwarden",), primary="chief")
    async with open_helper(tmp_path / "host.sock", InBox(host)):
        for name, check in CHECKS.items():
            try:
                await check(api)
            except AssertionError as fault:
                # One house and one box for all of them: a house for each would take longer than they do.
                fault.add_note(f"in {name}")
                raise
    host.ask(SetSsh(enable=False))
    for left in (UNATTENDED, "etc/ssh/sshd_config.d/50-manor.conf", "etc/apt/apt.conf.d/52manor-auto-upgrades"):
        (host.box.root / left).unlink()
