"""What restic says, old versions and new ones, and what is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manor import AdminFault, decode_texts
from manor_hostservices.backups.faults import Fault, fault_of
from manor_hostservices.backups.hearing import Hearing
from manor_hostservices.backups.store import Location, Store
from manor_hostservices.config import HostConfig
from manor_hostservices.jobs.performing import Progress
from manor_hostservices.places import Places
from manor_hostservices.verbs import Job
from tests.host_jobs import NOON, job_id

ASKED = "Is there a repository at the following location?\ns3:http://127.0.0.1:1/bucket/x"
NO_SESSION = "Fatal: unable to open repository at sftp:a@b:/x: unable to start the sftp session, error: EOF"
S3 = "Fatal: unable to open config file: Stat: "


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (f"Fatal: unable to open config file: stat /x/config: no such file or directory\n{ASKED}", "absent"),
        (f"{S3}The specified key does not exist.\n{ASKED}", "absent"),
        (f"{S3}The specified bucket does not exist\n{ASKED}", "bucket"),
        ("Fatal: unable to open repository at b2:x:/y: Bucket: x: bucket not found", "bucket"),
        (f"subprocess ssh: a@b: Permission denied (publickey).\n{NO_SESSION}", "denied"),
        (f"subprocess ssh: Host key verification failed.\n{NO_SESSION}", "host_key"),
        (f"subprocess ssh: ssh: connect to host b port 22: No route to host\n{NO_SESSION}", "unreachable"),
        (
            f'{S3}Get "http://127.0.0.1:1/bucket/?location=": dial tcp: connect: connection refused\n{ASKED}',
            "unreachable",
        ),
        (f"{S3}Access Denied.\n{ASKED}", "denied"),
        (f"{S3}The AWS Access Key Id you provided does not exist in our records.\n{ASKED}", "denied"),
        ("Fatal: unable to open repository at b2:x:/y: b2_authorize_account: 401: bad key", "denied"),
        (NO_SESSION, "unreachable"),
        ("Fatal: wrong password or no key found", "password"),
        ("unable to create lock in backend: repository is already locked by PID 16047 on vm by root", "locked"),
        ("/var/x: permission denied\nFatal: unable to save snapshot: no space left on device", "full"),
        ('invalid id "aabbccdd": no matching ID found for prefix "aabbccdd"', "missing"),
        ("Fatal: repository contains errors", "other"),
        ("", "other"),
    ],
)
def test_old_versions_say_it_in_words(said: str, fault: Fault) -> None:
    assert fault_of(1, said.split("\n")).fault == fault


@pytest.mark.parametrize(("status", "fault"), [(10, "absent"), (11, "locked"), (12, "password"), (1, "other")])
def test_new_versions_say_it_by_their_status(status: int, fault: Fault) -> None:
    assert fault_of(status, ["Fatal: something else"]).fault == fault


def test_what_nobody_knows_is_told_with_what_was_said_before() -> None:
    lines = ["ignoring error for /var/a: mkdir: not a directory", "Fatal: There were 5 errors"]

    assert fault_of(1, lines).detail == "There were 5 errors (ignoring error for /var/a: mkdir: not a directory)"
    assert fault_of(3, []).detail == "restic ended with status 3"
    assert len(fault_of(1, ["Fatal: " + "x" * 10_000] * 9).detail) < 1000


def hear(*said: Any) -> tuple[Progress, Hearing]:
    report = Progress(Job(job_id(1), "restore", "running", NOON))
    hearing = Hearing(report, lambda text: text.replace("secret", "***"))
    for line in said:
        hearing(line if isinstance(line, str) else json.dumps(line))
    return report, hearing


def test_progress_of_a_backup_and_of_a_new_versions_restore() -> None:
    report, _ = hear({"message_type": "status", "percent_done": 0.5, "bytes_done": 5, "total_bytes": 10})
    assert (report.job.progress, report.job.bytes_done, report.job.bytes_total) == (0.5, 5, 10)

    report, _ = hear(
        {"message_type": "status", "percent_done": 0.5, "bytes_restored": 5, "total_bytes": 10},
        {"message_type": "status", "percent_done": 0.25, "seconds_remaining": 3},
    )
    assert (report.job.progress, report.job.bytes_done, report.job.seconds_left) == (0.5, 5, 3)


def test_how_much_it_was_is_known_at_the_end() -> None:
    report, hearing = hear({"message_type": "summary", "total_bytes_processed": 7, "snapshot_id": "0a1b2c3d"})

    assert (report.job.progress, report.job.bytes_done, report.job.bytes_total) == (1.0, 7, 7)
    assert hearing.summary["snapshot_id"] == "0a1b2c3d"


def test_secrets_are_taken_out_wherever_they_stand(tmp_path: Path) -> None:
    store = Store("0012ab", "K001", "my-bucket")
    location = Location("rest:https://me:K001@host/{bucket}", store, Places(tmp_path))

    assert location.redacted("Get https://me:other@host/x: K001 and pass-K001-word", "pass-K001-word") == (
        "Get https://***@host/x: *** and ***"
    )
    assert "K001" not in repr(store)


def test_a_secret_of_a_few_letters_does_not_spoil_what_restic_says(tmp_path: Path) -> None:
    said = "Is there a repository at the following location?"

    assert Location("sftp:host:/{bucket}", Store("x", "y", "my-bucket"), Places(tmp_path)).redacted(said, "") == said


def test_troubles_with_files_are_logged_and_counted_without_secrets() -> None:
    report, hearing = hear(
        {"message_type": "error", "error": {"message": "permission denied"}, "item": "/var/secret"},
        {"message_type": "error", "error": {}, "item": "/var/b"},
        {"message_type": "verbose_status", "action": "new", "item": "/var/c"},
        {"message_type": "exit_error", "code": 1, "message": "Fatal: no"},
        "a line of text with a secret",
        "",
        "{broken",
        "[1]",
    )

    assert hearing.troubles == 2
    assert report.lines == list(hearing.said)
    assert report.lines == [
        "/var/***: permission denied",
        "/var/b: {}",
        "Fatal: no",
        "a line of text with a ***",
        "{broken",
        "[1]",
    ]


@pytest.mark.parametrize("odd", [{"message_type": "status", "percent_done": None}, {"message_type": "status"}, {}])
def test_odd_messages_end_nothing(odd: Any) -> None:
    report, _ = hear(odd)

    assert report.job.progress == 0


@pytest.mark.parametrize("given", ["", "b2:{bucket}:/sfbackup", "s3:https://s3.example.org/{bucket}/x", "/mnt/backups"])
def test_repositories_are_written_as_restic_writes_them(given: str) -> None:
    assert configured(given).backup.repository == given


@pytest.mark.parametrize(
    "given", ["backups", "b2:", "ftp:host/x", "s3:a b", "C:\\\\backups", "rest:https://me:secret@host\\n"]
)
def test_other_repositories_are_refused_without_showing_them(given: str) -> None:
    with pytest.raises(AdminFault, match=r"backup\.repository: expected a repository as restic writes it") as fault:
        configured(given)

    assert "secret" not in str(fault.value)


def configured(repository: str) -> HostConfig:
    text = f'[plugins.hostservices.backup]\nrepository = "{repository}"\n'
    config, _ = decode_texts({"/etc/manor/config.toml": text.encode()}, "hostservices", HostConfig)
    return config
