"""Whether, and to which bucket, segments are shipped; and where viewers find them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

import trio

from manor import Blobs, Bucket, PluginContext, S3Blobs
from manor_stream.config import StreamConfig
from manor_stream.hls.window import Segment, Window
from manor_stream.logbook import Logbook
from manor_stream.settings import S3Settings, Settings, SettingsChanged
from manor_stream.shipping.reading import Reading
from manor_stream.shipping.shipment import Patience, Shipment


@dataclass
class Shipping:
    """Ships what the window lists, as long as the settings say so.

    Changed settings are in force at once: whatever is listed then goes to the new bucket, and viewers are sent there
    when all of it is there.

    Args:
        context: The plugin's own.
        settings: Say which bucket.
        window: What is shipped.
        logbook: Told when it fails, and when it works again.
        patience: How long things may take.
    """

    context: PluginContext[StreamConfig]
    settings: Settings
    window: Window
    logbook: Logbook
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        self._shipment: Shipment | None = None
        self._reading: Reading | None = None
        self._shipped_to = S3Settings()
        self._changed = trio.Event()
        self.window.watch(self._note)

    def base_url(self, variant: int) -> str | None:
        """Where a variant is served instead of here: what `/stream.m3u8` is added to.

        Returns:
            None while it is served here: without a bucket, before everything that is listed is in it, and from a
            failure on until some segments of every variant have got through in a row.
        """
        s3 = self.settings.now.s3
        if self._shipment is None or s3 != self._shipped_to or not self._shipment.serves(variant):
            return None
        return _url_in(s3, variant)

    @property
    def unreadable(self) -> str | None:
        """Why browsers cannot play what gets through, as far as this server sees; None when they can."""
        return self._reading.trouble if self._reading is not None else None

    async def trouble(self) -> str | None:
        """Why segments do not get through; None when they do, or none are shipped."""
        return self._shipment.trouble if self._shipment is not None else None

    def note_change(self, changed: SettingsChanged) -> None:
        """Settings were changed. For an INLINE subscription."""
        if "s3" in changed.names:
            self._changed.set()

    async def run(self) -> None:
        """Ship, and begin anew whenever the settings change."""
        while True:
            self._changed = trio.Event()
            self._shipped_to = s3 = self.settings.now.s3
            if not s3.enabled:
                await self._changed.wait()
                continue
            try:
                async with trio.open_nursery() as nursery:
                    self._reading = self._reading_of(s3)
                    self._shipment = Shipment(
                        self._blobs(s3),
                        self.window,
                        self.logbook,
                        self.patience,
                        on_shipped=self._reading.note_shipped,
                    )
                    nursery.start_soon(self._shipment.run)
                    nursery.start_soon(self._reading.run)
                    await self._changed.wait()
                    nursery.cancel_scope.cancel()
            finally:
                self._shipment = self._reading = None

    def _blobs(self, s3: S3Settings) -> Blobs:
        bucket = Bucket(
            endpoint=s3.endpoint,
            name=s3.bucket,
            access_key=s3.access_key,
            secret_key=s3.secret,
            region=s3.region or "us-east-1",
            path_style=s3.force_path_style or _is_bare(s3.endpoint),
            acl=s3.acl,
        )
        # Not every administrator of the stream administers the server: a private address has to be allowed by name.
        return S3Blobs(self.context.outgoing, bucket, self.context.clock, tries=1)

    def _reading_of(self, s3: S3Settings) -> Reading:
        url = self.settings.now.server_url or self.context.public_url
        return Reading(
            self.context.outgoing, partial(_url_in, s3), _origin_of(url), self.logbook, again=self.patience.reading
        )

    def _note(self, variant: int, segment: Segment, playlist: bytes) -> None:
        if self._shipment is not None:
            self._shipment.note(variant)


def _url_in(s3: S3Settings, variant: int) -> str:
    """Where viewers find a variant, without its playlist's name."""
    return f"{(s3.serving_endpoint or s3.endpoint).rstrip('/')}/{quote(s3.bucket, safe='')}/hls/{variant}"


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""


def _is_bare(endpoint: str) -> bool:
    """Whether nothing can stand before the endpoint's host: an address, or `localhost`."""
    host = urlsplit(endpoint).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return "." not in host
    return True
