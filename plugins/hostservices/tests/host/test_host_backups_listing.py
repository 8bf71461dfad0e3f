"""The list of backups, as restic tells it: one line, whatever its length."""

from __future__ import annotations

from pathlib import Path

import pytest

from manor_hostservices.programs import OUTPUT_LIMIT
from manor_hostservices.refusals import Failed
from tests.host_backups import BackedUp
from tests.host_restic import SNAPSHOT, FakeRestic, fake_restic


@pytest.fixture
def restic(tmp_path: Path) -> FakeRestic:
    """A restic whose repository is there."""
    return fake_restic(tmp_path / "restic")


@pytest.fixture
def host(tmp_path: Path, restic: FakeRestic) -> BackedUp:
    """A host that has its password."""
    host = BackedUp(tmp_path / "host", {"restic": restic.path})
    host.write("var/lib/manor-host/backup-password", "a password")
    return host


async def test_years_of_backups_are_all_listed(tmp_path: Path) -> None:
    many = [{**SNAPSHOT, "excludes": ["/var/a-path-that-is-left-out"] * 50} for _ in range(1000)]
    restic = fake_restic(tmp_path / "restic", many)
    host = BackedUp(tmp_path / "host", {"restic": restic.path})
    host.write("var/lib/manor-host/backup-password", "a password")

    await host.do("reload")

    assert (restic.folder / "snapshots").stat().st_size > OUTPUT_LIMIT
    assert len((await host.backups.known()).snapshots) == 1000


@pytest.mark.parametrize("said", ["[]", "null"])
async def test_there_may_be_none(host: BackedUp, restic: FakeRestic, said: str) -> None:
    (restic.folder / "snapshots").write_text(said)

    await host.do("reload")

    assert (await host.backups.known()).snapshots == []


@pytest.mark.parametrize("said", ["", "[{", '{"id": "0a1b2c3d"}'])
async def test_what_is_no_list_does_not_make_backups_look_gone(host: BackedUp, restic: FakeRestic, said: str) -> None:
    await host.do("reload")
    (restic.folder / "snapshots").write_text(said)

    with pytest.raises(Failed, match="cannot be read"):
        await host.do("reload")

    assert len((await host.backups.known()).snapshots) == 1
