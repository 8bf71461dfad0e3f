"""Backups in an administrator's browser: made, restored, and where they go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from manor.testing import Client, House, SetClock
from tests.host_pages import BACKUPS, HOME, JOBS, after_job, until
from tests.host_phone import SECRET
from tests.host_restic import FakeRestic, fake_restic
from tests.page_reading import SAME_ORIGIN, Reader
from tests.people import actions

STORE: dict[str, Any] = {"account": "0012ab", "secret": SECRET, "bucket": "my-bucket"}


@pytest.fixture
def restic(tmp_path: Path) -> FakeRestic:
    return fake_restic(tmp_path / "restic")


@pytest.fixture
def repository() -> str:
    return "s3:https://me:top-secret@s3.example.org/{bucket}/x"


@pytest.fixture
def host_table(restic: FakeRestic, repository: str) -> Mapping[str, Any]:
    return {"backup": {"repository": repository, "restic": restic.path, "schedule": ""}}


async def test_a_backup_is_made_ended_and_restored(root: Reader, phone: Client, restic: FakeRestic) -> None:
    before = await root.open(f"{HOME}/backups")
    store = {"accountId": "0012ab", "accountKey": "secret", "bucket": "my-bucket"}
    assert (await phone.request("PUT", "/services/restic/backblaze/config", json=store)).status == 200
    page = await until(root, f"{HOME}/backups", lambda page: "in order" in page.text)

    restic.hold("backup")
    running = await root.send(JOBS, kind="backup", snapshot="", sure="")
    working = await until(root, running.url, lambda page: "400 B" in page.text)
    beside = await root.open(f"{HOME}/backups")
    await root.open(running.url)
    over = await after_job(root, await root.send(f"{running.url}/cancel"))
    restic.let_go("backup")

    await root.open(f"{HOME}/backups")
    assert root.here is not None
    [restore] = [form for form in root.here.forms if form.fields.get("kind") == "restore"]
    sent = urlencode({**restore.fields, "sure": "yes"}).encode()
    started = await root.ask("POST", JOBS, body=sent, headers=SAME_ORIGIN)
    restored = await after_job(root, await root.open(started.headers["Location"]))

    assert "No place for backups is set up" in before.text
    assert "kind" not in {name for form in before.forms for name in form.fields}
    assert "0a1b2c3d" in page.text
    assert 'value="0.25"' in working.answer.text
    assert "at work" in beside.text
    assert "cancelled" in over.text
    assert "done" in restored.text
    assert "restore" in restic.ran()


async def test_a_store_is_tried_and_nothing_is_kept_until_it_is_saved(
    house: House, root: Reader, restic: FakeRestic, tmp_path: Path
) -> None:
    page = await root.open(BACKUPS)
    shown = page.form(BACKUPS)
    restic.fail("cat", f"Fatal: unable to open config file: Stat: Access Denied. {SECRET}")
    refused = await root.send(BACKUPS, turn="test", **STORE)
    kept = refused.form(BACKUPS).fields
    restic.mend("cat")
    fine = await root.send(BACKUPS, turn="test", **{**STORE, "bucket": " my-bucket "})
    before = (await actions(house)).count("hostservices.backups.store")
    store = tmp_path / "host/var/lib/manor-host/store.json"
    assert not store.exists()
    saved = await root.send(BACKUPS, turn="save", **STORE)
    over = await after_job(root, saved)

    assert "To an S3 store: s3:https://***@s3.example.org/{bucket}/x" in page.text
    assert (shown.types["secret"], shown.attributes["secret"]["autocomplete"]) == ("password", "off")
    assert "The store does not let us in: unable to open config file: Stat: Access Denied. ***." in refused.text
    assert {name: kept[name] for name in STORE} == {**STORE, "secret": ""}
    assert "There is no repository yet: one is made there when this is saved." in fine.text
    assert SECRET not in refused.answer.text + fine.answer.text + over.answer.text
    assert before == 0
    assert saved.url.startswith(f"{JOBS}/")
    assert "The repository is set up." in over.text
    assert (await actions(house)).count("hostservices.backups.store") == 1
    assert SECRET in store.read_text()


@pytest.mark.parametrize("turn", ["test", "save"])
@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({"account": "", "secret": "  "}, "Fill in: Access key, Secret key"),
        ({"bucket": ""}, "Fill in: Bucket"),
        ({"secret": f"{SECRET} {SECRET}"}, "without blanks"),
        ({"account": "<script>alert(1)</script> x"}, "without blanks"),
        ({"bucket": "../etc"}, "a bucket's name has 2 to 63"),
        ({"secret": "x" * 501}, "without blanks"),
    ],
)
async def test_what_is_no_store_is_neither_tried_nor_saved(
    root: Reader, restic: FakeRestic, turn: str, typed: dict[str, Any], reason: str
) -> None:
    await root.open(BACKUPS)

    refused = await root.send(BACKUPS, turn=turn, **{**STORE, **typed})

    assert refused.status == 400
    assert reason in refused.text
    assert SECRET not in refused.answer.text
    assert "<script>alert" not in refused.answer.text
    assert restic.ran() == []
    assert "No place for backups is set up" in refused.text


async def test_a_store_waits_for_what_runs_and_a_test_does_not(root: Reader, restic: FakeRestic) -> None:
    await root.open(BACKUPS)
    await after_job(root, await root.send(BACKUPS, turn="save", **STORE))
    restic.hold("forget")
    await root.open(JOBS)
    await root.send(JOBS, kind="forget")

    await root.open(BACKUPS)
    refused = await root.send(BACKUPS, turn="save", **{**STORE, "bucket": "another"})
    tried = await root.send(BACKUPS, turn="test", **STORE)

    assert (refused.status, "A job is running: forget" in refused.text) == (409, True)
    assert "this server's password opens it" in tried.text
    restic.let_go("forget")


async def test_a_store_that_comes_too_late_is_neither_tried_nor_saved(
    root: Reader, restic: FakeRestic, clock: SetClock
) -> None:
    page = await root.open(BACKUPS)
    clock.set(clock.now() + timedelta(minutes=15))
    for turn in ("test", "save"):
        root.here = page
        late = await root.send(BACKUPS, turn=turn, **STORE)
        assert (late.status, "What you sent was not done" in late.text) == (403, True)
        assert SECRET not in late.answer.text
    assert restic.ran() == []


async def test_a_turn_that_there_is_not_is_refused(root: Reader) -> None:
    await root.open(BACKUPS)
    assert (await root.send(BACKUPS, turn="steal", **STORE)).status == 422


class TestFolder:
    @pytest.fixture
    def repository(self) -> str:
        return "/mnt/backups"

    async def test_what_needs_no_credentials_is_tried_and_set_up(
        self, house: House, root: Reader, restic: FakeRestic, tmp_path: Path
    ) -> None:
        page = await root.open(BACKUPS)
        lost = await root.send(BACKUPS, turn="test")
        (tmp_path / "host/mnt").mkdir(parents=True)
        fine = await root.send(BACKUPS, turn="test")
        over = await after_job(root, await root.send(BACKUPS, turn="save"))

        assert set(page.form(BACKUPS).fields) == {"form_token"}
        assert "To a folder: /mnt/backups" in page.text
        assert "is its disk mounted?" in lost.text
        assert "There is no repository yet" in fine.text
        assert "The repository is set up." in over.text
        assert "hostservices.backups.store" not in await actions(house)
