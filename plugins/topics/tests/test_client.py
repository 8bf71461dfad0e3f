"""Following topics from a shell: what a lost connection costs, and what ends it for good."""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import trio
import trio_websocket
from click import Command
from click.testing import CliRunner

from manor.cli import Failure, NoPermission, Unavailable
from manor.cli.address import Address, daemon_address
from manor_topics.cli import publish, subscribe, told, topics
from manor_topics.client import Following, follow

READY = {"type": "ready", "topic": "news", "timestamp": "2030-01-02T12:00:00Z"}


def message(number: int) -> dict[str, Any]:
    return {"type": "message", "id": f"id-{number}", "message": str(number)}


class Daemon:
    """What a daemon would say on each connection, one script after the other; it notes how each one was asked for."""

    def __init__(self, *scripts: Callable[[Any], Awaitable[None]]) -> None:
        self.asked: list[dict[str, str]] = []
        self._scripts = list(scripts)

    async def serve(self, *, task_status: trio.TaskStatus[int]) -> None:
        async with trio.open_nursery() as nursery:
            serving = partial(trio_websocket.serve_websocket, self._converse, "127.0.0.1", 0, None)
            server = await nursery.start(serving)
            task_status.started(server.port)

    async def _converse(self, request: Any) -> None:
        self.asked.append(dict(parse_qsl(request.path.partition("?")[2])))
        await self._scripts.pop(0)(request)


def says(*frames: dict[str, Any], code: int = 1013) -> Callable[[Any], Awaitable[None]]:
    async def run(request: Any) -> None:
        async with await request.accept() as connection:
            for frame in frames:
                await connection.send_message(json.dumps(frame))
            await connection.aclose(code, "")

    return run


def refuses(status: int, detail: str) -> Callable[[Any], Awaitable[None]]:
    async def run(request: Any) -> None:
        await request.reject(status, body=json.dumps({"detail": detail}).encode())

    return run


GONE = says(code=4404)


async def followed(daemon: Daemon, *, since: str = "") -> tuple[list[Any], Failure]:
    """All that was told, and how it ended."""
    heard: list[Any] = []
    async with trio.open_nursery() as nursery:
        port = await nursery.start(daemon.serve)
        with pytest.raises(Failure) as ended, trio.fail_after(20):
            await follow(Address("127.0.0.1", port), Following("news", since), heard.append, first_wait=0.01)
        nursery.cancel_scope.cancel()
    return heard, ended.value


async def test_a_lost_connection_goes_on_behind_the_last_message() -> None:
    daemon = Daemon(says(READY, message(1), message(2)), says(READY, message(3)), GONE)

    heard, _ = await followed(daemon)

    assert [frame["id"] for frame in heard if frame["type"] == "message"] == ["id-1", "id-2", "id-3"]
    assert daemon.asked == [{}, {"since_id": "id-2"}, {"since_id": "id-3"}]


async def test_without_a_message_it_goes_on_from_when_listening_began() -> None:
    daemon = Daemon(says(READY), says(READY, message(1)), GONE)

    await followed(daemon)

    assert daemon.asked == [{}, {"since": READY["timestamp"]}, {"since_id": "id-1"}]


async def test_a_replay_that_was_cut_before_its_first_message_is_asked_for_again() -> None:
    daemon = Daemon(says(READY), GONE)

    await followed(daemon, since="2h")

    assert daemon.asked == [{"since": "2h"}, {"since": "2h"}]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_daemon_that_cannot_now_is_asked_again(status: int) -> None:
    daemon = Daemon(refuses(status, "not now"), refuses(status, "not now"), says(READY, message(1)), GONE)

    heard, _ = await followed(daemon)

    assert heard[-1] == message(1)


