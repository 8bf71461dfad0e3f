"""The root helper in a booted systemd: what a phone changes through it, and what nobody else gets out of it."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import pytest
import trio

from manor_hostservices.helper.client import HelperHost
from manor_hostservices.refusals import Conflicting, NotHere
from manor_hostservices.verbs import CancelJob, Job, ReadJobLog, ReadJobs, ReadTimezone, SetBackupStore, StartJob, Verb
from tests.box.service import HELPER, HELPER_SOCKET, UNIT, Service
from tests.host_jobs import job_id

pytestmark = pytest.mark.box

A = TypeVar("A")

PATH = "/run/manor-host.sock"
DROP_IN = "/etc/manor/conf.d/50-host.toml"
CONFIG = """\
[plugins.hostservices]
enabled = true
[plugins.hostservices.jobs]
upgrade = ["/bin/sh", "-c", "echo begun; while [ ! -e /run/go-on ]; do sleep 0.05; done; echo over"]
[plugins.hostservices.backup]
restic = "/opt/toy-restic"
repository = "/srv/{bucket}"
[plugins.auth]
enabled = true
"""
TOY_RESTIC = "#!/bin/sh\ntouch /run/restic-is-up\nexec sleep 6543\n"
COPYING_RESTIC = """#!/bin/sh
case "$1" in
backup)
    printf '%s\\n' "$@" > /run/restic-arguments
    cp --preserve=all /var/lib/manor/backup/manor.db /run/copied.db
    echo '{"message_type":"summary","snapshot_id":"0a1b2c3d4e5f"}' ;;
snapshots) echo '[]' ;;
esac
"""


class Helped:
    """A running Manor with its root helper, and a phone that is in.

    Args:
        service: Manor.
        token: The phone's.
    """

    def __init__(self, service: Service, token: str) -> None:
        self.service = service
        self.box = service.box
        self._headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask as the phone."""
        url = f"{self.service.url}{path}"
        answer = httpx.request(method, url, json=body, headers=self._headers, timeout=60, trust_env=False)
        return answer.status_code, answer.json()

    def ask(self, verb: Verb[A]) -> A:
        """Ask the helper as root."""
        path = f"{self.box.root}{PATH}"

        async def ask() -> A:
            return await HelperHost(path, Nobody()).ask(verb)

        return trio.run(ask)

    def say(self, account: str, group: str, *lines: bytes) -> list[Any]:
        """Send lines to the helper as somebody, each on its own connection, and give what it says to each."""
        self.box.put("/opt/asking.py", ASKING)
        self.box.put("/opt/asked.txt", "\n".join(line.hex() for line in lines))
        identity = ["setpriv", f"--reuid={account}", f"--regid={group}", "--clear-groups"]
        done = self.box.attempt(*identity, "python3", "/opt/asking.py", PATH, "/opt/asked.txt")
        return [msgspec.json.decode(line) for line in done.stdout.splitlines()] or [done.stderr]

    def audit(self) -> str:
        """What the helper wrote into the journal."""
        return self.box.journal(HELPER)

    def degraded(self) -> list[str]:
        """Why `/readyz` says that the host cannot be changed."""
        answer = httpx.get(f"{self.service.url}/readyz", timeout=30, trust_env=False)
        return [each["reason"] for each in answer.json()["degraded"] if each["reason"].startswith("host: ")]


def wait_until(is_so: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)


def wait_for_end(helped: Helped, id_: str) -> Job:
    wait_until(lambda: helped.ask(ReadJobs((id_,)))[0].state != "running", f"{id_} does not end")
    [job] = helped.ask(ReadJobs((id_,)))
    return job


class Nobody:
    """Must not be asked."""

    async def ask(self, verb: Verb[A]) -> A:
        raise AssertionError(f"asked {verb!r}")


ASKING = """
import socket, sys
for line in open(sys.argv[2]):
    with socket.socket(socket.AF_UNIX) as helper:
        helper.connect(sys.argv[1])
        try:
            helper.sendall(bytes.fromhex(line))
        except BrokenPipeError:
            pass
        said = b""
        while not said.endswith(b"\\n") and (chunk := helper.recv(65536)):
            said += chunk
    print(said.decode().strip(), flush=True)
"""


