"""A plain socket's bytes: read when they come, written at once as far as the kernel takes them."""

from __future__ import annotations

import os
import socket as stdlib_socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import trio

from manor.front.hangups import Hangups
from manor.front.limits import PIECE
from manor.relay.far import FarEnd
from manor.relay.frames import Kind, Terms
from manor.relay.link import Link

READ_SIZE = 65_536
_AT_ONCE = struct.pack("ii", 1, 0)

Spawn = Callable[[Callable[[], Any]], None]


class Line:
    """One client's socket.

    What is posted leaves in its order and whole: what the kernel does not take at once waits here, and a task of its
    own writes it as the client reads. So a writer may be cancelled at any time and no frame is ever torn.

    Once it is handed over, all of that is done by another process, which this one only tells.

    Args:
        socket: Connected, not blocking.
        write_seconds: For the client to take a piece of 64 KiB; then it is cut off.
        spawn: Starts the task that writes what waits.
    """

    __slots__ = ("_fd", "_flushed", "_spawn", "_unsent", "_write_seconds", "far", "is_open", "on_cut", "socket")

    def __init__(self, socket: trio.socket.SocketType, write_seconds: float, spawn: Spawn) -> None:
        self.socket = socket
        self._fd = socket.fileno()
        self._write_seconds = write_seconds
        self._spawn = spawn
        self._unsent: deque[memoryview] | None = None
        self._flushed: trio.Event | None = None
        self.is_open = self._fd >= 0
        self.far: FarEnd | None = None
        """Its socket in another process, once it was handed over."""
        self.on_cut: Callable[[], None] | None = None
        """Called once when it is cut: whoever waits for something else than its bytes must learn of it too."""

    @property
    def descriptor(self) -> int:
        """The socket's number, -1 once it is closed."""
        return self._fd

    # --- Reading ---------------------------------------------------------------------------------------------------

    async def read(self) -> bytes:
        """What has come; empty when nothing more will."""
        while self.is_open:
            if self.far is not None:
                return await self.far.read()
            try:
                await trio.lowlevel.wait_readable(self._fd)
                return os.read(self._fd, READ_SIZE)
            except BlockingIOError:
                continue
            except (OSError, trio.ClosedResourceError):
                break
        return b""

    def read_if_any(self) -> bytes | None:
        """What has come of a socket that is ours: empty when nothing more will, None when there is nothing yet."""
        try:
            return os.read(self._fd, READ_SIZE) if self.is_open else b""
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def read_now(self) -> bytes:
        """What has come already; empty for nothing."""
        if self.far is not None:
            return self.far.read_now()
        try:
            return os.read(self._fd, READ_SIZE) if self.is_open else b""
        except OSError:
            return b""

    def interrupt(self) -> None:
        """Have whoever waits in `read` get nothing more; the socket stays open for what is still to be written."""
        if self.far is not None:
            self.far.interrupt()
        elif self.is_open:
            trio.lowlevel.notify_closing(self._fd)

    # --- Writing ---------------------------------------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether something posted still waits for the client to read."""
        return self._unsent is not None

    def send(self, data: bytes) -> int:
        """Take whole frames if nothing waits; gives how many bytes were taken: all of them or none. Never raises."""
        if self._unsent is not None or not self.is_open:
            return 0
        if self.far is None:
            # What follows is `post` for one part: a fan-out does it a thousand times a message.
            try:
                taken = os.write(self._fd, data)
            except BlockingIOError:
                taken = 0
            except OSError:
                self.cut()
                return 0
            if taken != len(data):
                self._keep((data,), taken)
        else:
            self.far.tell(Kind.GIVE, data)
        return len(data)

    def post(self, *parts: bytes) -> None:
        """Write them, now or as soon as the client reads on. Synchronous, never raises; a broken line takes nothing.

        Whoever posts more and more waits for `drained` in between.
        """
        if not self.is_open:
            return
        if self._unsent is not None:
            self._unsent.extend(memoryview(part) for part in parts if part)
        elif len(parts) == 1:
            self.send(parts[0])
        elif self.far is not None:
            self.far.tell(Kind.GIVE, b"".join(parts))
        else:
            try:
                taken = os.writev(self._fd, parts)
            except BlockingIOError:
                taken = 0
            except OSError:
                self.cut()
                return
            if taken != sum(map(len, parts)):
                self._keep(parts, taken)

    def _keep(self, parts: Sequence[bytes], taken: int) -> None:
        """Have a task write what the kernel did not take."""
        self._unsent = deque()
        for part in parts:
            if taken < len(part):
                self._unsent.append(memoryview(part)[taken:])
            taken = max(0, taken - len(part))
        self._spawn(self._flush)

    async def drained(self) -> None:
        """Wait until the client has taken what was posted.

        Raises:
            trio.BrokenResourceError: It is gone.
        """
        while self._unsent is not None:
            if self._flushed is None:
                self._flushed = trio.Event()
            await self._flushed.wait()
        if self.far is not None:
            await self.far.drained()
        if not self.is_open:
            raise trio.BrokenResourceError("the client is gone")

    async def let_go(self, seconds: float) -> None:
        """Give the client so long to take what was posted. One that reads nothing can be told nothing: it is cut."""
        with trio.move_on_after(seconds, shield=True):
            await self.drained()
            return
        self.cut()

    async def write(self, data: bytes) -> None:
        """Post it, and wait until the client has taken it.

        Raises:
            trio.BrokenResourceError: It is gone.
        """
        self.post(data)
        if self._unsent is None and self.far is None and self.is_open:
            # Whoever writes on and on must still give others a turn.
            await trio.lowlevel.checkpoint()
        else:
            await self.drained()

    async def _flush(self) -> None:
        unsent = self._unsent
        assert unsent is not None, "only what waits is flushed"
        try:
            while unsent:
                with trio.fail_after(self._write_seconds):
                    await self._flush_piece(unsent)
        except (OSError, trio.ClosedResourceError, trio.TooSlowError):
            self.abort()
        finally:
            self._unsent = None
            flushed, self._flushed = self._flushed, None
            if flushed is not None:
                flushed.set()

    async def _flush_piece(self, unsent: deque[memoryview]) -> None:
        sent = 0
        while unsent and sent < PIECE:
            if not self.is_open:
                raise trio.ClosedResourceError
            try:
                await trio.lowlevel.wait_writable(self._fd)
                taken = os.write(self._fd, unsent[0])
            except (BlockingIOError, trio.ClosedResourceError):
                continue  # it was cut, or only the reader was meant
            sent += taken
            if taken < len(unsent[0]):
                unsent[0] = unsent[0][taken:]
            else:
                unsent.popleft()

    # --- Another process -------------------------------------------------------------------------------------------

    def hand_over(self, link: Link, hangups: Hangups) -> FarEnd | None:
        """Have a stream process serve the client, whom `hangups` watches: from here on this only tells it what to do.

        Returns:
            The socket there, which also hears groups; None if that cannot be now.
        """
        if self._unsent is not None or self.far is not None or not self.is_open:
            return None
        watch = hangups.watch_of(self._fd)
        if watch is None:
            return None
        terms = Terms(self._write_seconds, is_watched=watch.heard is None)
        far = link.take(self._fd, terms, self.cut, watch)
        if far is not None:
            hangups.hand_over(self._fd)
            # The process has a copy of the descriptor, so the connection outlives ours.
            self.socket.close()
            self.far, self._fd = far, -1
        return far

    # --- Its end ---------------------------------------------------------------------------------------------------

    def say_goodbye(self) -> None:
        """Send no more; what comes can still be read."""
        if self.far is not None:
            self.far.tell(Kind.GOODBYE)
            return
        try:
            self.socket.shutdown(stdlib_socket.SHUT_WR)
        except OSError:
            self.cut()

    def cut(self) -> None:
        """End it at once, whatever waits; what the kernel has taken already still reaches the client if it reads."""
        if self.is_open:
            self.is_open = False
            if self.on_cut is not None:
                self.on_cut()
            # It wakes whoever waits to read or write.
            if self.far is not None:
                self.far.close(Kind.CUT)
            else:
                # Somebody who is about to read or write may run when the number is another client's already.
                self._fd = -1
                self.socket.close()

    def abort(self) -> None:
        """End it at once; what was not delivered is lost."""
        if self.far is not None:
            self.far.close(Kind.ABORT)
            self.cut()
        elif self.is_open:
            # Without the linger option the kernel would keep trying to deliver to a client that does not read.
            self.socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_LINGER, _AT_ONCE)
            self.cut()
