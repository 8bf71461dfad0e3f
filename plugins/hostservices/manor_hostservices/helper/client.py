"""The daemon's end of the border: asks the root helper, and looks for itself where there is none."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import trio

from manor_hostservices.helper.wire import ANSWER_LIMIT, encode_verb, read_answer, seconds_for
from manor_hostservices.host import Host
from manor_hostservices.refusals import Failed, HostRefusal, NotHere, Unconfigured
from manor_hostservices.verbs import ReadTimezone, Verb

A = TypeVar("A")

PATIENCE = 30.0
"""Seconds beyond a verb's own that the helper gets: to start, and to serve those who came before."""

CHUNK = 64 << 10

MOST_AT_ONCE = 24
"""Calls; fewer than the helper serves, so that root's own get through, and the socket's queue never fills."""


class HelperHost:
    """A `Host` at a socket.

    Args:
        path: Where the root helper listens.
        own_eyes: Is asked what changes nothing when nobody listens: this process's own look at the host.

    Attributes:
        trouble: Why the helper could not be asked the last time; None when it could, or nobody has tried.
    """

    def __init__(self, path: str, own_eyes: Host) -> None:
        self._path = path
        self._own_eyes = own_eyes
        self.trouble: str | None = None
        self._unfit: str | None = None
        self._turns = trio.CapacityLimiter(MOST_AT_ONCE)

    async def ask(self, verb: Verb[A]) -> A:
        """Ask the helper; see `Host`."""
        line = encode_verb(verb)
        async with self._turns:
            stream = await self._connect()
            if stream is not None:
                async with stream:
                    said = await _exchanged(stream, line, seconds_for(verb) + PATIENCE)
                return self._heard(said, verb)
        if verb.changes:
            raise NotHere(f"This host is read-only: {self.trouble}")
        try:
            return await self._own_eyes.ask(verb)
        except PermissionError as error:
            raise NotHere(f"Only root may look at this: {self.trouble}") from error

    def _heard(self, said: bytes, verb: Verb[A]) -> A:
        try:
            answer = read_answer(said, verb)
        except Unconfigured as refusal:
            self._unfit = refusal.detail
            raise
        except HostRefusal:
            self._unfit = None
            raise
        self._unfit = None
        return answer

    async def look(self) -> str | None:
        """Why the helper cannot be asked, None when it can; starts none to find out, unless it refused everything."""
        if self.trouble is None:
            self.trouble = await trio.to_thread.run_sync(_missing, self._path)
        elif (stream := await self._connect()) is not None:
            # It has come back, and whoever asks next need not be told otherwise.
            await stream.aclose()
        if self.trouble is None and self._unfit is not None:
            # Its configuration may have been mended since, and nobody have asked it anything.
            with suppress(HostRefusal):
                await self.ask(ReadTimezone())
        return self.trouble or self._unfit

    async def _connect(self) -> trio.SocketStream | None:
        try:
            stream = await trio.open_unix_socket(self._path)
        except OSError as error:
            self.trouble = why_not(self._path, error)
            return None
        self.trouble = None
        return stream


def why_not(path: str, error: OSError) -> str:
    """Why nobody could be asked at a socket, and what to do."""
    match error:
        case PermissionError():
            return f"Manor's user may not use {path}; it has to be in the socket's group"
        case FileNotFoundError() | ConnectionRefusedError():
            return f"nobody listens at {path}; systemctl enable --now manor-host.socket"
    return f"{path} cannot be used: {error.strerror}"


def _missing(path: str) -> str | None:
    try:
        Path(path).stat()
    except OSError as error:
        return why_not(path, error)
    return None if os.access(path, os.W_OK) else why_not(path, PermissionError())


async def _exchanged(stream: trio.SocketStream, line: bytes, seconds: float) -> bytes:
    """Send a line and take one.

    Raises:
        Failed: None comes; what was asked may be done all the same.
    """
    answer = bytearray()
    try:
        with trio.fail_after(seconds):
            # It may have said why not before it hung up on what we say.
            with suppress(trio.BrokenResourceError):
                await stream.send_all(line)
            while not answer.endswith(b"\n"):
                chunk = await stream.receive_some(CHUNK)
                if not chunk or len(answer) > ANSWER_LIMIT:
                    raise Failed(_CUT)
                answer += chunk
    except trio.TooSlowError as error:
        raise Failed(f"The root helper did not answer within {seconds:.0f} seconds; it may go on") from error
    except trio.BrokenResourceError as error:
        raise Failed(_CUT) from error
    return bytes(answer)


_CUT = "The root helper ended before it answered; whether it did what was asked is not known"