@pytest.fixture(scope="module")
def helped(installed: Service) -> Iterator[Helped]:
    """Manor with its root helper, installed as packaging/README.md says."""
    box = installed.box
    installed.reset()
    box.put(DROP_IN, CONFIG)
    installed.install_helper(idle_seconds=2)
    box.run("systemctl", "start", HELPER_SOCKET, UNIT)
    try:
        yield Helped(installed, installed.device_token())
    finally:
        print(box.journal(HELPER), box.journal(UNIT))  # noqa: T201 - shown by pytest when a test failed
        box.attempt("systemctl", "stop", HELPER_SOCKET, HELPER)
        box.run("sh", "-c", f"rm -rf /run/systemd/system/{HELPER}.d {DROP_IN} /run/go-on /var/lib/manor-host")
        box.attempt("timedatectl", "set-timezone", "Etc/UTC")


def line(**members: object) -> bytes:
    return msgspec.json.encode(members) + b"\n"


def test_a_phone_changes_the_host_through_the_helper(helped: Helped) -> None:
    path = "/system/configuration/timezone"
    assert helped.call("PUT", path, {"timezone": "Asia/Tokyo"}) == (200, "Timezone changed")

    assert helped.call("GET", path) == (200, "Asia/Tokyo")
    assert helped.box.run("timedatectl", "show", "--property=Timezone", "--value") == "Asia/Tokyo"
    assert helped.call("PUT", path, {"timezone": "../../etc/shadow"}) == (400, {"error": "Invalid timezone"})
    assert helped.degraded() == []
    manor = helped.box.run("id", "--user", "manor")
    pid = helped.service.main_pid()
    assert re.search(
        rf"^asked verb=timezone\.set zone=Asia/Tokyo uid={manor} pid={pid} result=done ms=\d+$",
        helped.audit(),
        re.MULTILINE,
    )


def test_accounts_and_keys_are_made_from_within_the_confinement(helped: Helped) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxbR0Ww0bo0EXWWpp9BpZ/hIYYzZ0cUcmFm8QhgK3Fk phone"
    password = "correct horse battery staple"
    assert helped.call("POST", "/users", {"username": "lady", "password": password})[0] == 201
    assert helped.call("POST", "/services/ssh/keys/lady", {"public_key": key})[0] == 201
    assert helped.box.run("stat", "--format=%U %G %a", "/home/lady/.ssh/authorized_keys") == "lady lady 600"
    assert helped.box.run("getent", "shadow", "lady").split(":")[1][:3] in ("$6$", "$y$")
    assert helped.call("GET", "/services/ssh/keys/lady") == (200, [key])
    assert helped.call("DELETE", "/users/lady")[0] == 200

    assert helped.box.attempt("id", "lady").returncode != 0
    assert not (helped.box.root / "home/lady").exists()
    told = helped.audit()
    assert "verb=users.add name=lady" in told
    assert password not in told
    assert "$6$" not in told
    assert "AAAAC3" not in told


def test_nobody_else_gets_a_word_in(helped: Helped) -> None:
    assert helped.box.run("stat", "--format=%U %G %a", PATH) == "root manor 660"

    [denied] = helped.say("nobody", "nogroup", line(verb="timezone.read"))
    assert "PermissionError" in denied
    # In the group, but not the daemon's user.
    [refused] = helped.say("nobody", "manor", line(verb="timezone.read"))
    assert refused == {
        "refused": {"kind": "unavailable", "detail": "Only root and Manor's own user may ask the root helper"}
    }
    assert (
        helped.box.attempt(
            "setpriv", "--reuid=manor", "--regid=manor", "--clear-groups", "ls", "/var/lib/manor-host"
        ).returncode
        != 0
    )


