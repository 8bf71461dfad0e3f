"""A whole host as a phone sees it, in a box of its own: what its services use, and a restart that comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.box.host import until
from tests.box.machine import RestartingBox, booted_to_restart
from tests.box.service import HELPER_SOCKET, UNIT, Service
from tests.box.tree import tree

pytestmark = pytest.mark.box

CONFIG = """\
[plugins.auth]
enabled = true
[plugins.hostservices]
enabled = true
[plugins.hostservices.services.manor]
units = ["manor.service"]
data = ["/srv/data"]
"""
HALF = "/var/lib/manor-host/.store.json.abcdefgh"


class Host:
    """A booted host with Manor and its root helper, and a phone that is in.

    Args:
        machine: The host.
        service: Manor.
    """

    def __init__(self, machine: RestartingBox, service: Service) -> None:
        self.machine = machine
        self._url = service.url
        self._headers = {"Authorization": f"Bearer {service.device_token()}"}

    def ask(self, path: str) -> Any:
        """Ask as the phone."""
        answer = httpx.get(f"{self._url}{path}", headers=self._headers, timeout=30, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def boot_id(self) -> str:
        """As the host tells it."""
        return self.machine.box.run("cat", "/proc/sys/kernel/random/boot_id")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Host]:
    """A host of its own: whatever else runs in a box would end with it."""
    folder = tmp_path_factory.mktemp("restarting")
    place = folder / "machine"
    place.mkdir()
    with tree() as root, booted_to_restart(root, place, folder / "console") as machine:
        service = Service(machine.box)
        service.install(wheel)
        service.install_helper()
        machine.box.put("/etc/manor/conf.d/50-host.toml", CONFIG)
        machine.box.run("systemctl", "enable", "--now", HELPER_SOCKET, UNIT)
        yield Host(machine, service)


def test_the_helper_sees_what_services_use_from_within_its_confinement(host: Host) -> None:
    box = host.machine.box
    box.run("sh", "-c", "mkdir -p /srv/data/in; head -c 300000 /dev/urandom > /srv/data/in/file")
    box.run("sh", "-c", "chown -R nobody /srv/data; chmod -R go= /srv/data")
    services: dict[str, dict[str, Any]] = {}

    def is_measured() -> bool:
        services.update({each["key"]: each for each in host.ask("/api/host/services")})
        return services["manor"]["data"] is not None

    until(is_measured, "nobody measures")
    said = box.run("du", "--summarize", "--block-size=1", "/srv/data")
    manor = services["manor"]

    assert (manor["data"]["bytes"], manor["data"]["is_whole"]) == (int(said.split()[0]), True)
    assert manor["memory"] > 10 << 20
    assert manor["cpu_seconds"] > 0
    assert services["gitea"]["data"] is None


def test_a_restart_is_done_when_the_host_is_back(host: Host) -> None:
    before = host.boot_id()
    assert host.ask("/system/reboot") == "System reboot has started"
    [asked] = host.ask("/api/host/jobs")
    host.machine.box.put(HALF, "the power went while this was written")
    host.machine.wait_for_restart()
    until(lambda: host.ask("/api/host/jobs")[0]["state"] != "running", "the job has no end", within=30)
    [job] = host.ask("/api/host/jobs")

    assert (asked["kind"], asked["state"]) == ("reboot", "running")
    assert host.boot_id() != before
    assert (job["id"], job["state"], job["progress"]) == (asked["id"], "done", 1.0)
    assert job["message"] == "The host has restarted"
    assert not (host.machine.box.root / HALF.lstrip("/")).exists()
