"""Personal access tokens: of people who may have some, and of bots."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, insert, select

from manor import (
    BadRequest,
    Credential,
    CredentialRevoked,
    NewCredential,
    NotFound,
    Transaction,
    find_credential,
    issue,
    list_credentials,
    revoke,
)
from manor_chat import faults
from manor_chat.config import ChatConfig
from manor_chat.domain.people_rules import TOKEN_DESCRIPTION
from manor_chat.http.api import ACCESS_TOKEN
from manor_chat.ids import ACCESS_LETTER, new_token, shown_id
from manor_chat.people.credentials import OF_BOT, OF_PERSON
from manor_chat.people.managing_bots import may_manage_bot
from manor_chat.people.profiles import existing_person
from manor_chat.rights import Rights
from manor_chat.store.people import Person
from manor_chat.tables.accounts import disabled_tokens

MOST_TOKENS = 1000
"""Of one person or bot."""


class AccessTokenShown(msgspec.Struct, frozen=True, kw_only=True):
    """A token; `token` is its secret, shown once."""

    id: str
    token: str | msgspec.UnsetType = msgspec.UNSET
    user_id: str
    description: str
    is_active: bool
    expires_at: int = 0


def create_token(
    transaction: Transaction, rights: Rights, user_id: UUID, description: str, config: ChatConfig
) -> AccessTokenShown:
    """Make a token, with its secret.

    Raises:
        BadRequest: 400: the description cannot be one.
        NotFound: 404: there is no such person.
        Forbidden: 403.
        NotImplementedHere: 501: people have none here.
    """
    if not 0 < len(description) <= TOKEN_DESCRIPTION:
        raise BadRequest("Invalid description.", code="model.user_access_token.is_valid.description.app_error")
    person = existing_person(transaction, user_id)
    _require(transaction, rights, person, "create_user_access_token")
    if not (person.is_bot or config.personal_access_tokens):
        raise faults.switched_off(
            "app.user_access_token.disabled", "Personal access tokens are disabled on this server."
        )
    if len(_tokens_of(transaction, user_id)) >= MOST_TOKENS:
        raise faults.bad_body_param("description")
    secret = new_token(ACCESS_LETTER)
    scopes = (OF_BOT if person.is_bot else OF_PERSON,)
    new = NewCredential(kind=ACCESS_TOKEN, user_id=user_id, label=description, scopes=scopes)
    credential = issue(transaction, new, secret)
    return msgspec.structs.replace(_shown(credential, is_active=True), token=secret)


def list_tokens(
    transaction: Transaction, rights: Rights, user_id: UUID, *, offset: int, limit: int
) -> list[AccessTokenShown]:
    """A page of somebody's tokens, the oldest first.

    Raises:
        NotFound: 404: there is no such person.
        Forbidden: 403.
    """
    _require(transaction, rights, existing_person(transaction, user_id), "read_user_access_token")
    query = select(disabled_tokens.c.credential_id).where(disabled_tokens.c.user_id == user_id)
    disabled = set(transaction.connection.execute(query).scalars())
    found = _tokens_of(transaction, user_id)[offset : offset + limit]
    return [_shown(each, is_active=each.id not in disabled) for each in found]


def existing_token(transaction: Transaction, rights: Rights, token_id: UUID, permission: str) -> AccessTokenShown:
    """A token of somebody for whom the caller may act.

    Raises:
        NotFound: 404: there is none.
        Forbidden: 403.
    """
    credential = _find(transaction, token_id)
    assert credential.user_id is not None, "every token is somebody's"
    _require(transaction, rights, existing_person(transaction, credential.user_id), permission)
    return _shown(credential, is_active=not _is_disabled(transaction, token_id))


def disable_token(transaction: Transaction, rights: Rights, token_id: UUID) -> None:
    """Have a token open nothing until it is enabled; what it opened is closed at the commit.

    Raises:
        NotFound: 404: there is none.
        Forbidden: 403.
    """
    existing_token(transaction, rights, token_id, "revoke_user_access_token")
    credential = _find(transaction, token_id)
    if not _is_disabled(transaction, token_id):
        row: dict[str, Any] = {"credential_id": token_id, "user_id": credential.user_id}
        transaction.connection.execute(insert(disabled_tokens).values(row))
    # Whoever keeps in mind what it opens forgets it, and its sockets end: so it is for as long as it is disabled.
    transaction.emit(CredentialRevoked(credential_id=token_id, user_id=credential.user_id))


def enable_token(transaction: Transaction, rights: Rights, token_id: UUID) -> None:
    """Have a token open again what it opened.

    Raises:
        NotFound: 404: there is none.
        Forbidden: 403.
    """
    existing_token(transaction, rights, token_id, "create_user_access_token")
    transaction.connection.execute(delete(disabled_tokens).where(disabled_tokens.c.credential_id == token_id))


def revoke_token(transaction: Transaction, rights: Rights, token_id: UUID) -> None:
    """Have a token open nothing for good.

    Raises:
        NotFound: 404: there is none.
        Forbidden: 403.
    """
    existing_token(transaction, rights, token_id, "revoke_user_access_token")
    transaction.connection.execute(delete(disabled_tokens).where(disabled_tokens.c.credential_id == token_id))
    revoke(transaction, token_id)


def _require(transaction: Transaction, rights: Rights, person: Person, permission: str) -> None:
    """See that somebody may do this to another one's tokens, or their own; a bot's are its owner's to rule."""
    if person.is_system:
        raise faults.no_permission()
    if person.is_bot and may_manage_bot(transaction, rights, person.id):
        return
    rights.require(permission)
    rights.require_self(person.id)


def _find(transaction: Transaction, token_id: UUID) -> Credential:
    credential = find_credential(transaction, token_id)
    if credential is None or credential.kind != ACCESS_TOKEN or credential.revoked_at is not None:
        raise NotFound("Unable to find the personal access token", code="app.user_access_token.get_by_user.app_error")
    return credential


def _tokens_of(transaction: Transaction, user_id: UUID) -> list[Credential]:
    found = list_credentials(transaction, kind=ACCESS_TOKEN, user_id=user_id)
    return [each for each in found if each.revoked_at is None]


def _is_disabled(transaction: Transaction, token_id: UUID) -> bool:
    query = select(disabled_tokens.c.user_id).where(disabled_tokens.c.credential_id == token_id)
    return transaction.connection.execute(query).first() is not None


def _shown(credential: Credential, *, is_active: bool) -> AccessTokenShown:
    return AccessTokenShown(
        id=shown_id(credential.id),
        user_id=shown_id(credential.user_id),
        description=credential.label,
        is_active=is_active,
    )
