"""Why restic could not do something, from what it said.

Up to 0.16 its exit status is 1 whatever the reason, so the text has to tell; since 0.17 some reasons have a status of
their own. What is looked for was collected from restic 0.14 with folders, S3 and SFTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Fault = Literal[
    "absent", "bucket", "password", "locked", "denied", "host_key", "unreachable", "full", "missing", "other"
]
"""`bucket`: nor is there a bucket to make it in; restic makes one where the credentials may."""

DETAIL_LIMIT = 400
"""Characters of what restic said that a person is told."""

SHOWN = 3
"""Lines before that, which say what went wrong with single files."""

_STATUSES: dict[int, Fault] = {10: "absent", 11: "locked", 12: "password"}

_NO_SESSION = "unable to start the sftp session"

# The order counts: a repository that cannot be reached is asked after just as one that is not there.
_SIGNS: tuple[tuple[Fault, tuple[str, ...]], ...] = (
    ("locked", ("already locked",)),
    ("password", ("wrong password or no key found",)),
    ("host_key", ("host key verification failed",)),
    (
        "denied",
        (
            "access denied",
            "access key id you provided",
            "signature we calculated",
            "unauthorized",
            "forbidden",
            "b2_authorize_account: 4",
            ": 401",
            ": 403",
            "permission denied",
        ),
    ),
    ("full", ("no space left on device", "disk quota exceeded", "cap_exceeded", "cap exceeded")),
    (
        "unreachable",
        (
            "connection refused",
            "connection reset",
            "no such host",
            "i/o timeout",
            "deadline exceeded",
            "network is unreachable",
            "no route to host",
            "name resolution",
            "server misbehaving",
            _NO_SESSION,
            "x509:",
        ),
    ),
    ("missing", ("no matching id found",)),
)
_NOTHING_THERE = ("no such file or directory", "does not exist", "not found", "404")
_NO_BUCKET = ("specified bucket does not exist", ": bucket not found", "containernotfound")
_BY_SSH = "subprocess ssh: "

_SENTENCES: dict[Fault, str] = {
    "absent": "There is no repository at this place",
    "bucket": "There is no bucket of this name",
    "password": "The repository opens with another password than the one in this server's password file",
    "locked": "The repository is locked by somebody else",
    "denied": "The store does not let us in",
    "host_key": "Root does not know the host's SSH key; sign in there once as root, and compare it",
    "unreachable": "The store cannot be reached",
    "full": "There is no space left",
    "missing": "Backup not found",
}


class RepositoryFault(Exception):
    """Restic could not do it.

    Args:
        fault: Why, for programs.
        detail: A sentence for people, without secrets.
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail

    @property
    def is_absent(self) -> bool:
        """Whether there is no repository, and one can be made."""
        return self.fault in ("absent", "bucket")


def fault_of(status: int, lines: Sequence[str]) -> RepositoryFault:
    """Why it failed.

    Args:
        status: Restic's exit status.
        lines: The end of what it said, secrets taken out.
    """
    last = _last_words(lines)
    said = [*_by_ssh(lines, last), *last]
    text = "\n".join(said).lower()
    fault = _STATUSES.get(status) or _recognised(text)
    if fault in ("absent", "other") and any(sign in text for sign in _NO_BUCKET):
        fault = "bucket"
    words = " ".join(line.strip().removeprefix("Fatal: ") for line in said if line.strip())[:DETAIL_LIMIT]
    if sentence := _SENTENCES.get(fault):
        quoted = f": {words}" if fault in ("denied", "unreachable", "full") else ""
        return RepositoryFault(fault, f"{sentence}{quoted}")
    earlier = [line.strip() for line in lines[: len(lines) - len(last)]][-SHOWN:]
    why = f" ({'; '.join(earlier)})" if earlier else ""
    return RepositoryFault(fault, f"{words or f'restic ended with status {status}'}{why}"[: 2 * DETAIL_LIMIT])


def _recognised(text: str) -> Fault:
    for fault, signs in _SIGNS:
        if any(sign in text for sign in signs):
            return fault
    asked = "is there a repository at the following location" in text
    return "absent" if asked and any(sign in text for sign in _NOTHING_THERE) else "other"


def _by_ssh(lines: Sequence[str], last: Sequence[str]) -> Sequence[str]:
    """Why there is no session with a store: restic's last words only say that ssh ended."""
    if not any(_NO_SESSION in line for line in last):
        return []
    earlier = lines[: len(lines) - len(last)]
    return [line.removeprefix(_BY_SSH) for line in earlier if line.startswith(_BY_SSH)]


def _last_words(lines: Sequence[str]) -> Sequence[str]:
    """From the last line that says it is fatal; before it are files that could not be read, and the like."""
    for index in range(len(lines) - 1, -1, -1):
        if lines[index].startswith("Fatal:"):
            return lines[index:]
    return lines[-5:]
