"""D-Bus as the back end for systemd speaks it: with a bus that answers, errs, goes away or never answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from jeepney import DBusAddress, Message, new_error, new_method_return, new_signal
from trio.testing import MockClock

from manor_hostservices.backends.systemd.bus import Bus
from manor_hostservices.backends.systemd.units import MANAGER, Units
from manor_hostservices.config import HostConfig
from manor_hostservices.jobs.units import UnitJobs, unit_name
from manor_hostservices.refusals import Conflicting, Failed, HostRefusal, Invalid, Missing, NotHere
from manor_hostservices.verbs import ReadJobs
from tests.host_bus import Say, answering, member, speaking
from tests.host_jobs import asked, job_id, new_ledger

JOB = "/org/freedesktop/systemd1/job/7"


async def call(bus: Bus) -> Any:
    async with bus.line() as line:
        return await line.call(MANAGER, "StartUnit", "ss", ("a.service", "replace"))


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("org.freedesktop.DBus.Error.AccessDenied", NotHere),
        ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", NotHere),
        ("org.freedesktop.DBus.Error.ServiceUnknown", NotHere),
        ("org.freedesktop.systemd1.NoSuchUnit", Missing),
        ("org.freedesktop.systemd1.UnitMasked", Conflicting),
        ("org.freedesktop.DBus.Error.InvalidArgs", Invalid),
        ("org.freedesktop.DBus.Error.Failed", Failed),
        ("org.freedesktop.systemd1.SomethingNew", Failed),
    ],
)
async def test_an_error_is_a_refusal_with_its_text(tmp_path: Path, name: str, refusal: type[HostRefusal]) -> None:
    async def err(message: Message, say: Say) -> None:
        await say(new_error(message, name, "s", ("Because.",)))

    async with answering(tmp_path, speaking(err)) as bus:
        with pytest.raises(refusal, match=r"Because\.$"):
            await call(bus)


async def test_an_error_without_a_text_has_its_name(tmp_path: Path) -> None:
    async def err(message: Message, say: Say) -> None:
        await say(new_error(message, "org.example.Odd"))

    async with answering(tmp_path, speaking(err)) as bus:
        with pytest.raises(Failed, match=r"^org\.example\.Odd$"):
            await call(bus)


async def _hang_up(stream: trio.SocketStream) -> None:
    await stream.aclose()


async def _hang_up_when_asked(stream: trio.SocketStream) -> None:
    while b"\n" not in await stream.receive_some():
        pass
    await stream.aclose()


async def _refuse(stream: trio.SocketStream) -> None:
    await stream.receive_some()
    await stream.send_all(b"REJECTED EXTERNAL\r\n")
    await stream.receive_some()


async def _talk_nonsense(stream: trio.SocketStream) -> None:
    await stream.receive_some()
    await stream.send_all(b"\xff\x00nonsense\r\n")
    await stream.receive_some()


async def _hang_up_after_the_handshake(stream: trio.SocketStream) -> None:
    await stream.receive_some()
    await stream.send_all(b"OK 0123456789abcdef0123456789abcdef\r\n")
    await stream.receive_some()
    await stream.aclose()


@pytest.mark.parametrize(
    "serve", [_hang_up, _hang_up_when_asked, _refuse, _talk_nonsense, _hang_up_after_the_handshake]
)
async def test_a_bus_that_lets_nobody_in_is_none(
    tmp_path: Path, serve: Callable[[trio.SocketStream], Awaitable[None]]
) -> None:
    async with answering(tmp_path, serve) as bus:
        with trio.fail_after(10), pytest.raises(NotHere, match="D-Bus"):
            await call(bus)


async def test_a_bus_that_goes_away_is_said(tmp_path: Path) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        async def leave(message: Message, say: Say) -> None:
            await stream.aclose()

        with pytest.raises(trio.ClosedResourceError):
            await speaking(leave)(stream)

    async with answering(tmp_path, serve) as bus:
        with pytest.raises(NotHere, match="went away"):
            await call(bus)


async def test_a_host_that_never_answers_is_given_up(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def nothing(message: Message, say: Say) -> None:
        await trio.sleep_forever()

    async with answering(tmp_path, speaking(nothing)) as bus:
        with pytest.raises(Failed, match="did not answer within 90 seconds"):
            await call(bus)


@pytest.mark.parametrize("result", ["done", "skipped", "failed", "timeout", "dependency"])
async def test_a_start_ends_with_its_own_job(tmp_path: Path, result: str) -> None:
    """Signals that nobody asked for, of other jobs, and of ours before the answer, are all in the way."""

    async def answer(message: Message, say: Say) -> None:
        if member(message) != "StartUnit":
            await say(new_method_return(message))
            return
        bus = DBusAddress("/org/freedesktop/DBus", interface="org.freedesktop.DBus")
        await say(new_signal(bus, "NameAcquired", "s", (":1.7",)))
        await say(_removed("/org/freedesktop/systemd1/job/6", "failed"))
        await say(_removed(JOB, result))
        await say(new_method_return(message, "o", (JOB,)))

    async with answering(tmp_path, speaking(answer)) as bus, _expecting(result):
        await Units(bus).start(["a.service"])


async def test_a_start_that_takes_for_ever_goes_on_by_itself(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def answer(message: Message, say: Say) -> None:
        await say(new_method_return(message, *(("o", (JOB,)) if member(message) == "StartUnit" else ())))

    async with answering(tmp_path, speaking(answer)) as bus:
        with pytest.raises(Failed, match=r"a\.service: not done after 120 seconds, and still on its way"):
            await Units(bus).start(["a.service"])


@pytest.mark.parametrize(("state", "told"), [("stopping", "running"), ("running", "lost"), ("degraded", "lost")])
async def test_what_ends_while_the_host_goes_down_is_not_taken_for_lost(tmp_path: Path, state: str, told: str) -> None:
    unit = (unit_name(job_id(1)), "", "not-found", "inactive", "dead", "", "/a", 0, "", "/")

    async def answer(message: Message, say: Say) -> None:
        if member(message) == "ListUnitsByNames":
            await say(new_method_return(message, "a(ssssssouso)", ([unit],)))
        else:
            assert message.body[-1] == "SystemState"
            await say(new_method_return(message, "v", (("s", state),)))

    ledger = new_ledger(tmp_path)
    ledger.create(asked(kind="reboot"))
    async with answering(tmp_path, speaking(answer)) as bus:
        [job] = await UnitJobs(ledger, bus, HostConfig(), trio.Lock()).read(ReadJobs())

    assert job.state == told


@asynccontextmanager
async def _expecting(result: str) -> AsyncIterator[None]:
    if result in ("done", "skipped"):
        yield
        return
    with pytest.raises(Failed, match=rf"a\.service: {result}$"):
        yield


def _removed(job: str, result: str) -> Message:
    address = DBusAddress(MANAGER.object_path, interface=MANAGER.interface)
    return new_signal(address, "JobRemoved", "uoss", (7, job, "a.service", result))
