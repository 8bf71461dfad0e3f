"""Which store a plugin has: as the admin says, and its own part of it."""

from __future__ import annotations

from pathlib import Path

from manor.blobs.interface import Blobs
from manor.blobs.local import LocalBlobs
from manor.blobs.s3 import S3Blobs
from manor.blobs.s3_requests import Bucket
from manor.clock import Clock
from manor.config import BlobsConfig
from manor.outgoing import Outgoing

FOLDER = "blobs"


class BlobStores:
    """Makes every plugin a store of its own.

    Args:
        config: `[server.blobs]`.
        data_dir: The server's; a plugin's files are below its own folder there.
        outgoing: Asks S3.
        clock: Signs with the time.
        inline: Work on the loop's thread: for tests whose clock jumps.
    """

    def __init__(
        self, config: BlobsConfig, data_dir: Path, outgoing: Outgoing, clock: Clock, *, inline: bool = False
    ) -> None:
        self._config = config
        self._data_dir = data_dir
        self._outgoing = outgoing
        self._clock = clock
        self._inline = inline

    async def purge(self, name: str) -> None:
        """Remove all files of a plugin.

        Raises:
            BlobsFailed: The store did not do it; what was removed is gone.
        """
        store = self.for_plugin(name)
        after, is_more = "", True
        while is_more:
            page = await store.page(after=after)
            await store.delete_many(blob.key for blob in page.blobs)
            after, is_more = page.after, bool(page.after)

    def for_plugin(self, name: str) -> Blobs:
        """The plugin's own files; no other one's can be reached through it."""
        config = self._config
        if config.kind == "local":
            return LocalBlobs(self._data_dir / name / FOLDER, inline=self._inline)
        bucket = Bucket(
            endpoint=config.endpoint,
            name=config.bucket,
            access_key=config.access_key,
            secret_key=config.secret_key,
            region=config.region,
            prefix=f"{config.prefix}/{name}" if config.prefix else name,
            path_style=config.path_style,
        )
        # It stands in the configuration: so it may be private.
        return S3Blobs(self._outgoing.allowing([bucket.url]), bucket, self._clock)
