"""Bots: accounts of programs. Whoever made one, or was given it, is its owner."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, select

from manor import BadRequest, Forbidden, NewUser, NotFound, Transaction, add_user, update_user, users_table
from manor_chat import faults
from manor_chat.config import ChatConfig
from manor_chat.domain import people_rules as rules
from manor_chat.domain.names import PERSON_NAME
from manor_chat.http.params import PageQuery
from manor_chat.ids import shown_id
from manor_chat.people.checking import refusals_of_chat
from manor_chat.people.news import tell_changes
from manor_chat.rights import Rights
from manor_chat.store.bots import BotRow, find_bot, find_bots, put_bot
from manor_chat.store.people import Person, find_person, list_people, select_people
from manor_chat.tables.accounts import bots


class BotShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bot."""

    user_id: str
    create_at: int
    update_at: int
    delete_at: int
    username: str
    display_name: str
    description: str
    owner_id: str
    last_icon_update: int = 0


class BotBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of a bot; what is left out stays as it is."""

    username: str | None = None
    display_name: str | None = None
    description: str | None = None


class BotsQuery(PageQuery, frozen=True, kw_only=True):
    """Which bots."""

    include_deleted: bool = False
    only_orphaned: bool = False


def show_bot(person: Person, row: BotRow | None) -> BotShown:
    """A bot as the API shows it. One that another API made has no owner here."""
    profile = person.profile
    updated = max(profile.update_at, person.create_at)
    return BotShown(
        user_id=shown_id(person.id),
        create_at=person.create_at,
        update_at=updated,
        delete_at=0 if person.is_active else profile.delete_at or updated,
        username=person.handle,
        display_name=profile.first_name,
        description="" if row is None else row.description,
        owner_id="" if row is None else shown_id(row.owner_id),
        last_icon_update=profile.last_picture_update,
    )


def may_manage_bot(transaction: Transaction, rights: Rights, bot_id: UUID) -> bool:
    """Whether somebody may change a bot, and give it tokens: an administrator, or its owner."""
    if rights.may("manage_others_bots"):
        return True
    row = find_bot(transaction, bot_id)
    return row is not None and row.owner_id == rights.user_id


def list_bots(transaction: Transaction, rights: Rights, query: BotsQuery) -> list[BotShown]:
    """A page of the bots that somebody may see, by name.

    Raises:
        Forbidden: 403: they have none, and may not see those of others.
    """
    mine = users_table.c.id.in_(select(bots.c.user_id).where(bots.c.owner_id == rights.user_id))
    conditions: list[ColumnElement[bool]] = [users_table.c.is_bot.is_(True), users_table.c.is_system.is_(False)]
    if not rights.may("read_others_bots"):
        conditions.append(mine)
        if (
            transaction.connection.execute(select(bots.c.user_id).where(bots.c.owner_id == rights.user_id)).first()
            is None
        ):
            raise faults.no_permission()
    if not query.include_deleted:
        conditions.append(users_table.c.is_active.is_(True))
    if query.only_orphaned:
        owners = users_table.alias("owners")
        active = select(bots.c.user_id).join(owners, owners.c.id == bots.c.owner_id).where(owners.c.is_active.is_(True))
        conditions.append(users_table.c.id.not_in(active))
    page = select_people().where(*conditions).order_by(users_table.c.handle).limit(query.limit).offset(query.offset)
    people = list_people(transaction, page)
    rows = find_bots(transaction, [person.id for person in people])
    return [show_bot(person, rows.get(person.id)) for person in people]


def existing_bot(transaction: Transaction, rights: Rights, bot_id: UUID, *, with_deleted: bool = True) -> Person:
    """A bot that somebody may see.

    Raises:
        NotFound: 404: it is none, or they may not know that it is there.
    """
    person = find_person(transaction, bot_id)
    if person is None or not person.is_bot or person.is_system or not (person.is_active or with_deleted):
        raise _missing()
    if not (rights.may("read_others_bots") or may_manage_bot(transaction, rights, bot_id)):
        raise _missing()
    return person


def managed_bot(transaction: Transaction, rights: Rights, bot_id: UUID) -> Person:
    """A bot that somebody may change.

    Raises:
        NotFound: 404: it is none, or they may not know that it is there.
    """
    person = existing_bot(transaction, rights, bot_id)
    if not may_manage_bot(transaction, rights, bot_id):
        raise faults.no_permission()
    return person


def create_bot(transaction: Transaction, rights: Rights, body: BotBody, config: ChatConfig, *, tier: str) -> BotShown:
    """Make a bot whose owner is whoever asks.

    Raises:
        BadRequest: 400: it cannot be called that, or somebody is.
        Forbidden: 403: bots are not made here, or not by them.
    """
    if config.bot_creation == "nobody":
        raise Forbidden("Bot creation has been disabled.", code="api.bot.create_disabled")
    if not (rights.may("create_bot") or config.bot_creation == "everybody") or rights.person.is_bot:
        raise faults.no_permission()
    username = _username(body.username or "")
    with refusals_of_chat():
        user = add_user(transaction, NewUser(username=username, email=None, tier=tier, is_bot=True, is_verified=True))
    person = find_person(transaction, user.id)
    assert person is not None, "was added just now"
    row = BotRow(user_id=person.id, owner_id=rights.user_id, description=_description(body.description or ""))
    put_bot(transaction, row)
    display_name = _display_name(body.display_name or "")
    return show_bot(tell_changes(transaction, person, config, is_new=True, first_name=display_name), row)


def change_bot(transaction: Transaction, rights: Rights, person: Person, body: BotBody, config: ChatConfig) -> BotShown:
    """Change what a bot is called and what it is for; who may was checked.

    Raises:
        BadRequest: 400: it cannot be called that, or somebody is.
    """
    if body.username is not None and body.username.strip().lower() != person.handle:
        with refusals_of_chat():
            update_user(transaction, person.id, username=_username(body.username))
    changes: dict[str, Any] = {}
    if body.display_name is not None:
        changes["first_name"] = _display_name(body.display_name)
    row = find_bot(transaction, person.id) or BotRow(user_id=person.id, owner_id=rights.user_id)
    if body.description is not None:
        row = msgspec.structs.replace(row, description=_description(body.description))
    put_bot(transaction, row)
    return show_bot(tell_changes(transaction, person, config, **changes), row)


def assign_bot(transaction: Transaction, person: Person, owner_id: UUID, config: ChatConfig) -> BotShown:
    """Give a bot another owner; who may was checked.

    Raises:
        NotFound: 404: there is no such person.
        Forbidden: 403: a bot owns no bots.
    """
    owner = find_person(transaction, owner_id)
    if owner is None:
        raise faults.missing_user()
    if owner.is_bot:
        raise faults.no_permission()
    row = find_bot(transaction, person.id) or BotRow(user_id=person.id, owner_id=owner_id)
    row = msgspec.structs.replace(row, owner_id=owner_id)
    put_bot(transaction, row)
    return show_bot(tell_changes(transaction, person, config), row)


def _missing() -> NotFound:
    return NotFound("Unable to get the bot", code="store.sql_bot.get.missing.app_error")


def _invalid(field: str) -> BadRequest:
    return BadRequest(f"Invalid value for the {field} of a bot.", code=f"model.bot.is_valid.{field}.app_error")


def _username(username: str) -> str:
    folded = username.strip().lower()
    if not rules.is_username(folded):
        raise BadRequest(rules.USERNAME_RULE, code=_invalid("username").code)
    return folded


def _display_name(text: str) -> str:
    if len(text) > PERSON_NAME:
        raise _invalid("display_name")
    return text


def _description(text: str) -> str:
    if len(text) > rules.BOT_DESCRIPTION:
        raise _invalid("description")
    return text
