"""Access tokens: what bots come in with. Each may do what its scopes say, and nothing outside of the stream."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from manor import (
    Authenticator,
    BadRequest,
    Credential,
    NewCredential,
    Presented,
    Principal,
    Transaction,
    delete_credential,
    find_by_secret,
    find_credential,
    issue,
    list_credentials,
    new_secret,
)
from manor_stream.http.api import INTEGRATION, SCOPES
from manor_stream.key_check import USER
from manor_stream.parts import Shared

PREFIX = "sit_"
SHOWN = len(PREFIX) + 8
"""Characters of a token that it is told from others by."""

DOTS = "..."
LONGEST_NAME = 100
LONGEST_SECRET = 256
MOST_TOKENS = 200

SHELL = "shell"

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def listed_form(token: Credential) -> str:
    """A token as lists show it."""
    return token.prefix + DOTS


class Tokens:
    """Keeps access tokens.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._context = shared.context

    @property
    def authenticator(self) -> Authenticator:
        """For the hook."""
        return Authenticator(INTEGRATION, _looks_like_token, self._authenticate, self._make_at_shell)

    async def list(self) -> Sequence[Credential]:
        """All of them, the oldest first."""
        return await self._context.storage.read(_usable)

    async def create(self, name: str, scopes: Sequence[str], *, actor: str = USER) -> tuple[Credential, str]:
        """Make a token.

        Returns:
            The token, and its secret, which is kept nowhere.

        Raises:
            BadRequest: It has no name, no scope or one that there is not, or there are too many tokens.
        """
        name = name.strip()
        if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
            raise BadRequest(f"name: expected one line of 1 to {LONGEST_NAME} characters that can be seen")
        scopes = tuple(dict.fromkeys(scopes))
        if not scopes or not SCOPES.keys() >= set(scopes):
            raise BadRequest(f"scopes: expected some of {', '.join(SCOPES)}")
        secret = new_secret(PREFIX)

        def work(transaction: Transaction) -> Credential:
            if len(_usable(transaction)) >= MOST_TOKENS:
                raise BadRequest(f"There are {MOST_TOKENS} access tokens; delete one first")
            new = NewCredential(kind=INTEGRATION, scopes=scopes, label=name, prefix=secret[:SHOWN])
            token = issue(transaction, new, secret)
            self._note(transaction, "stream.token_made", actor, token)
            return token

        return await self._context.storage.write(work), secret

    async def delete(self, named: str) -> None:
        """Have a token open nothing any more; what it has opened ends.

        Args:
            named: The token itself, its form in lists, or its id.

        Raises:
            BadRequest: There is no such token, or there are several.
        """

        def work(transaction: Transaction) -> None:
            found = _named(transaction, named)
            if len(found) != 1:
                raise BadRequest(
                    "token: there is no such token" if not found else "token: several begin so; say its id"
                )
            delete_credential(transaction, found[0].id)
            self._note(transaction, "stream.token_deleted", USER, found[0])

        await self._context.storage.write(work)

    async def _make_at_shell(self, label: str) -> str:
        return (await self.create(label, tuple(SCOPES), actor=SHELL))[1]

    async def _authenticate(self, presented: Presented) -> Principal | None:
        return await self._context.identity.authenticate(INTEGRATION, presented.secret)

    def _note(self, transaction: Transaction, what: str, actor: str, token: Credential) -> None:
        detail = {"name": token.label, "scopes": token.scopes}
        self._context.audit.record(transaction, what, actor=actor, target=str(token.id), detail=detail)


def _looks_like_token(secret: str) -> bool:
    return secret.startswith(PREFIX) and len(secret) <= LONGEST_SECRET


def _usable(transaction: Transaction) -> list[Credential]:
    return [token for token in list_credentials(transaction, kind=INTEGRATION) if token.is_usable(transaction.now)]


def _named(transaction: Transaction, named: str) -> list[Credential]:
    if named.endswith(DOTS):
        return [token for token in _usable(transaction) if listed_form(token) == named]
    if _ID.fullmatch(named):
        found = find_credential(transaction, UUID(named))
    else:
        found = find_by_secret(transaction, named, kind=INTEGRATION)
    return [found] if found is not None and found.kind == INTEGRATION and found.revoked_at is None else []
