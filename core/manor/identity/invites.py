"""Invites into teams and to the server itself: who is asked, by e-mail, with a token that only the mail has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, insert, select, update

from manor.errors import BadRequest, Conflict, Forbidden, NotFound
from manor.identity.credential_tables import links
from manor.identity.credentials import digest, new_secret
from manor.identity.links import Link, find_link, make_link
from manor.identity.names import check_email, fold_email
from manor.identity.seats import Seats, check_seat
from manor.identity.team_tables import invites
from manor.identity.teams import Member, add_member, check_role, find_member, find_team
from manor.identity.users import find_user
from manor.storage import Transaction, new_id

LIFE = timedelta(days=7)

TO_SERVER = "server-invite"
"""The purpose of links that let somebody make an account."""


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who is asked to join a team; the token is not among what is handed round."""

    id: UUID
    team_id: UUID
    email: str
    role: Literal["admin", "member"]
    invited_by_id: UUID
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    cancelled_at: datetime | None

    def is_pending(self, now: datetime) -> bool:
        """Whether it can be accepted."""
        return self.used_at is None and self.cancelled_at is None and now < self.expires_at


_COLUMNS = [invites.c[name] for name in Invite.__struct_fields__]


def invite(
    transaction: Transaction,
    team_id: UUID,
    *,
    email: str,
    role: Literal["admin", "member"],
    invited_by_id: UUID,
    seats: Seats | None = None,
) -> tuple[Invite, str]:
    """Ask someone to join; returns the token too, for the mail and for nothing else.

    Args:
        transaction: A writing one.
        team_id: The team.
        email: Where they are asked.
        role: What they will be.
        invited_by_id: Who asks.
        seats: How many people plans have room for; None asks no plan.

    Raises:
        NotFound: There is no such team.
        Forbidden: The team is switched off, or its owner's plan has no room for one more.
        Unprocessable: 422 naming the field: the address or the role cannot be one.
        Conflict: They are in it, or are asked already.
    """
    check_email(email)
    check_role(role)
    team = find_team(transaction, team_id=team_id)
    if team is None:
        raise NotFound("There is no such team")
    if not team.is_active:
        raise Forbidden(f"The team '{team.name}' is switched off")
    user = find_user(transaction, email=email)
    if user is not None and find_member(transaction, team_id, user.id) is not None:
        raise Conflict("They are in this team already")
    if any(fold_email(each.email) == fold_email(email) for each in pending_invites(transaction, team_id=team_id)):
        raise Conflict("They are asked to join this team already")
    if seats is not None:
        check_seat(transaction, team.owner_id, None if user is None else user.id, seats)
    token = new_secret()
    asked = Invite(
        id=new_id(),
        team_id=team_id,
        email=email,
        role=role,
        invited_by_id=invited_by_id,
        created_at=transaction.now,
        expires_at=transaction.now + LIFE,
        used_at=None,
        cancelled_at=None,
    )
    hidden = {"email_folded": fold_email(email), "hash": digest(token)}
    transaction.connection.execute(insert(invites).values(msgspec.structs.asdict(asked) | hidden))
    return asked, token


def find_invite(transaction: Transaction, *, invite_id: UUID | None = None, token: str | None = None) -> Invite | None:
    """The invite of this id or token, whatever became of it; exactly one of them is asked for."""
    match (invite_id, token):
        case (UUID() as wanted, None):
            condition = invites.c.id == wanted
        case (None, str() as wanted):
            condition = invites.c.hash == digest(wanted)
        case _:
            raise TypeError("find_invite takes one of invite_id and token")
    row = transaction.connection.execute(select(*_COLUMNS).where(condition)).mappings().one_or_none()
    return None if row is None else Invite(**row)


def pending_invites(
    transaction: Transaction, *, team_id: UUID | None = None, email: str | None = None
) -> Sequence[Invite]:
    """Invites that can be accepted, into one team or for one address, the newest first."""
    match (team_id, email):
        case (UUID() as wanted, None):
            condition: ColumnElement[bool] = invites.c.team_id == wanted
        case (None, str() as wanted):
            condition = invites.c.email_folded == fold_email(wanted)
        case _:
            raise TypeError("pending_invites takes one of team_id and email")
    is_open = invites.c.used_at.is_(None) & invites.c.cancelled_at.is_(None) & (invites.c.expires_at > transaction.now)
    query = select(*_COLUMNS).where(condition, is_open).order_by(invites.c.created_at.desc(), invites.c.id.desc())
    return [Invite(**row) for row in transaction.connection.execute(query).mappings()]


