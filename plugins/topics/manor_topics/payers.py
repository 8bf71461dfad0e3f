"""On whose account a topic goes, and what their plan allows."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from manor import (
    SYSTEM_ID,
    Forbidden,
    PluginContext,
    Principal,
    Rate,
    TeamChanged,
    TeamDeleted,
    TierLimit,
    TooManyRequests,
    Transaction,
    UserChanged,
    UserErased,
    find_team,
    find_user,
)
from manor_topics.config import TopicsConfig
from manor_topics.domain import Topic

MOST_KNOWN = 10_000

LIMITS = [
    TierLimit("retention_days", {"": 30, "TEAM": 90, "BUSINESS": 365}, "Days that a message is kept"),
    TierLimit(
        "daily_messages",
        {"": 10_000, "ESSENTIALS": 50_000, "TEAM": 200_000, "BUSINESS": 0},
        "Messages a day (UTC) in all topics of a person and of their teams",
    ),
    TierLimit(
        "publish_per_minute",
        {"": 120, "ESSENTIALS": 300, "TEAM": 600, "BUSINESS": 0},
        "Messages a minute by one credential",
    ),
    TierLimit("max_topics", {"": 200, "ESSENTIALS": 1_000, "TEAM": 5_000, "BUSINESS": 0}, "Topics that a person owns"),
    TierLimit("private_topics", {"": 1}, "Whether topics may be private"),
    TierLimit("message_edit", {"": 1}, "Whether messages may be edited and deleted"),
    TierLimit("topic_tokens", {"": 1}, "Whether topics may have access tokens"),
    TierLimit(
        "tokens_per_topic", {"": 50, "ESSENTIALS": 100, "TEAM": 500, "BUSINESS": 0}, "Access tokens that one topic has"
    ),
    TierLimit("streams", {"": 100, "ESSENTIALS": 200, "TEAM": 500, "BUSINESS": 0}, "Streams that a person has open"),
]
"""0 is unlimited, and for what a plan has or has not it is no."""


class Payer(msgspec.Struct, frozen=True, gc=False):
    """Who answers for a topic: its owner, or the owner of its team.

    Args:
        user_id: The person.
        tier: Their plan; "" is the default one.
    """

    user_id: UUID
    tier: str

    @property
    def is_system(self) -> bool:
        """Whether it is the server itself, which has no limits."""
        return self.user_id is SYSTEM_ID or self.user_id == SYSTEM_ID


SYSTEM = Payer(SYSTEM_ID, "")


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What a message is counted on, and how long it is kept.

    Args:
        payer_id: On whose account it goes.
        daily_messages: How many a day; 0 for any number, and then none is counted.
        retention: How long it is kept; None for ever.
        publish_rate: How many a minute by one credential; None for any number.
    """

    payer_id: UUID
    daily_messages: int
    retention: timedelta | None
    publish_rate: Rate | None = None


