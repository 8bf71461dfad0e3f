"""Making and changing teams, and who is in them: the rules of this API on the core's teams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from manor import (
    Conflict,
    Forbidden,
    Refused,
    Transaction,
    accept_invite,
    add_member,
    create_team,
    find_invite,
    find_member,
    remove_member,
    set_role,
    update_team,
)
from manor_chat import faults
from manor_chat.domain import names
from manor_chat.domain.people_rules import EMAIL
from manor_chat.rights import Rights
from manor_chat.store.people import Person, find_people
from manor_chat.store.team_members import TeamMemberRow, find_team_member
from manor_chat.store.teams import ChatTeam, change_team, find_team, find_team_by_invite
from manor_chat.teams.keeping import keep_member, keep_team
from manor_chat.telling import as_text, tell
from manor_chat.wire.teams import TeamMemberShown, show_team, show_team_member

OPEN, BY_INVITATION = "O", "I"


class NewTeam(msgspec.Struct, frozen=True):
    """A team that is wanted."""

    name: str = ""
    display_name: str = ""
    type: str = ""
    description: str = ""
    company_name: str = ""
    allowed_domains: str = ""
    email: str = ""
    allow_open_invite: bool = False


class TeamPatch(msgspec.Struct, frozen=True):
    """What changes about a team; what is left out stays."""

    display_name: str | None = None
    description: str | None = None
    company_name: str | None = None
    allowed_domains: str | None = None
    allow_open_invite: bool | None = None


def check_texts(wanted: NewTeam | TeamPatch) -> None:
    """See that a team may be described so.

    Raises:
        BadRequest: 400 with the id of what is wrong.
    """
    display_name, description, company_name = wanted.display_name, wanted.description, wanted.company_name
    if display_name is not None and not 1 <= len(display_name.strip()) <= names.DISPLAY_NAME:
        raise faults.bad_value("model.team.is_valid.name.app_error", "Invalid name.")
    if display_name is not None and not display_name.isprintable():
        raise faults.bad_value("model.team.is_valid.name.app_error", "Invalid name.")
    if description is not None and len(description) > names.TEAM_DESCRIPTION:
        raise faults.bad_value("model.team.is_valid.description.app_error", "Invalid description.")
    if company_name is not None and len(company_name) > names.DISPLAY_NAME:
        raise faults.bad_value("model.team.is_valid.company.app_error", "Invalid company name.")
    if wanted.allowed_domains is not None and len(wanted.allowed_domains) > names.ALLOWED_DOMAINS:
        raise faults.bad_value("model.team.is_valid.domains.app_error", "Invalid allowed domains.")


def make_team(transaction: Transaction, owner: Person, wanted: NewTeam) -> ChatTeam:
    """Make a team with its default channels and its owner in them.

    Raises:
        BadRequest: 400: something about it cannot be, or the name is taken.
    """
    if wanted.type not in (OPEN, BY_INVITATION):
        raise faults.bad_value("model.team.is_valid.type.app_error", "Invalid type.")
    if names.TEAM_NAME.fullmatch(wanted.name) is None:
        raise faults.bad_value(
            "model.team.is_valid.url.app_error", "Name must be 2 to 64 lower-case letters, digits and hyphens."
        )
    if not names.is_team_name(wanted.name):
        raise faults.bad_value("model.team.is_valid.reserved.app_error", "This URL is unavailable.")
    check_texts(wanted)
    if len(wanted.email) > EMAIL:
        raise faults.bad_value("model.team.is_valid.email.app_error", "Invalid email.")
    try:
        made = create_team(
            transaction,
            owner.id,
            name=wanted.name,
            display_name=wanted.display_name.strip(),
            description=wanted.description or None,
        )
    except Conflict as taken:
        raise faults.bad_value("app.team.save.existing.app_error", "A team with that name already exists.") from taken
    team = keep_team(transaction, made.id)
    assert team is not None, "it was made in this transaction"
    return change_team(
        transaction,
        team,
        type=wanted.type,
        allow_open_invite=wanted.allow_open_invite or wanted.type == OPEN,
        company_name=wanted.company_name,
        allowed_domains=wanted.allowed_domains,
        email=wanted.email,
    )


def patch_team(transaction: Transaction, team: ChatTeam, patch: TeamPatch) -> ChatTeam:
    """Change a team, and tell its members.

    Raises:
        BadRequest: 400: something about it cannot be.
    """
    check_texts(patch)
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    if patch.description is not None:
        description = patch.description or None
    update_team(transaction, team.id, display_name=patch.display_name, description=description)
    settings: dict[str, Any] = {
        name: value
        for name in ("company_name", "allowed_domains", "allow_open_invite")
        if (value := getattr(patch, name)) is not None
    }
    if patch.allow_open_invite is not None:
        settings["type"] = OPEN if patch.allow_open_invite else BY_INVITATION
    change_team(transaction, team, **settings)
    changed = find_team(transaction, team.id)
    assert changed is not None, "it was there"
    tell_team(transaction, "update_team", changed)
    return changed


def tell_team(transaction: Transaction, event: str, team: ChatTeam) -> None:
    """Tell a team's members of it, without what only those see who manage it."""
    shown = show_team(team, may_manage=False, may_invite=False)
    tell(transaction, event, {"team": as_text(shown)}, team_id=team.id)


