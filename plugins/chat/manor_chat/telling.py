"""Telling the WebSockets, from within the transaction that makes it true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from manor import Transaction
from manor_chat.events import Told


def tell(
    transaction: Transaction,
    event: str,
    data: Mapping[str, Any],
    *,
    user_id: UUID | None = None,
    channel_id: UUID | None = None,
    team_id: UUID | None = None,
    omit_users: Sequence[UUID] = (),
    omit_connection: str = "",
    audience: Literal["all", "admins", "others"] = "all",
    mentions: Sequence[UUID] = (),
    followers: Sequence[UUID] = (),
) -> None:
    """Have an event told once the transaction is committed; see `Told` for who hears it."""
    transaction.emit(
        Told(
            event=event,
            data=msgspec.json.encode(data),
            user_id=user_id,
            channel_id=channel_id,
            team_id=team_id,
            omit_users=tuple(omit_users),
            omit_connection=omit_connection,
            audience=audience,
            mentions=tuple(mentions),
            followers=tuple(followers),
        )
    )


def as_text(value: Any) -> str:
    """A value as a string of JSON: how most events carry objects (`"post": "{…}"`)."""
    return msgspec.json.encode(value).decode()
