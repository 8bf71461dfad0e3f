"""Manor in the box: installed as packaging/README.md says, driven by systemctl inside and by HTTP from outside."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx

from tests.box.machine import Box

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
TOPIC = "welcome"
UNIT = "manor.service"
SOCKET = "manor.socket"
HELPER = "manor-host.service"
HELPER_SOCKET = "manor-host.socket"


class Service:
    """The installed daemon, on a port of its own that the box and this machine share."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def install(self, wheel: Path) -> None:
        """Do what the README tells an administrator to do, and choose the port."""
        self.box.put(f"/root/{wheel.name}", "")
        (self.box.root / "root" / wheel.name).write_bytes(wheel.read_bytes())
        self.box.run("/opt/manor/bin/pip", "install", "--quiet", "--no-index", "--no-deps", f"/root/{wheel.name}")
        for name, target in (
            (UNIT, f"/etc/systemd/system/{UNIT}"),
            (SOCKET, f"/etc/systemd/system/{SOCKET}"),
            ("manor.sysusers", "/usr/lib/sysusers.d/manor.conf"),
            ("manor.tmpfiles", "/usr/lib/tmpfiles.d/manor.conf"),
            ("config.toml", "/etc/manor/config.toml"),
        ):
            self.box.put(target, (PACKAGING / name).read_text())
        bind = f'[server]\nbind = ["127.0.0.1:{self.port}"]\n[server.limits]\naddress_limit_factor = 0\n'
        self.box.put("/etc/manor/conf.d/10-box.toml", bind)
        listen = f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{self.port}\n"
        self.box.put(f"/etc/systemd/system/{SOCKET}.d/port.conf", listen)
        self.box.run("systemd-sysusers", "manor.conf")
        self.box.run("systemd-tmpfiles", "--create", "manor.conf")
        self.box.run("systemctl", "daemon-reload")

    def install_helper(self, idle_seconds: int = 30) -> None:
        """Install the root helper.

        Args:
            idle_seconds: After which it goes when nobody asks.
        """
        for name in (HELPER, HELPER_SOCKET):
            self.box.put(f"/etc/systemd/system/{name}", (PACKAGING / name).read_text())
        start = f"ExecStart=\nExecStart=/opt/manor/bin/python -I -m manor_hostservices.helper {idle_seconds}\n"
        self.box.put(f"/run/systemd/system/{HELPER}.d/test.conf", f"[Service]\n{start}")
        self.box.run("systemctl", "daemon-reload")

    def device_token(self) -> str:
        """Let a phone in."""
        config = ("--config", "/etc/manor/config.toml")
        return self.box.run("/opt/manor/bin/manor", "token", "new", "--kind", "device", "--label", "phone", *config)

    def reset(self) -> None:
        """Stop everything and forget the data, the journal's and systemd's memory of failures, and what a test set."""
        self.box.run("systemctl", "stop", SOCKET, UNIT)
        self.box.attempt("systemctl", "reset-failed", SOCKET, UNIT)
        self.box.run("sh", "-c", "rm -rf /var/lib/manor /run/systemd/system/manor.service.d /etc/manor/conf.d/50-*")
        self.box.run("journalctl", "--rotate", "--vacuum-time=1s", "--quiet")
        self.box.run("systemctl", "daemon-reload")

    def start(self, unit: str = UNIT) -> None:
        """`systemctl start`; returns when the unit is ready."""
        self.box.run("systemctl", "start", unit)

    def override(self, text: str) -> None:
        """Change the unit for this test."""
        self.box.put("/run/systemd/system/manor.service.d/test.conf", text)
        self.box.run("systemctl", "daemon-reload")

    def state(self) -> str:
        """`active`, `activating`, `inactive`, `failed` …"""
        return self.box.show(UNIT, "ActiveState")

    def main_pid(self) -> int:
        """The daemon's process id inside the box; 0 when there is none."""
        return int(self.box.show(UNIT, "MainPID"))

    def signal(self, name: str) -> None:
        """Send the daemon a signal."""
        self.box.run("systemctl", "kill", "--kill-whom=main", f"--signal={name}", UNIT)

    def wait_for_another(self, pid: int, *, within: float) -> float:
        """Wait until another process than `pid` is ready; returns the seconds that it took."""
        began = time.monotonic()
        while time.monotonic() < began + within:
            if self.main_pid() not in (0, pid) and self.state() == "active":
                return time.monotonic() - began
            time.sleep(0.1)
        raise AssertionError(f"no new process within {within} s:\n{self.box.journal(UNIT)}")

    def publish(self, text: str) -> None:
        """Publish one message and insist on its acknowledgement."""
        # The service may be starting behind its socket, hence the patience.
        answer = httpx.post(f"{self.url}/{TOPIC}", content=text.encode(), timeout=30, trust_env=False)
        assert answer.status_code == 200, answer.text

    def history(self) -> list[str]:
        """The texts of the topic's newest hundred messages, oldest first."""
        answer = httpx.get(f"{self.url}/{TOPIC}/json?since=all&limit=100", timeout=30, trust_env=False)
        return [message["message"] for message in answer.json()["messages"]]


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
