"""Both stores of files, for tests that hold for either."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from manor.blobs import Blobs, Bucket, LocalBlobs, S3Blobs
from manor.clock import SystemClock
from manor.outgoing import Outgoing
from tests.s3_server import S3Server

MakeStore = Callable[[], Blobs]


def s3_store(server: S3Server, *, prefix: str = "some/where", secret: str = "", tries: int = 3) -> S3Blobs:
    """A store in a bucket of its own."""
    bucket = Bucket(server.url, server.new_bucket(), server.access_key, secret or server.secret_key, prefix=prefix)
    return S3Blobs(Outgoing().allowing([bucket.url]), bucket, SystemClock(), tries=tries)


def local_store(folder: Path) -> LocalBlobs:
    """A store in a folder."""
    return LocalBlobs(folder / "blobs")
