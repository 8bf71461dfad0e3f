"""Files in a folder: what is on the disk, and when."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import trio

from manor.blobs import BlobsFailed, LocalBlobs, NoSuchBlob
from manor.blobs.local import PARTIAL, PIECE, STALE_SECONDS
from manor.errors import StorageFull

SLOW_PUT = """
import sys, trio
from pathlib import Path
from manor.blobs import LocalBlobs

async def pieces():
    yield bytes(2_000_000)
    yield bytes(2_000_000)
    print("half", flush=True)
    await trio.sleep_forever()

trio.run(LocalBlobs(Path(sys.argv[1])).put, "some/file", pieces())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not" / "there" / "yet"


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def test_nothing_is_made_before_the_first_file(folder: Path) -> None:
    blobs = LocalBlobs(folder)

    assert (await blobs.page()).blobs == ()
    await blobs.delete("file")
    assert not folder.exists()


async def test_files_and_folders_are_nobody_elses_to_read(folder: Path) -> None:
    await LocalBlobs(folder).put("some/file", b"secret")

    file = folder / "some+" / "file"
    assert [path.stat().st_mode & 0o777 for path in (file, file.parent, folder)] == [0o600, 0o700, 0o700]


async def test_the_folders_of_the_last_file_go_with_it(folder: Path) -> None:
    blobs = LocalBlobs(folder)
    await blobs.put("a/b/c/1", b"")
    await blobs.put("a/2", b"")
    await blobs.delete("a/b/c/1")

    assert [path.name for path in folder.iterdir() if path.name != PARTIAL] == ["a+"]
    assert files_in(folder) == ["a+/2"]


async def test_a_failed_put_leaves_nothing_on_the_disk(folder: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(3 * PIECE)
        raise RuntimeError("the sender is gone")

    with pytest.raises(RuntimeError, match="the sender is gone"):
        await LocalBlobs(folder).put("file", pieces())

    assert files_in(folder) == []


def test_a_kill_in_the_middle_leaves_no_half_file(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLOW_PUT, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        assert [place.partition("/")[0] for place in files_in(folder)] == [PARTIAL]
        process.send_signal(signal.SIGKILL)

    async def look() -> None:
        assert (await LocalBlobs(folder).page()).blobs == ()
        with pytest.raises(NoSuchBlob):
            await LocalBlobs(folder).get("some/file")

    trio.run(look)


async def test_what_a_killed_process_left_is_removed_once_it_is_old(folder: Path) -> None:
    (folder / PARTIAL).mkdir(parents=True)
    old, young = folder / PARTIAL / "old", folder / PARTIAL / "young"
    for path in (old, young):
        path.write_bytes(b"half")
    written = young.stat().st_mtime
    os.utime(old, (written, written - STALE_SECONDS - 60))

    await LocalBlobs(folder).put("file", b"")

    assert files_in(folder) == [f"{PARTIAL}/young", "file"]


async def test_a_full_disk_is_told_and_leaves_what_was_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = LocalBlobs(folder)
    await blobs.put("file", b"as it was")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        await blobs.put("file", b"as it will be")
    with pytest.raises(StorageFull):
        await blobs.put("other", b"")

    assert (await blobs.get("file"), files_in(folder)) == (b"as it was", ["file"])


async def test_a_disk_that_fails_is_a_failure_that_names_the_file(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_bytes(b"this is no folder")

    with pytest.raises(BlobsFailed) as caught:
        await LocalBlobs(folder).put("file", b"")

    assert str(folder) in str(caught.value)
    assert str(folder) not in caught.value.detail


async def test_a_link_in_the_place_of_a_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    folder.mkdir(parents=True)
    (folder / "file").symlink_to(tmp_path / "secret")

    with pytest.raises(BlobsFailed):
        await LocalBlobs(folder).get("file")


async def test_a_reader_goes_on_with_the_file_that_he_opened(folder: Path) -> None:
    blobs = LocalBlobs(folder)
    await blobs.put("file", b"a" * 2 * PIECE)
    async with blobs.open("file") as opened:
        first = await anext(opened)
        await blobs.put("file", b"b")
        await blobs.delete("file")
        rest = await opened.read()

    assert first + rest == b"a" * 2 * PIECE


async def test_a_reader_who_leaves_early_leaves_no_descriptor(folder: Path) -> None:
    blobs = LocalBlobs(folder)
    await blobs.put("file", b"a" * 3 * PIECE)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        async with blobs.open("file") as opened:
            await anext(opened)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def test_writers_and_removers_of_one_folder_do_not_trip_each_other(folder: Path) -> None:
    blobs = LocalBlobs(folder)

    async def come_and_go(name: str) -> None:
        for _ in range(25):
            await blobs.put(f"a/b/{name}", b"here")
            assert await blobs.get(f"a/b/{name}") == b"here"
            await blobs.delete(f"a/b/{name}")

    async with trio.open_nursery() as nursery:
        for name in "uvwxyz":
            nursery.start_soon(come_and_go, name)

    assert (await blobs.page()).blobs == ()


async def test_thousands_of_files_are_listed_page_by_page(folder: Path) -> None:
    blobs = LocalBlobs(folder)
    await blobs.put("many/0000", b"")
    for number in range(1, 2500):
        (folder / "many+" / f"{number:04}").touch()

    pages: list[list[str]] = []
    after = ""
    while not pages or after:
        page = await blobs.page("many/", after=after)
        pages.append([blob.key for blob in page.blobs])
        after = page.after
    assert [len(keys) for keys in pages] == [1000, 1000, 500]
    assert [key for keys in pages for key in keys] == [f"many/{number:04}" for number in range(2500)]


async def test_what_others_put_into_the_folder_is_not_listed(folder: Path) -> None:
    blobs = LocalBlobs(folder)
    await blobs.put("file", b"")
    (folder / ".DS_Store").touch()
    (folder / "lost + found").mkdir()
    (folder / "no blob").touch()
    (folder / "plain").mkdir()
    (folder / "plain" / "file").touch()

    assert [blob.key for blob in (await blobs.page()).blobs] == ["file"]


async def test_work_may_stay_on_the_thread_of_the_loop(folder: Path, autojump_clock: trio.abc.Clock) -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"a"
        await trio.sleep(3600)
        yield b"b"

    blobs = LocalBlobs(folder, inline=True)
    async with aclosing(pieces()) as source:
        await blobs.put("file", source)

    assert await blobs.get("file") == b"ab"
