"""What happens to people, teams and credentials. All are fit for INLINE: caches drop what they name, streams end."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from manor.events import Event


class UserChanged(Event, frozen=True):
    """A person or bot was added, or something about them changed (names, tier, rights, active or not)."""

    name: ClassVar[str] = "identity.user_changed"
    user_id: UUID
    is_active: bool
    is_admin: bool = False


class UserErased(Event, frozen=True):
    """A person's account is gone; the rest of what they left goes soon."""

    name: ClassVar[str] = "identity.user_erased"
    user_id: UUID


class CredentialRevoked(Event, frozen=True):
    """A credential opens nothing any more: revoked, deleted, or its person deactivated."""

    name: ClassVar[str] = "identity.credential_revoked"
    credential_id: UUID
    user_id: UUID | None = None


class SessionEnded(Event, frozen=True):
    """A sign-in is over, with every token that came from it."""

    name: ClassVar[str] = "identity.session_ended"
    session_id: UUID
    user_id: UUID


class TeamChanged(Event, frozen=True):
    """A team was made, or something about it changed."""

    name: ClassVar[str] = "identity.team_changed"
    team_id: UUID


class TeamDeleted(Event, frozen=True):
    """A team is gone."""

    name: ClassVar[str] = "identity.team_deleted"
    team_id: UUID


class MemberChanged(Event, frozen=True):
    """Someone joined or left a team, or has another role in it; `is_member` says whether they are in it now."""

    name: ClassVar[str] = "identity.member_changed"
    team_id: UUID
    user_id: UUID
    is_member: bool = True


EVENTS: tuple[type[Event], ...] = (
    UserChanged,
    UserErased,
    CredentialRevoked,
    SessionEnded,
    TeamChanged,
    TeamDeleted,
    MemberChanged,
)
