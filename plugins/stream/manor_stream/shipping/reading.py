"""Whether browsers can read what was shipped: asked as a page would ask, as uploads say nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from manor import Outgoing, OutgoingFailed, OutgoingRefused
from manor_stream.logbook import Logbook

READ_SECONDS = 10.0

AGAIN_SECONDS = 60.0
"""Between two looks while something is wrong: an admin who has mended it wants to see that it is."""

UNKNOWN_ORIGIN = "https://a-page-of-this-server.invalid"
"""Asked for where nobody has said what this server is called: a bucket that lets all pages read lets this one."""

ALLOWED = "access-control-allow-origin"


@dataclass
class Reading:
    """Looks once something was shipped, and on until all is well.

    Args:
        outgoing: Asks.
        url_of: Where viewers find a variant; what `/stream.m3u8` is added to.
        origin: Of this server's pages; "" where nobody has said it.
        logbook: Told once what is wrong, and once that it is no longer.
        again: Seconds between two looks.

    Attributes:
        trouble: What keeps browsers from playing; None when nothing is known to.
    """

    outgoing: Outgoing
    url_of: Callable[[int], str]
    origin: str
    logbook: Logbook
    again: float = AGAIN_SECONDS
    trouble: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._variant = 0
        self._shipped = trio.Event()

    def note_shipped(self, variant: int) -> None:
        """The playlist of a variant is there."""
        if not self._shipped.is_set():
            self._variant = variant
            self._shipped.set()

    async def run(self) -> None:
        """Look, until there is nothing more to see."""
        await self._shipped.wait()
        while True:
            before, self.trouble = self.trouble, await self._look()
            if self.trouble is None:
                if before is not None:
                    self.logbook.info("Browsers can read what is in S3 now")
                return
            if before is None:
                self.logbook.warning(self.trouble)
            await trio.sleep(self.again)

    async def _look(self) -> str | None:
        url = f"{self.url_of(self._variant)}/stream.m3u8"
        origin = self.origin or UNKNOWN_ORIGIN
        try:
            answer = await self.outgoing.request("GET", url, headers={"Origin": origin}, timeout=READ_SECONDS)
        except OutgoingRefused:
            # Viewers may well reach what this server may not.
            return None
        except OutgoingFailed as failed:
            return f"Whether browsers can read what is in S3 is not known: {failed}"
        if answer.status != 200:
            return (
                f"Browsers cannot read what is in S3: {url} answers {answer.status} without a signature. Let everybody "
                f"read what is below hls/, by the bucket's policy or by an ACL such as public-read"
            )
        if answer.headers.get(ALLOWED) in ("*", origin):
            return None
        return _no_leave(url, self.origin)


def _no_leave(url: str, origin: str) -> str:
    if not origin:
        return (
            f"The bucket in S3 does not let pages of every site read {url} (CORS). If it lets this server's own pages, "
            f"say which those are: the server's URL in the settings, or public_url in the configuration"
        )
    return f"Browsers play nothing from S3: the bucket does not let pages of {origin} read {url} (CORS: GET and HEAD)"
