"""Following jobs beyond the border: over restarts of the daemon, while the helper is away, until they end somehow."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
import trio

from manor import Event
from manor.testing import Client, House, SetClock, open_test_house
from manor.testing.houses import hear_all
from manor.tokens import NewToken
from manor_hostservices.assembly import make_backups
from manor_hostservices.backends.sandbox import Sandbox
from manor_hostservices.config import HostConfig
from manor_hostservices.desk import Desk
from manor_hostservices.events import BackupFailed, BackupFinished
from manor_hostservices.helper.server import Helper
from manor_hostservices.jobs import following
from manor_hostservices.jobs.in_process import InProcessJobs
from manor_hostservices.jobs.ledger import Entry, Ledger
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import Places
from manor_hostservices.programs import WrittenDown
from manor_hostservices.refusals import Failed
from manor_hostservices.verbs import Job, ReadJobs, SetBackupStore, StartJob, Verb
from tests.host_jobs import Working
from tests.host_phone import until as wait_until

JOBS = "/api/host/jobs"


class Beyond:
    """The other side of the border: jobs go on until the test says how they end.

    Args:
        folder: Where its files are.
        clock: What time it is.
    """

    def __init__(self, folder: Path, clock: SetClock) -> None:
        root = folder / "host"
        self.socket = folder / "host.sock"
        self.ledger = Ledger(Places(root), clock, "boot")
        self.ending = trio.Event()
        self.error: Exception | None = None
        self.swallowed: type | None = None
        self.held: dict[type, trio.Event] = {}
        made_of = HostConfig(backend="sandbox", root=str(root)), Places(root), WrittenDown()
        self._backend = Sandbox(*made_of)
        self._backups = make_backups(*made_of)
        self._desk: Desk | None = None
        self._asked: list[type] = []
        self._is_asked = trio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Let the daemon in, whether anybody works here or not."""
        sock = trio.socket.socket(trio.socket.AF_UNIX)
        await sock.bind(str(self.socket))
        sock.listen()
        async with trio.SocketListener(sock) as listener, trio.open_nursery() as nursery:
            nursery.start_soon(Helper(self, {os.getuid()}).serve, listener)
            yield
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Work; leaving ends all jobs with their processes."""
        jobs = InProcessJobs(self.ledger, self._backend, Working(self._work))
        async with trio.open_nursery() as nursery:
            await nursery.start(jobs.run)
            self._desk = Desk(self._backend, jobs, self._backups)
            try:
                yield
            finally:
                self._desk = None
            nursery.cancel_scope.cancel()

    async def ask(self, verb: Verb[Any]) -> Any:
        """Do as the desk does."""
        if self._desk is None:
            self._note(verb)
            raise Failed("The helper is being replaced")
        if (held := self.held.get(type(verb))) is not None:
            self._note(verb)
            await held.wait()
        answer = await self._desk.ask(verb)
        self._note(verb)
        if type(verb) is self.swallowed:
            raise Failed("The root helper ended before it answered")
        return answer

    def _note(self, verb: Verb[Any]) -> None:
        self._asked.append(type(verb))
        self._is_asked.set()

    async def asked_for(self, verb: type) -> None:
        """Wait until the daemon has asked this."""
        while verb not in self._asked:
            self._is_asked = trio.Event()
            await self._is_asked.wait()

    async def looked_at(self, times: int) -> None:
        """Wait until the daemon has looked at its jobs so often more."""
        wanted = self._asked.count(ReadJobs) + times
        while self._asked.count(ReadJobs) < wanted:
            self._is_asked = trio.Event()
            await self._is_asked.wait()

    async def _work(self, report: Report) -> None:
        report.progress(0.25, bytes_done=1, bytes_total=4)
        report.message("Working")
        report.log("looked at /var")
        await self.ending.wait()
        if self.error is not None:
            raise self.error
        report.made("0a1b2c3d")


@pytest.fixture
async def beyond(tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Beyond]:
    monkeypatch.setattr(following, "UNREACHABLE", 0.05)
    made = Beyond(tmp_path, clock)
    async with made.listening():
        yield made


@pytest.fixture
def tables(beyond: Beyond) -> Mapping[str, Any]:
    return {"plugins": {"hostservices": {"backend": "nixos", "helper_socket": str(beyond.socket)}}}


@asynccontextmanager
async def open_daemon(folder: Path, tables: Mapping[str, Any], clock: SetClock) -> AsyncIterator[tuple[House, Client]]:
    """A house and a phone that rules its host."""
    async with open_test_house(
        folder / "house", plugins=["auth", "hostservices"], config=tables, clock=clock, inline=False
    ) as house:
        made = await house.run_command("token.new", NewToken("device", "phone"))
        yield house, Client(house.dispatcher)(headers={"Authorization": f"Bearer {made.secret}"})


async def until(phone: Client, job: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    with trio.fail_after(10):
        while True:
            found: dict[str, Any] = (await phone.get(f"{JOBS}/{job}")).json()
            if is_so(found):
                return found
            await trio.sleep(0.02)


async def begin(phone: Client, kind: str = "backup") -> str:
    answer = await phone.post(JOBS, json={"kind": kind})
    assert answer.status == 201, answer.text
    return str(answer.json()["id"])


def about_backups(heard: list[Event]) -> list[Event]:
    return [event for event in heard if event.name.startswith("hostservices.backup_")]


async def test_a_job_outlives_the_daemon_and_is_followed_to_its_end(
    tmp_path: Path, clock: SetClock, beyond: Beyond, tables: Mapping[str, Any]
) -> None:
    async with beyond.open():
        async with open_daemon(tmp_path, tables, clock) as (_, phone):
            job = await begin(phone)
            working = await until(phone, job, lambda found: found["message"] == "Working")
            assert (await phone.get(f"{JOBS}/{job}/log")).json()["lines"] == ["looked at /var"]
            refused = await phone.post(JOBS, json={"kind": "restore", "snapshot": "0a1b2c3d"})
        async with open_daemon(tmp_path, tables, clock) as (house, phone):
            heard = hear_all(house)
            beyond.ending.set()
            over = await until(phone, job, lambda found: found["state"] == "done")

    assert (working["progress"], working["bytes_done"], working["bytes_total"]) == (0.25, 1, 4)
    assert (refused.status, refused.json()) == (409, {"error": "A job is running: backup"})
    assert (over["snapshot"], over["by"]) == ("0a1b2c3d", working["by"])
    [told] = about_backups(heard)
    assert isinstance(told, BackupFinished)
    assert (told.snapshot, told.bytes) == ("0a1b2c3d", 4)


async def test_a_job_whose_process_is_gone_is_lost_and_its_backup_failed(
    tmp_path: Path, clock: SetClock, beyond: Beyond, tables: Mapping[str, Any]
) -> None:
    async with open_daemon(tmp_path, tables, clock) as (house, phone):
        async with beyond.open():
            job = await begin(phone)
            entry = beyond.ledger.entry(job)
        beyond.ledger.write(entry)  # as if nobody had been there to write how it ended
        heard = hear_all(house)
        async with beyond.open():
            over = await until(phone, job, lambda found: found["state"] != "running")

    assert (over["state"], over["message"]) == ("lost", "Its process ended and never said how")
    assert [event.name for event in about_backups(heard)] == ["hostservices.backup_failed"]


async def test_a_helper_that_is_away_loses_no_job(
    tmp_path: Path, clock: SetClock, beyond: Beyond, tables: Mapping[str, Any]
) -> None:
    async with open_daemon(tmp_path, tables, clock) as (_, phone):
        with structlog.testing.capture_logs() as logs:
            async with beyond.open():
                job = await begin(phone)
                entry = beyond.ledger.entry(job)
            await beyond.looked_at(3)
        away = (await phone.get(f"{JOBS}/{job}")).json()
        log = await phone.get(f"{JOBS}/{job}/log")
        started = await phone.post(JOBS, json={"kind": "backup"})
        over = Job(job, "backup", "done", clock.now(), progress=1.0, ended_at=clock.now(), message="Meanwhile")
        beyond.ledger.write(Entry(over, entry.asked))
        async with beyond.open():
            found = await until(phone, job, lambda found: found["state"] == "done")
        jobs = (await phone.get(JOBS)).json()

    assert [line["event"] for line in logs].count("the host does not say how its jobs fare") == 1
    assert away["state"] == "running"
    assert (log.status, started.status) == (503, 503)
    assert found["message"] == "Meanwhile"
    assert [each["id"] for each in jobs] == [job]


async def test_a_job_whose_start_was_not_answered_is_followed_all_the_same(
    tmp_path: Path, clock: SetClock, beyond: Beyond, tables: Mapping[str, Any]
) -> None:
    beyond.swallowed = StartJob
    async with beyond.open(), open_daemon(tmp_path, tables, clock) as (_, phone):
        job = await begin(phone)
        beyond.ending.set()
        over = await until(phone, job, lambda found: found["state"] != "running")

    assert over["state"] == "done"


async def test_a_job_that_ended_before_its_start_was_known_is_told_like_any_other(
    tmp_path: Path, clock: SetClock, beyond: Beyond, tables: Mapping[str, Any]
) -> None:
    beyond.swallowed = StartJob
    beyond.ending.set()
    let_go = beyond.held[ReadJobs] = trio.Event()
    async with beyond.open(), open_daemon(tmp_path, tables, clock) as (house, phone):
        heard = hear_all(house)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(begin, phone)
            await wait_until(lambda: [job.state for job in beyond.ledger.jobs()] == ["done"])
            let_go.set()
        [job] = (await phone.get(JOBS)).json()
        over = await until(phone, job["id"], lambda found: found["state"] != "running")

    assert over["state"] == "done"
    assert [event.name for event in about_backups(heard)] == ["hostservices.backup_finished"]


async def test_no_job_starts_between_keeping_a_store_and_setting_it_up(
    tmp_path: Path, clock: SetClock, beyond: Beyond, tables: Mapping[str, Any]
) -> None:
    said: dict[str, int] = {}

    async def ask(name: str, method: str, path: str, body: Any) -> None:
        said[name] = (await phone.request(method, path, json=body)).status

    let_go = beyond.held[SetBackupStore] = trio.Event()
    settings = {"accountId": "0012ab", "accountKey": "K001", "bucket": "my-bucket"}
    async with beyond.open(), open_daemon(tmp_path, tables, clock) as (_, phone):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "store", "PUT", "/services/restic/backblaze/config", settings)
            await beyond.asked_for(SetBackupStore)
            nursery.start_soon(ask, "backup", "POST", JOBS, {"kind": "backup"})
            with trio.move_on_after(0.3):
                await beyond.asked_for(StartJob)
            let_go.set()
        kinds = [job.kind for job in beyond.ledger.jobs()]

    assert said == {"store": 200, "backup": 409}
    assert kinds == ["init"]


async def test_a_job_is_ended_by_a_device(
    tmp_path: Path, clock: SetClock, beyond: Beyond, tables: Mapping[str, Any]
) -> None:
    async with beyond.open(), open_daemon(tmp_path, tables, clock) as (house, phone):
        heard = hear_all(house)
        job = await begin(phone)
        ended = await phone.request("DELETE", f"{JOBS}/{job}")
        over = await until(phone, job, lambda found: found["state"] != "running")
        again = await phone.request("DELETE", f"{JOBS}/{job}")

    assert ended.json() == {"status": 0, "message": "The job is told to end"}
    assert (over["state"], over["message"]) == ("cancelled", "Cancelled")
    assert (again.status, again.json()) == (409, {"error": "The job has ended"})
    assert about_backups(heard) == []


async def test_a_backup_that_fails_says_why(
    tmp_path: Path, clock: SetClock, beyond: Beyond, tables: Mapping[str, Any]
) -> None:
    beyond.error = Failed("The repository is locked")
    beyond.ending.set()
    async with beyond.open(), open_daemon(tmp_path, tables, clock) as (house, phone):
        heard = hear_all(house)
        over = await until(phone, await begin(phone), lambda found: found["state"] != "running")

    assert (over["state"], over["message"]) == ("failed", "The repository is locked")
    [told] = about_backups(heard)
    assert isinstance(told, BackupFailed)
    assert told.reason == "The repository is locked"


async def test_a_job_that_the_host_has_never_heard_of_is_lost(
    tmp_path: Path, clock: SetClock, beyond: Beyond, tables: Mapping[str, Any]
) -> None:
    async with open_daemon(tmp_path, tables, clock) as (_, phone):
        async with beyond.open():
            job = await begin(phone)
        beyond.ledger.remove(job)
        async with beyond.open():
            with trio.fail_after(10):
                await beyond.looked_at(2)
            early = (await phone.get(f"{JOBS}/{job}")).json()
            clock.set(clock.now() + following.GRACE)
            over = await until(phone, job, lambda found: found["state"] != "running")

    assert early["state"] == "running"  # it may be on its way there still
    assert (over["state"], over["message"]) == ("lost", following.FORGOTTEN)
