"""A fresh machine: one command starts the daemon, and what it prints works when it is typed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import ask, listening
from tests.e2e.daemon import DEADLINE, Running, free_port, spawn


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Running]]:
    running: list[Running] = []
    yield running
    for each in running:
        each.kill()


def start(folder: Path, port: int, started: list[Running]) -> dict[str, str]:
    """Start without any configuration; returns what is printed, by its first words."""
    running = spawn("serve", folder=folder, environment={"MANOR_SERVER__BIND": f"127.0.0.1:{port}"})
    started.append(running)
    running.said.wait_for("Try:")
    return {
        "url": running.said.lines[0].removeprefix("Manor is at ").strip(),
        "data": running.said.lines[1].removeprefix("Its data is in ").strip(),
        "try": running.said.lines[2].removeprefix("Try:").strip(),
    }


def try_while_listening(url: str, line: str, daemon: Running) -> None:
    """Type the line into a shell while another one listens; then stop the daemon."""
    with subprocess.Popen(["curl", "-sN", f"{url}/welcome/sse"], stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "retry: 3000\n"
        assert listener.stdout.readline() == "event: ready\n"
        tried = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=DEADLINE)
        assert tried.returncode == 0
        assert '"message":"Hello"' in tried.stdout
        heard = next(line for line in listener.stdout if line.startswith("data: ") and '"id"' in line)
        assert '"message":"Hello"' in heard
        assert daemon.stop() == 0
        assert listener.wait(DEADLINE) == 0, "to curl the stream ended as it should"


async def test_the_line_to_try_is_heard_by_a_listening_curl_and_outlives_a_restart(
    tmp_path: Path, started: list[Running]
) -> None:
    assert shutil.which("curl")
    port = free_port()
    said = start(tmp_path, port, started)

    assert said == {
        "url": f"http://127.0.0.1:{port}",
        "data": str(tmp_path / "data"),
        "try": f"curl -d 'Hello' http://127.0.0.1:{port}/welcome",
    }
    try_while_listening(said["url"], said["try"], started[0])

    start(tmp_path, port, started)

    history = await ask(port, "GET", "/welcome/json")
    assert [message["message"] for message in history.json["messages"]] == ["Hello"]
    topics = await ask(port, "GET", "/api/topics")
    assert [(topic["name"], topic["message_count"]) for topic in topics.json] == [("welcome", 1)]
    async with listening(port, "welcome", query="?since=all") as events:
        assert [heard.json["message"] for heard in await events.messages(1)] == ["Hello"]


def test_its_data_is_for_its_owner_alone(tmp_path: Path, started: list[Running]) -> None:
    start(tmp_path, free_port(), started)

    files = [path for path in (tmp_path / "data").rglob("*") if not path.is_dir()]
    modes = {path.name: path.stat().st_mode & 0o077 for path in files}

    assert {"manor.db", "manor.lock", "control.sock"} <= modes.keys()
    assert set(modes.values()) == {0}
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
