"""Topic access tokens: made, listed and revoked by those who manage the topic that they open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from manor import (
    Credential,
    FieldProblem,
    Forbidden,
    NewCredential,
    NotFound,
    Principal,
    Transaction,
    Unprocessable,
    delete_credential,
    find_credential,
    issue,
    list_credentials,
    new_secret,
)
from manor_topics import store
from manor_topics.callers import Caller
from manor_topics.domain import Topic, read_id
from manor_topics.parts import Shared
from manor_topics.payers import payer_of
from manor_topics.rights import TOPIC_TOKEN, can_manage, check_manage, missing
from manor_topics.tokens import PREFIX

SHOWN = 8
"""Characters of a token that people tell it from others by."""


class WantedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that somebody wants; `permissions` are `read` and `write`."""

    name: str
    permissions: tuple[str, ...]
    expires_at: datetime | None = None


class AccessTokens:
    """Keeps the tokens of topics.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._audit = shared.context.audit

    async def list(self, reference: str, principals: Sequence[Principal]) -> tuple[Topic, Sequence[Credential]]:
        """A topic's tokens, the oldest first; expired ones too.

        Raises:
            NotFound: There is no such topic.
            Forbidden: It is not theirs to manage.
        """
        caller, topic_id = await self._found(reference, principals)

        def work(transaction: Transaction) -> tuple[Topic, Sequence[Credential]]:
            topic = self._managed(transaction, topic_id, reference, caller)
            return topic, tokens_of(transaction, topic)

        return await self._shared.context.storage.read(work)

    async def create(
        self, reference: str, principals: Sequence[Principal], wanted: WantedToken
    ) -> tuple[Topic, Credential, str]:
        """Make a token.

        Returns:
            The topic that it opens, the token, and its secret, which is kept nowhere.

        Raises:
            NotFound: There is no such topic.
            Forbidden: It is not theirs to manage, or the plan has no room.
            Unprocessable: It would have expired already.
        """
        caller, topic_id = await self._found(reference, principals)
        secret = new_secret(PREFIX)

        def work(transaction: Transaction) -> tuple[Topic, Credential, str]:
            topic = self._managed(transaction, topic_id, reference, caller)
            if wanted.expires_at is not None and wanted.expires_at <= transaction.now:
                message = "expected a time to come"
                raise Unprocessable(f"expires_at: {message}", errors=[FieldProblem("expires_at", message)])
            self._check_room(transaction, topic)
            maker = _maker(topic, caller)
            new = NewCredential(
                kind=TOPIC_TOKEN,
                user_id=maker,
                resource=topic.id,
                scopes=wanted.permissions,
                label=wanted.name,
                expires_at=wanted.expires_at,
                prefix=secret[:SHOWN],
            )
            token = issue(transaction, new, secret)
            detail = {"token": str(token.id), "permissions": list(wanted.permissions), "expires_at": wanted.expires_at}
            self._audit.record(
                transaction, "topics.token_made", actor=str(maker or ""), target=str(topic.id), detail=detail
            )
            return topic, token, secret

        return await self._shared.context.storage.write(work)

    async def delete(self, reference: str, principals: Sequence[Principal], token_id: str) -> None:
        """Have a token open nothing any more; the streams that it opened end.

        Raises:
            NotFound: There is no such topic, or no such token of it.
            Forbidden: The topic is not theirs to manage.
        """
        caller, topic_id = await self._found(reference, principals)

        def work(transaction: Transaction) -> None:
            topic = self._managed(transaction, topic_id, reference, caller)
            id_ = read_id(token_id)
            token = None if id_ is None else find_credential(transaction, id_)
            if token is None or token.kind != TOPIC_TOKEN or token.resource != topic.id or token.revoked_at is not None:
                raise NotFound("There is no such access token of this topic")
            delete_credential(transaction, token.id)
            self._audit.record(
                transaction,
                "topics.token_deleted",
                actor=str(_maker(topic, caller) or ""),
                target=str(topic.id),
                detail={"token": str(token.id)},
            )

        await self._shared.context.storage.write(work)

    async def _found(self, reference: str, principals: Sequence[Principal]) -> tuple[Caller, UUID]:
        return await self._shared.callers.find(principals), (await self._shared.reading.find(reference)).id

    def _managed(self, transaction: Transaction, topic_id: UUID, reference: str, caller: Caller) -> Topic:
        topic = store.find_topic(transaction.connection, topic_id)
        if topic is None:
            raise missing(reference)
        check_manage(topic, caller, self._shared.config)
        return topic

    def _check_room(self, transaction: Transaction, topic: Topic) -> None:
        payer = payer_of(transaction, topic)
        self._shared.payers.check_allowed("topic_tokens", payer, "Topic access tokens")
        most = self._shared.payers.limit("tokens_per_topic", payer)
        if most and sum(token.is_usable(transaction.now) for token in tokens_of(transaction, topic)) >= most:
            raise Forbidden(f"The plan has room for {most} tokens of a topic; delete one first (tokens_per_topic)")


def tokens_of(transaction: Transaction, topic: Topic) -> Sequence[Credential]:
    """A topic's tokens, the oldest first; expired ones too, and no revoked ones."""
    tokens = list_credentials(transaction, kind=TOPIC_TOKEN, resource=topic.id)
    return [token for token in tokens if token.revoked_at is None]


def forget_tokens(transaction: Transaction, topic: Topic) -> None:
    """A topic is going, and all its tokens with it."""
    for token in list_credentials(transaction, kind=TOPIC_TOKEN, resource=topic.id):
        delete_credential(transaction, token.id)


def _maker(topic: Topic, caller: Caller) -> UUID | None:
    """Who of those who ask manages the topic."""
    managers = (each for each in caller.principals if can_manage(topic, caller.only([each])))
    return next((each.user_id for each in managers), None)
