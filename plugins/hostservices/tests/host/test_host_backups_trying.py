"""Where backups are to go is tried before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
import trio

from manor.testing import Client, House
from manor_hostservices.backups.destination import Destination, Tried
from manor_hostservices.backups.trying import NO_BUCKET, NO_FOLDER, NONE_YET, NOT_A_FOLDER, OPENS
from manor_hostservices.backups.work import OPENS_OTHERWISE
from manor_hostservices.helper.client import HelperHost
from manor_hostservices.programs import Done, HostPrograms
from manor_hostservices.refusals import Invalid
from manor_hostservices.verbs import SetBackupStore, Verb
from tests.host_backups import BackedUp, new_host
from tests.host_contract import Said
from tests.host_helper import open_helper
from tests.host_phone import CONFIG, SECRET, SETTINGS, Phone, until
from tests.host_restic import FakeRestic, fake_restic
from tests.host_stand_ins import Answers, Nobody, at
from tests.people import actions
from tests.s3_server import S3Server

TEST = "/api/host/backups/test"


@pytest.fixture
def device(phone: Client, tmp_path: Path) -> Phone:
    return Phone(phone, tmp_path / "host")


@pytest.fixture
def restic(tmp_path: Path) -> FakeRestic:
    return fake_restic(tmp_path / "restic")


def found(said: Said) -> tuple[str, str]:
    """What was found, and the sentence."""
    status, body = said
    assert status == 200, body
    assert body["ok"] == (body["found"] in ("repository", "empty"))
    return body["found"], body["message"]


class TestS3:
    @pytest.fixture
    def host_table(self, s3_server: S3Server) -> Mapping[str, Any]:
        repository = f"s3:{s3_server.url}/{{bucket}}/sfbackup"
        return {"backup": {"repository": repository, "paths": ["/etc"], "schedule": ""}}

    async def test_what_is_found_there_is_told_and_nothing_is_kept(
        self, device: Phone, s3_server: S3Server, house: House, tmp_path: Path
    ) -> None:
        bucket = s3_server.new_bucket()
        right = {"accountId": s3_server.access_key, "accountKey": s3_server.secret_key, "bucket": bucket}

        async def tried(**changed: str) -> tuple[str, str]:
            return found(await device.ask("POST", TEST, {**right, **changed}))

        assert await tried() == ("empty", NONE_YET)
        assert await tried(bucket="no-such-bucket") == ("bucket", NO_BUCKET)
        for wrong in ({"accountKey": SECRET}, {"accountId": "AKIANOBODY"}):
            which, message = await tried(**wrong)
            assert which == "denied"
            assert message.startswith("The store does not let us in: ")
            assert SECRET not in message
        theirs = {
            "RESTIC_REPOSITORY": f"s3:{s3_server.url}/{bucket}/sfbackup",
            "RESTIC_PASSWORD": "another",
            "AWS_ACCESS_KEY_ID": s3_server.access_key,
            "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
        }
        assert (await HostPrograms().run(["restic", "init", "--no-cache"], env=theirs)).status == 0
        assert await tried() == ("password", OPENS_OTHERWISE)
        # As it was kept from another server.
        (tmp_path / "host/var/lib/manor-host/backup-password").write_text("another")
        assert await tried() == ("repository", OPENS)

        assert (await device.status())["status"] == "NO_KEY"
        assert "hostservices.backups.store" not in await actions(house)
        assert not (tmp_path / "host/var/lib/manor-host/store.json").exists()


class TestFolder:
    @pytest.fixture
    def host_table(self) -> Mapping[str, Any]:
        return {"backup": {"repository": "/mnt/disk/backups", "schedule": ""}}

    async def test_a_folder_is_looked_at_and_asks_for_no_credentials(self, device: Phone, tmp_path: Path) -> None:
        disk = tmp_path / "host/mnt/disk"

        assert found(await device.ask("POST", TEST, {})) == ("folder", NO_FOLDER)
        disk.mkdir(parents=True)
        assert found(await device.ask("POST", TEST, SETTINGS)) == ("empty", NONE_YET)
        assert list(disk.iterdir()) == []
        (disk / "backups").write_text("a file")
        assert found(await device.ask("POST", TEST, {})) == ("folder", NOT_A_FOLDER)


class TestStore:
    @pytest.fixture
    def host_table(self, restic: FakeRestic) -> Mapping[str, Any]:
        repository = "s3:https://s3.example.org/{bucket}/x"
        return {"backup": {"repository": repository, "restic": restic.path, "schedule": ""}}

    @pytest.mark.parametrize(
        "wrong",
        [
            {"bucket": "../etc"},
            {"bucket": "-o"},
            {"bucket": "my-bucket\n"},
            {"bucket": "b" * 64},
            {"accountKey": "two\nlines"},
            {"accountKey": "a blank"},
            {"accountKey": "ключ"},
            {"accountKey": "x" * 501},
            {"accountId": "nul\x00"},
            {"accountId": 1},
            {"accountKey": None},
        ],
    )
    async def test_what_cannot_be_a_store_is_not_tried(
        self, device: Phone, restic: FakeRestic, wrong: dict[str, Any]
    ) -> None:
        status, body = await device.ask("POST", TEST, {**SETTINGS, **wrong})

        assert status == 400
        assert body.get("message") or body.get("error")
        assert SECRET not in str(body)
        assert restic.ran() == []

    @pytest.mark.parametrize("wrong", [[1], "x", None, b"{", b'{"bucket":'])
    async def test_what_is_no_body_is_refused(self, device: Phone, phone: Client, wrong: Any) -> None:
        sent = {"body": wrong} if isinstance(wrong, bytes) else {"json": wrong}
        answer = await phone.request("POST", TEST, headers={"Content-Type": "application/json"}, **sent)

        assert answer.status == 400

    async def test_what_is_missing_is_named(self, device: Phone, restic: FakeRestic) -> None:
        status, body = await device.ask("POST", TEST, {"accountId": "0012ab", "accountKey": ""})

        assert status == 400
        assert set(body["message"]) == {"accountKey", "bucket"}
        assert restic.ran() == []

    async def test_the_secret_is_in_no_argument_answer_log_or_file(
        self, device: Phone, restic: FakeRestic, tmp_path: Path
    ) -> None:
        restic.hold("cat")
        restic.fail("cat", f"Fatal: the store says {SECRET} is wrong")
        said: list[Said] = []

        async def ask() -> None:
            said.append(await device.ask("POST", TEST, SETTINGS))

        with structlog.testing.capture_logs() as entries:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await until(restic.is_held)
                arguments = Path(f"/proc/{restic.pid()}/cmdline").read_bytes()
                restic.let_go("cat")

        assert said == [(200, {"ok": False, "found": "other", "message": "the store says *** is wrong"})]
        assert b"cat" in arguments
        assert SECRET.encode() not in arguments
        assert SECRET not in str(entries)
        holders = {path.name for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()}
        assert holders == {"fail-cat"}

    async def test_only_a_few_are_tried_at_once(self, device: Phone, restic: FakeRestic) -> None:
        restic.hold("cat")
        said: list[Said] = []

        async def ask() -> None:
            said.append(await device.ask("POST", TEST, SETTINGS))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
            await until(lambda: said)
            assert [status for status, _ in said] == [429]
            restic.let_go("cat")

        assert [status for status, _ in said] == [429, 200, 200]
        assert (await device.ask("POST", TEST, SETTINGS))[0] == 200

    async def test_a_job_with_the_repository_does_not_stop_a_test(self, device: Phone, restic: FakeRestic) -> None:
        restic.hold("init")
        assert (await device.ask("PUT", CONFIG, SETTINGS))[0] == 200
        await until(restic.is_held)

        assert found(await device.ask("POST", TEST, SETTINGS)) == ("empty", NONE_YET)

        restic.let_go("init")
        assert (await device.idle())["status"] == "INITIALIZED"

    async def test_without_restic_the_reason_is_told(self, device: Phone, restic: FakeRestic) -> None:
        Path(restic.path).unlink()

        status, body = await device.ask("POST", TEST, SETTINGS)

        assert status == 503
        assert "is not installed" in str(body)


async def test_why_ssh_does_not_get_there_is_told(tmp_path: Path) -> None:
    host = new_host(tmp_path, repository="sftp://nobody@127.0.0.1:1//backups")

    tried = await host.backups.set_store(SetBackupStore("", "", "", test=True))

    assert tried is not None
    assert tried.found == "unreachable"
    assert tried.detail.startswith("The store cannot be reached: ")


@pytest.mark.parametrize("answer", [Tried("bucket", NO_BUCKET), None])
async def test_what_was_found_comes_over_the_border(tmp_path: Path, answer: Tried | None) -> None:
    async def tell(verb: Verb[Any]) -> Tried | None:
        return answer

    async with open_helper(at(tmp_path), Answers(tell)):
        heard = await HelperHost(str(at(tmp_path)), Nobody()).ask(SetBackupStore("me", SECRET, "bucket", test=True))

    assert heard == answer


class Hanging:
    """A program that goes on until it is ended."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        seconds: float | None = 60.0,
        hear: Callable[[str], None] | None = None,
        cwd: str | None = None,
    ) -> Done:
        with trio.fail_after(float("inf") if seconds is None else seconds):
            await trio.sleep_forever()
        raise AssertionError("it ended by itself")


