"""The custom emoji that posts show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from manor import Transaction
from manor_chat.domain.emoji_names import is_built_in
from manor_chat.ids import shown_id
from manor_chat.store.emoji import find_by_names
from manor_chat.store.posts import Post
from manor_chat.wire.posts import ReactionShown

_NAME = re.compile(r":([a-zA-Z0-9_+-]{1,64})(?=:)")


def emojis_in(
    transaction: Transaction, posts: Sequence[Post], reactions: Mapping[UUID, Sequence[ReactionShown]]
) -> dict[UUID, list[dict[str, Any]]]:
    """Those that posts name, and those that people reacted with, by post and in the order of their names."""
    wanted: dict[UUID, set[str]] = {}
    for post in posts:
        names = {each.emoji_name for each in reactions.get(post.id, ())}
        if ":" in post.message:
            names.update(_NAME.findall(post.message))
        names = {name for name in names if not is_built_in(name)}
        if names:
            wanted[post.id] = names
    if not wanted:
        return {}
    found = {each.name: each for each in find_by_names(transaction, frozenset[str]().union(*wanted.values()))}
    shown = {
        name: {
            "id": shown_id(each.id),
            "create_at": each.create_at,
            "update_at": each.update_at,
            "delete_at": 0,
            "creator_id": shown_id(each.creator_id),
            "name": name,
        }
        for name, each in found.items()
    }
    return {post_id: [shown[name] for name in sorted(names) if name in shown] for post_id, names in wanted.items()}
