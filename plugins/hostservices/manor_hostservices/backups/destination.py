"""Where backups are to go: which kind of store the administrator's table names, what it is told, what is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

DEFAULT_REPOSITORY = "b2:{bucket}:/sfbackup"

Need = Literal["account", "secret", "bucket"]
"""What a store may have to be told: members of the verb that sets it."""

Found = Literal["repository", "empty", "bucket", "folder", "password", "denied", "host_key", "unreachable", "other"]
"""What is found where backups are to go; `bucket`, `folder`: there is no such one."""

VARIABLES: Mapping[str, tuple[str, str]] = {
    "b2": ("B2_ACCOUNT_ID", "B2_ACCOUNT_KEY"),
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "azure": ("AZURE_ACCOUNT_NAME", "AZURE_ACCOUNT_KEY"),
}
"""What restic reads of each kind of store; stores of other kinds let us in without, or have it in their address."""

FOLDER = "local"
"""The kind of a repository that is a folder of the host."""

_IN_ADDRESS = re.compile(r"//[^/@\s]+@")


@dataclass(frozen=True)
class Destination:
    """A repository as restic writes it, before anybody says which bucket.

    Args:
        kind: restic's word before the colon, such as `s3`; `FOLDER` for a folder.
        template: The repository; `{bucket}` is what is said later. It may hold a password.
    """

    kind: str
    template: str

    @classmethod
    def of(cls, given: str) -> Destination:
        """The one that the table has; "" for the default."""
        template = given or DEFAULT_REPOSITORY
        scheme, colon, _ = template.partition(":")
        return cls(scheme if colon and not template.startswith("/") else FOLDER, template)

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it has to be told."""
        credentials: tuple[Need, ...] = ("account", "secret") if self.kind in VARIABLES else ()
        bucket: tuple[Need, ...] = ("bucket",) if "{bucket}" in self.template else ()
        return credentials + bucket

    @property
    def shown(self) -> str:
        """The repository, for people: a password in it is taken out."""
        return without_password(self.template)

    def path(self, bucket: str) -> str | None:
        """The folder, as a path of the host; None when it is none."""
        if self.kind != FOLDER:
            return None
        return self.template.removeprefix(f"{FOLDER}:").replace("{bucket}", bucket)


class Tried(msgspec.Struct, frozen=True):
    """What came of trying where backups are to go.

    Args:
        found: `repository`: one that this server's password opens; `empty`: none yet, and one would be made; else why
            no backup would get there.
        detail: A sentence for a person, without secrets.
    """

    found: Found
    detail: str

    @property
    def is_fine(self) -> bool:
        """Whether backups would get there."""
        return self.found in ("repository", "empty")


def without_password(text: str) -> str:
    """A text without passwords that stand in addresses."""
    return _IN_ADDRESS.sub("//***@", text)
