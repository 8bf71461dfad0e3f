"""What a store of files promises, whatever it stands on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, timedelta
from pathlib import Path

import pytest
import trio

from manor.blobs import BadKey, BadRange, Blobs, BlobsFailed, NoSuchBlob
from manor.blobs.s3 import PART
from manor.clock import SystemClock
from tests.core.blob_stores import local_store, s3_store


@pytest.fixture(params=["local", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "local":
        return local_store(tmp_path)
    return s3_store(request.getfixturevalue("s3_server"))


async def keys_of(blobs: Blobs, prefix: str = "", *, limit: int = 1000) -> list[str]:
    keys: list[str] = []
    after = ""
    while True:
        page = await blobs.page(prefix, after=after, limit=limit)
        keys += [blob.key for blob in page.blobs]
        after = page.after
        if not after:
            return keys


async def pieces_of(blobs: Blobs, key: str, *, start: int = 0, length: int | None = None) -> bytes:
    async with blobs.open(key, start=start, length=length) as opened:
        return b"".join([piece async for piece in opened])


# --- Keeping and reading


@pytest.mark.parametrize("content", [b"", b"a", bytes(range(256)) * 5], ids=["nothing", "one byte", "all bytes"])
async def test_what_was_put_is_read(blobs: Blobs, content: bytes) -> None:
    size = await blobs.put("some/file.bin", content)

    assert (size, await blobs.get("some/file.bin")) == (len(content), content)
    assert await pieces_of(blobs, "some/file.bin") == content


async def test_pieces_of_any_size_become_one_file(blobs: Blobs) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for length in (1, 0, 70_000, 300_000, 3):
            yield b"%d" % (length % 10) * length

    size = await blobs.put("file", pieces())

    content = await blobs.get("file")
    assert (size, len(content), content[:2], content[-3:]) == (370_004, 370_004, b"10", b"333")


async def test_a_large_file_in_pieces_is_read_in_pieces(blobs: Blobs) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(2 * PART // 65_536 + 1):
            yield number.to_bytes(4, "big") * 16_384

    size = await blobs.put("large", pieces())

    assert size == 2 * PART + 65_536
    longest = read = 0
    async with blobs.open("large") as opened:
        async for piece in opened:
            longest, read = max(longest, len(piece)), read + len(piece)
    assert (longest <= PART, read) == (True, size)
    assert await pieces_of(blobs, "large", start=2 * PART + 65_532) == (2 * PART // 65_536).to_bytes(4, "big")


async def test_a_second_file_takes_the_place_of_the_first(blobs: Blobs) -> None:
    await blobs.put("file", b"the first, which is longer")
    before = await blobs.head("file")
    await blobs.put("file", b"the second")

    assert (await blobs.get("file"), (await blobs.head("file")).tag != before.tag) == (b"the second", True)


async def test_what_is_known_of_a_file(blobs: Blobs) -> None:
    await blobs.put("some/file", b"12345")

    blob = await blobs.head("some/file")
    async with blobs.open("some/file") as opened:
        assert opened.blob == blob
    assert (blob.key, blob.size, blob.modified.tzinfo) == ("some/file", 5, UTC)
    assert abs(blob.modified - SystemClock().now()) < timedelta(minutes=1)
    assert blob.tag
    assert '"' not in blob.tag


async def test_a_file_and_others_below_its_name_live_side_by_side(blobs: Blobs) -> None:
    for key in ("a/b", "a", "a/b/c"):
        await blobs.put(key, key.encode())

    assert [await blobs.get(key) for key in ("a", "a/b", "a/b/c")] == [b"a", b"a/b", b"a/b/c"]
    await blobs.delete("a/b")
    assert await keys_of(blobs) == ["a", "a/b/c"]


@pytest.mark.parametrize("key", ["missing", "some/missing", "some/file/below", "some"])
async def test_what_is_not_there_is_missing(blobs: Blobs, key: str) -> None:
    await blobs.put("some/file", b"here")

    with pytest.raises(NoSuchBlob):
        await blobs.get(key)
    with pytest.raises(NoSuchBlob):
        await blobs.head(key)
    with pytest.raises(NoSuchBlob):
        await pieces_of(blobs, key, length=0)


async def test_a_file_that_is_too_long_is_not_read_whole(blobs: Blobs) -> None:
    await blobs.put("file", b"12345")

    assert await blobs.get("file", most_bytes=5) == b"12345"
    with pytest.raises(BlobsFailed):
        await blobs.get("file", most_bytes=4)


# --- Ranges


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, 1, b"0"),
        (0, 0, b""),
        (3, 4, b"3456"),
        (9, None, b"9"),
        (7, 100, b"789"),
        (10, None, b""),
        (10, 5, b""),
    ],
)
async def test_a_range_is_read_as_far_as_the_file_goes(
    blobs: Blobs, start: int, length: int | None, expected: bytes
) -> None:
    await blobs.put("file", b"0123456789")

    async with blobs.open("file", start=start, length=length) as opened:
        assert (await opened.read(), opened.blob.size) == (expected, 10)


@pytest.mark.parametrize(("start", "length"), [(11, None), (11, 0), (-1, None), (0, -1)])
async def test_a_range_behind_the_end_is_refused(blobs: Blobs, start: int, length: int | None) -> None:
    await blobs.put("file", b"0123456789")

    with pytest.raises(BadRange):
        await pieces_of(blobs, "file", start=start, length=length)


async def test_a_file_of_nothing_has_an_empty_range(blobs: Blobs) -> None:
    await blobs.put("file", b"")

    assert await pieces_of(blobs, "file") == b""
    with pytest.raises(BadRange):
        await pieces_of(blobs, "file", start=1)


# --- Partial uploads


@pytest.mark.parametrize("length", [10, PART + 10], ids=["short", "in parts"])
async def test_a_file_whose_pieces_break_off_is_never_seen(blobs: Blobs, length: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(length)
        raise OSError("the sender is gone")

    await blobs.put("old", b"as it was")
    for key in ("old", "new"):
        with pytest.raises(OSError, match="the sender is gone"):
            await blobs.put(key, pieces())

    assert (await keys_of(blobs), await blobs.get("old")) == (["old"], b"as it was")


async def test_a_file_is_not_seen_while_it_is_put_and_not_after_a_cancel(blobs: Blobs) -> None:
    begun = trio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield bytes(PART + 1)
        begun.set()
        await trio.sleep_forever()

    async def put() -> None:
        async with aclosing(pieces()) as source:
            await blobs.put("file", source)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(put)
            await begun.wait()
            seen = await keys_of(blobs)
            nursery.cancel_scope.cancel()

    assert (seen, await keys_of(blobs)) == ([], [])


# --- Removing


async def test_what_was_removed_is_gone_and_what_was_not_there_is_no_failure(blobs: Blobs) -> None:
    for key in ("a/1", "a/2", "b"):
        await blobs.put(key, b"")

    await blobs.delete("a/1")
    await blobs.delete("a/1")
    await blobs.delete("never/was")

    assert await keys_of(blobs) == ["a/2", "b"]


async def test_many_are_removed_at_once(blobs: Blobs) -> None:
    for number in range(6):
        await blobs.put(f"many/{number}", b"")

    await blobs.delete_many(f"many/{number}" for number in (0, 2, 4, 77))
    await blobs.delete_many([])

    assert await keys_of(blobs) == ["many/1", "many/3", "many/5"]


# --- Listing


ODDLY_ORDERED = ["a", "a-b", "a.b", "a/b", "a/b-c", "a/b.c", "a/b/c", "a0", "ab", "b"]
"""In the order of their bytes, which is not that of the folders they would make."""


async def test_keys_are_listed_in_the_order_of_their_bytes(blobs: Blobs) -> None:
    for key in reversed(ODDLY_ORDERED):
        await blobs.put(key, b"")

    assert await keys_of(blobs) == sorted(ODDLY_ORDERED) == ODDLY_ORDERED


@pytest.mark.parametrize("limit", [1, 3, 5])
async def test_pages_follow_one_another_without_gap(blobs: Blobs, limit: int) -> None:
    for key in ODDLY_ORDERED:
        await blobs.put(key, b"")

    first = await blobs.page(limit=limit)
    assert len(first.blobs) == limit
    assert await keys_of(blobs, limit=limit) == ODDLY_ORDERED


@pytest.mark.parametrize("prefix", ["a", "a/", "a/b", "a/b/", "a.", "b", "c", "ab/"])
async def test_a_prefix_is_any_beginning(blobs: Blobs, prefix: str) -> None:
    for key in ODDLY_ORDERED:
        await blobs.put(key, b"")

    assert await keys_of(blobs, prefix, limit=2) == [key for key in ODDLY_ORDERED if key.startswith(prefix)]


async def test_a_listing_says_what_is_known_of_each_file(blobs: Blobs) -> None:
    await blobs.put("some/file", b"12345")

    page = await blobs.page()
    assert (page.blobs, page.after) == ((await blobs.head("some/file"),), "")


async def test_a_page_is_never_longer_than_a_thousand(blobs: Blobs) -> None:
    await blobs.put("file", b"")

    assert [blob.key for blob in (await blobs.page(limit=10**9)).blobs] == ["file"]
    assert [blob.key for blob in (await blobs.page(limit=0)).blobs] == ["file"]


# --- Keys


HOSTILE = [
    "",
    "/",
    "/etc/passwd",
    "../up",
    "a/../b",
    "a/./b",
    ".",
    "..",
    ".partial/x",
    ".hidden",
    "a//b",
    "a/",
    "a\\b",
    "a\x00b",
    "a\nb",
    "file\n",
    "a b",
    "ä",
    "a?b",
    "a#b",
    "a%2e%2e/b",
    "a+",
    "a" * 129,
    "/".join("a" * 30 for _ in range(17)),
    "/".join(["a" * 120] * 5),
]


@pytest.mark.parametrize("key", HOSTILE, ids=lambda key: repr(key)[:20])
async def test_a_key_that_may_lead_elsewhere_is_refused(blobs: Blobs, key: str) -> None:
    with pytest.raises(BadKey):
        await blobs.put(key, b"evil")
    with pytest.raises(BadKey):
        await blobs.get(key)
    with pytest.raises(BadKey):
        await blobs.head(key)
    with pytest.raises(BadKey):
        await blobs.delete(key)
    with pytest.raises(BadKey):
        await blobs.delete_many(["fine", key])

    assert await keys_of(blobs) == []


@pytest.mark.parametrize("prefix", ["/", "../", "a//", ".", "a/../", "a\x00", "a/.", "+"])
async def test_a_prefix_that_no_key_has_is_refused(blobs: Blobs, prefix: str) -> None:
    with pytest.raises(BadKey):
        await blobs.page(prefix)


@pytest.mark.parametrize("key", ["a" * 128, "_", "0", "hls/0/stream-x_1-7.ts", "A/a", "/".join("a" * 16)])
async def test_a_key_of_plain_words_is_taken(blobs: Blobs, key: str) -> None:
    await blobs.put(key, b"fine")

    assert (await blobs.get(key), await keys_of(blobs)) == (b"fine", [key])
