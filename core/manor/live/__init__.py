"""Fan-out: what one commit says, told to everyone who listens, encoded once and bounded for each."""

from manor.live.feed import Feed, Ping, Replay
from manor.live.frames import chunk, closing_frame, sse_frame, typed_text, websocket_frame
from manor.live.ring import Channel, Entry, Voice
from manor.live.service import LiveService

__all__ = [
    "Channel",
    "Entry",
    "Feed",
    "LiveService",
    "Ping",
    "Replay",
    "Voice",
    "chunk",
    "closing_frame",
    "sse_frame",
    "typed_text",
    "websocket_frame",
]
