"""Chat in a daemon that is told to stop while people write, and that is told to import while it runs."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.json import encode
from wsproto.events import AcceptConnection, CloseConnection

from tests.chat_moving import SMALL, as_lines, post
from tests.e2e.clients import EndedEarly, Socket, ask, connected
from tests.e2e.daemon import Daemon

PASSWORD = "correct horse battery"
API = "/api/v4"
WRITERS = 4
WRITTEN_BEFORE = 40
EXIT_WITHIN = 10


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with chat, and Ann and Bob."""
    plugins = {"chat": {"enabled": True}, "topics": {"enabled": False}, "auth": {"enabled": False}}
    running = Daemon(tmp_path_factory.mktemp("chat"), {"plugins": plugins})
    running.start()
    try:
        for name in ("ann", "bob"):
            added = running.manor(
                "user", "add", f"{name}@example.org", "--username", name, "--password-stdin", stdin=PASSWORD
            )
            assert added.returncode == 0, added.stderr
            assert running.manor("user", "verify", name).returncode == 0
        yield running
        assert running.stop() == 0
    finally:
        running.kill()


class Person:
    """Somebody who has signed in."""

    def __init__(self, port: int, token: str, user_id: str) -> None:
        self.port = port
        self.id = user_id
        self.bearer = f"Authorization: Bearer {token}"

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        sent = b"" if body is None else encode(body)
        answer = await ask(self.port, method, f"{API}{path}", sent, [self.bearer])
        assert answer.status in (200, 201), answer.body
        return answer.json


async def signed_in(daemon: Daemon, name: str) -> Person:
    body = encode({"login_id": name, "password": PASSWORD})
    answer = await ask(daemon.port, "POST", f"{API}/users/login", body)
    assert answer.status == 200, answer.body
    return Person(daemon.port, answer.headers["token"], answer.json["id"])


class Listener:
    """Somebody's WebSocket that goes on after it was cut."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self.connection_id = ""
        self.seqs: list[int] = []
        self.messages: list[str] = []

    async def hear(self, until: str = "", is_open: trio.Event | None = None) -> int:
        """Hear on until a message, or the end; returns the code that it was closed with, 0 for none."""
        name, _, value = self._person.bearer.partition(": ")
        wanted = self.seqs[-1] + 1 if self.seqs else 0
        path = f"{API}/websocket?connection_id={self.connection_id}&sequence_number={wanted}"
        async with connected(self._person.port) as wire:
            socket = Socket(wire)
            assert isinstance(await socket.open(path, [(name.encode(), value.encode())]), AcceptConnection)
            while not isinstance(frame := await socket.frame(), CloseConnection):
                self.seqs.append(frame["seq"])
                if frame["event"] == "hello":
                    self.connection_id = frame["data"]["connection_id"]
                    if is_open is not None:
                        is_open.set()
                if frame["event"] == "posted":
                    self.messages.append(json.loads(frame["data"]["post"])["message"])
                    if self.messages[-1] == until:
                        return 0
            return frame.code


async def test_a_stop_loses_no_post_that_was_answered(daemon: Daemon) -> None:
    ann, bob = await signed_in(daemon, "ann"), await signed_in(daemon, "bob")
    team = await ann.call("POST", "/teams", {"name": "stopping", "display_name": "Stopping", "type": "O"})
    await ann.call("POST", f"/teams/{team['id']}/members", {"team_id": team["id"], "user_id": bob.id})
    channel = await ann.call("GET", f"/teams/{team['id']}/channels/name/town-square")
    answered: list[str] = []
    enough = trio.Event()

    async def write(writer: int) -> None:
        with suppress(EndedEarly, trio.BrokenResourceError):
            async with connected(daemon.port) as wire:
                for number in range(100_000):
                    message = f"{writer}-{number}"
                    body = encode({"channel_id": channel["id"], "message": message})
                    answer = await wire.ask("POST", f"{API}/posts", body, [ann.bearer])
                    if answer.status == 503:
                        return
                    assert answer.status == 201, answer.body
                    answered.append(message)
                    if len(answered) >= WRITTEN_BEFORE:
                        enough.set()

    listeners = [Listener(bob), Listener(ann)]
    codes: list[int] = []

    async def listen(listener: Listener, is_open: trio.Event) -> None:
        codes.append(await listener.hear(is_open=is_open))

    running = daemon.running
    assert running is not None
    async with trio.open_nursery() as nursery:
        for listener in listeners:
            is_open = trio.Event()
            nursery.start_soon(listen, listener, is_open)
            await is_open.wait()
        for writer in range(WRITERS):
            nursery.start_soon(write, writer)
        await enough.wait()
        running.signal(signal.SIGTERM)
        with trio.fail_after(EXIT_WITHIN):
            assert await running.exit_code() == 0
    assert "Traceback" not in running.log.text
    assert codes == [1001, 1001]
    daemon.start()

    await ann.call("POST", "/posts", {"channel_id": channel["id"], "message": "the last"})
    for listener in listeners:
        known = listener.connection_id
        await listener.hear(until="the last")

        assert listener.connection_id == known, "it goes on where it was"
        assert listener.seqs == list(range(len(listener.seqs)))
        assert len(set(listener.messages)) == len(listener.messages)
        assert set(answered) <= set(listener.messages)


async def test_a_running_daemon_imports(daemon: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    file.write_bytes(as_lines([*SMALL, post("from elsewhere", 1), post("and on", 2, by="bob")]))
    ann = await signed_in(daemon, "ann")

    done = [daemon.manor("chat", "import", str(file)) for _ in range(2)]

    assert [each.returncode for each in done] == [0, 0], done[0].stderr + done[1].stderr
    assert "2 posts were new" in done[0].stdout
    assert "nothing was changed" in done[1].stdout
    team = await ann.call("GET", "/teams/name/crew")
    channel = await ann.call("GET", f"/teams/{team['id']}/channels/name/off-topic")
    posts = await ann.call("GET", f"/channels/{channel['id']}/posts")
    said = [posts["posts"][each]["message"] for each in posts["order"]]
    assert [each for each in said if each in ("and on", "from elsewhere")] == ["and on", "from elsewhere"]
