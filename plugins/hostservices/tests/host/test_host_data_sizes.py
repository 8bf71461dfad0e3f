"""How much room the data of services takes up: measured without following anybody's links, and not at each look."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trio

from manor.testing import Client, SetClock
from manor_hostservices.backends.data_folders import DEEPEST, DataFolders, Measure
from manor_hostservices.backends.opening import open_folder
from manor_hostservices.catalogue import DataSize, Entry, catalogue
from manor_hostservices.places import Places
from manor_hostservices.refusals import Missing

OURS = frozenset({os.geteuid()})


def room(*paths: Path) -> int:
    """What these take up by themselves, as the file system says."""
    return sum(path.lstat().st_blocks * 512 for path in paths)


def fill(path: Path, kib: int = 64) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(kib << 10))
    return path


def measured(folder: Path, **bounds: Any) -> Measure:
    measure = Measure(**bounds)
    measure.add(open_folder(Path("/"), str(folder), OURS))
    return measure


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # The way to it has no links of others, wherever temporary folders are.
    made = tmp_path.resolve() / "data"
    made.mkdir()
    return made


def test_all_that_is_in_a_folder_is_counted_once(folder: Path) -> None:
    one, two = fill(folder / "one"), fill(folder / "deep" / "er" / "two")
    (folder / "again").hardlink_to(one)
    measure = measured(folder)
    alone = room(folder, folder / "deep", folder / "deep/er", one, two)

    assert (measure.bytes, measure.is_whole) == (alone, True)
    measure.add(open_folder(Path("/"), str(folder / "deep"), OURS))
    assert measure.bytes == alone, "it lies in the other one"


def test_links_in_a_folder_lead_nowhere(folder: Path) -> None:
    fill(folder.parent / "elsewhere" / "big")
    leads = {"folder": f"{folder.parent}/elsewhere", "file": "../elsewhere/big", "up": "..", "nowhere": "/none"}
    links = [folder / name for name in leads]
    for link in links:
        link.symlink_to(leads[link.name])
    measure = measured(folder)

    assert (measure.bytes, measure.is_whole) == (room(folder, *links), True)


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(folder: Path) -> None:
    fill(folder.parent / "elsewhere" / "big")
    (folder / "inner").mkdir()
    looks = count(1)

    def exchange() -> float:
        if next(looks) == 3:  # it was listed as a folder, and is entered next
            (folder / "inner").rmdir()
            (folder / "inner").symlink_to(folder.parent / "elsewhere")
        return 0.0

    measure = measured(folder, now=exchange)

    assert (folder / "inner").is_symlink()
    assert (measure.bytes, measure.is_whole) == (room(folder), False)


def test_what_has_no_end_is_measured_to_a_bound(folder: Path) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(DEEPEST + 5):
        os.mkdir("down", dir_fd=here)
        inner = os.open("down", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    descriptors = len(list(Path("/dev/fd").iterdir()))
    deep = measured(folder)
    files = [fill(folder / f"file{number}", 4) for number in range(10)]
    ticks = count()
    late = measured(folder, seconds=5, now=lambda: float(next(ticks)))
    many = measured(folder, most=4)

    assert [measure.is_whole for measure in (deep, late, many)] == [False] * 3
    assert 0 < max(late.bytes, many.bytes) < room(folder, *files)
    assert len(list(Path("/dev/fd").iterdir())) == descriptors


async def test_a_service_without_data_has_no_size(folder: Path) -> None:
    fill(folder / "var/lib/gitea/file")
    (folder / "srv").mkdir()
    folders = DataFolders(
        Places(folder),
        catalogue(
            {
                "imap": Entry(data=("/srv/none", "/srv")),
                "smtp": Entry(data=("/srv/none",)),
                "gitea": Entry("Code"),  # its folder is where it ships
            }
        ),
    )

    assert await folders.size("imap") == DataSize(room(folder / "srv"))
    assert (await folders.size("gitea")).bytes >= 64 << 10
    for key in ("smtp", "ocserv", "nextcloud", "nothing"):
        with pytest.raises(Missing):
            await folders.size(key)


class TestShown:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        return tmp_path / "host/srv/code"

    @pytest.fixture
    def host_table(self, data: Path) -> Mapping[str, Any]:
        fill(data / "one", 100)
        return {"services": {"gitea": {"data": ["/srv/code"]}}}

    async def test_a_size_is_told_with_its_time_and_measured_again_after_some_minutes(
        self, phone: Client, data: Path, clock: SetClock
    ) -> None:
        async def told() -> dict[str, Any]:
            services = (await phone.get("/api/host/services")).json()
            return {each["key"]: each["data"] for each in services}

        before = room(data, data / "one")
        began = clock.now()
        first = await until(told, lambda sizes: sizes["gitea"] is not None)
        assert first["gitea"].pop("measured_at")
        assert first["gitea"] == {"bytes": before, "is_whole": True}
        assert {size for key, size in first.items() if key != "gitea"} == {None}

        fill(data / "two", 100)
        clock.set(began + timedelta(minutes=9))
        for _ in range(2):
            assert (await told())["gitea"]["bytes"] == before, "it is not measured at each look"
        clock.set(began + timedelta(minutes=11))
        now = await until(told, lambda sizes: sizes["gitea"]["bytes"] != before)
        assert now["gitea"]["bytes"] == room(data, data / "one", data / "two")


async def until(look: Callable[[], Any], is_so: Callable[[Any], bool]) -> Any:
    with trio.fail_after(10):
        while True:
            if is_so(seen := await look()):
                return seen
            await trio.sleep(0.02)
