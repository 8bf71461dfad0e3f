"""The daemon's end of the border to the root helper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from manor_hostservices.config import HostConfig
from manor_hostservices.helper.client import HelperHost
from manor_hostservices.helper.configured import Configured
from manor_hostservices.helper.wire import LINE_LIMIT, encode_verb
from manor_hostservices.host import Host
from manor_hostservices.refusals import Failed, Invalid, NotHere, Unconfigured
from manor_hostservices.verbs import (
    AddKey,
    Job,
    ReadJobs,
    ReadTimezone,
    ReadUsers,
    SetTimezone,
    Verb,
)
from tests.host_helper import listening, open_helper
from tests.host_stand_ins import Answers, Nobody, at, sandbox

# --- The daemon's end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: None, "nobody listens at {}"),
        (lambda path: listening(path).close(), "nobody listens at {}"),
        (lambda path: path.write_text("no socket"), "nobody listens at {}"),
    ],
    ids=["no file", "nobody behind it", "no socket"],
)
async def test_without_a_helper_there_is_looking_and_no_touching(
    tmp_path: Path, spoil: Callable[[Path], object], why: str
) -> None:
    spoil(at(tmp_path))
    host = HelperHost(str(at(tmp_path)), sandbox(tmp_path / "root"))

    assert await host.ask(ReadTimezone()) == "Europe/Uzhgorod"
    with pytest.raises(NotHere, match=r"read-only.*manor-host\.socket") as refused:
        await host.ask(SetTimezone("Europe/Berlin"))

    assert why.format(at(tmp_path)) in refused.value.detail
    assert host.trouble is not None
    assert await host.look() == host.trouble


async def test_what_only_root_may_read_is_told_so(tmp_path: Path) -> None:
    async def answer(verb: Verb[Any]) -> list[Job]:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(NotHere, match="Only root may look at this"):
        await HelperHost(str(at(tmp_path)), Answers(answer)).ask(ReadJobs())


async def test_a_helper_that_comes_back_is_asked_again(tmp_path: Path) -> None:
    host = HelperHost(str(at(tmp_path)), sandbox(tmp_path / "own"))
    assert await host.look() is not None
    with pytest.raises(NotHere):
        await host.ask(SetTimezone("Europe/Berlin"))

    async with open_helper(at(tmp_path), sandbox(tmp_path / "root")):
        assert await host.look() is None
        await host.ask(SetTimezone("Europe/Berlin"))
        assert await host.ask(ReadTimezone()) == "Europe/Berlin"


async def test_a_helper_that_does_not_believe_its_configuration_is_told_of_until_it_does(tmp_path: Path) -> None:
    trouble: list[str] = ["/etc/manor/config.toml: may be written by others than root"]

    async def answer(verb: Verb[Any]) -> str:
        if trouble:
            raise Unconfigured(trouble[0])
        return "UTC"

    async with open_helper(at(tmp_path), Answers(answer)):
        host = HelperHost(str(at(tmp_path)), Nobody())
        with pytest.raises(Unconfigured, match="may be written by others"):
            await host.ask(ReadTimezone())
        assert await host.look() == trouble[0]
        trouble.clear()
        assert await host.look() is None
        assert await host.ask(ReadTimezone()) == "UTC"


async def test_looking_whether_there_is_one_starts_none(tmp_path: Path) -> None:
    with listening(at(tmp_path)) as socket_:
        assert await HelperHost(str(at(tmp_path)), Nobody()).look() is None
        socket_.setblocking(False)
        with pytest.raises(BlockingIOError):
            socket_.accept()


@pytest.mark.parametrize(
    "said",
    [b"", b'{"answer":"Europe', b"{}\n", b'{"answer":3}\n', b"what?\n", b'{"refused":{"kind":"odd","detail":""}}\n'],
)
async def test_a_helper_that_makes_no_sense_is_a_failure(tmp_path: Path, said: bytes) -> None:
    with listening(at(tmp_path)) as socket_:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(socket_.dup()))

        async def serve(stream: trio.SocketStream) -> None:
            await stream.receive_some()
            await stream.send_all(said)

        async with listener, trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, serve, [listener])
            with pytest.raises(Failed):
                await HelperHost(str(at(tmp_path)), Nobody()).ask(ReadTimezone())
            nursery.cancel_scope.cancel()


def test_a_verb_that_would_be_too_long_is_not_sent() -> None:
    assert len(encode_verb(AddKey("eve", "x" * 8192))) < LINE_LIMIT
    with pytest.raises(Invalid):
        encode_verb(AddKey("eve", "x" * LINE_LIMIT))


async def test_a_changed_configuration_is_taken_at_the_next_call(tmp_path: Path) -> None:
    configs = [HostConfig(primary_user="first"), HostConfig(primary_user="first"), HostConfig(primary_user="second")]
    made: list[str] = []

    def make(config: HostConfig) -> Host:
        made.append(config.primary_user)
        return sandbox(tmp_path)

    host = Configured(lambda: configs.pop(0), make)
    for _ in range(3):
        await host.ask(ReadUsers())

    assert made == ["first", "second"]
