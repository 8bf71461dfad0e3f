"""Making topics."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from manor import (
    SYSTEM_ID,
    Conflict,
    FieldProblem,
    Forbidden,
    NotFound,
    Storage,
    Transaction,
    Unauthorized,
    Unprocessable,
    find_member,
    find_team,
    find_user,
    new_id,
)
from manor_topics import store
from manor_topics.commands import CreateTopics, TopicsCreated
from manor_topics.domain import AccessLevel, Misfit, Topic, check_description, check_icon
from manor_topics.events import TopicCreated
from manor_topics.payers import Payers, payer_of
from manor_topics.subscribing import no_room, room_for, subscribe

ICON_NAME = "bell"
ICON_COLOR = "blue"


class WantedTopic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic that somebody wants; of a team, if it names one."""

    name: str
    access_level: AccessLevel = "private"
    description: str | None = None
    is_discoverable: bool = False
    icon_name: str | None = None
    icon_color: str | None = None
    team_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A new topic, and why whoever made it is not subscribed to it; None when they are."""

    topic: Topic
    warning: str | None = None


class Creating:
    """Makes topics.

    Args:
        storage: Where they go.
        payers: Whose plan says how many.
        check_name: Sees that a topic may be called something, and raises `Misfit` when it may not.
    """

    def __init__(self, storage: Storage, payers: Payers, check_name: Callable[[str], None]) -> None:
        self._storage = storage
        self._payers = payers
        self._check_name = check_name

    async def create(self, creator_id: UUID, wanted: WantedTopic) -> Made:
        """Make somebody's topic, and subscribe them to it as far as their plan has room.

        A team's topic belongs to the team's owner, whoever of its administrators makes it.

        Raises:
            Unprocessable: A value cannot be taken.
            NotFound: There is no such team.
            Forbidden: The team is not theirs to make topics for, or the plan has no room.
            Conflict: The name is taken.
        """
        check_wanted(wanted, self._check_name)

        def work(transaction: Transaction) -> Made:
            owner_id = _owner(transaction, creator_id, wanted.team_id)
            if store.find_topic(transaction.connection, wanted.name) is not None:
                raise Conflict(f"There is a topic '{wanted.name}' already")
            topic = new_topic(
                wanted.name,
                owner_id=owner_id,
                access_level=wanted.access_level,
                description=wanted.description,
                is_discoverable=wanted.is_discoverable and wanted.access_level == "public",
                icon_name=wanted.icon_name or ICON_NAME,
                icon_color=wanted.icon_color or ICON_COLOR,
                team_id=wanted.team_id,
                now=transaction.now,
            )
            check_plan(transaction, topic, self._payers)
            add(transaction, topic)
            room = room_for(transaction, self._payers, creator_id)
            if subscribe(transaction, creator_id, topic, room) is None:
                return Made(topic, no_room(room))
            return Made(topic)

        return await self._storage.write(work)

    async def create_all(self, wanted: CreateTopics) -> TopicsCreated:
        """Make topics that belong to the server itself, all of them or none.

        Raises:
            Unprocessable: A name or the description cannot be taken.
            Conflict: A name is taken.
        """
        is_discoverable = wanted.is_discoverable and wanted.access_level == "public"
        try:
            for name in wanted.names:
                self._check_name(name)
            check_description(wanted.description, is_listed=is_discoverable)
        except Misfit as misfit:
            raise refusal(misfit) from misfit

        def work(transaction: Transaction) -> list[Topic]:
            made = []
            for name in dict.fromkeys(wanted.names):
                if store.find_topic(transaction.connection, name) is not None:
                    raise Conflict(f"There is a topic '{name}' already")
                topic = new_topic(
                    name,
                    owner_id=SYSTEM_ID,
                    access_level=wanted.access_level,
                    description=wanted.description,
                    is_discoverable=is_discoverable,
                    now=transaction.now,
                )
                add(transaction, topic)
                made.append(topic)
            return made

        return TopicsCreated(await self._storage.write(work))

    async def hidden_by(self, segments: Collection[str]) -> list[Topic]:
        """Topics whose paths other routes serve by now: they are reached by id alone."""
        return await self._storage.read(lambda transaction: store.named_like(transaction.connection, segments))


def check_wanted(wanted: WantedTopic, check_name: Callable[[str], None]) -> None:
    """See that a topic may be like this.

    Raises:
        Unprocessable: It may not.
    """
    try:
        check_name(wanted.name)
        check_description(wanted.description, is_listed=wanted.is_discoverable and wanted.access_level == "public")
        check_icon("icon_name", wanted.icon_name)
        check_icon("icon_color", wanted.icon_color)
    except Misfit as misfit:
        raise refusal(misfit) from misfit


def check_plan(transaction: Transaction, topic: Topic, payers: Payers) -> None:
    """See that the plan of whoever will answer for a new topic has room for it.

    Raises:
        Forbidden: It has not.
    """
    payer = payer_of(transaction, topic)
    if not topic.is_public:
        payers.check_allowed("private_topics", payer, "Private topics")
    most = payers.limit("max_topics", payer)
    if most and store.count_owned(transaction.connection, payer.user_id) >= most:
        raise Forbidden(f"The plan has room for {most} topics, and they are there; delete one first (max_topics)")


def new_topic(
    name: str,
    *,
    owner_id: UUID,
    access_level: AccessLevel,
    now: datetime,
    description: str | None = None,
    is_discoverable: bool = False,
    icon_name: str | None = ICON_NAME,
    icon_color: str | None = ICON_COLOR,
    team_id: UUID | None = None,
) -> Topic:
    """A topic as it begins."""
    return Topic(
        id=new_id(),
        name=name,
        owner_id=owner_id,
        team_id=team_id,
        access_level=access_level,
        description=description,
        is_discoverable=is_discoverable,
        icon_name=icon_name,
        icon_color=icon_color,
        created_at=now,
    )


def add(transaction: Transaction, topic: Topic) -> None:
    """Store a topic, and say so."""
    store.add_topic(transaction.connection, topic)
    transaction.emit(
        TopicCreated(topic_id=topic.id, topic=topic.name, owner_id=topic.owner_id, access_level=topic.access_level)
    )


def refusal(misfit: Misfit) -> Unprocessable:
    """A 422 about one value."""
    return Unprocessable(str(misfit), errors=[FieldProblem(misfit.field, misfit.reason)])


def _owner(transaction: Transaction, creator_id: UUID, team_id: UUID | None) -> UUID:
    """Whose a new topic is."""
    if find_user(transaction, user_id=creator_id) is None:
        raise Unauthorized("This account is gone")
    if team_id is None:
        return creator_id
    team = find_team(transaction, team_id=team_id)
    if team is None:
        raise NotFound("There is no such team")
    member = find_member(transaction, team_id, creator_id)
    if member is None or member.role == "member":
        raise Forbidden(f"The topics of the team '{team.name}' are made by its owner and its administrators")
    if not team.is_active:
        raise Forbidden(f"The team '{team.name}' is deactivated")
    return team.owner_id
