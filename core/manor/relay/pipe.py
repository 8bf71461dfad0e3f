"""One end of the socket between the core and a stream process: frames leave at once, or wait until it is read."""

from __future__ import annotations

import socket as stdlib_socket
from collections import deque

import trio

READ_SIZE = 262_144
_MOST_DESCRIPTORS = 16


class Torn(Exception):
    """A descriptor did not come with its frame, as this process has too many open."""


class Pipe:
    """Whole frames out, bytes and descriptors in. `run` writes what waits.

    Args:
        socket: One end of a stream's socket pair; closed with the pipe.

    Attributes:
        waiting: Bytes that the other end has not read yet, beside those that the kernel holds.
        is_open: Whether anything can still leave.
    """

    def __init__(self, socket: stdlib_socket.socket) -> None:
        socket.setblocking(False)
        self._socket = socket
        self._unsent: deque[memoryview] = deque()
        self._has_unsent = trio.Event()
        self.waiting = 0
        self.is_open = True

    def send(self, data: bytes) -> None:
        """Write a frame, now or as soon as the other end reads on. Synchronous; a closed pipe takes nothing."""
        if not self.is_open:
            return
        if self._unsent:
            self._keep(memoryview(data))
            return
        try:
            taken = self._socket.send(data)
        except BlockingIOError:
            taken = 0
        except OSError:
            self.close()
            return
        if taken < len(data):
            self._keep(memoryview(data)[taken:])

    def send_descriptor(self, data: bytes, descriptor: int) -> bool:
        """Write a frame and a copy of a descriptor, if nothing waits before it.

        Returns:
            Whether they have left; if not, nothing was sent.
        """
        if not self.is_open or self._unsent:
            return False
        try:
            taken = stdlib_socket.send_fds(self._socket, [data], [descriptor])
        except OSError:  # full, gone, or too many descriptors are on their way
            return False
        if taken < len(data):
            self._keep(memoryview(data)[taken:])
        return True

    async def receive(self) -> tuple[bytes, list[int]]:
        """What has come, and the descriptors beside it; no bytes once the other end is gone.

        Raises:
            Torn: A descriptor is missing.
        """
        while self.is_open:
            try:
                await trio.lowlevel.wait_readable(self._socket)
                data, descriptors, flags, _ = stdlib_socket.recv_fds(self._socket, READ_SIZE, _MOST_DESCRIPTORS)
            except BlockingIOError:
                continue
            except (OSError, trio.ClosedResourceError):
                break
            if flags & stdlib_socket.MSG_CTRUNC:
                raise Torn("a descriptor was lost: too many files are open")
            return data, descriptors
        return b"", []

    async def run(self) -> None:
        """Write what waits, until the pipe is closed."""
        while self.is_open:
            if not self._unsent:
                self._has_unsent = trio.Event()
                await self._has_unsent.wait()
                continue
            try:
                await trio.lowlevel.wait_writable(self._socket)
                self._write_on()
            except BlockingIOError:
                continue
            except (OSError, trio.ClosedResourceError):
                self.close()

    def close(self) -> None:
        """Close it; whoever waits on it is woken."""
        if self.is_open:
            self.is_open = False
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
            self._unsent.clear()
            self.waiting = 0
            self._has_unsent.set()

    def _keep(self, data: memoryview) -> None:
        self._unsent.append(data)
        self.waiting += len(data)
        self._has_unsent.set()

    def _write_on(self) -> None:
        while self._unsent:
            first = self._unsent[0]
            taken = self._socket.send(first)
            self.waiting -= taken
            if taken < len(first):
                self._unsent[0] = first[taken:]
            else:
                self._unsent.popleft()
