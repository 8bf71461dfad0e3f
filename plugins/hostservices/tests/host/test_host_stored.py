"""Small files that several processes change."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
import trio

from manor_hostservices.stored import StoredJson, remove_halves


def counter(path: Path) -> StoredJson[dict[str, int]]:
    return StoredJson(path, dict[str, int], dict)


async def test_what_is_absent_has_a_value_and_no_file(tmp_path: Path) -> None:
    stored = counter(tmp_path / "deep" / "state.json")

    assert await stored.read() == {}
    assert not stored.path.exists()


async def test_changes_of_many_are_all_made(tmp_path: Path) -> None:
    async def add(stored: StoredJson[dict[str, int]]) -> None:
        await stored.change(lambda value: ({"n": value.get("n", 0) + 1}, None))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(add, counter(tmp_path / "state.json"))

    assert await counter(tmp_path / "state.json").read() == {"n": 20}


async def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    stored = counter(tmp_path / "state.json")
    await stored.change(lambda _: ({"n": 1}, None))

    def fail(_: dict[str, int]) -> tuple[dict[str, int], None]:
        raise LookupError

    with pytest.raises(LookupError):
        await stored.change(fail)
    assert await stored.change(lambda value: (value, value["n"])) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.json", "state.json.lock"]


@pytest.mark.parametrize("broken", [b'{"n": "a half', b'{"\xff": 1}', b""])
async def test_a_file_that_is_broken_is_left_as_it_is(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(broken)

    with pytest.raises(msgspec.DecodeError):
        await counter(path).change(lambda _: ({"n": 1}, None))
    assert path.read_bytes() == broken


async def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    stored = counter(tmp_path / "state.json")
    before = os.umask(0)
    try:
        await stored.change(lambda _: ({"n": 1}, None))
    finally:
        os.umask(before)

    assert stored.path.stat().st_mode & 0o777 == 0o600


async def test_permissions_that_an_admin_gave_it_stay(tmp_path: Path) -> None:
    stored = counter(tmp_path / "state.json")
    stored.path.write_text("{}")
    stored.path.chmod(0o640)

    await stored.change(lambda _: ({"n": 1}, None))

    assert stored.path.stat().st_mode & 0o777 == 0o640


async def test_a_text_is_put_in_the_place_of_anything(tmp_path: Path) -> None:
    stored = counter(tmp_path / "state.json")
    stored.path.write_bytes(b'{"n": "a half')
    with pytest.raises(msgspec.DecodeError):
        await stored.put(b'{"n": "no number"}')
    assert stored.path.read_bytes() == b'{"n": "a half'
    await stored.put(b'{"n":   2}')

    assert stored.path.read_bytes() == b'{"n":   2}'


def test_halves_of_files_are_removed_unless_somebody_is_writing(tmp_path: Path) -> None:
    kept = [".state.json.swp", ".hidden", ".state.json.ab12_xyz9", ".odd.ABCDEFGH", "store.json", ".folder.ab12_xy8"]
    for name in (*kept[:-1], ".store.json.ab12_xyz", ".backups.json.abcdefgh", ".state.json.abcdefgh"):
        (tmp_path / name).write_text("half")
    (tmp_path / kept[-1]).mkdir()

    def at_work(value: dict[str, int]) -> tuple[dict[str, int], None]:
        remove_halves(tmp_path)
        return {"n": 1}, None

    counter(tmp_path / "state.json").change_now(at_work)
    while_writing = {path.name for path in tmp_path.glob(".*")}
    remove_halves(tmp_path)
    remove_halves(tmp_path / "none")

    assert while_writing == {*kept, ".state.json.abcdefgh"} - {"store.json"}
    assert {path.name for path in tmp_path.glob(".*")} == {*kept} - {"store.json"}
    assert (tmp_path / "store.json").read_text() == "half"


@pytest.mark.box  # only root may give files away
async def test_a_file_stays_its_owners(tmp_path: Path) -> None:
    file = counter(tmp_path / "state.json")
    file.path.write_text("{}")
    os.chown(file.path, 65534, 65533)
    file.path.chmod(0o640)

    await file.change(lambda value: ({"n": 1}, None))
    changed = file.path.stat()
    await file.put(b"{}")
    replaced = file.path.stat()

    for status in (changed, replaced):
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (65534, 65533, 0o640)
