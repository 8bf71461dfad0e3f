"""A restart that a phone asks for: the whole host goes and comes back, and the job is told as done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.box.host import until
from tests.box.machine import Box, RestartingBox, booted_to_restart
from tests.box.service import HELPER_SOCKET, UNIT, Service
from tests.box.tree import tree

pytestmark = pytest.mark.box

PLUGINS = "[plugins.hostservices]\nenabled = true\n[plugins.auth]\nenabled = true\n"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[RestartingBox]:
    """A box of its own: whatever else runs in one would end with it."""
    place = tmp_path / "machine"
    place.mkdir()
    with tree() as root, booted_to_restart(root, place, tmp_path / "console") as box:
        yield box


def boot_id(box: Box) -> str:
    return box.run("cat", "/proc/sys/kernel/random/boot_id")


def test_a_restart_is_done_when_the_host_is_back(machine: RestartingBox, wheel: Path) -> None:
    service = Service(machine.box)
    service.install(wheel)
    service.install_helper()
    machine.box.put("/etc/manor/conf.d/50-host.toml", PLUGINS)
    machine.box.run("systemctl", "enable", "--now", HELPER_SOCKET, UNIT)
    phone = {"Authorization": f"Bearer {service.device_token()}"}
    before = boot_id(machine.box)

    def ask(path: str) -> Any:
        answer = httpx.get(f"{service.url}{path}", headers=phone, timeout=30, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert ask("/system/reboot") == "System reboot has started"
    [asked] = ask("/api/host/jobs")
    half = "/var/lib/manor-host/.store.json.abcdefgh"
    machine.box.put(half, "a power cut came in between")
    machine.wait_for_restart()
    until(lambda: ask("/api/host/jobs")[0]["state"] != "running", "the job has no end", within=30)
    [job] = ask("/api/host/jobs")

    assert (asked["kind"], asked["state"]) == ("reboot", "running")
    assert boot_id(machine.box) != before
    assert (job["id"], job["state"], job["progress"]) == (asked["id"], "done", 1.0)
    assert not (machine.box.root / half.lstrip("/")).exists()
    assert job["message"] == "The host has restarted"
