"""Files in a bucket of S3, or of any server that speaks as it does."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import trio

from manor.blobs.interface import MOST_BYTES, MOST_LISTED, OCTETS, Blob, BlobPage, OpenBlob
from manor.blobs.keys import check_key, check_prefix, check_range
from manor.blobs.refusals import BadKey, BadRange, BlobsFailed, NoSuchBlob
from manor.blobs.s3_answers import (
    completion,
    deletion,
    error_code,
    error_in,
    read_document,
    read_listing,
    text_of,
)
from manor.blobs.s3_requests import TRIES, Bucket, S3Requests, failure
from manor.clock import Clock
from manor.outgoing import Outgoing, Response

PART = 8 * 1024 * 1024
"""Bytes of one part of a large file, either way: what is held in memory of it. S3 takes none below 5 MiB."""

MOST_AT_ONCE = 64 * 1024 * 1024
"""What is in memory already goes up in one request, up to this size."""

ABORT_SECONDS = 10.0


class S3Blobs:
    """A bucket as a store of files; see `Blobs`.

    Args:
        outgoing: Must be allowed to reach the bucket's address.
        bucket: Which one.
        clock: Signatures hold for some minutes only.
        tries: How often a request is made at most; between them is a wait of random length.
    """

    def __init__(self, outgoing: Outgoing, bucket: Bucket, clock: Clock, *, tries: int = TRIES) -> None:
        self._bucket = bucket
        self._requests = S3Requests(outgoing, bucket, clock, tries=tries)

    async def put(
        self,
        key: str,
        content: bytes | AsyncIterable[bytes],
        *,
        content_type: str = OCTETS,
        cache_control: str = "",
    ) -> int:
        """Keep a file; see `Blobs.put`. Of one in pieces that is large, nothing is seen before its last part is up."""
        path = self._bucket.key(check_key(key))
        headers = {"content-type": content_type}
        if cache_control:
            headers["cache-control"] = cache_control
        if self._bucket.acl:
            headers["x-amz-acl"] = self._bucket.acl
        if isinstance(content, bytes) and len(content) <= MOST_AT_ONCE:
            await self._requests.ask("PUT", path, headers=headers, content=content)
            return len(content)
        upload = _Upload(self._requests, path, headers)
        try:
            if isinstance(content, bytes):
                for first in range(0, len(content), PART):
                    await upload.add(content[first : first + PART])
            else:
                async for piece in content:
                    await upload.add(piece)
            await upload.finish()
        except BaseException:
            with trio.move_on_after(ABORT_SECONDS, shield=True):
                await upload.abort()
            raise
        return upload.size

    async def get(self, key: str, *, most_bytes: int = MOST_BYTES) -> bytes:
        """Read a file whole; see `Blobs.get`."""
        async with self.open(key) as opened:
            return await opened.read(most_bytes)

    @asynccontextmanager
    async def open(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[OpenBlob]:
        """Read a file piece by piece; see `Blobs.open`.

        Each piece is a request of its own: a reader who takes his time holds no connection, and a piece that is lost
        is asked for again.
        """
        check_key(key)
        check_range(start, length)
        if length == 0:
            blob = await self.head(key)
            first = b""
        else:
            blob, first = await self._first(key, start, PART if length is None else min(PART, length))
        if start > blob.size:
            raise BadRange(f"the file has {blob.size} bytes")
        end = blob.size if length is None else min(blob.size, start + length)
        yield OpenBlob(blob, self._reader(blob, first, start, end))

    async def head(self, key: str) -> Blob:
        """What is known of a file; see `Blobs.head`."""
        answer = await self._requests.ask("HEAD", self._bucket.key(check_key(key)), accept=(404,))
        if answer.status == 404:
            raise NoSuchBlob(key)
        return _blob(key, answer, _number(answer.headers.get("content-length")))

    async def delete(self, key: str) -> None:
        """Remove a file; see `Blobs.delete`."""
        answer = await self._requests.ask("DELETE", self._bucket.key(check_key(key)), accept=(404,))
        self._see_bucket(answer)

    async def delete_many(self, keys: Iterable[str]) -> None:
        """Remove files; see `Blobs.delete_many`."""
        paths = [self._bucket.key(check_key(key)) for key in keys]
        for first in range(0, len(paths), MOST_LISTED):
            body = deletion(paths[first : first + MOST_LISTED])
            # AWS wants this one checked twice.
            md5 = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            headers = {"content-md5": md5, "content-type": "application/xml"}
            answer = await self._requests.ask("POST", query=[("delete", "")], headers=headers, content=body)
            code = error_in(read_document(answer.body)) if answer.body.strip() else ""
            if code:
                raise BlobsFailed(f"not all files could be deleted: {code}")

    async def page(self, prefix: str = "", *, after: str = "", limit: int = MOST_LISTED) -> BlobPage:
        """Files by the beginning of their keys; see `Blobs.page`. Objects that are none of ours are left out."""
        base = self._bucket.key("")
        query = [
            ("encoding-type", "url"),
            ("list-type", "2"),
            ("max-keys", str(max(1, min(limit, MOST_LISTED)))),
            ("prefix", base + check_prefix(prefix)),
        ]
        if after:
            query.append(("start-after", base + after))
        answer = await self._requests.ask("GET", query=query)
        listed, is_more = read_listing(answer.body)
        blobs = []
        for each in listed:
            try:
                blobs.append(Blob(check_key(each.key.removeprefix(base)), each.size, each.modified, each.tag))
            except BadKey:
                continue
        return BlobPage(tuple(blobs), listed[-1].key.removeprefix(base) if is_more and listed else "")

    async def _first(self, key: str, start: int, length: int) -> tuple[Blob, bytes]:
        """The first piece, and what is known of the file from then on."""
        answer = await self._range(key, start, length, {})
        if answer.status == 416:
            # It ends before; where, not every server says.
            return await self.head(key), b""
        if answer.status == 200:
            # It has no ranges, which happens with short files; it is all there.
            return _blob(key, answer, len(answer.body)), answer.body[start : start + length]
        _, _, size = (answer.headers.get("content-range") or "").rpartition("/")
        return _blob(key, answer, _number(size)), answer.body

    def _reader(self, blob: Blob, first: bytes, start: int, end: int) -> Callable[[], Awaitable[bytes]]:
        ready, place = first, start + len(first)

        async def next_piece() -> bytes:
            nonlocal ready, place
            if ready:
                piece, ready = ready, b""
                return piece
            if place >= end:
                return b""
            same = {"if-match": f'"{blob.tag}"'} if blob.tag else {}
            answer = await self._range(blob.key, place, min(PART, end - place), same)
            if answer.status != 206 or not answer.body:
                raise BlobsFailed(f"{blob.key}: it changed while it was read")
            place += len(answer.body)
            return answer.body

        return next_piece

    async def _range(self, key: str, start: int, length: int, headers: dict[str, str]) -> Response:
        answer = await self._requests.ask(
            "GET",
            self._bucket.key(key),
            headers={"range": f"bytes={start}-{start + length - 1}", **headers},
            most_bytes=PART,
            accept=(404, 412, 416),
        )
        if answer.status == 404:
            self._see_bucket(answer)
            raise NoSuchBlob(key)
        return answer

    def _see_bucket(self, answer: Response) -> None:
        if answer.status == 404 and error_code(answer.body) == "NoSuchBucket":
            raise failure(self._bucket.name, answer)


class _Upload:
    """A file that goes up in parts, or in one request when it turns out to be short."""

    def __init__(self, requests: S3Requests, path: str, headers: dict[str, str]) -> None:
        self._requests = requests
        self._path = path
        self._headers = headers
        self._waiting = bytearray()
        self._tags: list[str] = []
        self._id = ""
        self.size = 0

    async def add(self, piece: bytes) -> None:
        self._waiting += piece
        self.size += len(piece)
        while len(self._waiting) > PART:
            part = bytes(self._waiting[:PART])
            del self._waiting[:PART]
            await self._send(part)

    async def finish(self) -> None:
        if not self._id:
            await self._requests.ask("PUT", self._path, headers=self._headers, content=bytes(self._waiting))
            return
        await self._send(bytes(self._waiting))
        answer = await self._requests.ask(
            "POST", self._path, query=[("uploadId", self._id)], content=completion(self._tags), accept=(404,)
        )
        if answer.status == 404:
            await self._see_finished()
        elif code := error_in(read_document(answer.body)):
            # This one may be answered 200 and fail all the same: joining takes long, and the head is sent before.
            raise BlobsFailed(f"the parts could not be joined: {code}")
        self._id = ""

    async def abort(self) -> None:
        if self._id:
            try:
                await self._requests.ask("DELETE", self._path, query=[("uploadId", self._id)], accept=(404,))
            except BlobsFailed:
                # The bucket's own rules remove what was begun and never finished.
                return

    async def _send(self, part: bytes) -> None:
        if not self._id:
            answer = await self._requests.ask("POST", self._path, query=[("uploads", "")], headers=self._headers)
            self._id = text_of(read_document(answer.body), "UploadId")
        query = [("partNumber", str(len(self._tags) + 1)), ("uploadId", self._id)]
        answer = await self._requests.ask("PUT", self._path, query=query, content=part)
        self._tags.append(answer.headers.get("etag") or "")

    async def _see_finished(self) -> None:
        """There is no such upload: it may be that the answer to the first try was lost, and all is well."""
        answer = await self._requests.ask("HEAD", self._path, accept=(404,))
        # Such a file's tag ends in the number of its parts, so it is not the one that was there before.
        tag = (answer.headers.get("etag") or "").strip('"')
        size = _number(answer.headers.get("content-length"))
        if answer.status == 404 or size != self.size or not tag.endswith(f"-{len(self._tags)}"):
            raise BlobsFailed("the parts are gone before they were joined")


def _blob(key: str, answer: Response, size: int) -> Blob:
    modified = answer.headers.get("last-modified")
    try:
        at = parsedate_to_datetime(modified).astimezone(UTC) if modified else datetime.fromtimestamp(0, UTC)
    except ValueError:
        at = datetime.fromtimestamp(0, UTC)
    return Blob(key, size, at, (answer.headers.get("etag") or "").removeprefix("W/").strip('"'))


def _number(text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError as error:
        raise BlobsFailed("S3 does not say how long the file is") from error