@pytest.mark.parametrize(
    ("ending", "kind", "why"),
    [
        (refuses(404, "There is no topic 'news'"), Failure, "There is no topic 'news'"),
        (refuses(401, "A credential is needed"), NoPermission, "A credential is needed"),
        (refuses(403, "Not you"), NoPermission, "Not you"),
        (says(READY, code=4401), NoPermission, "news: the credential was revoked"),
        (says(READY, code=4403), NoPermission, "news: the topic may not be read any longer"),
        (says(READY, code=4404), Failure, "news: the topic is gone"),
    ],
)
async def test_some_things_end_it_for_good(
    ending: Callable[[Any], Awaitable[None]], kind: type[Failure], why: str
) -> None:
    _, failure = await followed(Daemon(ending))

    assert (type(failure), failure.message) == (kind, why)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_a_daemon_that_is_not_there_at_the_start_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:\d+ cannot be reached"):
        await follow(Address("127.0.0.1", free_port()), Following("news"), print)


def test_publishing_to_nobody_is_exit_69(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[server]\nbind = ["127.0.0.1:{free_port()}"]\n')

    result = CliRunner().invoke(publish, ["news", "hello", "--config", str(config)])

    assert (result.exit_code, "cannot be reached" in result.stderr) == (69, True)


def test_what_is_published_from_a_pipe_is_utf_8(tmp_path: Path) -> None:
    result = CliRunner().invoke(publish, ["news", "-", "--url", "http://127.0.0.1:1"], input=b"\xff")

    assert (result.exit_code, result.stderr) == (1, "standard input is not UTF-8\n")


@pytest.mark.parametrize(
    ("command", "arguments", "culprit"),
    [
        (publish, ["news", "caf\udce9"], "MESSAGE"),
        (publish, ["caf\udce9", "x"], "TOPIC"),
        (publish, ["news", "x", "--title", "caf\udce9"], "--title"),
        (publish, ["news", "x", "--tags", "a,caf\udce9"], "--tags"),
        (subscribe, ["caf\udce9"], "TOPIC..."),
        (subscribe, ["news", "--since", "caf\udce9"], "--since"),
        (topics, ["create", "caf\udce9"], "NAME..."),
        (topics, ["create", "news", "--description", "caf\udce9"], "--description"),
    ],
)
def test_arguments_that_are_not_utf_8_are_a_misuse(command: Command, arguments: list[str], culprit: str) -> None:
    # So Python hands over bytes of the command line that it cannot decode.
    result = CliRunner().invoke(command, arguments)

    assert result.exit_code == 2
    assert f"Invalid value for '{culprit}': it is not UTF-8" in result.stderr


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ('["127.0.0.1:8080"]', "http://127.0.0.1:8080"),
        ('["0.0.0.0:80"]', "http://127.0.0.1:80"),
        ('["[::]:8080"]', "http://[::1]:8080"),
        ('["fd://3", "127.0.0.1:9"]', "http://127.0.0.1:9"),
        ('["unix:/run/manor/http.sock"]', "unix:/run/manor/http.sock"),
    ],
)
def test_the_daemon_is_where_the_configuration_binds_it(tmp_path: Path, bind: str, address: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"[server]\nbind = {bind}\n")

    assert str(daemon_address(config, None)) == address


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://example.org", "http://", "http://a:99999"])
def test_a_url_that_is_none_is_a_misuse(url: str) -> None:
    with pytest.raises(Failure, match="expected an address as") as misuse:
        daemon_address(None, url)

    assert misuse.value.exit_code == 2


def test_a_prefix_stays_before_every_path() -> None:
    address = daemon_address(None, "https://example.org/manor/")

    assert (str(address), Following("a b").resource(address.prefix)) == (
        "https://example.org:443/manor",
        "/manor/a%20b/ws",
    )


def test_a_message_cannot_command_the_terminal_of_its_reader() -> None:
    frame = {
        "timestamp": "2030-01-02T12:00:00.5Z",
        "topic": "news",
        "priority": 2,
        "title": "\x1b[2Jboo",
        "message": "one\r\ntwo\x07",
        "tags": ["x"],
    }

    assert told(frame) == "2030-01-02T12:00:00Z  news  P2  \ufffd[2Jboo: one\n    two\ufffd  #x"
