"""Clients made for a Mattermost server, unmodified, on a real port: the apps' library, a bot, a sender of alerts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.json import encode

from tests.e2e.clients import ask
from tests.e2e.daemon import DEADLINE, Daemon

CLIENTS = Path(__file__).parents[1] / "clients"
NODE = Path(sys.executable).with_name("node")
APPRISE = (sys.executable, "-c", "from apprise.cli import main; main()")
PASSWORD = "correct horse battery"
API = "/api/v4"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with chat, and Ann, who administers it, and Bob."""
    tables = {
        "identity": {"argon2_memory_mib": 19, "argon2_time": 2},
        "plugins": {"chat": {"enabled": True}, "topics": {"enabled": False}, "auth": {"enabled": False}},
    }
    running = Daemon(tmp_path_factory.mktemp("chat"), tables)
    running.start()
    try:
        for name, more in (("ann", ["--admin"]), ("bob", [])):
            mail = f"{name}@example.org"
            added = running.manor("user", "add", mail, "--username", name, "--password-stdin", *more, stdin=PASSWORD)
            assert added.returncode == 0, added.stderr
            assert running.manor("user", "verify", name).returncode == 0
        yield running
        log = running.log.text
        assert "Traceback" not in log, log
        assert running.stop() == 0
    finally:
        running.kill()


def told_by(*command: str) -> dict[str, Any]:
    """What a client's last line says, once it has ended well."""
    done = subprocess.run(command, cwd=CLIENTS, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_a_day_in_a_team_with_the_apps_own_library(daemon: Daemon) -> None:
    """Each step is checked in the script; the network was cut four times while people wrote."""
    assert told_by(str(NODE), "chat_day.mjs", daemon.url)["closes"] >= 1


def test_a_bot_of_the_python_driver_hears_answers_and_is_shut_out(daemon: Daemon) -> None:
    told = told_by(sys.executable, "chat_bot.py", daemon.url, "ann", PASSWORD)

    assert told["messages"] == ["Are you there, @watcher?", "At your service"]
    assert told["reactions"] == ["white_check_mark"]
    assert told["first"] == "hello"


async def test_apprise_sends_alerts_through_an_incoming_webhook(daemon: Daemon) -> None:
    signed_in = await ask(daemon.port, "POST", f"{API}/users/login", encode({"login_id": "ann", "password": PASSWORD}))
    bearer = [f"Authorization: Bearer {signed_in.headers['token']}"]

    async def call(method: str, path: str, body: Any = None) -> Any:
        answer = await ask(daemon.port, method, f"{API}{path}", b"" if body is None else encode(body), bearer)
        assert answer.status in (200, 201), answer.body
        return answer.json

    team = await call("POST", "/teams", {"name": "ops", "display_name": "Ops", "type": "I"})
    channel = await call("GET", f"/teams/{team['id']}/channels/name/off-topic")
    hook = await call("POST", "/hooks/incoming", {"channel_id": channel["id"], "display_name": "Alerts"})

    address = f"mmost://127.0.0.1:{daemon.port}/{hook['id']}"
    command = [*APPRISE, "-t", "Disk", "-b", "is full on db1", address]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    posts = await call("GET", f"/channels/{channel['id']}/posts")
    newest = posts["posts"][posts["order"][0]]
    assert "is full on db1" in newest["message"]
    assert newest["props"]["from_webhook"] == "true"
