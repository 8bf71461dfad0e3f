"""What the SelfPrivacy API answers, on a host that is a folder and on one that runs NixOS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from manor.testing import Client
from tests.host_contract import CHECKS, Check, HostApi

OF_FILES = {name: check for name, check in CHECKS.items() if "services" not in name}
"""Whether services run is asked of systemd, which a folder of NixOS's files has none of."""


GUARDED = {
    "GET": (
        "system/version system/pythonVersion system/reboot services/status services/mailserver/dkim users services/ssh "
        "system/configuration/timezone system/configuration/autoUpgrade system/configuration/apply "
        "system/configuration/upgrade system/configuration/rollback system/configuration/pull services/ssh/keys/root "
        "services/restic/backup/status services/restic/backup/list services/restic/backup/reload"
    ),
    "PUT": (
        "system/configuration/timezone system/configuration/autoUpgrade services/ssh services/ssh/key/send "
        "services/restic/backup/create services/restic/backup/restore services/restic/backblaze/config"
    ),
    "POST": "services/gitea/enable services/gitea/disable services/ssh/enable services/ssh/keys/admin users",
    "DELETE": "users/eve_1 services/ssh/keys/root",
}


async def test_nothing_is_told_nor_done_without_a_device(client: Client, api: HostApi) -> None:
    for method, paths in GUARDED.items():
        for path in paths.split():
            answer = await client.request(method, f"/{path}")
            assert (answer.status, answer.json()) == (401, {"error": "Missing Authorization header"}), path
            answer = await client.request(method, f"/{path}", headers={"Authorization": "Bearer x"})
            assert (answer.status, answer.json()) == (401, {"error": "Invalid token"}), path
    assert await api.ask("GET", "/api/host/jobs") == (200, [])


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
async def test_a_sandbox(api: HostApi, check: Check) -> None:
    await check(api)


class TestNixOs:
    @pytest.fixture
    def host_table(self, nixos_helper: Path) -> Mapping[str, Any]:
        return {"backend": "nixos", "root": "", "helper_socket": str(nixos_helper)}

    @pytest.mark.parametrize("check", OF_FILES.values(), ids=OF_FILES)
    async def test_answers_the_same(self, api: HostApi, check: Check) -> None:
        await check(api)


class TestWithoutHelper:
    @pytest.fixture
    def host_table(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"backend": "systemd", "root": "", "helper_socket": str(tmp_path / "none.sock")}

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/services/gitea/enable", None),
            ("PUT", "/system/configuration/timezone", {"timezone": "UTC"}),
            ("PUT", "/services/ssh", {"enable": False}),
            ("GET", "/system/reboot", None),
            ("GET", "/system/configuration/apply", None),
            ("GET", "/system/configuration/pull", None),
        ],
    )
    async def test_nothing_is_changed_and_the_reason_told(
        self, phone: Client, method: str, path: str, body: Any
    ) -> None:
        answer = await phone.request(method, path, json=body)

        assert answer.status == 503
        assert "nobody listens at" in answer.json()["error"]