def test_who_has_taken_the_daemon_gets_no_further(helped: Helped) -> None:
    before = helped.box.run("sh", "-c", "sha256sum /etc/passwd /etc/shadow /etc/group; find /etc /root /home | sort")
    hostile = [
        b"\xff\xfe\n",
        b"x" * 100_000 + b"\n",
        line(verb="shell.run", argv=["id"]),
        line(verb="services.switch", key="ssh.service", on=False),
        line(verb="services.switch", key="../../etc/shadow", on=True),
        line(verb="services.switch", key="-x", on=True),
        line(verb="users.add", name="-x", password_hash="$6$saltsalt$" + "x" * 86),
        line(verb="users.add", name="root", password_hash="$6$saltsalt$" + "x" * 86),
        line(verb="users.add", name="eve", password_hash="$6$saltsalt$xxxxxxxx\nroot::0:0:"),
        line(verb="users.delete", name="manor"),
        line(verb="users.delete", name="../../etc"),
        line(verb="keys.add", user="daemon", key="ssh-ed25519 AAAA"),
        line(verb="keys.add", user="root", key="ssh-ed25519 AAAA\nssh-ed25519 BBBB"),
        line(verb="keys.read", user="../root"),
        line(verb="timezone.set", zone="../../etc/shadow"),
        line(verb="services.journal", key="gitea", after="--file=/etc/shadow"),
        line(verb="jobs.log", id="../../../../etc/shadow"),
        line(verb="jobs.start", id=job_id(7), kind="apply", argv=["id"]),
        line(verb="jobs.start", id=job_id(7), kind="restore", snapshot="--target=/"),
    ]

    said = helped.say("manor", "manor", *hostile, line(verb="timezone.read"))

    assert [sorted(each) for each in said] == [["refused"]] * len(hostile) + [["answer"]]
    assert {each["refused"]["kind"] for each in said[:-1]} <= {"invalid", "missing", "conflict"}
    after = helped.box.run("sh", "-c", "sha256sum /etc/passwd /etc/shadow /etc/group; find /etc /root /home | sort")
    assert after == before


def test_a_job_outlives_the_daemon_and_the_helper(helped: Helped) -> None:
    box, service = helped.box, helped.service
    assert helped.call("GET", "/system/configuration/upgrade") == (200, 0)
    [job] = helped.ask(ReadJobs())
    assert (job.kind, job.state) == ("upgrade", "running")
    unit = f"manor-job-{job.id}.service"
    assert box.show(unit, "ActiveState") == "active"
    assert box.show(unit, "RuntimeMaxUSec") == "1d 15min"

    pid = service.main_pid()
    box.run("systemctl", "kill", "--kill-whom=all", "--signal=KILL", HELPER)
    service.signal("SIGKILL")
    service.wait_for_another(pid, within=15)
    assert [(each.id, each.state) for each in helped.ask(ReadJobs())] == [(job.id, "running")]
    assert helped.call("GET", "/system/configuration/upgrade") == (200, 0)
    assert len(helped.ask(ReadJobs())) == 1, "the same one is not started twice"
    box.put("/run/go-on", "")
    ended = wait_for_end(helped, job.id)

    assert (ended.state, ended.progress) == ("done", 1.0)
    assert helped.ask(ReadJobLog(job.id)).lines == ["begun", "over"]
    wait_until(lambda: box.show(unit, "ActiveState") == "inactive", "the job's unit does not end")
    assert box.run("stat", "--format=%U %a", "/var/lib/manor-host", "/var/lib/manor-host/jobs") == "root 700\nroot 700"


@pytest.mark.parametrize(
    ("number", "command", "state"),
    [
        (2, ("systemctl", "kill", "--kill-whom=all", "--signal=KILL"), "lost"),
        (3, ("systemctl", "stop"), "failed"),
    ],
)
def test_a_job_that_is_ended_from_outside_is_not_taken_for_done(
    helped: Helped, number: int, command: tuple[str, ...], state: str
) -> None:
    (helped.box.root / "run/go-on").unlink(missing_ok=True)
    helped.ask(StartJob(job_id(number), "upgrade"))
    wait_until(lambda: helped.ask(ReadJobLog(job_id(number))).lines, "the job says nothing")
    helped.box.run(*command, f"manor-job-{job_id(number)}.service")

    assert wait_for_end(helped, job_id(number)).state == state
    assert helped.box.attempt("pgrep", "--full", "run/go[-]on").returncode != 0


