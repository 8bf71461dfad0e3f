"""People and bots of an import: accounts, profiles and preferences.

Whoever is there already under this name is the same person: what the line says of the profile is taken over, and
nothing else. Nobody becomes an administrator, is locked out or gets another address by an import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from manor import NewUser, Refused, Transaction, add_user, set_active
from manor_chat.domain import people_rules as rules
from manor_chat.domain.names import NICKNAME, PERSON_NAME, POSITION
from manor_chat.domain.permissions import ROLES
from manor_chat.moving.known import look_up_emails, look_up_users
from manor_chat.moving.lines import BotSaid, NotifySaid, UserSaid
from manor_chat.moving.preferences import fits, preferences_said
from manor_chat.moving.report import Tally
from manor_chat.people.news import note_everybody
from manor_chat.people.profiles import keep_mention_keys
from manor_chat.status.custom import PROP, CustomStatus
from manor_chat.store.bots import BotRow, find_bot, put_bot
from manor_chat.store.people import Person, change_profile, find_person
from manor_chat.store.preferences import list_preferences, set_preferences
from manor_chat.telling import as_text
from manor_chat.times import to_milliseconds

NOTIFY = {
    "desktop": "desktop",
    "desktop_sound": "desktop_sound",
    "email": "email",
    "mobile": "push",
    "mobile_push_status": "push_status",
    "channel": "channel",
    "comments": "comments",
    "mention_keys": "mention_keys",
}
"""What the format calls the settings of how somebody hears of things, and what the API does."""

_TEXTS = {"nickname": NICKNAME, "first_name": PERSON_NAME, "last_name": PERSON_NAME, "position": POSITION}
_OWN_ROLES = frozenset({"system_user", "system_admin", "system_guest"})
_SERVICES = frozenset({"gitlab", "google", "ldap", "office365", "openid", "saml"})
_GUESTS = "rights of guests (they are members now)"


class Wanted(NamedTuple):
    """A picture that somebody is to have, and the line that says so."""

    line: int
    user_id: UUID
    path: str


class Accounts(NamedTuple):
    """What a unit of work made of some lines."""

    tally: Tally
    users: dict[str, UUID]
    bots: set[UUID]
    pictures: list[Wanted]


def keep_people(
    transaction: Transaction, lines: Sequence[tuple[int, UserSaid]], known: Mapping[str, UUID], *, tier: str
) -> Accounts:
    """Have the people of some lines.

    Args:
        transaction: A writing one.
        lines: With their numbers.
        known: Who is known by name already.
        tier: Of those who are new.
    """
    done = Accounts(Tally(), {}, set(), [])
    users, bots = look_up_users(transaction, [said.username.lower() for _, said in lines])
    emails = look_up_emails(transaction, [said.email for _, said in lines if said.email])
    done.bots.update(bots)
    for line, said in lines:
        name = said.username.lower()
        user_id = users.get(name) or done.users.get(name) or known.get(name)
        is_new = user_id is None
        if user_id is None:
            user_id = _add(transaction, line, said, tier, done.tally)
        elif user_id in bots:
            done.tally.trouble(line, f"user {name}: a bot of this server is called so")
            user_id = None
        if user_id is None:
            continue
        done.users[name] = user_id
        person = _existing(transaction, user_id)
        _report(line, said, person, is_new, emails, done.tally)
        is_changed = _describe(transaction, line, said, person, done.tally, is_new=is_new)
        _count(done.tally, "people", is_new, is_changed)
        if said.profile_image and person.profile.picture is None:
            done.pictures.append(Wanted(line, user_id, said.profile_image))
    note_everybody(transaction)
    return done


def keep_bots(transaction: Transaction, lines: Sequence[tuple[int, BotSaid]], tier: str) -> Accounts:
    """Have the bots of some lines; their owners are there already."""
    done = Accounts(Tally(), {}, set(), [])
    owners = [said.owner.lower() for _, said in lines if said.owner]
    users, bots = look_up_users(transaction, [*(said.username.lower() for _, said in lines), *owners])
    for line, said in lines:
        name = said.username.lower()
        user_id = users.get(name) or done.users.get(name)
        is_new = user_id is None
        if user_id is None:
            new = NewUser(username=name, email=None, tier=tier, is_bot=True, is_verified=True)
            user_id = _added(transaction, line, f"bot {name}", new, done.tally)
            if user_id is not None and said.delete_at:
                set_active(transaction, user_id, False)
        elif user_id not in bots and user_id not in done.bots:
            done.tally.trouble(line, f"bot {name}: a person of this server is called so")
            user_id = None
        if user_id is None:
            continue
        done.users[name] = user_id
        done.bots.add(user_id)
        person = _existing(transaction, user_id)
        is_changed = _describe_bot(transaction, line, said, person, users, done.tally, is_new=is_new)
        _count(done.tally, "bots", is_new, is_changed)
        if said.profile_image and person.profile.picture is None:
            done.pictures.append(Wanted(line, user_id, said.profile_image))
    note_everybody(transaction)
    return done


def _add(transaction: Transaction, line: int, said: UserSaid, tier: str, tally: Tally) -> UUID | None:
    name = said.username.lower()
    if not said.email:
        tally.trouble(line, f"user {name}: has no e-mail address")
        return None
    roles = (said.roles or "").split()
    new = NewUser(username=name, email=said.email, tier=tier, is_admin="system_admin" in roles, is_verified=True)
    user_id = _added(transaction, line, f"user {name}", new, tally)
    if user_id is not None and said.delete_at:
        set_active(transaction, user_id, False)
    return user_id


def _added(transaction: Transaction, line: int, who: str, new: NewUser, tally: Tally) -> UUID | None:
    try:
        return add_user(transaction, new).id
    except Refused as refused:
        tally.trouble(line, f"{who}: {refused.detail}")
        return None


def _existing(transaction: Transaction, user_id: UUID) -> Person:
    person = find_person(transaction, user_id)
    assert person is not None, "was found in this transaction"
    return person


def _count(tally: Tally, kind: str, is_new: bool, is_changed: bool) -> None:
    counter = tally.made if is_new else tally.changed if is_changed else tally.unchanged
    counter[kind] += 1


def _report(line: int, said: UserSaid, person: Person, is_new: bool, emails: Mapping[str, UUID], tally: Tally) -> None:
    """Note what is not carried over of an account."""
    if said.auth_service:
        service = said.auth_service if said.auth_service in _SERVICES else "other services"
        tally.left_out[f"sign-in by {service}"] += 1
    if said.password:
        tally.left_out["passwords"] += 1
    roles = (said.roles or "").split()
    if "system_guest" in roles:
        tally.left_out[_GUESTS] += 1
    if is_new:
        return
    if said.email and said.email.lower() != person.email.lower():
        tally.trouble(line, f"user {person.handle}: is there already with another e-mail address, which stays")
    if "system_admin" in roles and not person.is_admin:
        tally.trouble(line, f"user {person.handle}: is no administrator here, and stays none")
    if said.delete_at and person.is_active:
        tally.trouble(line, f"user {person.handle}: was deactivated there, and stays active here")


def _describe(
    transaction: Transaction, line: int, said: UserSaid, person: Person, tally: Tally, *, is_new: bool
) -> bool:
    """Have the profile and the preferences say what the line does; whether something is different now."""
    profile = person.profile
    wanted: dict[str, Any] = {}
    for name, longest in _TEXTS.items():
        value = getattr(said, name)
        if value is not None and len(value) > longest:
            tally.trouble(line, f"user {person.handle}: {name} is longer than {longest} characters")
        elif value is not None:
            wanted[name] = value
    if said.locale:
        if rules.is_locale(said.locale):
            wanted["locale"] = said.locale
        else:
            tally.trouble(line, f"user {person.handle}: {said.locale[:20]!r} is no locale")
    notify = notify_said(said.notify_props)
    if rules.size_of(notify) > rules.NOTIFY_PROPS:
        tally.trouble(line, f"user {person.handle}: notify_props are too long")
    elif notify:
        wanted["notify_props"] = {**profile.notify_props, **notify}
    status = _custom_status(said.custom_status)
    if status is not None:
        wanted["props"] = {**profile.props, PROP: status}
    if is_new:
        extra = [role for role in (said.roles or "").split() if role in ROLES and role not in _OWN_ROLES]
        wanted["roles"] = " ".join(role for role in extra if role.startswith("system_"))
        wanted["delete_at"] = said.delete_at or 0
    is_changed = _change(transaction, person, wanted)
    return _prefer(transaction, line, said, person, tally) or is_changed


def _change(transaction: Transaction, person: Person, wanted: Mapping[str, Any]) -> bool:
    changes = {name: value for name, value in wanted.items() if getattr(person.profile, name) != value}
    if not changes:
        return False
    changed = change_profile(transaction, person, **changes)
    if {"notify_props", "first_name"} & changes.keys():
        keep_mention_keys(transaction, changed)
    return True


def _prefer(transaction: Transaction, line: int, said: UserSaid, person: Person, tally: Tally) -> bool:
    wanted = list(preferences_said(said, person))
    if not wanted:
        return False
    fitting = [each for each in wanted if fits(each)]
    if len(fitting) < len(wanted):
        tally.trouble(line, f"user {person.handle}: a preference cannot be that")
    known = set(map(msgspec.structs.astuple, list_preferences(transaction, person.id)))
    new = [each for each in fitting if msgspec.structs.astuple(each) not in known]
    set_preferences(transaction, person.id, new)
    return bool(new)


def _describe_bot(
    transaction: Transaction,
    line: int,
    said: BotSaid,
    person: Person,
    users: Mapping[str, UUID],
    tally: Tally,
    *,
    is_new: bool,
) -> bool:
    wanted: dict[str, Any] = {}
    if said.display_name is not None:
        wanted["first_name"] = said.display_name[:PERSON_NAME]
    if is_new:
        wanted["delete_at"] = said.delete_at or 0
    is_changed = _change(transaction, person, wanted)
    row = find_bot(transaction, person.id)
    owner_id = row.owner_id if row is not None else users.get((said.owner or "").lower())
    if owner_id is None:
        tally.trouble(line, f"bot {person.handle}: its owner {said.owner or ''!r} is nobody here; it has none")
        return is_changed
    description = (row.description if row else "") if said.description is None else said.description
    new_row = BotRow(user_id=person.id, owner_id=owner_id, description=description[: rules.BOT_DESCRIPTION])
    if new_row == row:
        return is_changed
    put_bot(transaction, new_row)
    return True


def give_picture(transaction: Transaction, user_id: UUID, key: str) -> bool:
    """Have somebody's picture be the one under this key; False when they have one."""
    person = find_person(transaction, user_id)
    if person is None or person.profile.picture is not None:
        return False
    change_profile(transaction, person, picture=key, last_picture_update=to_milliseconds(transaction.now))
    return True


def notify_said(said: NotifySaid | None) -> dict[str, str]:
    """How somebody hears of things, as the API has it."""
    if said is None:
        return {}
    return {ours: value for theirs, ours in NOTIFY.items() if (value := getattr(said, theirs)) is not None}


def _custom_status(said: Mapping[str, Any] | None) -> str | None:
    if not said:
        return None
    try:
        status = msgspec.convert(said, CustomStatus)
    except msgspec.ValidationError:
        return None
    return as_text(status) if status.emoji or status.text else None