class Payers:
    """Knows payers, read from storage when first asked for, and asks plans for them."""

    def __init__(self, context: PluginContext[TopicsConfig]) -> None:
        self._context = context
        self._tiers: dict[UUID, str] = {SYSTEM_ID: ""}
        self._owners: dict[UUID, UUID] = {}
        self._changes = 0
        # What each tier says of publishing, as long as tiers say the same; None is the server's own.
        self._plans: dict[str | None, tuple[int, timedelta | None, Rate | None]] = {}
        self._tiers_seen = 0

    def known(self, topic: Topic) -> Payer | None:
        """A topic's payer, if it is in memory."""
        user_id = topic.owner_id if topic.team_id is None else self._owners.get(topic.team_id)
        tier = None if user_id is None else self._tiers.get(user_id)
        return None if user_id is None or tier is None else Payer(user_id, tier)

    async def find(self, topic: Topic) -> Payer:
        """A topic's payer."""
        payer = self.known(topic)
        if payer is None:
            changes = self._changes
            payer = await self._context.storage.read(lambda transaction: payer_of(transaction, topic))
            # Something changed during the read: what it saw may be old already, so it is used and not kept.
            if changes == self._changes:
                self._keep(payer, topic.team_id)
        return payer

    async def of_person(self, user_id: UUID) -> Payer:
        """Somebody as the payer of what they do themselves."""
        tier = self._tiers.get(user_id)
        if tier is not None:
            return Payer(user_id, tier)
        changes = self._changes
        user = await self._context.storage.read(lambda transaction: find_user(transaction, user_id=user_id))
        payer = Payer(user_id, "" if user is None else user.tier)
        if changes == self._changes:
            self._keep(payer)
        return payer

    def limit(self, name: str, payer: Payer) -> int:
        """A limit of somebody's plan; 0 is unlimited, and the server itself has no limits."""
        return 0 if payer.is_system else self._context.tiers.limit(name, payer.tier)

    def allows(self, name: str, payer: Payer) -> bool:
        """Whether somebody's plan has a feature; the server itself has them all."""
        return payer.is_system or bool(self._context.tiers.limit(name, payer.tier))

    def check_allowed(self, name: str, payer: Payer, what: str) -> None:
        """See that somebody's plan has a feature.

        Args:
            name: Of the limit.
            payer: Whose plan.
            what: What people call it, in the plural.

        Raises:
            Forbidden: It has not.
        """
        if not self.allows(name, payer):
            raise Forbidden(f"{what} are not part of the plan{f' {payer.tier}' if payer.tier else ''} ({name})")

    def retention(self, payer: Payer) -> timedelta | None:
        """How long messages are kept; None for ever. The server's own are kept as the default plan says."""
        days = self._context.tiers.limit("retention_days", payer.tier)
        return timedelta(days=days) if days else None

    def plan(self, payer: Payer) -> Plan:
        """What counts for a message that goes on somebody's account."""
        tiers = self._context.tiers
        if self._tiers_seen != tiers.changes:
            self._tiers_seen = tiers.changes
            self._plans.clear()
        key = None if payer.is_system else payer.tier
        known = self._plans.get(key)
        if known is None:
            a_minute = self.limit("publish_per_minute", payer)
            known = self._plans[key] = (
                self.limit("daily_messages", payer),
                self.retention(payer),
                Rate(a_minute) if a_minute else None,
            )
        return Plan(payer.user_id, *known)

    def take_publish(self, principal: Principal | None, plan: Plan) -> None:
        """Count a message of a credential; strangers are counted by their address, before anything else.

        Raises:
            TooManyRequests: It has had its messages of this minute.
        """
        rate = plan.publish_rate
        if principal is None or rate is None:
            return
        who = principal.bucket if principal.credential_id else str(principal.session_id or principal.user_id)
        verdict = self._context.limits.take("topics publish", who, rate)
        if not verdict.allowed:
            most = rate.per_minute
            whole_again = self._context.clock.now() + timedelta(seconds=verdict.reset_in)
            raise TooManyRequests(
                f"Too many messages: {most} a minute are allowed (publish_per_minute)",
                retry_after=verdict.retry_after,
                headers=used_up(most, whole_again),
            )

    def _keep(self, payer: Payer, team_id: UUID | None = None) -> None:
        if len(self._tiers) >= MOST_KNOWN or len(self._owners) >= MOST_KNOWN:
            self._tiers = {SYSTEM_ID: ""}
            self._owners.clear()
        if not payer.is_system:
            self._tiers[payer.user_id] = payer.tier
        if team_id is not None:
            self._owners[team_id] = payer.user_id

    # --- INLINE ----------------------------------------------------------------------------------------------------

    def forget_person(self, changed: UserChanged | UserErased) -> None:
        """Somebody has another plan, or is gone."""
        self._changes += 1
        if changed.user_id != SYSTEM_ID:
            self._tiers.pop(changed.user_id, None)

    def forget_team(self, changed: TeamChanged | TeamDeleted) -> None:
        """A team has another owner, or is gone."""
        self._changes += 1
        self._owners.pop(changed.team_id, None)


def used_up(limit: int, until: datetime) -> dict[str, str]:
    """What the headers of a refusal say of the limit that was hit; the API's own rate has room left.

    Args:
        limit: How many there are.
        until: When all of them are there again.
    """
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(math.ceil(until.timestamp())),
    }


def day_is_full(plan: Plan, now: datetime) -> TooManyRequests:
    """The refusal of a message for which a plan has no room today."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return TooManyRequests(
        f"The plan's {plan.daily_messages} messages of today are used up (daily_messages)",
        retry_after=math.ceil((midnight - now).total_seconds()),
        headers=used_up(plan.daily_messages, midnight),
    )


def payer_of(transaction: Transaction, topic: Topic) -> Payer:
    """Who answers for a topic, as storage has it; for what nobody owns any more it is the server."""
    user_id = topic.owner_id
    if topic.team_id is not None and (team := find_team(transaction, team_id=topic.team_id)) is not None:
        user_id = team.owner_id
    user = None if user_id == SYSTEM_ID else find_user(transaction, user_id=user_id)
    return SYSTEM if user is None else Payer(user.id, user.tier)
