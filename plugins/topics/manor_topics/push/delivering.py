"""From a published message to what its subscribers' devices show: found in batches, sent by durable jobs.

Jobs hold ids alone: what is sent, to whom and whether at all is decided when it is sent, so a message that was deleted
or edited meanwhile, a subscription that was muted, and rights that were lost are seen. Each device gets each message
at least once; only a crash between a push service's answer and the note of it makes that twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import msgspec
from sqlalchemy import Connection, update

from manor import Clock, GiveUp, Job, JobHandler, NotYet, Storage, Transaction
from manor_topics.following import Follower, Placed
from manor_topics.push.addresses import APPS, WEB
from manor_topics.push.device_store import note_failure, note_success
from manor_topics.push.expo import Expo
from manor_topics.push.finding import Pair, Wanted, find_messages, find_wanted, unread_in_all, worth_looking
from manor_topics.push.notices import Dead, Failed, Letter, Notice, Outcome, Provider, Taken
from manor_topics.subscriptions_tables import subscriptions


class Push(msgspec.Struct, frozen=True):
    """Send messages to devices: each pair is a device's `id` and a message's position."""

    pairs: list[Pair]


class Ticket(msgspec.Struct, frozen=True):
    """What Expo took for a device.

    Args:
        id: Expo asks for it.
        device_id: The device's `id`.
        digest: Of the way in which it was reached.
    """

    id: str
    device_id: UUID
    digest: bytes


class Receipts(msgspec.Struct, frozen=True):
    """Ask Expo what became of messages.

    Args:
        tickets: Of one request.
        asked: How often it has been asked.
    """

    tickets: list[Ticket]
    asked: int = 0


EXPO = Job("topics.push_expo", Push, attempts=8, deadline=90.0, backoff=10.0)
WEBPUSH = Job("topics.push_web", Push, attempts=8, deadline=60.0, backoff=10.0)
RECEIPTS = Job("topics.push_receipts", Receipts, attempts=5, deadline=60.0, backoff=60.0)

RECEIPTS_AFTER = timedelta(minutes=15)
"""Expo knows by then, as its manual has it."""

ASKED_AT_MOST = 8
"""Then Expo will never know."""

ALONE_AFTER = timedelta(seconds=30)
"""When those of a batch are tried again, each by itself, that were not taken while others were."""


class PushFailed(Exception):
    """A push service has not taken what it was sent; later it may."""


@dataclass(frozen=True)
class Sent:
    """What became of a message on its way to a device."""

    wanted: Wanted
    outcome: Outcome


class Delivering:
    """Finds whom messages are for, and has push services take them.

    Args:
        storage: Where all of it is.
        clock: Says what is too old.
        web: Reaches browsers, if configured.
        expo: Reaches apps, if configured.
        ttl: How old a message may be that is still pushed.
    """

    def __init__(
        self, storage: Storage, clock: Clock, *, web: Provider | None, expo: Expo | None, ttl: timedelta
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._web = web
        self._expo = expo
        self._ttl = ttl
        self._platforms = frozenset().union(*(each.platforms for each in (web, expo) if each is not None))
        self.follower = Follower("push", storage, wanted=self._worth_looking, take=self._take)

    def provider_of(self, platform: str) -> Provider | None:
        """What reaches a device of this kind; None when that is not configured."""
        return self._web if platform == WEB else self._expo

    def jobs(self) -> list[JobHandler[Push] | JobHandler[Receipts]]:
        """For the outbox; without a provider its rows wait until there is one."""
        handlers: list[JobHandler[Push] | JobHandler[Receipts]] = []
        if self._web is not None:
            handlers.append(JobHandler(WEBPUSH, self._push_web))
        if self._expo is not None:
            handlers += [JobHandler(EXPO, self._push_expo), JobHandler(RECEIPTS, self._ask)]
        return handlers

    # --- Whom messages are for ---------------------------------------------------------------------------------------

    def _worth_looking(self, connection: Connection, placed: Sequence[Placed]) -> Sequence[Placed]:
        since = self._clock.now() - self._ttl
        return worth_looking(connection, placed, platforms=self._platforms, since=since)

    def _take(self, transaction: Transaction, placed: Sequence[Placed]) -> None:
        found = find_wanted(
            transaction,
            platforms=self._platforms,
            since=transaction.now - self._ttl,
            among=[position for position, _ in placed],
        )
        for wanted in found:
            if wanted.platform == WEB:
                # One after the other for each device, so that one that is slow holds up itself; the outbox does a few
                # devices at once, and each of their requests has a deadline.
                transaction.defer(WEBPUSH, Push([wanted.pair]), key=wanted.device_id.hex)
        if self._expo is not None:
            pairs = [wanted.pair for wanted in found if wanted.platform in APPS]
            for start in range(0, len(pairs), self._expo.most):
                transaction.defer(EXPO, Push(pairs[start : start + self._expo.most]))

    # --- Sending -----------------------------------------------------------------------------------------------------

    async def _push_web(self, payload: Push) -> None:
        if self._web is not None:
            await self._push(self._web, payload)

    async def _push_expo(self, payload: Push) -> None:
        if self._expo is not None:
            await self._push(self._expo, payload, again=EXPO)

    async def _push(self, provider: Provider, payload: Push, *, again: Job[Push] | None = None) -> None:
        found = await self._storage.read(lambda transaction: self._addressed(transaction, provider, payload))
        if not found:
            return
        outcomes = await provider.send([letter for _, letter in found])
        sent = [Sent(wanted, outcome) for (wanted, _), outcome in zip(found, outcomes, strict=True)]
        left = [each for each in sent if isinstance(each.outcome, Failed) and not each.outcome.is_final]
        is_split = again is not None and 0 < len(left) < len(sent)

        def work(transaction: Transaction) -> None:
            _note_all(transaction, sent)
            if is_split and again is not None:
                for each in left:
                    wait = max(ALONE_AFTER, timedelta(seconds=_wait(each.outcome)))
                    transaction.defer(again, Push([each.wanted.pair]), at=transaction.now + wait)

        await self._storage.write(work)
        if left and not is_split:
            reason, wait = _reason(left[0].outcome), max(_wait(each.outcome) for each in left)
            raise NotYet(reason, seconds=wait) if wait else PushFailed(reason)
        if all(isinstance(each.outcome, Failed) for each in sent) and not left:
            raise GiveUp(_reason(sent[0].outcome))

    def _addressed(
        self, transaction: Transaction, provider: Provider, payload: Push
    ) -> Sequence[tuple[Wanted, Letter]]:
        found = find_wanted(
            transaction, platforms=provider.platforms, since=transaction.now - self._ttl, among=payload.pairs
        )
        contents = find_messages(transaction.connection, {wanted.position for wanted in found})
        badges = {person: unread_in_all(transaction, person) for person in {wanted.user_id for wanted in found}}
        addressed = []
        for wanted in found:
            message = contents[wanted.position]
            too_old = message.timestamp + self._ttl
            notice = Notice(
                message,
                until=too_old if message.expires_at is None else min(too_old, message.expires_at),
                unread=wanted.unread,
                badge=badges[wanted.user_id],
                sound=wanted.sound,
                vibrates=wanted.vibrates,
            )
            addressed.append((wanted, Letter(wanted.push_token, notice)))
        return addressed

    # --- What became of it -------------------------------------------------------------------------------------------

    async def _ask(self, payload: Receipts) -> None:
        """Ask for receipts: that a device is gone is often known only then."""
        if self._expo is None:
            return
        known = await self._expo.receipts([ticket.id for ticket in payload.tickets])
        if isinstance(known, Failed):
            if known.is_final:
                raise GiveUp(known.reason)
            raise NotYet(known.reason, seconds=known.wait)
        receipts: Mapping[str, Outcome] = known
        unknown = [ticket for ticket in payload.tickets if ticket.id not in receipts]

        def work(transaction: Transaction) -> None:
            for ticket in payload.tickets:
                outcome = receipts.get(ticket.id)
                if outcome is not None and not isinstance(outcome, Taken):
                    _note_trouble(transaction, ticket.device_id, ticket.digest, outcome)
            if unknown and payload.asked + 1 < ASKED_AT_MOST:
                wait = RECEIPTS_AFTER * (payload.asked + 1)
                transaction.defer(RECEIPTS, Receipts(unknown, payload.asked + 1), at=transaction.now + wait)

        await self._storage.write(work)


def note_outcome(transaction: Transaction, device_id: UUID, digest: bytes, outcome: Outcome) -> None:
    """Keep with a device what became of something that was sent to it, and ask for its receipt later."""
    if isinstance(outcome, Taken):
        note_success(transaction.connection, device_id, digest, transaction.now)
        if outcome.ticket:
            _ask_later(transaction, [Ticket(outcome.ticket, device_id, digest)])
    else:
        _note_trouble(transaction, device_id, digest, outcome)


def _note_all(transaction: Transaction, sent: Sequence[Sent]) -> None:
    tickets, notified = [], set()
    for each in sent:
        wanted, outcome = each.wanted, each.outcome
        if isinstance(outcome, Taken):
            note_success(transaction.connection, wanted.device_id, wanted.digest, transaction.now)
            notified.add(wanted.subscription_id)
            if outcome.ticket:
                tickets.append(Ticket(outcome.ticket, wanted.device_id, wanted.digest))
        else:
            _note_trouble(transaction, wanted.device_id, wanted.digest, outcome)
    if tickets:
        _ask_later(transaction, tickets)
    if notified:
        is_theirs = subscriptions.c.id.in_(notified)
        transaction.connection.execute(update(subscriptions).where(is_theirs).values(last_notified_at=transaction.now))


def _note_trouble(transaction: Transaction, device_id: UUID, digest: bytes, outcome: Dead | Failed) -> None:
    is_dead = isinstance(outcome, Dead)
    note_failure(transaction.connection, device_id, digest, transaction.now, outcome.reason, is_dead=is_dead)


def _ask_later(transaction: Transaction, tickets: list[Ticket]) -> None:
    transaction.defer(RECEIPTS, Receipts(tickets), at=transaction.now + RECEIPTS_AFTER)


def _reason(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Taken) else outcome.reason


def _wait(outcome: Outcome) -> float:
    return outcome.wait if isinstance(outcome, Failed) else 0.0
