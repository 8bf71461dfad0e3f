"""Files in a bucket: how they stand there, and what becomes of a service that fails."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import trio

from manor.blobs import BadRange, BlobsFailed, Bucket, NoSuchBlob, S3Blobs
from manor.blobs.s3 import PART
from manor.blobs.s3_answers import deletion, read_listing
from manor.clock import SetClock, SystemClock
from manor.errors import StorageFull
from manor.outgoing import Outgoing
from tests.core.blob_stores import s3_store
from tests.core.outgoing_servers import Answer, open_server, plain
from tests.s3_server import S3Server

NOON = SetClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


def store_at(url: str, *, tries: int = 1, acl: str = "") -> S3Blobs:
    bucket = Bucket(url, "attic", "its key", "its secret", acl=acl)
    return S3Blobs(Outgoing().allowing([bucket.url]), bucket, NOON, tries=tries)


def refusal(status: str, code: str = "", headers: str = "") -> Answer:
    body = f"<Error><Code>{code}</Code><StringToSign>its secret words</StringToSign></Error>" if code else ""
    return plain(body.encode(), status=status, headers=headers)


# --- With a real server, which checks the signatures


async def test_a_file_stands_below_the_prefix_with_its_type_and_how_long_it_may_be_cached(s3_server: S3Server) -> None:
    bucket = Bucket(s3_server.url, s3_server.new_bucket(), s3_server.access_key, s3_server.secret_key, prefix="a/b")
    blobs = S3Blobs(Outgoing().allowing([bucket.url]), bucket, SystemClock())
    await blobs.put("c/file.ts", b"video", content_type="video/mp2t", cache_control="max-age=60")

    headers, body = s3_server.fetch("GET", f"/{bucket.name}/a/b/c/file.ts")
    folded = {name.lower(): value for name, value in headers.items()}
    assert (body, folded["content-type"], folded["cache-control"]) == (b"video", "video/mp2t", "max-age=60")


async def test_stores_with_other_prefixes_do_not_see_each_other(s3_server: S3Server) -> None:
    name = s3_server.new_bucket()
    stores = []
    for prefix in ("chat", "chat2", "stream", ""):
        bucket = Bucket(s3_server.url, name, s3_server.access_key, s3_server.secret_key, prefix=prefix)
        stores.append(S3Blobs(Outgoing().allowing([bucket.url]), bucket, SystemClock()))
    await stores[0].put("file", b"")

    assert [[blob.key for blob in (await store.page()).blobs] for store in stores] == [["file"], [], [], ["chat/file"]]


async def test_a_wrong_secret_is_told_without_trying_again(s3_server: S3Server) -> None:
    blobs = s3_store(s3_server, secret="not this one")

    with pytest.raises(BlobsFailed, match="403 SignatureDoesNotMatch") as caught:
        await blobs.put("file", b"")

    assert (caught.value.may_pass, s3_server.access_key in str(caught.value)) == (False, False)


async def test_a_bucket_that_is_not_there_is_a_failure_and_no_missing_file(s3_server: S3Server) -> None:
    bucket = Bucket(s3_server.url, "nobody-made-this", s3_server.access_key, s3_server.secret_key)
    blobs = S3Blobs(Outgoing().allowing([bucket.url]), bucket, SystemClock())

    for ask in (blobs.get("file"), blobs.put("file", b""), blobs.delete("file"), blobs.page()):
        with pytest.raises(BlobsFailed, match="404 NoSuchBucket"):
            await ask


async def test_a_file_that_changes_while_it_is_read_is_not_mixed(s3_server: S3Server) -> None:
    blobs = s3_store(s3_server)
    await blobs.put("file", b"a" * (PART + 10))
    async with blobs.open("file") as opened:
        await anext(opened)
        await blobs.put("file", b"b" * (PART + 10))
        with pytest.raises(BlobsFailed, match="changed while it was read"):
            await anext(opened)


async def test_parts_of_an_upload_that_broke_off_are_given_up(s3_server: S3Server) -> None:
    bucket = Bucket(s3_server.url, s3_server.new_bucket(), s3_server.access_key, s3_server.secret_key)
    blobs = S3Blobs(Outgoing().allowing([bucket.url]), bucket, SystemClock())

    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(PART + 1)
        raise RuntimeError("the sender is gone")

    with pytest.raises(RuntimeError):
        await blobs.put("file", pieces())

    # Parts that nobody joins would be paid for without being seen.
    with pytest.raises(NoSuchBlob):
        await blobs.head("file")
    assert b"<Upload>" not in s3_server.fetch("GET", f"/{bucket.name}", [("uploads", "")])[1]


async def test_thousands_of_files_are_listed_and_removed(s3_server: S3Server) -> None:
    blobs = s3_store(s3_server)
    limit = trio.CapacityLimiter(8)

    async def put(number: int) -> None:
        async with limit:
            await blobs.put(f"many/{number:03}", b"")

    async with trio.open_nursery() as nursery:
        for number in range(60):
            nursery.start_soon(put, number)

    keys, after, pages = [], "", 0
    while not pages or after:
        page = await blobs.page("many/", after=after, limit=25)
        keys += [blob.key for blob in page.blobs]
        after, pages = page.after, pages + 1
    assert (pages, keys) == (3, [f"many/{number:03}" for number in range(60)])
    await blobs.delete_many(keys)
    assert (await blobs.page()).blobs == ()


# --- With a server that does as it is told


async def test_a_request_is_signed_for_its_own_time_and_host() -> None:
    async with open_server(plain()) as server:
        await store_at(server.url).put("some/file", b"abc")

        head = server.requests[0].decode().lower()
        assert head.startswith("put /attic/some/file http/1.1\r\n")
        assert f"host: 127.0.0.1:{server.port}\r\n" in head
        assert "x-amz-date: 20260301t120000z\r\n" in head
        assert re.search(
            r"signedheaders=content-type;host;x-amz-content-sha256;x-amz-date, signature=[0-9a-f]{64}", head
        )
        assert "its secret" not in head


async def test_an_acl_goes_with_every_file() -> None:
    async with open_server(plain()) as server:
        await store_at(server.url, acl="public-read").put("file", b"")

        assert b"x-amz-acl: public-read\r\n" in server.requests[0]


def test_a_bucket_stands_in_the_path_or_before_the_host() -> None:
    in_path = Bucket("https://s3.example.org/", "attic", "", "")
    before = Bucket("https://s3.example.org:8443", "attic", "", "", path_style=False)

    assert (in_path.url, before.url) == ("https://s3.example.org/attic", "https://attic.s3.example.org:8443")


async def test_a_bucket_before_the_host_is_asked_and_signed_there() -> None:
    async with open_server(plain()) as server:
        bucket = Bucket(f"http://s3.test:{server.port}", "attic", "k", "s", path_style=False)
        outgoing = Outgoing(resolve=lambda host, port: ["127.0.0.1"]).allowing([bucket.url])
        await S3Blobs(outgoing, bucket, NOON).delete("file")

        assert server.requests[0].startswith(b"DELETE /file HTTP/1.1\r\n")
        assert f"host: attic.s3.test:{server.port}\r\n".encode() in server.requests[0]


def test_a_secret_does_not_show_itself() -> None:
    assert "its secret" not in repr(Bucket("https://s3.example.org", "attic", "its key", "its secret"))


@pytest.mark.parametrize("answer", [refusal("503 Slow Down", "SlowDown"), refusal("500 No", "InternalError")])
async def test_a_service_out_of_breath_is_asked_again(answer: Answer, autojump_clock: trio.abc.Clock) -> None:
    async with open_server(answer, answer, plain(b"video")) as server:
        await store_at(server.url, tries=3).put("file", b"video")

        assert server.connections == 3


async def test_a_service_that_stays_out_of_breath_is_given_up(autojump_clock: trio.abc.Clock) -> None:
    async with open_server(refusal("503 Slow Down", "SlowDown")) as server:
        with pytest.raises(BlobsFailed, match="503 SlowDown") as caught:
            await store_at(server.url, tries=3).put("file", b"video")

        assert (server.connections, caught.value.may_pass) == (3, True)


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "301 Moved Permanently", "307 Elsewhere"])
async def test_what_will_not_pass_is_not_tried_again(status: str) -> None:
    headers = "Location: http://127.0.0.1:1/\r\nx-amz-bucket-region: eu-west-3\r\n"
    async with open_server(refusal(status, "No", headers)) as server:
        with pytest.raises(BlobsFailed) as caught:
            await store_at(server.url, tries=3).get("file")

        assert (server.connections, caught.value.may_pass) == (1, False)
        assert "secret words" not in str(caught.value)
        assert f"{status[:3]} No" in str(caught.value)


async def test_a_bucket_in_another_region_is_told_with_its_name() -> None:
    headers = "x-amz-bucket-region: eu-west-3\r\n"
    async with open_server(refusal("301 Moved Permanently", "PermanentRedirect", headers)) as server:
        with pytest.raises(BlobsFailed, match="the bucket is in the region eu-west-3"):
            await store_at(server.url).get("file")


@pytest.mark.parametrize("status", ["507 Insufficient Storage", "500 Full"])
async def test_a_full_service_is_a_full_disk(status: str) -> None:
    async with open_server(refusal(status, "XMinioStorageFull")) as server:
        with pytest.raises(StorageFull):
            await store_at(server.url).put("file", b"")


async def test_a_closed_port_is_a_failure_that_may_pass() -> None:
    async with open_server(plain()) as server:
        url = server.url
    with pytest.raises(BlobsFailed) as caught:
        await store_at(url).get("file")

    assert caught.value.may_pass


async def test_a_private_address_that_nobody_allowed_is_refused() -> None:
    async with open_server(plain()) as server:
        bucket = Bucket(server.url, "attic", "k", "s")
        with pytest.raises(BlobsFailed, match="not public") as caught:
            await S3Blobs(Outgoing(), bucket, NOON).get("file")

        assert (server.connections, caught.value.may_pass) == (0, False)


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><a>&b;</a>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"fine",
        b"<ListBucketResult>",
        BOMB,
        BOMB.decode().encode("utf-16"),
        b"\xff\xfe",
        b"<a><Contents><Key>k</Key><Size>many</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents></a>",
        b"<a><Contents><Key>k</Key><Size>1</Size><LastModified>once</LastModified></Contents></a>",
    ],
    ids=["nothing", "text", "half", "bomb", "bomb in UTF-16", "noise", "no size", "no time"],
)
async def test_a_listing_that_is_none_is_a_failure(body: bytes) -> None:
    async with open_server(plain(body)) as server:
        with pytest.raises(BlobsFailed):
            await store_at(server.url).page()


async def test_objects_that_are_none_of_ours_are_not_listed_and_do_not_end_the_list() -> None:
    body = (
        b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>'
        b"<IsTruncated>true</IsTruncated>"
        b"<Contents><Key>fine</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        b"<Contents><Key>its+name%0A%2F..%2Fodd</Key><Size>1</Size>"
        b"<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>"
    )
    async with open_server(plain(body)) as server:
        page = await store_at(server.url).page()

        assert ([blob.key for blob in page.blobs], page.after) == (["fine"], "its name\n/../odd")


@pytest.mark.parametrize(
    ("code", "told"),
    [("AccessDenied", "AccessDenied"), ("", "Error"), ("Access.Denied", "Error"), ("a\nsecret", "Error")],
)
async def test_a_failed_removal_among_many_is_told(code: str, told: str) -> None:
    body = f"<DeleteResult><Error><Key>file</Key><Code>{code}</Code></Error></DeleteResult>"
    async with open_server(plain(body.encode())) as server:
        with pytest.raises(BlobsFailed, match=f"not all files could be deleted: {told}$"):
            await store_at(server.url).delete_many(["file"])


async def test_parts_that_could_not_be_joined_are_told_though_the_status_is_fine() -> None:
    begun = plain(b"<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>")
    part = plain(headers='ETag: "p"\r\n')
    failed = plain(b"<Error><Code>InternalError</Code></Error>")

    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(PART + 1)

    async with open_server(begun, part, part, failed, plain()) as server:
        with pytest.raises(BlobsFailed, match="InternalError"):
            await store_at(server.url).put("file", pieces())

        assert server.requests[-1].startswith(b"DELETE /attic/file?uploadId=7 ")


async def test_a_server_without_ranges_is_read_all_the_same() -> None:
    async with open_server(plain(b"0123456789")) as server:
        blobs = store_at(server.url)
        async with blobs.open("file", start=3, length=4) as opened:
            assert (await opened.read(), opened.blob.size) == (b"3456", 10)
        with pytest.raises(BadRange):
            async with blobs.open("file", start=11):
                pass


def test_keys_are_escaped_where_xml_wants_it() -> None:
    assert b"<Key>a&amp;&lt;b</Key>" in deletion(["a&<b"])
    assert read_listing(b"<a/>") == ([], False)