def accept_invite(transaction: Transaction, token: str, user_id: UUID, *, seats: Seats | None = None) -> Member:
    """Join the team that one was asked to join.

    Args:
        transaction: A writing one.
        token: Of the invite.
        user_id: Who joins.
        seats: How many people plans have room for; None asks no plan.

    Raises:
        NotFound: There is no such invite, or no such person.
        BadRequest: It is cancelled or expired.
        Forbidden: It was sent to somebody else, the team is switched off, or its owner's plan has no room.
        Conflict: It is used, or they are in the team already.
    """
    asked = find_invite(transaction, token=token)
    user = find_user(transaction, user_id=user_id)
    if asked is None or user is None:
        raise NotFound("There is no such invite")
    if asked.used_at is not None:
        raise Conflict("The invite is used")
    if not asked.is_pending(transaction.now):
        raise BadRequest("The invite is over: ask for a new one")
    if user.email is None or fold_email(user.email) != fold_email(asked.email):
        raise Forbidden("The invite was sent to somebody else")
    team = find_team(transaction, team_id=asked.team_id)
    if team is None or not team.is_active:
        raise Forbidden("The team is switched off")
    if seats is not None:
        check_seat(transaction, team.owner_id, user_id, seats)
    member = add_member(transaction, asked.team_id, user_id, asked.role)
    _mark(transaction, asked, used_at=transaction.now)
    return member


def resend_invite(transaction: Transaction, invite_id: UUID) -> tuple[Invite, str]:
    """A new token with a new week; the old one opens nothing any more.

    Raises:
        NotFound: There is no such invite.
        BadRequest: It is used or cancelled.
    """
    asked = _open(transaction, invite_id)
    token = new_secret()
    expires_at = transaction.now + LIFE
    _mark(transaction, asked, hash=digest(token), expires_at=expires_at)
    return msgspec.structs.replace(asked, expires_at=expires_at), token


def cancel_invite(transaction: Transaction, invite_id: UUID) -> None:
    """Ask no more.

    Raises:
        NotFound: There is no such invite.
        BadRequest: It is used or cancelled already.
    """
    _mark(transaction, _open(transaction, invite_id), cancelled_at=transaction.now)


def invite_to_server(transaction: Transaction, email: str) -> tuple[Link, str]:
    """Ask someone to make an account here, also where nobody else may. An earlier invite of theirs is void.

    Returns:
        The link, and its token, for the mail and for nothing else.

    Raises:
        Unprocessable: 422: the address cannot be one.
        Conflict: Somebody has an account with it.
    """
    check_email(email)
    if find_user(transaction, email=email) is not None:
        raise Conflict("They have an account here already")
    return make_link(transaction, TO_SERVER, email=email, life=LIFE)


def is_invited(transaction: Transaction, email: str, token: str | None = None) -> bool:
    """Whether someone may make an account where only invited people may.

    Args:
        transaction: A reading one will do.
        email: The address of the account.
        token: Of an invite to the server or into a team that was sent to that address. An invite into a team that
            can be accepted still does without.
    """
    if token and _is_of(find_link(transaction, TO_SERVER, token), transaction.now, email):
        return True
    return bool(pending_invites(transaction, email=email))


def invited_address(transaction: Transaction, token: str) -> str | None:
    """Where an invite was sent, to the server or into a team; None when it lets nobody in, or does so no more."""
    link = find_link(transaction, TO_SERVER, token)
    if link is not None and _is_of(link, transaction.now, link.email):
        return link.email
    asked = find_invite(transaction, token=token)
    return asked.email if asked is not None and asked.is_pending(transaction.now) else None


def spend_server_invites(transaction: Transaction, email: str) -> None:
    """They have an account: invites to the server that this address was sent let nobody in any more."""
    theirs = (links.c.email_folded == fold_email(email)) & (links.c.purpose == TO_SERVER) & links.c.used_at.is_(None)
    transaction.connection.execute(update(links).where(theirs).values(used_at=transaction.now))


def _is_of(link: Link | None, now: datetime, email: str) -> bool:
    if link is None or link.used_at is not None or link.expires_at <= now:
        return False
    return fold_email(link.email) == fold_email(email)


def _open(transaction: Transaction, invite_id: UUID) -> Invite:
    asked = find_invite(transaction, invite_id=invite_id)
    if asked is None:
        raise NotFound("There is no such invite")
    if asked.used_at is not None or asked.cancelled_at is not None:
        raise BadRequest("The invite is used or cancelled")
    return asked


def _mark(transaction: Transaction, asked: Invite, **changes: object) -> None:
    transaction.connection.execute(update(invites).where(invites.c.id == asked.id).values(changes))
