"""Encoders that come in: who may publish, how long they are waited for, and what becomes of who does not behave."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.abc import Clock
from trio.testing import memory_stream_pair

from manor import TooManyRequests
from manor_stream.broadcast.service import Unplayable
from manor_stream.ingest.encoder import MOST_HALF_OPEN, MOST_HALF_OPEN_OF_ADDRESS, STOPPING
from manor_stream.media import Kind
from manor_stream.rtmp.chunks import in_chunks
from manor_stream.rtmp.handshake import SIZE
from manor_stream.rtmp.messages import command, set_chunk_size
from tests.stream_ingest import KEY, Ingest
from tests.stream_rtmp import (
    AVC_HEADER,
    FRAME,
    HELLO,
    KEY_FRAME,
    TestEncoder,
    described,
    frame,
    some_media,
    statuses,
)


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    ingest = Ingest()
    async with trio.open_nursery() as nursery:
        await nursery.start(ingest.run)
        yield ingest
        ingest.close()


@asynccontextmanager
async def takes(seconds: float, *, up_to: float = 0.25) -> AsyncIterator[None]:
    began = trio.current_time()
    yield
    assert seconds <= trio.current_time() - began <= seconds + up_to


# --- Publishing ------------------------------------------------------------------------------------------------------


async def test_the_right_key_publishes(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = await ingest.publisher()
    await encoder.send(described(width=160), *some_media(0.1))
    await trio.testing.wait_all_tasks_blocked()

    taken = ingest.stage.last
    assert taken.publisher.address == "192.0.2.1"
    assert taken.described == [{"width": 160.0}]
    assert [(each.kind, each.timestamp, each.is_header) for each in taken.media[:4]] == [
        (Kind.VIDEO, 0, True),
        (Kind.AUDIO, 0, True),
        (Kind.VIDEO, 0, False),
        (Kind.AUDIO, 0, False),
    ]
    assert len(taken.media) == 10


async def test_an_encoder_that_ends_the_stream_is_gone_at_once(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = await ingest.publisher()
    await encoder.send(*some_media(0.1))
    async with takes(0):
        await encoder.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()

    assert ingest.stage.last.gone_for == ["the encoder hung up"]
    assert ingest.open == 0


async def test_who_ends_the_stream_hangs_up_first(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder, second = await ingest.publisher(), ingest.connect()
    await encoder.send(*some_media(0.1), command("FCUnpublish", 6, None, KEY))
    async with takes(0):
        assert await encoder.status() == ("status", "NetStream.Unpublish.Success", "Goodbye")
        # GStreamer says more, and takes it for a failure when it cannot.
        await encoder.send(command("deleteStream", 7, None, 1.0))
        assert ingest.stage.last.gone_for == ["the encoder ended the stream"]
        assert (await second.publish(KEY))[0] == "status"
    async with takes(1):
        assert await encoder.is_hung_up()


@pytest.mark.parametrize(("app", "name"), [("live", KEY), ("live", f"{KEY}?x=1"), (f"live/{KEY}", ""), ("other", KEY)])
async def test_the_key_may_stand_where_people_put_it(
    ingest: Ingest, autojump_clock: Clock, app: str, name: str
) -> None:
    level, _, _ = await ingest.connect().publish(name, app=app)

    assert level == "status"


# --- Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "a wrong key", KEY + "x", "live", "\0", "ключ"])
async def test_a_wrong_key_is_refused_with_a_text(ingest: Ingest, autojump_clock: Clock, key: str) -> None:
    encoder = ingest.connect()
    async with takes(0, up_to=0.3):
        assert await encoder.publish(key) == ("error", "NetStream.Publish.BadName", "The stream key is wrong")
        assert await encoder.is_hung_up()

    assert ingest.stage.taken == []
    assert ingest.refused("key") == 1
    assert [line.message for line in ingest.logbook.newest_first()] == [
        "An encoder at 192.0.2.1 was refused: The stream key is wrong"
    ]


async def test_a_refused_encoder_has_time_to_read_why(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = ingest.connect()
    await encoder.publish("a wrong key")
    async with takes(0.2, up_to=0.01):
        # What it goes on to send is read and forgotten.
        await encoder.send(*some_media(0.1))
        assert await encoder.is_hung_up()


async def test_who_guesses_too_often_is_refused_without_a_look_at_the_key(
    ingest: Ingest, autojump_clock: Clock
) -> None:
    def guesses(key: str) -> None:
        raise TooManyRequests("Too many wrong stream keys; try again later", retry_after=7)

    ingest.guesses = guesses
    level, _, text = await ingest.connect().publish(KEY)

    assert (level, text) == ("error", "Too many wrong stream keys; try again later")
    assert ingest.refused("guesses") == 1
    # Nor is the log filled by it.
    assert ingest.logbook.newest_first() == []


async def test_a_second_publisher_is_refused_and_the_first_goes_on(ingest: Ingest, autojump_clock: Clock) -> None:
    first = await ingest.publisher()
    second = ingest.connect("192.0.2.2")
    told = await second.publish(KEY)
    await first.send(frame(Kind.VIDEO, 0, KEY_FRAME))
    await trio.testing.wait_all_tasks_blocked()

    assert told == ("error", "NetStream.Publish.BadName", "Somebody else is publishing")
    assert [taken.gone_for for taken in ingest.stage.taken] == [[]]
    assert len(ingest.stage.last.media) == 1
    assert ingest.refused("busy") == 1


async def test_what_cannot_be_played_is_refused_with_its_reason(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = await ingest.publisher()
    ingest.stage.last.refuses = Unplayable("H.265 cannot be broadcast: ffmpeg is too old")
    await encoder.send(frame(Kind.VIDEO, 0, AVC_HEADER))

    assert await encoder.status() == ("error", "NetStream.Failed", "H.265 cannot be broadcast: ffmpeg is too old")
    assert await encoder.is_hung_up()
    assert ingest.stage.last.gone_for == ["H.265 cannot be broadcast: ffmpeg is too old"]


async def test_a_player_is_told_where_to_watch(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = ingest.connect()
    await encoder.stream.send_all(HELLO + bytes(SIZE) + in_chunks([set_chunk_size(4096)], 128))
    await encoder.send(command("connect", 1, {}), command("play", 2, None, "key"))
    level, _, text = await encoder.status()

    assert level == "error"
    assert "browser" in text
    assert await encoder.is_hung_up()


# --- Waiting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [b"", HELLO[:1], HELLO[:700], HELLO, HELLO + bytes(SIZE)])
async def test_who_says_nothing_more_is_sent_away_after_five_seconds(
    ingest: Ingest, autojump_clock: Clock, start: bytes
) -> None:
    encoder = ingest.connect()
    async with takes(5):
        await encoder.stream.send_all(start)
        assert await encoder.is_hung_up()

    assert ingest.refused("slow") == 1


async def byte_by_byte(encoder: TestEncoder) -> None:
    for each in HELLO:
        await encoder.stream.send_all(bytes([each]))
        await trio.sleep(0.5)


async def test_who_says_it_byte_by_byte_is_sent_away_after_five_seconds(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = ingest.connect()
    async with takes(5, up_to=0.5):
        with pytest.raises(trio.BrokenResourceError):
            await byte_by_byte(encoder)


async def test_who_reads_nothing_is_sent_away(ingest: Ingest, autojump_clock: Clock) -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()
    async with takes(2, up_to=0.5):
        ingest.nursery.start_soon(ingest.serve, ours, "192.0.2.1")
        await theirs.send_all(HELLO)
        await trio.sleep(2.3)

    assert ingest.open == 0


async def test_a_silent_publisher_is_dropped_after_eight_seconds(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = await ingest.publisher()
    await encoder.send(*some_media(0.1))
    async with takes(8):
        assert await encoder.status() == ("error", "NetStream.Failed", "Nothing came for 8 s")
        assert await encoder.is_hung_up()

    assert ingest.stage.last.gone_for == ["Nothing came for 8 s"]


async def test_how_long_a_publisher_is_silent_is_known(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = await ingest.publisher()
    await trio.testing.wait_all_tasks_blocked()
    publisher = ingest.stage.last.publisher
    await trio.sleep(3)
    assert publisher.silent_seconds() == pytest.approx(3)

    await encoder.send(frame(Kind.VIDEO, 0, KEY_FRAME))
    await trio.testing.wait_all_tasks_blocked()
    assert publisher.silent_seconds() == pytest.approx(0)


async def test_a_publisher_that_has_to_wait_is_not_silent(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = await ingest.publisher()
    ingest.stage.last.is_full = True
    await encoder.send(frame(Kind.VIDEO, 0, KEY_FRAME))
    await trio.sleep(30)

    assert ingest.stage.last.publisher.silent_seconds() == 0
    assert ingest.stage.last.gone_for == []


# --- Too much --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"\xff" * 4_000])
async def test_who_does_not_speak_rtmp_is_hung_up_on_at_once(
    ingest: Ingest, autojump_clock: Clock, start: bytes
) -> None:
    encoder = ingest.connect()
    async with takes(0):
        await encoder.stream.send_all(start)
        assert await encoder.is_hung_up()

    assert ingest.refused("protocol") == 1
    assert ingest.logbook.newest_first() == []


async def test_a_publisher_that_breaks_the_protocol_is_dropped(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = await ingest.publisher()
    await encoder.stream.send_all(b"\xff" * 20)
    assert await encoder.is_hung_up()

    [reason] = ingest.stage.last.gone_for
    assert reason.startswith("It does not speak RTMP as it should: ")


async def stream_for(encoder: TestEncoder, seconds: int, *, bytes_a_second: int) -> None:
    for second in range(seconds):
        await encoder.send(frame(Kind.VIDEO, second * 1000, FRAME + bytes(bytes_a_second)))
        await trio.sleep(1)


async def test_who_sends_too_much_for_ten_seconds_is_dropped(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = await ingest.publisher()
    await stream_for(encoder, 9, bytes_a_second=135_000)
    assert ingest.stage.last.gone_for == []

    with pytest.raises(trio.BrokenResourceError):
        await stream_for(encoder, 3, bytes_a_second=135_000)
    await encoder.is_hung_up()
    text = "More than 1 Mbit/s came for 10 s; lower the bitrate"
    assert statuses(encoder.heard) == [("error", "NetStream.Failed", text)]
    assert ingest.stage.last.gone_for == [text]


async def test_who_sends_as_much_as_is_allowed_goes_on(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = await ingest.publisher()
    await stream_for(encoder, 60, bytes_a_second=120_000)

    assert ingest.stage.last.gone_for == []


async def test_one_address_has_so_many_connections_without_a_stream(ingest: Ingest, autojump_clock: Clock) -> None:
    waiting = [ingest.connect() for _ in range(MOST_HALF_OPEN_OF_ADDRESS)]
    await trio.testing.wait_all_tasks_blocked()
    one_more, elsewhere = ingest.connect(), ingest.connect("192.0.2.2")

    async with takes(0):
        assert await one_more.is_hung_up()
    assert await elsewhere.publish(KEY) == ("status", "NetStream.Publish.Start", "Go ahead")
    assert ingest.open == len(waiting) + 1

    # Once they have gone there is room again.
    await trio.sleep(6)
    assert (await ingest.connect().publish("a wrong key"))[2] == "The stream key is wrong"


async def test_all_addresses_together_have_so_many(ingest: Ingest, autojump_clock: Clock) -> None:
    for number in range(MOST_HALF_OPEN):
        ingest.connect(f"192.0.2.{number}")
    await trio.testing.wait_all_tasks_blocked()

    assert ingest.open == MOST_HALF_OPEN
    async with takes(0):
        assert await ingest.connect("198.51.100.1").is_hung_up()
    assert ingest.refused("crowd") == 1


async def test_a_publisher_does_not_count_among_them(ingest: Ingest, autojump_clock: Clock) -> None:
    await ingest.publisher()
    for _ in range(MOST_HALF_OPEN_OF_ADDRESS):
        ingest.connect()
    await trio.testing.wait_all_tasks_blocked()

    assert ingest.open == MOST_HALF_OPEN_OF_ADDRESS + 1


# --- Being sent away -------------------------------------------------------------------------------------------------


async def test_a_dropped_publisher_reads_why(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = await ingest.publisher()
    ingest.stage.last.publisher.drop("An administrator ended the broadcast")
    ingest.stage.last.publisher.drop("and again")

    assert await encoder.status() == ("error", "NetStream.Failed", "An administrator ended the broadcast")
    assert await encoder.is_hung_up()
    assert ingest.stage.last.gone_for == ["An administrator ended the broadcast"]


async def test_one_that_has_to_wait_is_dropped_as_well(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder = await ingest.publisher()
    ingest.stage.last.is_full = True
    await encoder.send(frame(Kind.VIDEO, 0, KEY_FRAME))
    await trio.testing.wait_all_tasks_blocked()
    ingest.stage.last.publisher.drop("An administrator ended the broadcast")

    assert (await encoder.status())[2] == "An administrator ended the broadcast"


async def test_publishers_are_told_when_the_house_closes(ingest: Ingest, autojump_clock: Clock) -> None:
    encoder, waiting = await ingest.publisher(), ingest.connect()
    await trio.testing.wait_all_tasks_blocked()
    async with takes(0, up_to=0.3):
        ingest.close()
        assert await encoder.status() == ("error", "NetStream.Failed", "The server stops")
        assert await encoder.is_hung_up()
        assert await waiting.is_hung_up()

    assert ingest.stage.last.gone_for == [STOPPING]


async def test_a_dead_publisher_does_not_hold_up_the_end(ingest: Ingest, autojump_clock: Clock) -> None:
    ours, theirs = memory_stream_pair()
    ingest.nursery.start_soon(ingest.serve, ours, "192.0.2.1")
    await TestEncoder(theirs).publish(KEY)
    # From here on it takes nothing of what it is told.
    ours.send_stream.send_all_hook = trio.sleep_forever
    ingest.close()
    async with takes(2):
        await ingest.is_closed.wait()

    assert ingest.stage.last.gone_for == [STOPPING]
