"""Backups in a house: what is made by itself and told, and a store as they are rented."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from manor import Event
from manor.testing import Client, House, SetClock
from manor_hostservices.backups.kept import Memory
from manor_hostservices.backups.store import Store
from manor_hostservices.events import BackupOverdue, VerifyFailed
from tests.host_phone import CONFIG, CREATE, CREATED, LIST, RESTORE, RESTORED, Phone, until
from tests.host_restic import FakeRestic, fake_restic
from tests.s3_server import S3Server


@pytest.fixture
def restic(tmp_path: Path) -> FakeRestic:
    return fake_restic(tmp_path / "restic")


@pytest.fixture
def device(phone: Client, tmp_path: Path) -> Phone:
    return Phone(phone, tmp_path / "host")


class TestSchedule:
    @pytest.fixture
    def host_table(self, restic: FakeRestic, tmp_path: Path) -> Mapping[str, Any]:
        old = Memory(sha256(b"/mnt/x").hexdigest(), True, snapshots=[{"time": "2029-12-24T11:00:00Z"}])
        own = tmp_path / "host/var/lib/manor-host"
        own.mkdir(parents=True)
        (own / "backups.json").write_bytes(msgspec.json.encode(old))
        return {"backup": {"repository": "/mnt/x", "restic": restic.path, "paths": ["/etc"], "schedule": "bogus"}}

    async def test_the_admin_reads_that_no_backups_are_made(self, house: House, client: Client) -> None:
        with trio.fail_after(10):
            while True:
                ready = (await client.get("/readyz")).json()
                reasons = sorted(found["reason"].partition(": ")[2] for found in ready["degraded"])
                if len(reasons) > 1:
                    break
                await trio.sleep(0.02)

        assert ready["status"] == "ready"
        assert reasons == [
            "The newest backup is older than 48 hours: it is of 2029-12-24 11:00 UTC",
            "backups are not made by themselves: Failed to parse calendar specification 'bogus': Invalid argument",
        ]


class TestDue:
    @pytest.fixture
    def host_table(self, restic: FakeRestic) -> Mapping[str, Any]:
        table = {"repository": "/mnt/x", "restic": restic.path, "paths": ["/etc"], "schedule": "*-*-* 12:00:01 UTC"}
        return {"backup": table}

    async def test_a_backup_is_made_and_that_none_was_is_told(
        self, device: Phone, heard: list[Event], clock: SetClock, restic: FakeRestic
    ) -> None:
        # The first look ends with a list of the backups; a clock that is set within the look is seen by half of it.
        await device.begun("reload")
        clock.set(clock.now() + timedelta(hours=49))
        await until(lambda: "backup" in restic.ran())
        job = await device.told("backup")

        assert (job["state"], job["by"]) == ("done", "schedule")
        [overdue] = [event for event in heard if isinstance(event, BackupOverdue)]
        assert overdue.summary == "No backup was made for 48 hours: there is none"
        assert overdue.timestamp == clock.now()


class TestFailing:
    @pytest.fixture
    def host_table(self, restic: FakeRestic) -> Mapping[str, Any]:
        return {"backup": {"repository": "/mnt/x", "restic": restic.path, "paths": ["/etc"], "schedule": ""}}

    async def test_the_admin_reads_that_a_backup_failed_and_then_that_one_did_not(
        self, device: Phone, client: Client, restic: FakeRestic
    ) -> None:
        async def reasons(count: int) -> list[str]:
            with trio.fail_after(10):
                while True:
                    ready = await client.get("/readyz")
                    assert ready.status == 200
                    found = [each["reason"] for each in ready.json()["degraded"] if "failed at" in each["reason"]]
                    if len(found) == count:
                        return found
                    await trio.sleep(0.02)

        restic.fail("backup", "Fatal: a-bucket: no space left on device")
        assert await device.ask("PUT", CREATE) == CREATED
        [reason] = await reasons(1)
        restic.mend("backup")
        assert await device.ask("PUT", CREATE) == CREATED
        await reasons(0)

        assert reason.endswith("backup failed at 2030-01-02 12:00 UTC: /app/host says why")

    async def test_a_verification_that_fails_is_told(
        self, device: Phone, restic: FakeRestic, heard: list[Event]
    ) -> None:
        assert await device.ask("PUT", CREATE) == CREATED
        await device.told("backup")
        for dry_run in (True, False):
            restic.fail("check", "Fatal: repository contains errors")
            assert (await device.ask("POST", "/api/host/jobs", {"kind": "verify", "dry_run": dry_run}))[0] == 201
            job = await device.told("verify")
            assert job["state"] == "failed"

        [told] = [event for event in heard if isinstance(event, VerifyFailed)]
        assert (told.job_id, told.reason) == (job["id"], "repository contains errors")
        assert told.summary == "Backups could not be verified: repository contains errors"


class TestDataElsewhere:
    @pytest.fixture
    def host_table(self, nixos_helper: Path, tmp_path: Path) -> Mapping[str, Any]:
        own = tmp_path / "host/var/lib/manor-host"
        own.mkdir(parents=True)
        (own / "store.json").write_bytes(msgspec.json.encode(Store("me", "secret", "bucket")))
        return {"backend": "nixos", "root": "", "helper_socket": str(nixos_helper), "backup": {"schedule": ""}}

    async def test_the_admin_reads_that_the_database_is_looked_for_in_the_wrong_place(self, client: Client) -> None:
        reasons: list[str] = []
        with trio.fail_after(10):
            while not reasons:
                ready = (await client.get("/readyz")).json()
                reasons = [each["reason"] for each in ready["degraded"] if "database" in each["reason"]]
                await trio.sleep(0.02)

        assert reasons == [
            "backup of the database: plugins.hostservices.backup.manor_data is not server.data_dir: "
            "backups have no copy of Manor's database, and a restore writes over it"
        ]


class TestS3:
    @pytest.fixture
    def host_table(self, s3_server: S3Server) -> Mapping[str, Any]:
        repository = f"s3:{s3_server.url}/{{bucket}}/sfbackup"
        return {"backup": {"repository": repository, "paths": ["/etc"], "schedule": ""}}

    async def test_a_backup_goes_there_and_comes_back(self, device: Phone, s3_server: S3Server, tmp_path: Path) -> None:
        bucket = s3_server.new_bucket()
        file = tmp_path / "host/etc/motd"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("welcome")
        settings = {"accountId": s3_server.access_key, "accountKey": s3_server.secret_key, "bucket": bucket}

        wrong = await device.ask("PUT", CONFIG, {**settings, "accountKey": "wrong"})
        refused = await device.idle()
        right = await device.ask("PUT", CONFIG, settings)
        made = await device.idle()
        assert await device.ask("PUT", CREATE) == CREATED
        assert (await device.idle())["error_message"] is None
        _, [snapshot] = await device.ask("GET", LIST)
        file.write_text("broken")
        assert await device.ask("PUT", RESTORE, {"backupId": snapshot["short_id"]}) == RESTORED
        restored = await device.idle()

        assert wrong == right == (200, "New Backblaze settings saved")
        assert refused["status"] == "ERROR"
        assert refused["error_message"].startswith("The store does not let us in: ")
        assert made == restored == {"status": "INITIALIZED", "progress": 0.0, "error_message": None}
        assert file.read_text() == "welcome"