# --- Members -------------------------------------------------------------------------------------------------------


def join_team(transaction: Transaction, team: ChatTeam, person: Person, *, by: Person | None = None) -> TeamMemberRow:
    """Have somebody in a team and its default channels; who is in it stays as they are.

    Raises:
        BadRequest: 400: the team is for people of other domains.
        Forbidden: 403: the team is switched off, or they may not sign in.
    """
    if not team.is_active or not person.is_active:
        raise Forbidden("The team or the person is switched off", code="api.context.permissions.app_error")
    if find_member(transaction, team.id, person.id) is None:
        _check_domain(team, person)
        add_member(transaction, team.id, person.id)
    keep_member(transaction, team.id, person.id, by=by)
    return _there(transaction, team.id, person.id)


def join_several(
    transaction: Transaction, team: ChatTeam, ids: Sequence[UUID], *, by: Person
) -> list[tuple[UUID, TeamMemberRow | Refused]]:
    """Have several people in a team; a refusal stands for somebody who is not there, or may not be in it."""
    people = find_people(transaction, ids)
    outcome: list[tuple[UUID, TeamMemberRow | Refused]] = []
    for each in ids:
        person = people.get(each)
        try:
            if person is None or not person.is_active:
                raise faults.missing_user()
            outcome.append((each, join_team(transaction, team, person, by=by)))
        except Refused as refused:
            outcome.append((each, refused))
    return outcome


def join_by_token(transaction: Transaction, person: Person, token: str) -> TeamMemberRow:
    """Join the team that one was asked into by mail.

    Raises:
        BadRequest: 400: the token lets nobody in, or not them; or the team is for people of other domains by now.
    """
    asked = find_invite(transaction, token=token)
    team = None if asked is None else keep_team(transaction, asked.team_id)
    if team is None or asked is None or not asked.is_pending(transaction.now):
        raise faults.bad_value("api.user.create_user.signup_link_invalid.app_error", "The link does not appear valid.")
    if find_member(transaction, team.id, person.id) is None:
        _check_domain(team, person)
        try:
            accept_invite(transaction, token, person.id)
        except Forbidden as other:
            raise faults.bad_value(
                "api.user.create_user.signup_link_invalid.app_error", "The link was sent to somebody else."
            ) from other
    keep_member(transaction, team.id, person.id)
    return _there(transaction, team.id, person.id)


def join_by_invite_id(transaction: Transaction, person: Person, invite_id: str) -> TeamMemberRow:
    """Join the team whose invite id this is.

    Raises:
        NotFound: 404: no team has it.
    """
    team = find_team_by_invite(transaction, invite_id)
    if team is None or not team.is_active:
        raise faults.missing_team()
    return join_team(transaction, team, person)


def leave_team(transaction: Transaction, team_id: UUID, person: Person, *, by: Person | None = None) -> None:
    """Have somebody out of a team and of all its channels.

    Raises:
        NotFound: 404: they are not in it.
        Forbidden: 403: they own it.
    """
    if find_member(transaction, team_id, person.id) is None:
        raise faults.missing_team_member()
    remove_member(transaction, team_id, person.id)
    keep_member(transaction, team_id, person.id, by=by)


def change_role(transaction: Transaction, team_id: UUID, user_id: UUID, *, is_admin: bool) -> TeamMemberRow:
    """Have somebody lead a team, or no more; they are told.

    Raises:
        NotFound: 404: they are not in it.
        Forbidden: 403: they own it, and owners stay leaders.
    """
    member = find_member(transaction, team_id, user_id)
    if member is None:
        raise faults.missing_team_member()
    if not (member.role == "owner" and is_admin):
        set_role(transaction, team_id, user_id, "admin" if is_admin else "member")
    changed = _there(transaction, team_id, user_id)
    tell(transaction, "memberrole_updated", {"member": as_text(show_member(changed))}, user_id=user_id)
    return changed


def show_member(member: TeamMemberRow) -> TeamMemberShown:
    """Somebody's part in a team as the API shows it."""
    return show_team_member(member.team_id, member.user_id, member.role, member.create_at)


def may_see(rights: Rights, team: ChatTeam) -> bool:
    """Whether a team is shown to somebody: to its members, and when it is open to whoever may join such."""
    if rights.may_in_team("view_team", team.id):
        return True
    return team.is_active and team.allow_open_invite and rights.may("list_public_teams")


def shown_to(rights: Rights, team: ChatTeam) -> Any:
    """A team as somebody sees it."""
    return show_team(
        team,
        may_manage=rights.may_in_team("manage_team", team.id),
        may_invite=rights.may_in_team("invite_user", team.id),
    )


def several_shown_to(rights: Rights, teams: Sequence[ChatTeam]) -> list[Any]:
    """Teams as somebody sees them, in the same order."""
    rights.know_teams([team.id for team in teams])
    return [shown_to(rights, team) for team in teams]


def _check_domain(team: ChatTeam, person: Person) -> None:
    if not (person.is_bot or team.takes(person.email)):
        raise faults.bad_value(
            "api.team.join_user_to_team.allowed_domains.app_error", "The team is for addresses of other domains."
        )


def _there(transaction: Transaction, team_id: UUID, user_id: UUID) -> TeamMemberRow:
    member = find_team_member(transaction, team_id, user_id)
    assert member is not None, "they are in it"
    return member
