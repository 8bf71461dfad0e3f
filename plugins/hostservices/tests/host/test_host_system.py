"""Jobs, pulling the configuration, and the mail server's record: what a folder can show of them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from manor.testing import Client, House
from tests.host_contract import HostApi
from tests.host_folders import CONFIG_DIR, DKIM_FILE, DKIM_RECORD, commit, furnish


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "host"


@pytest.fixture
def host_table(root: Path) -> Mapping[str, Any]:
    return furnish(root)


async def test_the_mail_servers_record_keeps_its_parentheses(api: HostApi, root: Path) -> None:
    status, record = await api.ask("GET", "/services/mailserver/dkim")

    assert status == 200
    assert base64.b64decode(record, validate=True) == DKIM_RECORD
    (root / DKIM_FILE.lstrip("/")).unlink()
    assert await api.ask("GET", "/services/mailserver/dkim") == (404, "DKIM file not found")


async def test_the_configuration_is_pulled_and_what_git_says_is_told(api: HostApi, root: Path) -> None:
    commit(root / "origin", "second")

    for _ in range(2):  # nothing new is as good as something new
        status, said = await api.ask("GET", "/system/configuration/pull")
        assert (status, said["status"], said["message"]) == (200, 0, "Update completed successfully")
    assert "Already up to date" in said["data"]
    assert (root / CONFIG_DIR.lstrip("/") / "second").exists()


async def test_a_pull_that_fails_says_why(api: HostApi, root: Path) -> None:
    (root / "origin").rename(root / "gone")

    status, said = await api.ask("GET", "/system/configuration/pull")

    assert (status, said["message"]) == (500, "Something went wrong")
    assert said["status"] > 0
    assert "origin" in said["data"]


async def test_a_history_that_was_rewritten_is_not_merged(api: HostApi, root: Path) -> None:
    commit(root / CONFIG_DIR.lstrip("/"), "ours")
    commit(root / "origin", "theirs")

    status, said = await api.ask("GET", "/system/configuration/pull")

    assert (status, said["message"]) == (500, "Something went wrong")
    assert not (root / CONFIG_DIR.lstrip("/") / "theirs").exists()


@pytest.mark.parametrize("kind", ["apply", "upgrade", "rollback"])
async def test_jobs_answer_with_the_status_of_their_start(api: HostApi, kind: str) -> None:
    assert await api.ask("GET", f"/system/configuration/{kind}") == (200, 0)


async def test_a_restart_is_begun(api: HostApi) -> None:
    assert await api.ask("GET", "/system/reboot") == (200, "System reboot has started")


@pytest.mark.parametrize("path", ["/system/reboot", "/system/configuration/apply", "/system/configuration/pull"])
async def test_what_changes_by_get_is_never_cached_nor_opened_by_a_cookie(
    phone: Client, client: Client, path: str
) -> None:
    token = phone.headers["Authorization"].removeprefix("Bearer ")

    assert (await phone.get(path)).headers["Cache-Control"] == "no-store"
    for cookie in ("session", "token", "__Host-manor"):
        answer = await client.get(path, headers={"Cookie": f"{cookie}={token}"})
        assert (answer.status, answer.json()) == (401, {"error": "Missing Authorization header"})


@pytest.mark.parametrize(
    "path",
    [
        "/system/reboot",
        *(f"/system/configuration/{kind}" for kind in ["apply", "upgrade", "rollback", "pull"]),
        "/services/restic/backup/reload",
    ],
)
async def test_looking_with_head_changes_nothing(house: House, phone: Client, path: str) -> None:
    answer = await phone.request("HEAD", path)

    rows = await house.storage.read(lambda transaction: house.services.audit.list(transaction))
    assert (answer.status, answer.body) == (200, b"")
    assert (await phone.get("/api/host/jobs")).json() == []
    assert [row.action for row in rows if row.action.startswith("hostservices.")] == []


async def test_who_changed_the_host_is_written_down(house: House, api: HostApi) -> None:
    await api.ask("PUT", "/system/configuration/timezone", {"timezone": "Europe/Berlin"})
    await api.ask("POST", "/services/gitea/enable")
    await api.ask("POST", "/services/nonesuch/enable")
    await api.ask("POST", "/users", {"username": "eve_1", "password": "secret word"})

    rows = await house.storage.read(lambda transaction: house.services.audit.list(transaction))
    written = sorted((row for row in rows if row.action.startswith("hostservices.")), key=lambda row: row.id)

    assert [(row.action, row.target) for row in written] == [
        ("hostservices.timezone.set", "Europe/Berlin"),
        ("hostservices.services.switch", "gitea"),
        ("hostservices.users.add", "eve_1"),
    ]
    assert "secret word" not in repr(written)
    assert "$6$" not in repr(written)


@pytest.mark.parametrize(
    "path",
    ["/services", "/services/", "/services/nonesuch/enable/x", "/system/configuration", "/users/a/b", "/api/host/x"],
)
async def test_what_is_not_there_is_told_only_to_devices(phone: Client, client: Client, path: str) -> None:
    assert (await client.get(path)).status == 401
    assert (await client.get(path, headers={"Authorization": "Bearer x"})).json() == {"error": "Invalid token"}
    assert (await phone.get(path)).status == 404
