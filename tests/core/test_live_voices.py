"""Voices: one channel, told in the words of several protocols."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from manor.live import Entry, LiveService
from manor.routing import Wire
from tests.core.test_live import Listener


class Loud:
    """Says everything in capitals, but for what it keeps quiet about."""

    name = "loud"

    def __init__(self, quiet: str = "") -> None:
        self.quiet = quiet
        self.said = 0

    def wants(self, entry: Entry) -> bool:
        return entry.event != self.quiet

    def say(self, entry: Entry, *, is_websocket: bool) -> bytes:
        self.said += 1
        return b"" if entry.event == "silence" else entry.data.upper() + (b"!" if is_websocket else b"\n")


@pytest.mark.parametrize(
    ("wire", "frame"),
    [
        (Wire.SSE, b"HELLO\n"),
        (Wire.SSE_CHUNK, b"6\r\nHELLO\n\r\n"),
        (Wire.TEXT, b"HELLO!"),
        (Wire.FRAME, b"\x81\x06HELLO!"),
    ],
)
def test_a_voice_speaks_on_every_wire_and_once_for_all_who_hear_it(wire: Wire, frame: bytes) -> None:
    entry, voice, other = Entry(1, "message", b"hello"), Loud(), Loud()

    assert [entry.frame_in(each, wire) for each in (voice, other, voice)] == [frame] * 3
    assert (voice.said, other.said) == (1, 0)
    assert entry.frame(Wire.SSE) == b"event: message\ndata: hello\n\n"


async def test_each_outlet_hears_a_channel_in_its_own_words(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    live = LiveService()
    await nursery.start(live.run)
    channel = live.channel("a")
    plain, loud, choosy = Listener(), Listener(), Listener()
    ready, ping = Entry(0, "ready", b"hi"), Entry(0, "silence", b"")
    await nursery.start(plain.listen, live.feed([channel], greeting=[ready]))
    await nursery.start(loud.listen, live.feed([channel], greeting=[ready], voice=Loud()))
    await nursery.start(
        choosy.listen, live.feed([channel], ping=lambda: ping, ping_seconds=1, voice=Loud(quiet="rumour"))
    )
    for position, event in enumerate(("message", "rumour", "silence"), start=1):
        channel.append(Entry(position, event, event.encode()))
    await trio.sleep(5)

    assert plain.heard.count("data:") == 4
    assert loud.heard == "HI\nMESSAGE\nRUMOUR\n"
    assert choosy.heard == "MESSAGE\n"
