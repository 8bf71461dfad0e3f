"""Making accounts: by people for themselves, where the server takes them, and by administrators for others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from manor import (
    BadRequest,
    Forbidden,
    NewUser,
    Refused,
    Transaction,
    accept_invite,
    add_member,
    add_user,
    find_invite,
    fold_email,
    invited_address,
    is_invited,
    make_link,
    spend_server_invites,
)
from manor_chat import faults
from manor_chat.parts import Shared
from manor_chat.people.checking import check_new_password, checked_email, checked_username, refusals_of_chat
from manor_chat.people.letters import VERIFY, Letters
from manor_chat.people.news import tell_changes
from manor_chat.people.profiles import ProfileBody, changes_of, keep_mention_keys
from manor_chat.people.quotas import take_registration
from manor_chat.people.showing import show_to_themselves
from manor_chat.store.people import Person, find_person
from manor_chat.store.teams import ChatTeam, find_team, find_team_by_invite
from manor_chat.teams.keeping import keep_member, keep_team
from manor_chat.wire.people import UserShown

VERIFY_LIFE = timedelta(hours=48)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An account that somebody wants.

    Args:
        body: What it is like.
        email: Lower case.
        username: Lower case.
        password: As typed.
        token: Of an invite that was mailed; "" for none.
        invite_id: A team's, for whoever has it; "" for none.
        by_admin: Whether an administrator makes it.
    """

    body: ProfileBody
    email: str
    username: str
    password: str
    token: str = ""
    invite_id: str = ""
    by_admin: bool = False

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return f"Wanted(email={self.email!r}, username={self.username!r})"


class Registering:
    """Makes accounts.

    Args:
        shared: What all parts use.
        letters: What people are written.
    """

    def __init__(self, shared: Shared, letters: Letters) -> None:
        self._shared = shared
        self._context = shared.context
        self.letters = letters

    async def register(
        self, body: ProfileBody, *, token: str, invite_id: str, by_admin: bool, address: str
    ) -> UserShown:
        """Make an account; an invite brings its team with it.

        Args:
            body: What it is like.
            token: Of an invite that was mailed; "" for none.
            invite_id: A team's; "" for none.
            by_admin: Whether an administrator makes it.
            address: Where the request comes from.

        Raises:
            BadRequest: 400: something cannot be that, is taken, or the invite is worth nothing.
            Forbidden: 403: only who was invited may sign up.
            NotImplementedHere: 501: nobody may.
            TooManyRequests: 429: too many from this address.
        """
        if self._context.identity.config.registration == "closed" and not by_admin:
            raise faults.switched_off(
                "api.user.create_user.signup_email_disabled.app_error", "User sign-up with email is disabled."
            )
        wanted = _checked(body, token=token, invite_id=invite_id, by_admin=by_admin)
        if not by_admin:
            take_registration(self._context.limits, address)
        await self._context.storage.read(lambda transaction: self._check_welcome(transaction, wanted))
        password_hash = await self._context.identity.hasher.hash(wanted.password)
        return await self._context.storage.write(lambda transaction: self._add(transaction, wanted, password_hash))

    def _check_welcome(self, transaction: Transaction, wanted: Wanted) -> ChatTeam | None:
        """See whether somebody may make this account; gives the team that an invite id brings.

        Raises:
            BadRequest: 400: the invite is worth nothing, or is somebody else's.
            Forbidden: 403: there has to be one.
        """
        if wanted.token:
            asked = invited_address(transaction, wanted.token)
            if asked is None or fold_email(asked) != fold_email(wanted.email):
                raise _bad_link()
            letter = find_invite(transaction, token=wanted.token)
            asked_into = None if letter is None else find_team(transaction, letter.team_id)
            if asked_into is not None:
                _check_domain(asked_into, wanted.email)
        team = _team_of_invite(transaction, wanted) if wanted.invite_id else None
        is_asked = bool(wanted.token) or team is not None or is_invited(transaction, wanted.email)
        if self._context.identity.config.registration != "open" and not is_asked and not wanted.by_admin:
            raise Forbidden(
                "This server does not allow open signups. Please ask your Administrator for an invitation.",
                code="api.user.create_user.no_open_server",
            )
        return team

    def _add(self, transaction: Transaction, wanted: Wanted, password_hash: str) -> UserShown:
        team = self._check_welcome(transaction, wanted)
        new = NewUser(
            username=wanted.username,
            email=wanted.email,
            tier=self._context.identity.default_tier,
            password_hash=password_hash,
            # An administrator's word, or a token that was mailed there.
            is_verified=wanted.by_admin or bool(wanted.token),
        )
        with refusals_of_chat():
            user = add_user(transaction, new)
        spend_server_invites(transaction, wanted.email)
        person = find_person(transaction, user.id)
        assert person is not None, "was added just now"
        changes = changes_of(wanted.body)
        person = tell_changes(transaction, person, self._shared.config, is_new=True, **changes)
        keep_mention_keys(transaction, person)
        if wanted.token:
            self._accept(transaction, wanted.token, person)
        if team is not None:
            add_member(transaction, team.id, person.id)
            keep_member(transaction, team.id, person.id)
        who = str(person.id)
        self._context.audit.record(transaction, "chat.registered", actor=who, target=who)
        if not user.is_verified and self._context.identity.config.require_verification:
            self.send_verification(transaction, person)
        return show_to_themselves(transaction, person)

    def _accept(self, transaction: Transaction, token: str, person: Person) -> None:
        """Join the team that an invite was for, if it was for one."""
        asked = find_invite(transaction, token=token)
        if asked is None:
            return
        try:
            accept_invite(transaction, token, person.id)
        except Refused as refused:
            raise _bad_link() from refused
        if keep_team(transaction, asked.team_id) is not None:
            keep_member(transaction, asked.team_id, person.id)

    def send_verification(self, transaction: Transaction, person: Person) -> None:
        """Ask somebody to prove that their address is theirs."""
        _, token = make_link(transaction, VERIFY, email=person.email, user_id=person.id, life=VERIFY_LIFE)
        self._context.mail.send(transaction, self.letters.verification(person.email, token, person.id))


def _checked(body: ProfileBody, **more: Any) -> Wanted:
    """An account as it was asked for.

    Raises:
        BadRequest: 400: something is missing, or cannot be that.
    """
    email = checked_email(body.email if isinstance(body.email, str) else "")
    username = checked_username(body.username if isinstance(body.username, str) else "")
    password = body.password if isinstance(body.password, str) else ""
    check_new_password(password, username=username, email=email)
    changes_of(body)
    return Wanted(body=body, email=email, username=username, password=password, **more)


def _team_of_invite(transaction: Transaction, wanted: Wanted) -> ChatTeam:
    team = find_team_by_invite(transaction, wanted.invite_id)
    if team is None or not team.is_active or team.delete_at:
        raise _bad_link()
    _check_domain(team, wanted.email)
    return team


def _check_domain(team: ChatTeam, email: str) -> None:
    if not team.takes(email):
        raise BadRequest(
            "The email you provided does not belong to an accepted domain.",
            code="api.user.create_user.accepted_domain.app_error",
        )


def _bad_link() -> BadRequest:
    return BadRequest(
        "The signup link does not appear to be valid.", code="api.user.create_user.signup_link_invalid.app_error"
    )
