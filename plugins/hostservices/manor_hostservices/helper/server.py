"""The root helper: takes a verb from whoever may ask, has it done, answers, and goes when nobody has asked for a while.

Each connection carries one verb and one answer. What comes over it is not trusted, though only root and the daemon's
user can connect: the daemon faces the network, and this is what stands between it and root.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import trio

from manor import contained
from manor_hostservices.helper import audit
from manor_hostservices.helper.peers import Peer, peer_of
from manor_hostservices.helper.wire import LINE_LIMIT, encode_answer, encode_refusal, read_verb, seconds_for
from manor_hostservices.host import Host
from manor_hostservices.refusals import Failed, HostRefusal, Invalid, NotHere
from manor_hostservices.verbs import Verb

IDLE_SECONDS = 30.0
LINE_SECONDS = 10.0
"""For a whole verb to come, and for an answer to be taken."""

MOST_CONNECTIONS = 32
"""At once; others wait in the kernel's queue."""

NO_ROOM_SECONDS = 0.5
"""Between two tries to take a connection when there are no descriptors or buffers for it."""

UNEXPECTED = "Something unexpected went wrong; the root helper's journal has the details"


class Helper:
    """Serves a host at a socket.

    Args:
        host: Does verbs; it checks all that they carry.
        peers: User ids that may ask.
        idle_seconds: After so long without a connection it is over.
        line_seconds: For a verb to come whole, and for an answer to be taken.
        most_connections: At once.
    """

    def __init__(
        self,
        host: Host,
        peers: Collection[int],
        *,
        idle_seconds: float = IDLE_SECONDS,
        line_seconds: float = LINE_SECONDS,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._host = host
        self._peers = peers
        self._idle_seconds = idle_seconds
        self._line_seconds = line_seconds
        self._free = trio.Semaphore(most_connections)
        self._open = 0
        self._accepting = trio.CancelScope()
        self._waiting = trio.CancelScope()

    async def serve(self, listener: trio.SocketListener) -> None:
        """Serve until nobody has been connected for a while, or `stop`; what has begun is done to its end."""
        async with trio.open_nursery() as nursery:
            with self._accepting:
                while True:
                    await self._free.acquire()
                    try:
                        stream = await self._accept(listener)
                    except OSError as error:
                        # The machine has no room for it now; nobody who is being served is to notice.
                        audit.tell_no_room(error)
                        self._free.release()
                        await trio.sleep(NO_ROOM_SECONDS)
                        continue
                    if stream is None:
                        return
                    self._open += 1
                    nursery.start_soon(self._attend, stream)

    def stop(self) -> None:
        """Take no further connections."""
        self._accepting.cancel()

    async def _accept(self, listener: trio.SocketListener) -> trio.SocketStream | None:
        """The next connection; None when none came for a while. One that comes just then is systemd's to keep."""
        with trio.CancelScope() as self._waiting:
            self._look_whether_idle()
            return await listener.accept()
        return None

    def _look_whether_idle(self) -> None:
        self._waiting.deadline = float("inf") if self._open else trio.current_time() + self._idle_seconds

    async def _attend(self, stream: trio.SocketStream) -> None:
        try:
            async with stream:
                await self._converse(stream)
        finally:
            self._open -= 1
            self._free.release()
            self._look_whether_idle()

    async def _converse(self, stream: trio.SocketStream) -> None:
        began = trio.current_time()
        peer = peer_of(stream)
        verb: Verb[Any] | None = None
        try:
            if peer.uid not in self._peers:
                raise NotHere("Only root and Manor's own user may ask the root helper")
            verb = read_verb(await self._line(stream))
            line, result = await self._do(peer, verb), "done"
        except HostRefusal as refusal:
            line, result = encode_refusal(refusal), refusal.kind
        audit.tell(peer, verb, result, trio.current_time() - began)
        with trio.move_on_after(self._line_seconds):
            try:
                await stream.send_all(line)
            except trio.BrokenResourceError:
                return  # whoever asked has gone; it is done all the same

    async def _line(self, stream: trio.SocketStream) -> bytes:
        """The one line that a connection carries.

        Raises:
            Invalid: It has no end, too many bytes, or something behind it.
        """
        line = bytearray()
        try:
            with trio.fail_after(self._line_seconds):
                while b"\n" not in line:
                    if len(line) >= LINE_LIMIT:
                        raise Invalid(f"A verb has at most {LINE_LIMIT} bytes")
                    chunk = await stream.receive_some(LINE_LIMIT)
                    if not chunk:
                        raise Invalid("The line has no end")
                    line += chunk
        except trio.TooSlowError as error:
            raise Invalid(f"The line had no end after {self._line_seconds:.0f} seconds") from error
        except trio.BrokenResourceError as error:
            raise Invalid("The line has no end") from error
        verb, _, rest = bytes(line).partition(b"\n")
        if rest or len(verb) > LINE_LIMIT:
            raise Invalid(f"A connection carries one verb of at most {LINE_LIMIT} bytes")
        return verb

    async def _do(self, peer: Peer, verb: Verb[Any]) -> bytes:
        refusal: HostRefusal = Failed(UNEXPECTED)
        with contained(audit.tell_unexpected, peer, verb):
            try:
                with trio.fail_after(seconds_for(verb)):
                    return encode_answer(await self._host.ask(verb))
            except trio.TooSlowError:
                refusal = Failed("It took too long, and how much of it is done is not known")
            except HostRefusal as refused:
                refusal = refused
        raise refusal