def test_a_job_is_cancelled_with_all_that_it_started(helped: Helped) -> None:
    box = helped.box
    box.put("/opt/toy-restic", TOY_RESTIC, 0o755)
    helped.ask(SetBackupStore("me", "correct-horse", "bucket"))
    helped.ask(StartJob(job_id(4), "init"))
    wait_until((box.root / "run/restic-is-up").exists, "restic does not start")
    with pytest.raises(Conflicting):
        helped.ask(StartJob(job_id(5), "backup"))

    helped.ask(CancelJob(job_id(4)))

    assert wait_for_end(helped, job_id(4)).state == "cancelled"
    assert box.attempt("pgrep", "--full", "sleep 654[3]").returncode != 0
    with pytest.raises(Conflicting):
        helped.ask(CancelJob(job_id(4)))
    told = helped.audit()
    assert f"verb=jobs.cancel id={job_id(4)}" in told
    assert "verb=backups.store bucket=bucket test=false" in told
    assert "correct-horse" not in told


def test_a_backup_has_a_copy_of_manors_database_that_its_own_user_made(helped: Helped, tmp_path: Path) -> None:
    box = helped.box
    box.put("/opt/toy-restic", COPYING_RESTIC, 0o755)
    box.put("/var/lib/manor-host/backup-password", "correct horse", 0o600)
    helped.ask(SetBackupStore("me", "correct-horse", "bucket"))
    helped.ask(StartJob(job_id(6), "backup"))

    ended = wait_for_end(helped, job_id(6))

    assert (ended.state, ended.snapshot) == ("done", "0a1b2c3d"), ended.message
    copy = tmp_path / "copied.db"
    copy.write_bytes((box.root / "run/copied.db").read_bytes())
    assert box.run("stat", "--format=%U:%G %a", "/run/copied.db") == "manor:manor 600"
    with closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM identity_credentials").fetchone() == (1,)
    assert "--exclude=/var/lib/manor/manor.db" in (box.root / "run/restic-arguments").read_text().splitlines()
    assert list((box.root / "var/lib/manor/backup").iterdir()) == []


def test_a_file_that_others_may_write_is_not_believed(helped: Helped) -> None:
    box = helped.box
    assert helped.ask(ReadTimezone())
    box.run("chmod", "g+w", DROP_IN)
    try:
        with pytest.raises(NotHere) as refused:
            helped.ask(ReadTimezone())
        status, body = helped.call("PUT", "/system/configuration/timezone", {"timezone": "Etc/UTC"})
    finally:
        box.run("chmod", "g-w", DROP_IN)

    assert f"{DROP_IN}: may be written by others than root; chmod go-w {DROP_IN}" in refused.value.detail
    assert status == 503
    assert DROP_IN in str(body)
    assert helped.ask(ReadTimezone())


def test_the_helper_goes_and_comes_back(helped: Helped) -> None:
    box = helped.box
    assert helped.ask(ReadTimezone())
    first = box.show(HELPER, "MainPID")
    wait_until(lambda: box.show(HELPER, "ActiveState") == "inactive", "the helper does not go")

    assert first != "0"
    assert box.show(HELPER, "Result") == "success"
    assert box.show(HELPER_SOCKET, "ActiveState") == "active"
    assert helped.ask(ReadTimezone())
    assert box.show(HELPER, "MainPID") not in ("0", first)


def test_without_the_helper_the_host_is_read_only(helped: Helped) -> None:
    box = helped.box
    box.run("systemctl", "stop", HELPER_SOCKET, HELPER)
    try:
        assert helped.call("GET", "/system/configuration/timezone")[0] == 200
        status, body = helped.call("PUT", "/system/configuration/timezone", {"timezone": "Europe/Paris"})
        degraded = helped.degraded()
    finally:
        box.run("systemctl", "start", HELPER_SOCKET)

    assert status == 503
    assert "systemctl enable --now manor-host.socket" in str(body)
    assert [reason.startswith(f"host: read-only: nobody listens at {PATH}") for reason in degraded] == [True]
    assert helped.degraded() == []


@pytest.mark.parametrize(("unit", "worst"), [(HELPER, 3.0), (UNIT, 1.5)])
def test_units_are_as_confined_as_their_work_allows(helped: Helped, unit: str, worst: float) -> None:
    score = helped.box.run("systemd-analyze", "security", "--no-pager", unit)

    found = re.search(rf"exposure level for {re.escape(unit)}: ([\d.]+)", score)
    assert found is not None
    assert float(found[1]) <= worst
