"""The port for encoders, and real ones: ffmpeg publishes over loopback."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio

from manor.errors import AdminFault
from manor.testing import Client, House, open_test_house
from manor_stream.ingest import listener as listening
from manor_stream.ingest.listener import Listener
from manor_stream.ingest.part import Ingest as IngestPart
from manor_stream.keeping import WantedKey
from manor_stream.media import Kind
from manor_stream.on_air import Phase
from tests.stream_broadcast import AS_IT_COMES, shared_of
from tests.stream_ingest import KEY, Ingest
from tests.stream_rtmp import HELLO, TestEncoder, connected, frame, some_media

PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-f", "lavfi", "-i", "sine=sample_rate=44100"]
ENCODED = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-c:a", "aac"]


def ffmpeg(url: str, *, seconds: float = 1, real_time: bool = False) -> list[str]:
    """Publishes a test pattern and a tone."""
    times = ["-t", str(seconds)]
    return ["ffmpeg", "-v", "warning", *(["-re"] if real_time else []), *PICTURE, *times, *ENCODED, "-f", "flv", url]


async def run(command: list[str]) -> tuple[int, str]:
    """How it ends, and what it says."""
    done = await trio.run_process(command, capture_stderr=True, check=False)
    return done.returncode, done.stderr.decode()


@asynccontextmanager
async def publishing(url: str) -> AsyncIterator[trio.Process]:
    process = await trio.lowlevel.open_process(ffmpeg(url, seconds=60, real_time=True), stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def until(is_so: Callable[[], bool]) -> None:
    with trio.fail_after(20):
        while not is_so():  # noqa: ASYNC110 - other processes work on it
            await trio.sleep(0.02)


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    ingest = Ingest()
    async with trio.open_nursery() as nursery:
        await nursery.start(ingest.run)
        yield ingest
        ingest.close()


@pytest.fixture
async def listener(ingest: Ingest) -> Listener:
    """Open on loopback."""
    listener = Listener(ingest.serve, ingest.logbook, structlog.get_logger())

    async def listen(task_status: trio.TaskStatus[None]) -> None:
        await listener.run("127.0.0.1", 0, said_by="the tests", task_status=task_status)

    await ingest.nursery.start(listen)
    return listener


@pytest.fixture
def url(listener: Listener) -> str:
    [(host, port)] = listener.addresses
    return f"rtmp://{host}:{port}/live"


# --- ffmpeg ----------------------------------------------------------------------------------------------------------


async def test_ffmpeg_publishes(ingest: Ingest, url: str) -> None:
    with trio.fail_after(20):
        code, said = await run(ffmpeg(f"{url}/{KEY}"))
    await trio.testing.wait_all_tasks_blocked()

    assert code == 0, said
    taken = ingest.stage.last
    [described] = taken.described
    assert (described["width"], described["height"], described["framerate"]) == (160, 90, 25)
    headers = [each for each in taken.media if each.is_header]
    assert [(each.kind, each.codec) for each in headers] == [(Kind.VIDEO, "H.264"), (Kind.AUDIO, "AAC")]
    frames = [each for each in taken.media if not each.is_header]
    assert 24 <= sum(each.kind is Kind.VIDEO for each in frames) <= 27
    assert frames[0].timestamp == 0
    assert 900 <= max(each.timestamp for each in frames) <= 1_100
    for _, of_kind in groupby(sorted(frames, key=lambda each: each.kind.value), key=lambda each: each.kind):
        assert all(before.timestamp <= after.timestamp for before, after in pairwise(of_kind))
    assert taken.gone_for == ["the encoder ended the stream"]


async def test_the_line_in_the_docs_publishes(ingest: Ingest, url: str) -> None:
    text = (Path(__file__).parents[4] / "docs/howto/publish-with-obs.md").read_text()
    [line] = [each for each in re.findall(r"```sh\n(.+?)```", text, re.DOTALL) if "lavfi" in each]
    [*command, target] = shlex.split(line.replace("\\\n", ""))
    assert target == "rtmp://127.0.0.1:1935/live/KEY"
    with trio.fail_after(20):
        code, said = await run([*command, "-t", "0.3", f"{url}/{KEY}"])

    assert code == 0, said
    assert {each.codec for each in ingest.stage.last.media} == {"H.264", "AAC"}


async def test_ffmpeg_with_a_wrong_key_is_told_so(ingest: Ingest, url: str) -> None:
    with trio.fail_after(20):
        code, said = await run(ffmpeg(f"{url}/a-wrong-key"))

    assert code != 0
    assert "The stream key is wrong" in said
    assert ingest.stage.taken == []


async def test_a_second_ffmpeg_is_told_that_somebody_publishes(ingest: Ingest, listener: Listener, url: str) -> None:
    async with connected(listener.addresses[0]) as first:
        await first.publish(KEY)
        with trio.fail_after(20):
            code, said = await run(ffmpeg(f"{url}/{KEY}"))
        assert ingest.stage.last.gone_for == []

    assert code != 0
    assert "Somebody else is publishing" in said


async def test_a_killed_ffmpeg_is_gone_at_once(ingest: Ingest, url: str) -> None:
    async with publishing(f"{url}/{KEY}") as process:
        await until(lambda: bool(ingest.stage.taken and ingest.stage.last.media))
        process.kill()
        await until(lambda: bool(ingest.stage.last.gone_for))
        # The next one may come at once.
        code, said = await run(ffmpeg(f"{url}/{KEY}", seconds=0.2))

    assert code == 0, said
    assert ingest.stage.taken[0].gone_for == ["the encoder hung up"]


# --- Sockets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01", b"\0"])
async def test_a_client_of_another_kind_is_hung_up_on(ingest: Ingest, listener: Listener, start: bytes) -> None:
    async with connected(listener.addresses[0]) as client:
        with trio.fail_after(2), suppress(trio.BrokenResourceError):
            await client.stream.send_all(start)
            assert await client.stream.receive_some() == b""


async def test_who_is_gone_before_being_greeted_does_no_harm(ingest: Ingest, listener: Listener) -> None:
    for _ in range(20):
        stream = await trio.open_tcp_stream(*listener.addresses[0])
        # Closed with a reset rather than in good order.
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes.fromhex("01000000 00000000"))
        await trio.aclose_forcefully(stream)
    async with connected(listener.addresses[0]) as encoder:
        assert (await encoder.publish(KEY))[0] == "status"


async def test_a_refused_encoder_reads_why_whatever_it_has_sent(ingest: Ingest, listener: Listener) -> None:
    async with connected(listener.addresses[0]) as encoder, trio.open_nursery() as nursery:
        told = await encoder.publish("a wrong key")
        # It does not hear at once, and goes on.
        await encoder.send(*some_media(1))
        nursery.start_soon(encoder.is_hung_up)

    assert told[2] == "The stream key is wrong"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


# --- The house -------------------------------------------------------------------------------------------------------


def part_of(house: House) -> IngestPart:
    plugin = next(each for each in house.plugins if each.name == "stream")
    return next(part for part in plugin.instance.parts if isinstance(part, IngestPart))


def config(bind: str, **values: Any) -> dict[str, Any]:
    return {"plugins": {"stream": {"rtmp_bind": bind, **values}}}


async def test_a_house_has_a_port_for_encoders_until_it_closes(tmp_path: Path) -> None:
    async with open_test_house(tmp_path, plugins=["stream"], config=config("127.0.0.1:0")) as house:
        [address] = part_of(house).addresses
        async with connected(address) as encoder:
            assert (await encoder.publish("a wrong key"))[2] == "The stream key is wrong"
        waiting = await trio.open_tcp_stream(*address)
        await waiting.send_all(HELLO)

    async with waiting:
        assert await TestEncoder(waiting).is_hung_up()
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(address)
        again.listen()


async def test_an_empty_address_opens_no_port(tmp_path: Path) -> None:
    async with open_test_house(tmp_path, plugins=["stream"], config=config("")) as house:
        assert part_of(house).addresses == []
        assert part_of(house).background_tasks() == []


@pytest.mark.parametrize("bind", ["1935", ":1935", "localhost", "127.0.0.1:99999", "unix:/run/rtmp", "fd://3", "a b:1"])
async def test_an_address_that_is_none_stops_the_start(tmp_path: Path, bind: str) -> None:
    with pytest.raises(AdminFault, match=r"plugins\.stream\.rtmp_bind: expected"):
        async with open_test_house(tmp_path, plugins=["stream"], config=config(bind)):
            pass


async def test_a_port_that_is_taken_is_told_and_the_rest_of_the_house_serves(tmp_path: Path, taken_port: int) -> None:
    bind = f"127.0.0.1:{taken_port}"
    async with open_test_house(tmp_path, plugins=["stream"], config=config(bind)) as house:
        client = Client(house.dispatcher)
        degraded = (await client.get("/readyz")).json()["degraded"]
        status = await client.get("/api/status")

    reason = f"plugins.stream.rtmp_bind: cannot listen on {bind}: "
    [told] = [each["reason"] for each in degraded if each["reason"].startswith("rtmp: ")]
    assert told.removeprefix("rtmp: ").startswith(reason)
    assert status.status == 200
    assert any(line.message.startswith(reason) for line in shared_of(house).logbook.newest_first(only_warnings=True))


async def test_a_port_that_becomes_free_is_taken(autojump_clock: trio.abc.Clock, ingest: Ingest) -> None:
    listener = Listener(ingest.serve, ingest.logbook, structlog.get_logger())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        host, port = taken.getsockname()

        async def listen(task_status: trio.TaskStatus[None]) -> None:
            await listener.run(host, port, said_by="the tests", task_status=task_status)

        await ingest.nursery.start(listen)
        await trio.sleep(3 * listening.RETRY_SECONDS + 1)
        before = (listener.addresses, listener.trouble is None)
    await trio.sleep(listening.RETRY_SECONDS + 1)

    assert before == ([], False)
    assert (listener.addresses, listener.trouble) == ([(host, port)], None)
    # Told once, however often it was tried.
    assert len(ingest.logbook.newest_first()) == 1


async def test_the_port_that_an_administrator_sets_counts_from_the_next_start_on(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with open_test_house(tmp_path, plugins=["stream"], config=config("127.0.0.1:0")) as house:
        before = part_of(house).addresses
        await shared_of(house).settings.change(rtmp_server_port=port)
        assert part_of(house).addresses == before
        shown = await house.run_command("stream.key", WantedKey())
        assert shown.address == f"127.0.0.1:{port}"
    async with open_test_house(tmp_path, plugins=["stream"], config=config("127.0.0.1:0")) as house:
        assert part_of(house).addresses == [("127.0.0.1", port)]


@pytest.mark.parametrize("bind", ["[::1]:0", "localhost:0", "[::]:0"])
async def test_addresses_may_be_names_and_of_both_versions(tmp_path: Path, bind: str) -> None:
    async with open_test_house(tmp_path, plugins=["stream"], config=config(bind)) as house:
        for address in part_of(house).addresses:
            async with connected(address) as encoder:
                assert (await encoder.publish("a wrong key"))[2] == "The stream key is wrong"


@asynccontextmanager
async def open_stream(tmp_path: Path) -> AsyncIterator[tuple[House, str]]:
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    settings = config("127.0.0.1:0", key_file=str(key_file))
    async with open_test_house(tmp_path / "house", plugins=["stream"], config=settings, inline=False) as house:
        await shared_of(house).settings.change(qualities=(AS_IT_COMES,), latency_level=0)
        [(host, port)] = part_of(house).addresses
        yield house, f"rtmp://{host}:{port}/live/{KEY}"


async def test_what_ffmpeg_publishes_goes_live(tmp_path: Path) -> None:
    async with open_stream(tmp_path) as (house, url), publishing(url):
        on_air = shared_of(house).on_air
        await until(lambda: on_air.phase is Phase.LIVE)

        assert on_air.address == "127.0.0.1"
        assert (on_air.metadata.width, on_air.metadata.video_codec) == (160, "H.264")


async def test_an_encoder_without_a_network_gives_way_after_three_seconds(tmp_path: Path) -> None:
    async with open_stream(tmp_path) as (house, url), publishing(url) as first:
        on_air = shared_of(house).on_air
        await until(lambda: on_air.phase is Phase.LIVE)
        first.send_signal(signal.SIGSTOP)
        began = trio.current_time()
        [address] = part_of(house).addresses
        level = "error"
        with trio.fail_after(10):
            while level == "error":
                async with connected(address) as second:
                    level, _, _ = await second.publish(KEY)

        assert trio.current_time() - began > 2.5
        assert on_air.phase in (Phase.LIVE, Phase.RECONNECTING)


async def test_video_that_no_ffmpeg_passes_on_is_refused_with_its_name(tmp_path: Path) -> None:
    async with open_stream(tmp_path) as (house, _), connected(part_of(house).addresses[0]) as encoder:
        await encoder.publish(KEY)
        await encoder.send(frame(Kind.VIDEO, 0, b"\x90vp09" + bytes(12)))
        level, code, text = await encoder.status()

    assert (level, code) == ("error", "NetStream.Failed")
    assert "VP9" in text


async def test_a_publisher_reads_that_the_server_stops(tmp_path: Path) -> None:
    async with open_stream(tmp_path) as (house, _):
        stream = await trio.open_tcp_stream(*part_of(house).addresses[0])
        encoder = TestEncoder(stream)
        await encoder.publish(KEY)
    async with stream:
        assert await encoder.status() == ("error", "NetStream.Failed", "The server stops")
        assert await encoder.is_hung_up()


async def test_only_one_publishes_to_a_broadcast(tmp_path: Path) -> None:
    async with open_stream(tmp_path) as (house, _):
        [address] = part_of(house).addresses
        async with connected(address) as first, connected(address) as second, connected(address) as third:
            assert (await first.publish(KEY))[0] == "status"
            assert (await second.publish("a wrong key"))[2] == "The stream key is wrong"
            assert (await third.publish(KEY))[:2] == ("error", "NetStream.Publish.BadName")
            assert shared_of(house).on_air.address == "127.0.0.1"