async def test_a_store_that_says_nothing_is_waited_for_half_a_minute(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    host = BackedUp(tmp_path, {"repository": "s3:https://s3.example.org/{bucket}/x"}, Hanging())

    tried = await host.backups.set_store(SetBackupStore("0012ab", SECRET, "my-bucket", test=True))

    assert tried == Tried("unreachable", "The store said nothing for 30 seconds")


@pytest.mark.parametrize("lacking", ["account", "secret", "bucket"])
async def test_the_host_refuses_what_lacks_something(tmp_path: Path, lacking: str) -> None:
    host = new_host(tmp_path, repository="s3:https://s3.example.org/{bucket}/x")
    given = {"account": "0012ab", "secret": SECRET, "bucket": "my-bucket", lacking: ""}

    for test in (True, False):
        with pytest.raises(Invalid, match=f"has to be told its {lacking}"):
            await host.backups.set_store(SetBackupStore(**given, test=test))

    assert (await host.backups.known()).state == "NO_KEY"


@pytest.mark.parametrize(
    ("repository", "kind", "needs"),
    [
        ("", "b2", ("account", "secret", "bucket")),
        ("b2:fixed:/x", "b2", ("account", "secret")),
        ("s3:https://s3.example.org/{bucket}/x", "s3", ("account", "secret", "bucket")),
        ("sftp:backup@nas:/srv/{bucket}", "sftp", ("bucket",)),
        ("sftp:backup@nas:/srv", "sftp", ()),
        ("/mnt/a:b", "local", ()),
        ("local:/mnt/{bucket}", "local", ("bucket",)),
    ],
)
def test_each_kind_of_store_asks_for_what_it_needs(repository: str, kind: str, needs: tuple[str, ...]) -> None:
    destination = Destination.of(repository)

    assert (destination.kind, destination.needs) == (kind, needs)
    assert destination.path("x") == (
        repository.removeprefix("local:").replace("{bucket}", "x") if kind == "local" else None
    )


def test_a_password_in_an_address_is_not_shown() -> None:
    assert Destination.of("rest:https://me:top-secret@host/{bucket}").shown == "rest:https://***@host/{bucket}"
