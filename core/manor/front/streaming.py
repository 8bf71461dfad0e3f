"""Answers that are written bit by bit: bodies of any length, and event streams."""

from __future__ import annotations

import structlog
import trio

from manor.dispatch import Call
from manor.front.attending import Attended
from manor.front.door import FrontDoor
from manor.front.line import Line
from manor.front.outlets import LineOutlet
from manor.front.replies import LAST_CHUNK, render_head
from manor.live.frames import chunk
from manor.routing import Live, Outlet, Stream, Wire

log = structlog.get_logger("manor.front")


async def send_stream(
    door: FrontDoor, line: Line, call: Call, stream: Stream, *, is_chunked: bool, closes: bool
) -> None:
    """Send a body as it is written.

    Raises:
        trio.BrokenResourceError: The client is gone, or the body is not whole: then it is cut, so that it knows.
    """
    length, sent = stream.length, 0

    async def write(data: bytes) -> None:
        nonlocal sent
        sent += len(data)
        if length is not None and sent > length:
            raise RuntimeError(f"a body of {length} bytes goes on")
        if data:
            await line.write(chunk(data) if is_chunked else data)

    is_head = call.head.method == "HEAD"
    line.post(
        render_head(
            stream.status, stream.content_type, stream.headers, length=length, is_chunked=is_chunked, closes=closes
        )
    )
    try:
        with Attended(door, line):
            await stream.run(write)
        if length is not None and sent < length and not is_head:
            raise RuntimeError(f"a body of {length} bytes ends after {sent}")
    except trio.BrokenResourceError:
        raise
    except Exception as error:
        # The edge: a plugin's body that breaks ends its own connection only.
        log.exception("request failed", path=call.shown_path, owner=call.owner)
        line.cut()
        raise trio.BrokenResourceError("the body is not whole") from error
    if is_chunked:
        line.post(LAST_CHUNK)


async def send_events(door: FrontDoor, line: Line, call: Call, live: Live, *, is_chunked: bool, closes: bool) -> None:
    """Serve a subscription as an event stream until its source ends it, or the server stops.

    Raises:
        trio.BrokenResourceError: The client is gone.
    """
    outlet: Outlet = LineOutlet(line, Wire.SSE_CHUNK if is_chunked else Wire.SSE, call.principals)
    source = live.source
    head = render_head(200, live.content_type, live.headers, is_chunked=is_chunked, closes=closes)
    # Heard before the client knows that it is subscribed: what it then publishes itself must reach it.
    source.attach(outlet, live.cursor)
    del live
    call.let_go()
    try:
        line.post(head)
        with Attended(door, line, lasts=True):
            await source.pump(outlet, line.write)
    except trio.BrokenResourceError:
        raise
    except Exception as error:
        # The edge: a plugin's source that breaks ends its own subscriber only.
        log.exception("request failed", path=call.shown_path, owner=call.owner)
        line.cut()
        raise trio.BrokenResourceError("the stream broke") from error
    finally:
        source.detach(outlet)
    if is_chunked:
        line.post(LAST_CHUNK)
    await line.let_go(door.limits.linger)
