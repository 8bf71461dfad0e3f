"""The host in an administrator's browser."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from manor import Transaction, find_user, set_admin
from manor.testing import Client, House, NotAStream, SetClock
from manor_hostservices.hosting import Hosting
from manor_hostservices.pages.face import size, span
from manor_hostservices.watching import ServiceWatch
from tests.host_pages import HOME, JOBS, after_job, browser_of, until
from tests.page_reading import SAME_ORIGIN, Reader
from tests.people import PASSWORD, actions

READING = {HOME, JOBS, f"{HOME}/backups", f"{HOME}/updates", f"{HOME}/ssh", f"{HOME}/services/gitea"}


# --- Who is let in -------------------------------------------------------------------------------------------------


async def test_administrators_are_let_in_and_nobody_else(house: House, client: Client, root: Reader) -> None:
    ada = await browser_of(house, client, "ada", is_admin=False)
    stranger = Reader(client)

    for path in READING:
        assert (await root.open(path)).status == 200, path
        assert (await ada.open(path)).status == 403, path
        assert (await stranger.ask("GET", path)).headers["Location"].startswith("/login?next=%2Fapp%2Fhost")


async def test_after_a_quarter_of_an_hour_the_password_is_asked_for(root: Reader, clock: SetClock) -> None:
    page = await root.open(HOME)
    clock.set(clock.now() + timedelta(minutes=15))

    sent = await root.send(f"{HOME}/services/gitea")
    asked = await root.open(f"{HOME}/backups")
    wrong = await root.send(f"{HOME}/unlock", password="not hers at all")
    right = await root.send(f"{HOME}/unlock", password=PASSWORD)
    again = await root.open(HOME)
    clock.set(clock.now() + timedelta(minutes=15))
    later = await root.open(HOME)

    assert page.status == 200
    assert (sent.status, "What you sent was not done" in sent.text) == (403, True)
    assert (asked.status, wrong.status) == (403, 403)
    assert "The password is wrong." in wrong.text
    assert (right.url, right.status) == (f"{HOME}/backups", 200)
    assert "Gitea off" in again.text
    assert later.status == 403


async def test_a_way_on_leads_to_no_other_server(root: Reader, clock: SetClock) -> None:
    for wanted in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""):
        clock.set(clock.now() + timedelta(minutes=15))
        await root.open(HOME)
        assert (await root.send(f"{HOME}/unlock", password=PASSWORD, next=wanted)).url == HOME


async def test_a_password_is_not_guessed_here_either(root: Reader, clock: SetClock) -> None:
    clock.set(clock.now() + timedelta(minutes=15))
    await root.open(HOME)
    for _ in range(10):
        assert (await root.send(f"{HOME}/unlock", password="guess")).status == 403

    locked = await root.send(f"{HOME}/unlock", password=PASSWORD)

    assert locked.status == 429
    assert (await root.open(HOME)).status == 403


async def test_forms_of_other_pages_change_nothing(root: Reader) -> None:
    await root.open(HOME)
    for path, body in (
        (f"{HOME}/services/gitea", b"turn=on"),
        (JOBS, b"kind=apply"),
        (f"{HOME}/ssh", b""),
        (f"{HOME}/backups", b"turn=test&account=a&secret=b&bucket=my-bucket"),
        (f"{HOME}/unlock", f"password={PASSWORD}".encode()),
    ):
        assert (await root.ask("POST", path, body=body, headers=SAME_ORIGIN)).status == 403
        elsewhere = {**SAME_ORIGIN, "Sec-Fetch-Site": "cross-site"}
        assert (await root.ask("POST", path, body=body, headers=elsewhere)).status == 403
    assert "There were no jobs yet" in (await root.open(JOBS)).text


# --- Services and SSH ----------------------------------------------------------------------------------------------


async def test_a_service_is_switched_and_its_journal_read(house: House, root: Reader) -> None:
    await root.open(HOME)
    on = await root.send(f"{HOME}/services/gitea")
    journal = await root.open(f"{HOME}/services/gitea")
    await root.open(HOME)
    off = await root.send(f"{HOME}/services/gitea")

    assert "Gitea is switched on." in on.text
    assert "Started Gitea." in journal.text
    assert "Gitea is switched off." in off.text
    assert (await actions(house)).count("hostservices.services.switch") == 2


async def test_how_much_room_data_takes_up_is_shown(root: Reader, tmp_path: Path) -> None:
    data = tmp_path / "host/var/lib/gitea"
    data.mkdir(parents=True)
    (data / "repository").write_bytes(os.urandom(3 << 20))
    listed = await until(root, HOME, lambda page: "data 3.0 MiB" in page.text)
    page = await root.open(f"{HOME}/services/gitea")

    assert listed.text.count("data 3.0 MiB") == 1
    assert "Data on disk 3.0 MiB, measured" in page.text


async def test_what_is_no_service_is_not_switched(root: Reader) -> None:
    await root.open(HOME)
    token = root.here.form(f"{HOME}/services/gitea").fields["form_token"] if root.here else ""

    async def send(key: str, body: str) -> int:
        sent = f"form_token={token}&{body}".encode()
        return (await root.ask("POST", f"{HOME}/services/{key}", body=sent, headers=SAME_ORIGIN)).status

    assert await send("nonesuch", "turn=on") == 404
    assert await send("..%2fgitea", "turn=on") == 404
    assert await send("imap", "turn=off") == 400
    assert await send("gitea", "turn=sideways") == 422
    assert await send("gitea", "") == 422
    assert (await root.open(f"{HOME}/services/nonesuch")).status == 404
    assert "<script>" not in (await root.open(f"{HOME}?done=<script>-on")).answer.text.split("<main")[1]


async def test_ssh_is_set_and_nobody_is_locked_out(root: Reader) -> None:
    page = await root.open(f"{HOME}/ssh")
    boxes = page.form(f"{HOME}/ssh").fields
    kept = await root.send(f"{HOME}/ssh")
    del kept.form(f"{HOME}/ssh").fields["passwords"]
    refused = await root.send(f"{HOME}/ssh")
    page = await root.open(f"{HOME}/ssh")

    assert (boxes["enable"], boxes["passwords"]) == ("yes", "yes")
    assert "The settings are changed." in kept.text
    assert refused.status == 409
    assert page.form(f"{HOME}/ssh").fields["passwords"] == "yes"


# --- Jobs ----------------------------------------------------------------------------------------------------------


async def test_a_job_is_started_and_seen_to_its_end(root: Reader) -> None:
    await root.open(f"{HOME}/updates")
    assert root.here is not None
    started = await root.send(JOBS, kind="upgrade")
    over = await after_job(root, started)
    listed = await root.open(JOBS)

    assert started.url.startswith(f"{JOBS}/")
    assert "done" in over.text
    assert "root1" in over.text
    assert "Upgrade done" in listed.text


async def test_what_cannot_be_undone_asks_whether_it_is_meant(root: Reader) -> None:
    asked: list[dict[str, Any]] = [
        {"kind": "reboot"},
        {"kind": "rollback"},
        {"kind": "restore", "snapshot": "0a1b2c3d"},
    ]
    for typed in asked:
        await root.open(JOBS)
        refused = await root.send(JOBS, **typed)
        assert refused.status == 400
        assert "tick the box" in refused.text
    await root.open(JOBS)
    assert (await root.send(JOBS, kind="restore", sure="yes")).status == 400
    await root.open(JOBS)
    assert (await root.send(JOBS, kind="reboot", sure="yes")).url.startswith(f"{JOBS}/")


async def test_what_is_no_job_is_refused(root: Reader) -> None:
    wrong: list[dict[str, Any]] = [
        {"kind": "format"},
        {"kind": ""},
        {"kind": "restore", "snapshot": "--help", "sure": "yes"},
    ]
    for typed in wrong:
        await root.open(JOBS)
        assert (await root.send(JOBS, **typed)).status == 422
    for path in (f"{JOBS}/{'0' * 32}", f"{JOBS}/nonesuch", f"{JOBS}/..%2f..%2fetc"):
        assert (await root.open(path)).status == 404
    await root.open(JOBS)
    page = await after_job(root, await root.send(JOBS, kind="apply"))
    token = (await root.open(JOBS)).form(JOBS).fields["form_token"]
    ended = await root.ask("POST", f"{page.url}/cancel", body=f"form_token={token}".encode(), headers=SAME_ORIGIN)
    assert ended.status == 409
    assert "There were no jobs yet" not in (await root.open(JOBS)).text


async def test_the_page_hears_of_jobs_until_its_administrator_is_none(
    house: House, client: Client, root: Reader
) -> None:
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in root.jar.items())}
    async with client.sse(f"{HOME}/live", headers=cookie) as stream:
        assert (await anext(stream)).event == "snapshot"
        await root.open(JOBS)
        await root.send(JOBS, kind="apply")
        assert (await anext(stream)).event == "job"
        await house.storage.write(_demote)
        with trio.fail_after(5):
            async for _ in stream:
                pass
    assert stream.closing is not None

    with pytest.raises(NotAStream) as refused:
        async with client.sse(f"{HOME}/live", headers=cookie):
            pass
    assert refused.value.answer.status == 403


def _demote(transaction: Transaction) -> None:
    user = find_user(transaction, username="root1")
    assert user is not None
    set_admin(transaction, user.id, is_admin=False)


async def test_the_page_hears_of_jobs_as_long_as_the_sign_in_is_fresh(
    client: Client, phone: Client, root: Reader, clock: SetClock
) -> None:
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in root.jar.items())}
    clock.set(clock.now() + timedelta(minutes=15, milliseconds=-50))
    async with phone.sse("/api/host/jobs/events") as device, client.sse(f"{HOME}/live", headers=cookie) as stream:
        assert (await anext(stream)).event == "snapshot"
        with trio.fail_after(20):
            async for _ in stream:
                pass
        assert stream.closing is not None
        # What a device hears ends with its token, and with nothing else.
        assert (await anext(device)).event == "snapshot"
        assert device.closing is None
        clock.set(clock.now() + timedelta(seconds=1))
        await root.open(HOME)
        await root.send(f"{HOME}/unlock", password=PASSWORD)
        async with client.sse(f"{HOME}/live", headers=cookie) as again:
            assert (await anext(again)).event == "snapshot"
            await root.open(JOBS)
            await root.send(JOBS, kind="apply")
            assert (await anext(again)).event == (await anext(device)).event == "job"


async def test_a_stale_sign_in_hears_nothing(client: Client, root: Reader, clock: SetClock) -> None:
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in root.jar.items())}
    clock.set(clock.now() + timedelta(minutes=15))

    with pytest.raises(NotAStream) as refused:
        async with client.sse(f"{HOME}/live", headers=cookie):
            pass

    assert refused.value.answer.status == 403


class TestWithoutHelper:
    @pytest.fixture(params=["nixos", "systemd"])
    def host_table(self, request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, Any]:
        return {"backend": request.param, "root": "", "helper_socket": str(tmp_path / "none.sock")}

    async def test_nothing_can_be_changed_and_the_page_says_why(self, house: House, root: Reader) -> None:
        # Not the updates: this machine's own package manager takes its time.
        for path in READING - {f"{HOME}/updates"}:
            page = await root.open(path)
            assert page.status in (200, 503), path
            assert "Nothing can be changed from here: nobody listens at" in page.text
            assert "<button" not in page.answer.text
            assert f"{HOME}/backups" in page.links
        [plugin] = [each for each in house.running if each.name == "hostservices"]
        [hosting] = [part for part in plugin.instance.parts if isinstance(part, Hosting)]
        # Whatever this machine says or refuses, the daemon goes on.
        await ServiceWatch(house.storage, hosting.host).look()


def test_amounts_are_written_for_people() -> None:
    assert [size(each) for each in (None, 0, 1023, 1024, 35 << 20, 5 << 40)] == [
        "unknown",
        "0 B",
        "1023 B",
        "1.0 KiB",
        "35 MiB",
        "5.0 TiB",
    ]
    assert [span(each) for each in (0, 59.4, 60, 3599, 3661)] == ["0 s", "59 s", "1 min", "59 min", "1 h 1 min"]
