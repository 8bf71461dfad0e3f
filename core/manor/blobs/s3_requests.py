"""Signed requests to a bucket, tried again where that may help."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import trio

from manor.blobs.refusals import BlobsFailed
from manor.blobs.s3_answers import error_code
from manor.blobs.signing import Query, amz_date, authorization, encoded, query_string
from manor.clock import Clock
from manor.errors import StorageFull
from manor.outgoing import Outgoing, OutgoingFailed, OutgoingRefused, Response
from manor.outgoing.targets import DEFAULT_PORTS

TRIES = 3
FIRST_WAIT = 0.3
"""Seconds before the second try, more or less; twice that before the third."""

LEAST_SECONDS = 15.0
SLOWEST = 128 * 1024
"""Bytes a second: who takes a body more slowly than this is given up."""

LARGE = 256 * 1024
"""Bodies from here on are hashed in a thread."""

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_PASSING_CODES = frozenset({"RequestTimeout", "InternalError", "SlowDown", "OperationAborted"})
_FULL_CODES = frozenset({"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientStorage"})


@dataclass(frozen=True)
class Bucket:
    """Where files go, and how to get in.

    Args:
        endpoint: The service, as `https://s3.eu-central-1.amazonaws.com`.
        name: The bucket's.
        access_key: Says who asks.
        secret_key: Proves it.
        region: As the service calls it; those that have none take any.
        prefix: Stands before every key, without slashes around it; "" for none.
        path_style: Whether the bucket stands in the path; else before the host's name, as AWS wants it.
        acl: A canned ACL for everything that is put there, as `public-read`; "" for the bucket's own.
    """

    endpoint: str
    name: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    prefix: str = ""
    path_style: bool = True
    acl: str = ""

    @property
    def url(self) -> str:
        """The bucket's own address, without a trailing slash."""
        endpoint = self.endpoint.rstrip("/")
        if self.path_style:
            return f"{endpoint}/{encoded(self.name)}"
        scheme, _, rest = endpoint.partition("://")
        return f"{scheme}://{self.name}.{rest}"

    def key(self, key: str) -> str:
        """A key with the prefix before it."""
        return f"{self.prefix}/{key}" if self.prefix else key


class S3Requests:
    """Asks a bucket.

    Args:
        outgoing: Must be allowed to reach the bucket's address.
        bucket: Which one.
        clock: Signatures hold for some minutes only.
        tries: How often a request is made at most.
    """

    def __init__(self, outgoing: Outgoing, bucket: Bucket, clock: Clock, *, tries: int = TRIES) -> None:
        self._outgoing = outgoing
        self._bucket = bucket
        self._clock = clock
        self._tries = tries

    async def ask(
        self,
        method: str,
        key: str = "",
        *,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        most_bytes: int = 4 * 1024 * 1024,
        accept: tuple[int, ...] = (),
    ) -> Response:
        """Ask, and ask again when the service is out of breath.

        Args:
            method: GET, HEAD, PUT, POST or DELETE.
            key: Of the object, prefix included; "" for the bucket itself.
            query: Not encoded.
            headers: More of them; all are signed.
            content: The body.
            most_bytes: How long the answer's body may be.
            accept: Statuses that are no failure besides 200, 204 and 206.

        Raises:
            BlobsFailed: No answer, or one that says no.
            StorageFull: It has no room.
        """
        digest = await _sha256(content)
        wait = FIRST_WAIT
        for left in reversed(range(self._tries)):
            try:
                return await self._ask_once(
                    method, key, query, headers or {}, content, digest, most_bytes, (200, 204, 206, *accept)
                )
            except BlobsFailed as failed:
                if not failed.may_pass or not left:
                    raise
            await trio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, guards nothing
            wait *= 2
        raise AssertionError("unreachable")

    async def _ask_once(
        self,
        method: str,
        key: str,
        query: Query,
        headers: Mapping[str, str],
        content: bytes,
        digest: str,
        most_bytes: int,
        accept: tuple[int, ...],
    ) -> Response:
        parts = urlsplit(self._bucket.url)
        path = f"{parts.path}/{encoded(key, keep='/')}" if key or not parts.path else parts.path
        bare = {"x-amz-date": amz_date(self._clock.now()), "x-amz-content-sha256": digest, **headers}
        signature = authorization(
            method,
            path,
            query,
            {**bare, "host": _host(parts.scheme, parts.netloc)},
            digest,
            access_key=self._bucket.access_key,
            secret_key=self._bucket.secret_key,
            region=self._bucket.region,
            service="s3",
        )
        asked = f"{parts.scheme}://{parts.netloc}{path}"
        try:
            answer = await self._outgoing.request(
                method,
                f"{asked}?{query_string(query)}" if query else asked,
                headers={**bare, "authorization": signature},
                content=content,
                timeout=LEAST_SECONDS + max(len(content), most_bytes if method == "GET" else 0) / SLOWEST,
                most_bytes=most_bytes,
                redirects=0,
            )
        except OutgoingFailed as error:
            raise BlobsFailed(str(error)) from error
        except OutgoingRefused as error:
            raise BlobsFailed(str(error), may_pass=False) from error
        if answer.status in accept:
            return answer
        raise failure(parts.hostname or "", answer)


def failure(host: str, answer: Response) -> BlobsFailed | StorageFull:
    """What an answer that says no means. Nothing of it is repeated but its code: S3 tells what it was asked to sign."""
    code = error_code(answer.body)
    if answer.status == 507 or code in _FULL_CODES:
        return StorageFull("The server's file store is full; nothing of this was stored.")
    said = f"{host}: {answer.status} {code}".rstrip()
    region = answer.headers.get("x-amz-bucket-region")
    if region and 300 <= answer.status < 500 and answer.status not in (403, 404) and region.replace("-", "").isalnum():
        said += f"; the bucket is in the region {region}"
    return BlobsFailed(said, may_pass=answer.status in _PASSING or code in _PASSING_CODES)


def _host(scheme: str, netloc: str) -> str:
    """As it is sent in `Host`: without the port that the scheme has anyway."""
    return netloc.lower().removesuffix(f":{DEFAULT_PORTS.get(scheme, 0)}")


async def _sha256(content: bytes) -> str:
    if len(content) < LARGE:
        return hashlib.sha256(content).hexdigest()
    return await trio.to_thread.run_sync(lambda: hashlib.sha256(content).hexdigest())
