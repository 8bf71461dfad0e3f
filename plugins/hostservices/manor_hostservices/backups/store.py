"""Where backups go, and what opens that place: the store's credentials and the repository's password."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from manor_hostservices.places import Places
from manor_hostservices.stored import write_whole

DEFAULT_REPOSITORY = "b2:{bucket}:/sfbackup"
PASSWORD_FILE = "backup-password"  # noqa: S105 - a name

_VARIABLES: Mapping[str, tuple[str, str]] = {
    "b2": ("B2_ACCOUNT_ID", "B2_ACCOUNT_KEY"),
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "azure": ("AZURE_ACCOUNT_NAME", "AZURE_ACCOUNT_KEY"),
}
"""What restic reads of each kind of store; stores of other kinds let us in without, or have it in their address."""

SHORTEST_SECRET = 4
"""Characters; stores give keys of 20 and more."""

_IN_ADDRESS = re.compile(r"//[^/@\s]+@")


class Store(msgspec.Struct, frozen=True):
    """What the app said of the store."""

    account: str
    secret: str
    bucket: str

    def __repr__(self) -> str:
        return f"Store(bucket={self.bucket!r})"


class Location:
    """A repository's address, and what opens it.

    Args:
        template: As the administrator's table has it; "" for the default.
        store: What the app said; None before it has.
        places: Where the host's files are: a repository may be a folder of it.

    Attributes:
        address: As restic takes it; it may hold a password.
        digest: Tells one address from another, and nothing else.
        folder: Where it is, when it is a folder of this host.
        has_key: Whether enough is known to get in.
    """

    def __init__(self, template: str, store: Store | None, places: Places) -> None:
        template = template or DEFAULT_REPOSITORY
        scheme, colon, rest = template.partition(":")
        self._scheme = scheme if colon and not template.startswith("/") else ""
        bucket = "" if store is None else store.bucket
        self.has_key = store is not None or ("{bucket}" not in template and self._scheme not in _VARIABLES)
        self.folder: Path | None = None
        self.address = template.replace("{bucket}", bucket)
        self.digest = hashlib.sha256(self.address.encode()).hexdigest()
        if self._scheme in ("", "local"):
            path = rest if self._scheme else template
            self.folder = places.at(path.replace("{bucket}", bucket))
            self.address = str(self.folder)
        self._store = store

    def environment(self) -> dict[str, str]:
        """Variables for restic; arguments could be read by every user of the host."""
        variables = {"RESTIC_REPOSITORY": self.address}
        if self._store is not None and self._scheme in _VARIABLES:
            account, secret = _VARIABLES[self._scheme]
            variables |= {account: self._store.account, secret: self._store.secret}
        return variables

    def redacted(self, text: str, password: str) -> str:
        """A text without secrets.

        One of a few characters stays: it stands in ordinary words, which nobody could read or tell apart any more, and
        stars in their midst would give it away.
        """
        known = {password} if self._store is None else {password, self._store.secret}
        for secret in sorted(known, key=len, reverse=True):
            if len(secret) >= SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return _IN_ADDRESS.sub("//***@", text)


def read_password(path: Path) -> str:
    """The repository's password; "" when there is no file."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def make_password(path: Path) -> str:
    """Make one, unless there is one: that is never written over, for without it all backups are lost.

    It is on the disk, whole, before anything is made that only it opens; an empty file is none.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if password := read_password(path):
        return password
    password = secrets.token_urlsafe(32)
    write_whole(path, f"{password}\n".encode(), 0o600)
    return password
