"""Jobs through the API of devices: started, followed, ended; and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from manor import Event
from manor.testing import Answer, Client, House, NotAStream, SseStream
from manor.testing.streams import opened_sse
from manor.tokens import NewToken
from manor_hostservices.events import BackupFailed, BackupFinished, JobChanged
from manor_hostservices.jobs.part import FollowingJobs
from manor_hostservices.jobs.streaming import MOST_STREAMS
from tests.people import actions

JOBS = "/api/host/jobs"
NO_JOB = "0" * 32


async def begin(phone: Client, kind: str = "apply", **more: Any) -> str:
    answer = await phone.post(JOBS, json={"kind": kind, **more})
    assert answer.status == 201, answer.text
    return str(answer.json()["id"])


async def ended(phone: Client, job: str) -> dict[str, Any]:
    with trio.fail_after(10):
        while True:
            found: dict[str, Any] = (await phone.get(f"{JOBS}/{job}")).json()
            if found["state"] != "running":
                return found
            await trio.sleep(0.02)


async def told_of(heard: list[Event], name: str) -> Any:
    """The first event of that name, once it is told."""
    with trio.fail_after(10):
        while True:
            found = [event for event in heard if event.name == name]
            if found:
                return found[0]
            await trio.sleep(0.02)


def refused(answer: Answer, status: int) -> bool:
    body = answer.json()
    return answer.status == status and bool(body.get("error") or body.get("message"))


async def test_a_job_is_started_followed_and_remembered(phone: Client, house: House, heard: list[Event]) -> None:
    answer = await phone.post(JOBS, json={"kind": "upgrade"})
    job = answer.json()
    over = await ended(phone, job["id"])

    assert answer.status == 201
    assert (job["kind"], job["state"], job["dry_run"], job["ended_at"]) == ("upgrade", "running", False, None)
    assert (over["state"], over["progress"], over["ended_at"]) == ("done", 1.0, "2030-01-02T12:00:00Z")
    assert over["by"] == job["by"] != ""
    assert (await phone.get(JOBS)).json() == [over]
    assert (await phone.get(f"{JOBS}/{job['id']}/log")).json() == {"lines": [], "cursor": ""}
    changes = [event.job for event in heard if isinstance(event, JobChanged)]
    assert [change.state for change in changes][:: len(changes) - 1] == ["running", "done"]
    assert (await actions(house)).count("hostservices.jobs.start") == 1


async def test_what_the_selfprivacy_api_starts_is_a_job_too(phone: Client) -> None:
    assert (await phone.get("/system/configuration/apply")).status == 200

    [job] = (await phone.get(JOBS)).json()

    assert job["kind"] == "apply"


async def test_a_backup_that_fails_is_told(phone: Client, heard: list[Event]) -> None:
    over = await ended(phone, await begin(phone, "backup"))
    rehearsed = await ended(phone, await begin(phone, "backup", dry_run=True))

    assert (over["state"], rehearsed["state"]) == ("failed", "failed")
    [told] = [event for event in heard if isinstance(event, BackupFailed | BackupFinished)]
    assert isinstance(told, BackupFailed)
    assert (told.job_id, told.reason) == (over["id"], over["message"])
    assert told.summary == f"The backup failed: {over['message']}"


NO_JOBS: tuple[tuple[Any, str | None], ...] = (
    (b"", None),
    (b"{", None),
    (b"[1]", None),
    (b'"apply"', None),
    ({}, "kind"),
    ({"kind": None}, None),
    ({"kind": "format"}, None),
    ({"kind": ["apply"]}, None),
    ({"kind": "apply; reboot"}, None),
    ({"kind": "apply", "dry_run": "yes"}, None),
    ({"kind": "apply", "force": 1}, None),
    ({"kind": "restore"}, "snapshot"),
    ({"kind": "restore", "snapshot": None}, "snapshot"),
    ({"kind": "restore", "snapshot": "latest"}, None),
    ({"kind": "restore", "snapshot": "--help00"}, None),
    ({"kind": "restore", "snapshot": "0a1b2c3d\n"}, None),
    ({"kind": "restore", "snapshot": "a" * 65}, None),
)


async def test_what_is_no_job_starts_none(phone: Client) -> None:
    for body, said in NO_JOBS:
        is_raw = isinstance(body, bytes)
        sent = {"body": body, "headers": {"Content-Type": "application/json"}} if is_raw else {"json": body}
        answer = await phone.post(JOBS, **sent)

        assert refused(answer, 400), body
        assert said is None or said in answer.json()["message"]
    assert (await phone.get(JOBS)).json() == []


ABSENT = (
    ("GET", f"{JOBS}/{NO_JOB}", 404),
    ("GET", f"{JOBS}/{NO_JOB}/log", 404),
    ("DELETE", f"{JOBS}/{NO_JOB}", 404),
    ("GET", f"{JOBS}/..%2f..%2fetc%2fpasswd/log", 404),
    ("DELETE", f"{JOBS}/%00", 404),
    ("GET", f"{JOBS}/{NO_JOB}/log?lines=0", 400),
    ("GET", f"{JOBS}/{NO_JOB}/log?lines=1001", 400),
    ("GET", f"{JOBS}/{NO_JOB}/log?lines=many", 400),
    ("PUT", JOBS, 405),
    ("POST", f"{JOBS}/{NO_JOB}", 405),
    ("GET", "/api/host/nonesuch", 404),
    ("GET", "/api/host/services/nonesuch/journal", 404),
    ("GET", "/api/host/services/..%2fgitea/journal", 404),
    ("GET", "/api/host/services/gitea.service/journal", 404),
    ("GET", "/api/host/services/gitea/journal?lines=-1", 400),
    ("GET", "/api/host/services/gitea/journal?after=--help", 400),
    ("GET", "/api/host/services/gitea/journal?after=x%0a", 400),
    ("POST", "/api/host/updates", 405),
)


async def test_what_is_not_there_is_told(phone: Client) -> None:
    for method, path, status in ABSENT:
        assert refused(await phone.request(method, path), status), path


async def test_nobody_else_is_let_in(client: Client) -> None:
    for path in (JOBS, f"{JOBS}/events", "/api/host/services", "/api/host/updates", "/api/host/nonesuch"):
        assert (await client.get(path)).json() == {"error": "Missing Authorization header"}


async def test_services_and_their_journals_are_seen(phone: Client) -> None:
    await phone.post("/services/gitea/enable")

    services = {each["key"]: each for each in (await phone.get("/api/host/services")).json()}
    journal = (await phone.get("/api/host/services/gitea/journal")).json()
    again = (await phone.get(f"/api/host/services/gitea/journal?after={journal['cursor']}")).json()

    assert (services["gitea"]["title"], services["gitea"]["status"], services["gitea"]["enabled"]) == ("Gitea", 0, True)
    assert (services["imap"]["switchable"], services["pleroma"]["status"]) == (False, 3)
    assert journal["lines"] == ["Started Gitea."]
    assert again["lines"] == []
    assert (await phone.get("/api/host/updates")).json() == {"packages": [], "reboot_required": False}


# --- Streams -------------------------------------------------------------------------------------------------------


async def next_job(stream: SseStream, state: str) -> dict[str, Any]:
    async for event in stream:
        if event.event == "job" and event.json()["state"] == state:
            found: dict[str, Any] = event.json()
            return found
    raise AssertionError(f"the stream ended: {stream.closing}")


async def test_a_stream_tells_what_is_known_and_then_each_change(phone: Client) -> None:
    first = await begin(phone)
    await ended(phone, first)
    async with phone.sse(f"{JOBS}/events") as stream:
        snapshot = await anext(stream)
        second = await begin(phone)
        running = await next_job(stream, "running")
        done = await next_job(stream, "done")

    assert (snapshot.event, [job["id"] for job in snapshot.json()["jobs"]]) == ("snapshot", [first])
    assert (running["id"], done["id"]) == (second, second)
    async with phone.sse(f"{JOBS}/events", headers={"Last-Event-ID": snapshot.id}) as stream:
        assert [job["id"] for job in (await anext(stream)).json()["jobs"]] == [second, first]


async def test_a_stream_ends_with_its_device(house: House, client: Client, phone: Client) -> None:
    made = await house.run_command("token.new", NewToken("device", "other phone"))
    other = client(headers={"Authorization": f"Bearer {made.secret}"})
    async with phone.sse(f"{JOBS}/events") as stays, other.sse(f"{JOBS}/events") as stream:
        await anext(stays)
        await anext(stream)
        assert (await phone.request("DELETE", "/auth/tokens", json={"token_name": "other_phone"})).status == 200
        assert [event async for event in stream] == []
        await begin(phone)
        await next_job(stays, "running")

    assert stream.closing is not None
    assert stream.closing.code == 4401


async def test_streams_are_counted(phone: Client) -> None:
    async with trio.open_nursery() as nursery:
        opened = trio.Event()
        count = 0

        async def hear() -> None:
            nonlocal count
            async with phone.sse(f"{JOBS}/events") as stream:
                await anext(stream)
                count += 1
                if count == MOST_STREAMS:
                    opened.set()
                await trio.sleep_forever()

        for _ in range(MOST_STREAMS):
            nursery.start_soon(hear)
        await opened.wait()
        with pytest.raises(NotAStream) as raised:
            async with phone.sse(f"{JOBS}/events"):
                pass
        nursery.cancel_scope.cancel()

    assert refused(raised.value.answer, 429)
    async with phone.sse(f"{JOBS}/events") as stream:
        assert (await anext(stream)).event == "snapshot"


async def test_nothing_is_lost_between_opening_a_stream_and_hearing_it(phone: Client, house: House) -> None:
    [plugin] = [each for each in house.running if each.name == "hostservices"]
    [part] = [each for each in plugin.instance.parts if isinstance(each, FollowingJobs)]
    live = await part.streams.open("somebody")
    first = await begin(phone)
    over = await ended(phone, first)

    async with opened_sse(live, live.headers, ()) as stream:
        snapshot, told = await anext(stream), await anext(stream)
        second = await begin(phone)
        running = await next_job(stream, "running")

    assert snapshot.json() == {"jobs": []}
    assert (told.event, told.json()) == ("job", over)
    assert running["id"] == second


class TestRefused:
    @pytest.fixture
    def host_table(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"backend": "systemd", "root": "", "helper_socket": str(tmp_path / "none.sock")}

    async def test_a_job_that_never_began_does_not_run_on_in_streams(self, phone: Client) -> None:
        async with phone.sse(f"{JOBS}/events") as stream:
            snapshot = await anext(stream)
            # What never began is told of as it happens alone: the stream has to hear by now.
            await trio.testing.wait_all_tasks_blocked()
            answer = await phone.post(JOBS, json={"kind": "upgrade"})
            with trio.fail_after(10):
                over = await next_job(stream, "failed")

        assert snapshot.json() == {"jobs": []}
        assert refused(answer, 503)
        assert (over["kind"], over["message"]) == ("upgrade", answer.json()["error"])
        assert (await phone.get(f"{JOBS}/{over['id']}")).status == 404


class TestAnnounced:
    @pytest.fixture
    def house_plugins(self) -> Sequence[str]:
        return ["auth", "hostservices", "topics"]

    @pytest.fixture
    def house_config(self, house_config: Mapping[str, Any]) -> Mapping[str, Any]:
        told = {"event": "hostservices.backup_failed", "topic": "host", "message": "{summary}"}
        plugins = house_config["plugins"]
        return {**house_config, "plugins": {**plugins, "topics": {"announcements": [told]}}}

    async def test_a_backup_that_fails_is_told_on_a_topic(self, phone: Client, heard: list[Event]) -> None:
        over = await ended(phone, await begin(phone, "backup"))

        published = await told_of(heard, "topics.message_published")
        assert (published.topic, published.message) == (
            "host",
            f"The backup failed: {over['message']}",
        )
