"""How long work with the repository may take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from manor_hostservices.refusals import Failed
from tests.host_backups import BackedUp, new_host
from tests.host_phone import until
from tests.host_restic import FakeRestic, fake_restic

HOUR = 3600


@pytest.fixture
def restic(tmp_path: Path) -> FakeRestic:
    return fake_restic(tmp_path / "restic")


@asynccontextmanager
async def backing_up(host: BackedUp, restic: FakeRestic) -> AsyncIterator[list[str]]:
    """A backup that hangs; gives why it failed, once it has."""
    failed: list[str] = []

    async def back_up() -> None:
        try:
            await host.do("backup")
        except Failed as refusal:
            failed.append(refusal.detail)

    restic.hold("backup")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(back_up)
        await until(restic.is_held)
        yield failed
        nursery.cancel_scope.cancel()


async def test_a_backup_that_hangs_is_ended_and_has_failed(
    tmp_path: Path, restic: FakeRestic, mock_clock: trio.testing.MockClock
) -> None:
    mock_clock.rate = 1
    host = new_host(tmp_path / "host", restic=restic.path, max_hours=5)
    async with backing_up(host, restic) as failed:
        process = Path(f"/proc/{restic.pid()}")
        mock_clock.jump(5 * HOUR - 60)
        await trio.testing.wait_all_tasks_blocked()
        assert process.exists()
        mock_clock.jump(60)
        await until(lambda: bool(failed))

    assert failed == ["It was ended because it took more than 5 hours (backup.max_hours)"]
    assert not process.exists()
    known = await host.backups.known()
    assert (known.state, known.error) == ("ERROR", failed[0])


async def test_a_backup_may_take_as_long_as_it_likes_where_the_admin_says_so(
    tmp_path: Path, restic: FakeRestic, mock_clock: trio.testing.MockClock
) -> None:
    mock_clock.rate = 1
    host = new_host(tmp_path / "host", restic=restic.path, max_hours=0)
    async with backing_up(host, restic) as failed:
        mock_clock.jump(99_999 * HOUR)
        await trio.testing.wait_all_tasks_blocked()
        assert failed == []
