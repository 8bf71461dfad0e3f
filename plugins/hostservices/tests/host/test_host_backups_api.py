"""Backups through the API of devices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from manor import Event
from manor.testing import Client, House
from manor_hostservices.events import BackupFailed, BackupFinished
from manor_hostservices.jobs.ledger import Entry
from manor_hostservices.verbs import Job, StartJob
from tests.host_contract import Said
from tests.host_phone import (
    CONFIG,
    CREATE,
    CREATED,
    INITIALIZING,
    LIST,
    NO_KEY,
    NOT_FOUND,
    RELOAD,
    RESTORE,
    RESTORED,
    RESTORING,
    RUNNING,
    SECRET,
    SETTINGS,
    STATUS,
    Phone,
    until,
)
from tests.host_restic import SNAPSHOT, FakeRestic, fake_restic
from tests.people import actions


@pytest.fixture
def restic(tmp_path: Path) -> FakeRestic:
    return fake_restic(tmp_path / "restic")


@pytest.fixture
def host_table(restic: FakeRestic) -> Mapping[str, Any]:
    return {"backup": {"repository": "/mnt/{bucket}", "restic": restic.path, "schedule": "", "paths": ["/etc"]}}


@pytest.fixture
def device(phone: Client, tmp_path: Path) -> Phone:
    return Phone(phone, tmp_path / "host")


async def _no_key(device: Phone, restic: FakeRestic) -> None:
    """Nothing was said yet."""


async def _not_initialized(device: Phone, restic: FakeRestic) -> None:
    (restic.folder / "snapshots").rename(restic.folder / "later")
    restic.hold("cat")
    assert (await device.ask("PUT", CONFIG, SETTINGS))[0] == 200
    await _held(restic)
    _, jobs = await device.ask("GET", "/api/host/jobs")
    job = next(job for job in jobs if job["kind"] == "init")
    assert (await device.ask("DELETE", f"/api/host/jobs/{job['id']}"))[0] < 300
    await device.idle()
    restic.let_go("cat")
    (restic.folder / "later").rename(restic.folder / "snapshots")


async def _initialized(device: Phone, restic: FakeRestic) -> None:
    assert (await device.ask("PUT", CONFIG, SETTINGS)) == (200, "New Backblaze settings saved")
    await device.idle()


async def _error(device: Phone, restic: FakeRestic) -> None:
    await _initialized(device, restic)
    restic.fail("restore", "Fatal: There were 2 errors")
    assert (await device.ask("PUT", RESTORE, {"backupId": "0a1b2c3d"})) == RESTORED
    assert (await device.idle())["error_message"] == "There were 2 errors"
    restic.mend("restore")


async def _backing_up(device: Phone, restic: FakeRestic) -> None:
    await _initialized(device, restic)
    restic.hold("backup")
    assert (await device.ask("PUT", CREATE)) == CREATED


async def _restoring(device: Phone, restic: FakeRestic) -> None:
    await _initialized(device, restic)
    restic.hold("restore")
    assert (await device.ask("PUT", RESTORE, {"backupId": "0a1b2c3d"})) == RESTORED


async def _initializing(device: Phone, restic: FakeRestic) -> None:
    restic.hold("init")
    assert (await device.ask("PUT", CONFIG, SETTINGS))[0] == 200


async def _held(restic: FakeRestic) -> None:
    await until(restic.is_held)


@pytest.mark.parametrize(
    ("state", "arrange", "create", "restore", "restore_unknown"),
    [
        ("NO_KEY", _no_key, NO_KEY, NO_KEY, NO_KEY),
        ("NOT_INITIALIZED", _not_initialized, CREATED, (400, {"error": "Backup is not initialized"}), None),
        ("INITIALIZED", _initialized, CREATED, RESTORED, NOT_FOUND),
        ("BACKING_UP", _backing_up, RUNNING, RUNNING, RUNNING),
        ("RESTORING", _restoring, RESTORING, RESTORING, RESTORING),
        ("ERROR", _error, CREATED, RESTORED, NOT_FOUND),
        ("INITIALIZING", _initializing, INITIALIZING, INITIALIZING, INITIALIZING),
    ],
)
async def test_what_may_be_done_in_each_state(
    device: Phone,
    restic: FakeRestic,
    state: str,
    arrange: Any,
    create: Said,
    restore: Said,
    restore_unknown: Said | None,
) -> None:
    await arrange(device, restic)
    assert (await device.status())["status"] == state

    assert await device.ask("PUT", RESTORE, {"backupId": "deadbeef"}) == (restore_unknown or restore)
    assert await device.ask("PUT", RESTORE, {"backupId": "0a1b2c3d"}) == restore
    if restore == RESTORED:
        assert (await device.idle())["status"] == "INITIALIZED"
    assert await device.ask("PUT", CREATE) == create
    if create == CREATED:
        assert (await device.idle())["status"] == "INITIALIZED"
        assert restic.ran().count("backup") == 1


async def test_progress_is_told_while_a_backup_runs(device: Phone, restic: FakeRestic) -> None:
    await _initialized(device, restic)
    assert await device.status() == {"status": "INITIALIZED", "progress": 0.0, "error_message": None}
    restic.hold("backup")
    await device.ask("PUT", CREATE)

    seen = await device.until(lambda status: status["progress"] > 0)

    assert seen == {"status": "BACKING_UP", "progress": 0.25, "error_message": None}
    restic.let_go("backup")
    await device.idle()


async def test_only_one_of_many_at_once_is_started(device: Phone, restic: FakeRestic) -> None:
    await _initialized(device, restic)
    restic.hold("backup")
    said: list[Said] = []

    async def create() -> None:
        said.append(await device.ask("PUT", CREATE))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(create)

    assert [status for status, _ in said].count(200) == 1
    assert {status for status, _ in said} == {200, 409}
    restic.let_go("backup")
    await device.idle()
    assert restic.ran().count("backup") == 1


async def test_nothing_runs_beside_work_with_the_repository(device: Phone, restic: FakeRestic) -> None:
    await _initialized(device, restic)
    restic.hold("forget")
    assert (await device.ask("POST", "/api/host/jobs", {"kind": "forget"}))[0] == 201

    for path, body in ((CREATE, None), (RESTORE, {"backupId": "0a1b2c3d"})):
        assert await device.ask("PUT", path, body) == (409, {"error": "A job is running: forget"})
    restic.let_go("forget")
    await device.idle()


async def test_settings_that_are_refused_are_not_kept(device: Phone, restic: FakeRestic, house: House) -> None:
    await _initialized(device, restic)
    restic.hold("forget")
    assert (await device.ask("POST", "/api/host/jobs", {"kind": "forget"}))[0] == 201

    said = await device.ask("PUT", CONFIG, {**SETTINGS, "bucket": "another"})

    assert said == (409, {"error": "A job is running: forget"})
    assert (await actions(house)).count("hostservices.backups.store") == 1
    restic.let_go("forget")
    await device.idle()


async def test_settings_wait_for_what_runs(device: Phone, restic: FakeRestic) -> None:
    await _backing_up(device, restic)

    assert await device.ask("PUT", CONFIG, SETTINGS) == RUNNING

    restic.let_go("backup")
    await device.idle()


async def test_the_list_is_restics_own_and_looked_at_anew_by_reload(device: Phone, restic: FakeRestic) -> None:
    assert await device.ask("GET", LIST) == (200, [])
    await _initialized(device, restic)
    assert await device.ask("GET", LIST) == (200, [SNAPSHOT])
    (restic.folder / "snapshots").write_text("[]")
    assert await device.ask("GET", LIST) == (200, [SNAPSHOT])

    assert await device.ask("GET", RELOAD) == (200, {"status": 0, "message": "Snapshots reload started"})

    await device.idle()
    assert await device.ask("GET", LIST) == (200, [])


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"accountId": "a", "accountKey": "b"},
        {"accountKey": "b", "bucket": "my-bucket"},
        {"accountId": "a", "bucket": "my-bucket"},
        {**SETTINGS, "bucket": "../etc"},
        {**SETTINGS, "bucket": "a"},
        {**SETTINGS, "bucket": "my-bucket\n"},
        {**SETTINGS, "bucket": "-my-bucket"},
        {**SETTINGS, "accountKey": ""},
        {**SETTINGS, "accountKey": "two\nlines"},
        {**SETTINGS, "accountId": "nul\x00"},
        {**SETTINGS, "accountId": 1},
        {**SETTINGS, "accountKey": None},
        [1],
    ],
)
async def test_settings_that_are_none_are_not_kept(device: Phone, wrong: Any) -> None:
    status, body = await device.ask("PUT", CONFIG, wrong)

    assert status == 400
    assert body.get("message") or body.get("error")
    assert (await device.status())["status"] == "NO_KEY"


@pytest.mark.parametrize("wrong", [{}, {"backupId": None}, {"backupId": 1}, [], "0a1b2c3d"])
async def test_a_restore_needs_to_know_which(device: Phone, restic: FakeRestic, wrong: Any) -> None:
    status, body = await device.ask("PUT", RESTORE, wrong)

    assert status == 400
    assert body.get("message") or body.get("error")


async def test_who_did_it_and_how_it_ended_is_told(
    device: Phone, restic: FakeRestic, house: House, heard: list[Event]
) -> None:
    await _initialized(device, restic)
    await device.ask("PUT", CREATE)
    await device.told("backup")
    restic.fail("backup", "Fatal: unable to save snapshot: write /mnt/x: no space left on device")
    await device.ask("PUT", CREATE)
    await device.told("backup")
    failed = await device.status()

    assert failed["status"] == "ERROR"
    assert failed["error_message"].startswith("There is no space left: ")
    told = [event for event in heard if isinstance(event, BackupFinished | BackupFailed)]
    assert [type(event) for event in told] == [BackupFinished, BackupFailed]
    assert isinstance(told[0], BackupFinished)
    assert told[0].snapshot == "0a1b2c3d"
    assert (await actions(house)).count("hostservices.backups.store") == 1


async def test_secrets_are_where_nobody_looks(device: Phone, restic: FakeRestic, house: House, tmp_path: Path) -> None:
    restic.hold("init")
    restic.fail("init", f"Fatal: the store says {SECRET} is wrong")
    await device.ask("PUT", CONFIG, SETTINGS)
    await _held(restic)
    own = tmp_path / "host/var/lib/manor-host"
    password = (own / "backup-password").read_text().strip()
    process = Path(f"/proc/{restic.pid()}")
    arguments = (process / "cmdline").read_bytes()
    restic.let_go("init")
    status = await device.idle()

    assert b"init" in arguments
    assert status == {"status": "ERROR", "progress": 0.0, "error_message": "the store says *** is wrong"}
    answers = [await device.ask("GET", path) for path in (STATUS, LIST, "/api/host/jobs")]
    job = next(job for job in answers[-1][1] if job["kind"] == "init")
    answers.append(await device.ask("GET", f"/api/host/jobs/{job['id']}/log"))
    assert "***" in str(answers[-1])
    for secret in (SECRET, password):
        assert secret.encode() not in arguments
        assert secret not in str(answers)
        holders = {
            path.name
            for path in tmp_path.rglob("*")
            if path.is_file() and path.parent != restic.folder and secret.encode() in path.read_bytes()
        }
        assert holders == {"store.json" if secret == SECRET else "backup-password"}
    assert {(own / name).stat().st_mode & 0o777 for name in ("store.json", "backup-password")} == {0o600}


async def test_a_job_whose_process_went_without_a_word_is_an_error(
    device: Phone, restic: FakeRestic, tmp_path: Path
) -> None:
    await _initialized(device, restic)
    gone = Job("f" * 32, "backup", "running", datetime(2030, 1, 2, 12, 1, tzinfo=UTC))
    file = tmp_path / f"host/var/lib/manor-host/jobs/{gone.id}.json"
    file.write_bytes(msgspec.json.encode(Entry(gone, StartJob(gone.id, "backup"))))

    status = await device.status()

    assert status["status"] == "ERROR"
    assert status["error_message"] == "backup: Its process ended and never said how"
