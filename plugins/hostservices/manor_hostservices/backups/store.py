"""Where backups go, and what opens that place: the store's credentials and the repository's password."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import msgspec

from manor_hostservices.backups.destination import VARIABLES, Destination, without_password
from manor_hostservices.places import Places
from manor_hostservices.stored import write_whole

PASSWORD_FILE = "backup-password"  # noqa: S105 - a name

SHORTEST_SECRET = 4
"""Characters; stores give keys of 20 and more."""


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
        missing: What nobody has said yet and it has to be told.
        has_key: Whether enough is known to get in.
    """

    def __init__(self, template: str, store: Store | None, places: Places) -> None:
        destination = Destination.of(template)
        self._kind = destination.kind
        bucket = "" if store is None else store.bucket
        self.missing = tuple(need for need in destination.needs if store is None or not getattr(store, need))
        self.has_key = not self.missing
        self.address = destination.template.replace("{bucket}", bucket)
        self.digest = hashlib.sha256(self.address.encode()).hexdigest()
        path = destination.path(bucket)
        self.folder: Path | None = None if path is None else places.at(path)
        if self.folder is not None:
            self.address = str(self.folder)
        self._store = store

    def environment(self) -> dict[str, str]:
        """Variables for restic; arguments could be read by every user of the host."""
        variables = {"RESTIC_REPOSITORY": self.address}
        if self._store is not None and self._kind in VARIABLES:
            account, secret = VARIABLES[self._kind]
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
        return without_password(text)


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
