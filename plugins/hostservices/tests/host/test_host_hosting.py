"""How the daemon chooses whom it asks, and what it says of that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from manor.testing import Client
from tests.host_jobs import new_ledger


async def degraded(client: Client) -> list[str]:
    answer = await client.get("/readyz")
    return [each["reason"] for each in answer.json()["degraded"]]


async def test_a_sandboxs_jobs_are_done_in_the_house(phone: Client, tmp_path: Path) -> None:
    answer = await phone.get("/system/configuration/apply")

    assert (answer.status, answer.body) == (200, b"0")
    ledger = new_ledger(tmp_path / "host")
    with trio.fail_after(10):
        while True:
            if [job.state for job in ledger.jobs()] == ["done"]:
                break
            await trio.sleep(0.01)
    assert await degraded(phone) == []


class TestWithoutHelper:
    @pytest.fixture
    def host_table(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"backend": "systemd", "root": "", "helper_socket": str(tmp_path / "none.sock")}

    async def test_the_house_says_that_the_host_is_read_only(self, client: Client, tmp_path: Path) -> None:
        [reason] = await degraded(client)

        socket = tmp_path / "none.sock"
        assert reason == f"host: read-only: nobody listens at {socket}; systemctl enable --now manor-host.socket"


class TestWithHelper:
    @pytest.fixture
    def host_table(self, nixos_helper: Path) -> Mapping[str, Any]:
        return {"backend": "nixos", "root": "", "helper_socket": str(nixos_helper)}

    async def test_the_house_has_nothing_to_complain_of(self, client: Client) -> None:
        assert await degraded(client) == []


class TestWithAnotherPrimaryAccount:
    @pytest.fixture
    def host_table(self, nixos_helper: Path) -> Mapping[str, Any]:
        return {"backend": "nixos", "root": "", "helper_socket": str(nixos_helper), "primary_user": "ada"}

    async def test_the_house_says_that_it_is_not_there(self, client: Client) -> None:
        with trio.fail_after(10):
            while True:
                if told := await degraded(client):
                    break
                await trio.sleep(0.02)

        assert told == ["primary account: there is no account 'ada': set plugins.hostservices.primary_user"]
