"""What the shell says to the house, and what the house answers.

Nothing but the structs: a command that a daemon runs needs nothing of what a house is made of.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta


class Nothing(msgspec.Struct, frozen=True):
    """No arguments."""


class PluginListed(msgspec.Struct, frozen=True):
    """How one plugin fares; `state` is enabled, disabled or quarantined."""

    name: str
    state: str
    source: str
    reason: str


class PluginsListed(msgspec.Struct, frozen=True):
    """All installed plugins."""

    plugins: list[PluginListed]


class Purge(msgspec.Struct, frozen=True):
    """The plugin whose data goes."""

    name: str


class Purged(msgspec.Struct, frozen=True):
    """The tables that are gone."""

    tables: list[str]


class ListOutbox(msgspec.Struct, frozen=True):
    """Which rows: `waiting`, `dead`, or None for all."""

    state: Literal["waiting", "dead"] | None = None


class OutboxRowListed(msgspec.Struct, frozen=True):
    """One delivery or piece of work that waits, or that was given up: what `manor.outbox` says of it."""

    id: int
    kind: str
    name: str
    subscriber: str
    key: str | None
    payload: str
    due_at: datetime | None
    attempts: int
    state: str
    last_error: str | None
    created_at: datetime


class OutboxListed(msgspec.Struct, frozen=True):
    """The oldest rows of the outbox, a thousand at most."""

    rows: list[OutboxRowListed]


class RetryOutbox(msgspec.Struct, frozen=True):
    """Which dead letters; None for all."""

    ids: list[int] | None = None


class OutboxRetried(msgspec.Struct, frozen=True):
    """How many are tried again."""

    count: int


class ListAudit(msgspec.Struct, frozen=True):
    """Which rows of the audit log; see `Audit.newest`."""

    action: str = ""
    who: str = ""
    most: Annotated[int, Meta(ge=1, le=10_000)] = 200


class AuditRowListed(msgspec.Struct, frozen=True):
    """One thing that was done: what `manor.audit` says of it."""

    id: int
    at: datetime
    action: str
    actor: str
    target: str
    detail: str | None


class AuditListed(msgspec.Struct, frozen=True):
    """The newest rows of the audit log, oldest of them first."""

    rows: list[AuditRowListed]


class VerifyAudit(msgspec.Struct, frozen=True):
    """No arguments: the whole log is verified."""


class AuditVerified(msgspec.Struct, frozen=True):
    """How many rows the audit log has, what is wrong with them, and how many were removed when they grew old."""

    rows: int
    faults: list[str]
    removed: int = 0


class AddUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of `user.add`; without a password they cannot sign in with one until it is set."""

    email: str
    username: str
    is_admin: bool = False
    password: str | None = None

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return f"AddUser(email={self.email!r}, username={self.username!r}, is_admin={self.is_admin!r})"


class UserAdded(msgspec.Struct, frozen=True):
    """Who was added."""

    id: UUID
    username: str
    email: str
    is_admin: bool


class ListUsers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of `user.list`: a page behind a handle."""

    after: str = ""
    limit: int = 1000


class UserListed(msgspec.Struct, frozen=True, kw_only=True):
    """A person, a bot, or the system person: what `manor.identity` says of them."""

    id: UUID
    username: str
    handle: str
    email: str | None
    tier: str
    is_active: bool
    is_admin: bool
    is_bot: bool
    is_system: bool
    is_verified: bool
    created_at: datetime
    avatar_url: str | None
    last_login: datetime | None
    terms_accepted_at: datetime | None


class UsersListed(msgspec.Struct, frozen=True):
    """A page of people; an empty one is the last."""

    users: list[UserListed]


class Who(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody: their id, address or username, whatever its case."""

    who: str


class UserShown(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, with what an admin asks next."""

    id: UUID
    username: str
    email: str | None
    tier: str
    is_active: bool
    is_admin: bool
    is_bot: bool
    is_verified: bool
    has_password: bool
    has_mfa: bool
    created_at: datetime
    last_login: datetime | None
    terms_accepted_at: datetime | None
    logins: list[str]
    teams: list[str]
    sessions: int


class SetPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of `user.set_password`."""

    who: str
    password: str

    def __repr__(self) -> str:
        """Without the password, as `AddUser`."""
        return f"SetPassword(who={self.who!r})"


class SetTier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of `user.set_tier`."""

    who: str
    tier: str


class MakeAdmin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of `user.make_admin`."""

    who: str
    is_admin: bool = True
