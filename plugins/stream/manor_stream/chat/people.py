"""Who takes part: registered with a token, or known by what they call themselves."""

from __future__ import annotations

import secrets
from uuid import UUID

import msgspec

from manor import Authenticator, Forbidden, Presented, Principal, Storage, Transaction
from manor_stream.chat import rules, store
from manor_stream.chat.standing import Standing
from manor_stream.http.api import CHAT_USER
from manor_stream.settings import Settings

PREFIX = "chat_"
"""Tokens begin with it, so that nothing else is taken for one."""

TOKEN_BYTES = 32


class Registered(msgspec.Struct, frozen=True, rename="camel"):
    """A new user, and their token: shown now or never again."""

    id: str
    access_token: str
    display_name: str


class SentAway(Forbidden):
    """Somebody may not take part (any more); `kind` is the frame that says so."""

    def __init__(self, kind: str) -> None:
        super().__init__("You may not take part in this chat")
        self.kind = kind


class People:
    """Knows people by their tokens, and what they may be called.

    Args:
        storage: Where they are.
        standing: Who may take part.
        settings: Say which names are not to be had.
    """

    def __init__(self, storage: Storage, standing: Standing, settings: Settings) -> None:
        self._storage = storage
        self._standing = standing
        self._settings = settings

    @property
    def authenticator(self) -> Authenticator:
        """For the hook: a token stands for its user, and for what they may do now."""
        return Authenticator(CHAT_USER, _looks_like_token, self._authenticate)

    async def register(self, wanted: str) -> Registered:
        """Make a user.

        Args:
            wanted: What they would like to be called; where that cannot be had a name is made up.
        """
        name = rules.clean_name(wanted)
        if not name or not self.may_be_called(name, None):
            name = self.invented_name()
        token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        new = store.NewPerson(name=name, color=random_color(), token=token)
        person = await self._storage.write(lambda transaction: store.add_person(transaction, new))
        return Registered(person.user.id, token, name)

    def may_be_called(self, name: str, user_id: str | None) -> bool:
        """Whether somebody may have a name, which is clean.

        Args:
            name: The name.
            user_id: Who wants it: moderators have theirs already.
        """
        settings = self._settings.now
        others = [theirs for id_, theirs in self._standing.moderators.items() if id_ != user_id]
        return not rules.is_forbidden(name, words=settings.forbidden_usernames, names=[settings.name, *others])

    def invented_name(self) -> str:
        """A name for somebody who has none."""
        return rules.invented_name(secrets.choice)

    async def _authenticate(self, presented: Presented) -> Principal | None:
        def work(transaction: Transaction) -> UUID | None:
            return store.find_by_token(transaction.connection, presented.secret)

        user_id = await self._storage.read(work)
        if user_id is None:
            return None
        scopes = frozenset({store.MODERATOR}) if self._standing.is_moderator(str(user_id)) else frozenset[str]()
        return Principal(CHAT_USER, credential_id=user_id, scopes=scopes)


def random_color() -> int:
    """A color for somebody new."""
    return secrets.randbelow(rules.COLORS)


def _looks_like_token(secret: str) -> bool:
    return secret.startswith(PREFIX) and len(secret) < 100
