"""The directory: told every few minutes that the stream is live, if the administrator wants it to be listed."""

from __future__ import annotations

import msgspec
import trio

from manor import OutgoingFailed, OutgoingRefused
from manor_stream.events import StreamStarted, StreamStopped
from manor_stream.parts import Shared
from manor_stream.settings import SettingsChanged

SECONDS = 240.0
"""Between two tellings."""

LEAST_SECONDS = 10.0
"""The same when settings change one after the other."""

TIMEOUT_SECONDS = 10.0
MOST_BYTES = 64 * 1024
LONGEST_KEY = 1_000

TELLING = frozenset({"is_listed", "server_url"})
"""Settings upon which it is told at once."""


class Pong(msgspec.Struct, frozen=True, rename="camel"):
    """What a directory answers."""

    key: str = ""
    success: bool = False
    error: str = ""
    error_code: int | str = 0


class Directory:
    """Tells a directory.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._is_live = False
        self._bell = trio.Event()

    def hear_start(self, started: StreamStarted) -> None:
        """For an INLINE subscription."""
        self._is_live = True
        self._bell.set()

    def hear_stop(self, stopped: StreamStopped) -> None:
        """For an INLINE subscription."""
        self._is_live = False

    def hear_settings(self, changed: SettingsChanged) -> None:
        """For an INLINE subscription."""
        if not TELLING.isdisjoint(changed.names):
            self._bell.set()

    @property
    def is_wanted(self) -> bool:
        """Whether it is told: only while the stream is live, and never by itself."""
        now = self._shared.settings.now
        return self._is_live and now.is_listed and bool(now.server_url) and bool(self._shared.config.directory_url)

    async def run(self) -> None:
        """Tell it when a stream begins, and again every few minutes; runs until cancelled."""
        while True:
            if self.is_wanted:
                await self.tell()
                await trio.sleep(LEAST_SECONDS)
            with trio.move_on_after(SECONDS - LEAST_SECONDS):
                await self._bell.wait()
            self._bell = trio.Event()

    async def tell(self) -> None:
        """Tell it once; what goes wrong is written into the logbook."""
        settings = self._shared.settings
        try:
            answer = await self._shared.context.outgoing.request(
                "POST",
                self._shared.config.directory_url.rstrip("/") + "/api/ping",
                json={"key": settings.now.directory_key, "url": settings.now.server_url},
                timeout=TIMEOUT_SECONDS,
                most_bytes=MOST_BYTES,
                redirects=0,
                # The address stands in the configuration.
                allow_private=True,
            )
        except (OutgoingFailed, OutgoingRefused) as error:
            self._fail(str(error))
            return
        try:
            pong = msgspec.json.decode(answer.body, type=Pong)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._fail(f"it answered {answer.status}, and nothing that can be read")
            return
        if not pong.success:
            self._fail(f"{pong.error[:LONGEST_KEY] or answer.status} ({pong.error_code})")
            return
        if 0 < len(pong.key) <= LONGEST_KEY:
            await settings.change(directory_key=pong.key)

    def _fail(self, reason: str) -> None:
        self._shared.logbook.warning(f"The directory was not told of the stream: {reason}")
