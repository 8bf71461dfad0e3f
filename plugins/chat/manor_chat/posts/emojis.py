"""The custom emoji that posts show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from manor import Transaction
from manor_chat.store.posts import Post
from manor_chat.wire.posts import ReactionShown


def emojis_in(
    transaction: Transaction, posts: Sequence[Post], reactions: Mapping[UUID, Sequence[ReactionShown]]
) -> dict[UUID, list[dict[str, Any]]]:
    """By post."""
    return {}
